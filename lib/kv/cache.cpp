// SPDX-License-Identifier: Apache-2.0
#include "kv/cache.h"

#include <algorithm>

#include "base/error.h"

namespace inlay::kv {

Cache::Cache(Memory &m, int32_t n_pages, bool share_prefixes, uint64_t secret, const Groups &groups)
    : pool_(m, n_pages), index_(m, pool_, secret), share_(share_prefixes), groups_(groups) {}

int32_t Cache::held(const Table &t) const noexcept {
    int32_t n = 0;
    for (int32_t g = 0; g < groups_.n; ++g) n += blocks(t) - t.gone[static_cast<size_t>(g)];
    return n;
}

// Walks over what is known from block `from` on. `whole`, by group: all pages from this block up to where the walk stands
// are known. A beginning will do when each group's are from the first one on that its next token reads.
int32_t Cache::longest(PrefixKey tip, int32_t from, Marks whole, std::span<const int32_t> tokens, int32_t max_blocks) const noexcept {
    int32_t best = from;
    if (index_.size() == 0) return best;
    const int32_t limit = std::min(max_blocks, static_cast<int32_t>(tokens.size() / kBlockTokens));
    for (int32_t b = from; b < limit; ++b) {
        const auto now = part(tokens, b);
        const PrefixKey key = index_.child(tip, now);
        bool all = true;
        for (int32_t g = 0; g < groups_.n; ++g) {
            int32_t &first = whole[static_cast<size_t>(g)];
            if (index_.find(key, tip, now, g) < 0) {
                if (groups_.window[static_cast<size_t>(g)] == 0) return best;
                first = b + 1;
            }
            all &= first <= groups_.first_block(g, (b + 1) * kBlockTokens);
        }
        if (all) best = b + 1;
        tip = key;
    }
    return best;
}

Hit Cache::known(uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks) const noexcept {
    Hit hit;
    if (!share_) return hit;
    PrefixKey tip = index_.root(salt);
    hit.blocks = longest(tip, 0, {}, tokens, max_blocks);
    for (int32_t b = 0; b < hit.blocks; ++b) {
        const auto now = part(tokens, b);
        const PrefixKey key = index_.child(tip, now);
        for (int32_t g = 0; g < groups_.n; ++g) {
            const bool read = b >= groups_.first_block(g, hit.blocks * kBlockTokens);
            const bool free = read && pool_.refs(index_.find(key, tip, now, g)) == 0;
            hit.n_free += free;
            hit.spared[static_cast<size_t>(g)] += !free;
        }
        tip = key;
    }
    return hit;
}

int32_t Cache::attach(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks) {
    if (t.n_indexed == 0) t.tip = index_.root(salt);
    if (!share_) return 0;
    const int32_t n = longest(t.tip, t.n_indexed, t.gone, tokens, max_blocks);
    t.pages.reserve(static_cast<size_t>(n) * static_cast<size_t>(groups_.n));
    for (; t.n_indexed < n; ++t.n_indexed) {
        const auto now = part(tokens, t.n_indexed);
        const PrefixKey key = index_.child(t.tip, now);
        for (int32_t g = 0; g < groups_.n; ++g) {
            const bool read = t.n_indexed >= groups_.first_block(g, n * kBlockTokens);
            const int32_t p = read ? index_.find(key, t.tip, now, g) : -1;
            if (p >= 0) pool_.hold(p);
            t.pages.push_back(p);
        }
        t.tip = key;
    }
    t.n_tokens = t.n_indexed * kBlockTokens;
    drop_behind(t);
    return t.n_tokens;
}

int32_t Cache::take() noexcept {
    int32_t p = pool_.take();
    if (p >= 0) index_.forget(p);
    return p;
}

int32_t Cache::cost(const Hit &hit, int32_t n_tokens, int32_t chunk) const noexcept {
    int64_t sum = 0;
    for (int32_t g = 0; g < groups_.n; ++g)
        sum += std::min<int64_t>(groups_.most(g, n_tokens, chunk), blocks_for(n_tokens) - hit.spared[static_cast<size_t>(g)]);
    return static_cast<int32_t>(std::min<int64_t>(sum, INT32_MAX));
}

int32_t Cache::growth(const Table &t, int32_t n_blocks, int32_t n_tokens, int32_t chunk) const noexcept {
    int64_t sum = 0;
    for (int32_t g = 0; g < groups_.n; ++g) {
        const int64_t have = n_blocks - t.gone[static_cast<size_t>(g)];
        sum += std::max<int64_t>(0, std::min<int64_t>(blocks_for(n_tokens) - n_blocks, groups_.most(g, n_tokens, chunk) - have));
    }
    return static_cast<int32_t>(std::min<int64_t>(sum, INT32_MAX));
}

int32_t Cache::holds(int32_t chunk) const noexcept {
    int64_t lo = 0, hi = int64_t{pool_.n_blocks()} * kBlockTokens;
    while (lo < hi) {
        const int64_t mid = (lo + hi + 1) / 2;
        if (groups_.pages(mid, chunk) <= pool_.n_blocks())
            lo = mid;
        else
            hi = mid - 1;
    }
    return static_cast<int32_t>(std::min<int64_t>(lo, INT32_MAX));
}

int32_t Cache::need(const Table &t, int32_t n_tokens) const noexcept {
    int32_t n = std::max(0, blocks_for(n_tokens) - blocks(t)) * groups_.n;
    if (n_tokens > t.n_tokens && t.n_tokens % kBlockTokens != 0)
        for (int32_t g = 0; g < groups_.n; ++g) n += !own(page(t, t.n_tokens / kBlockTokens, g));
    return n;
}

bool Cache::reserve(Table &t, int32_t n_tokens, Vector<Copy> &copies) {
    if (need(t, n_tokens) > pool_.n_free()) return false;
    // Whatever may throw comes first: from here on nothing fails.
    const size_t groups = static_cast<size_t>(groups_.n), want = static_cast<size_t>(blocks_for(n_tokens)) * groups;
    if (want > t.pages.capacity()) t.pages.reserve(std::max(want, 2 * t.pages.capacity()));
    if (copies.size() + groups > copies.capacity()) copies.reserve(2 * copies.size() + groups);
    if (n_tokens > t.n_tokens && t.n_tokens % kBlockTokens != 0)
        for (int32_t g = 0; g < groups_.n; ++g) {
            int32_t &partial = page(t, t.n_tokens / kBlockTokens, g);
            if (own(partial)) continue;
            int32_t fresh = take();
            copies.push_back({partial, fresh});
            pool_.release(partial);
            partial = fresh;
        }
    while (t.pages.size() < want) t.pages.push_back(take());
    return true;
}

bool Cache::restore(Table &t, int32_t n_tokens, std::span<const int32_t> saved) {
    const size_t have = t.pages.size(), want = static_cast<size_t>(blocks_for(n_tokens)) * static_cast<size_t>(groups_.n);
    int32_t n = 0;
    for (size_t i = have; i < want; ++i) n += saved[i] >= 0;
    if (n > pool_.n_free()) return false;
    t.pages.reserve(want);
    const int32_t had = blocks(t);
    for (size_t i = have; i < want; ++i) t.pages.push_back(saved[i] < 0 ? -1 : take());
    for (int32_t g = 0; g < groups_.n; ++g) {
        int32_t &gone = t.gone[static_cast<size_t>(g)];
        if (gone == had)
            while (gone < blocks(t) && page(t, gone, g) < 0) ++gone;
    }
    t.n_tokens = n_tokens;
    drop_behind(t);
    return true;
}

void Cache::commit(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t n_tokens) noexcept {
    t.n_tokens = n_tokens;
    if (share_) {
        if (t.n_indexed == 0) t.tip = index_.root(salt);
        for (; (t.n_indexed + 1) * kBlockTokens <= n_tokens; ++t.n_indexed) {
            const auto now = part(tokens, t.n_indexed);
            const PrefixKey key = index_.child(t.tip, now);
            for (int32_t g = 0; g < groups_.n; ++g) {
                const int32_t p = page(t, t.n_indexed, g);
                // Known under another number already: this copy stays private.
                if (p >= 0 && !pool_.indexed(p)) index_.insert(key, t.tip, now, g, p);
            }
            t.tip = key;
        }
    }
    drop_behind(t);
}

void Cache::truncate(Table &t, int32_t n_tokens, uint64_t salt, std::span<const int32_t> tokens) noexcept {
    const size_t keep = static_cast<size_t>(blocks_for(n_tokens)) * static_cast<size_t>(groups_.n);
    for (; t.pages.size() > keep; t.pages.pop_back())
        if (t.pages.back() >= 0) give_back(t.pages.back());
    t.n_tokens = std::min(t.n_tokens, n_tokens);
    for (int32_t g = 0; g < groups_.n; ++g)
        if (t.gone[static_cast<size_t>(g)] > groups_.first_block(g, t.n_tokens)) return release(t);
    if (t.n_indexed > t.n_tokens / kBlockTokens) {
        t.tip = index_.root(salt);
        for (t.n_indexed = 0; (t.n_indexed + 1) * kBlockTokens <= t.n_tokens; ++t.n_indexed) t.tip = index_.child(t.tip, part(tokens, t.n_indexed));
    }
}

void Cache::fork(const Table &from, Table &to) {
    const ptrdiff_t n = ptrdiff_t{blocks_for(from.n_tokens)} * groups_.n;
    to.pages.assign(from.pages.begin(), from.pages.begin() + n);
    for (int32_t p : to.pages)
        if (p >= 0) pool_.hold(p);
    to.gone = from.gone;
    to.n_tokens = from.n_tokens;
    to.n_indexed = from.n_indexed;
    to.tip = from.tip;
}

void Cache::drop_behind(Table &t) noexcept {
    for (int32_t g = 0; g < groups_.n; ++g) {
        int32_t &gone = t.gone[static_cast<size_t>(g)];
        const int32_t first = std::min(groups_.first_block(g, t.n_tokens), blocks(t));
        for (int32_t b = first; b-- > gone;) {
            int32_t &p = page(t, b, g);
            if (p >= 0) give_back(p);
            p = -1;
        }
        gone = std::max(gone, first);
    }
}

void Cache::release(Table &t) noexcept {
    // Last first: the end of a sequence is evicted before its beginning, which other prompts may share.
    for (size_t i = t.pages.size(); i-- > 0;)
        if (t.pages[i] >= 0) give_back(t.pages[i]);
    t.pages.clear();
    t.gone = {};
    t.n_tokens = t.n_indexed = 0;
}

void Cache::check() const {
    pool_.check();
    index_.check();
}

void Cache::check(const Table &t) const {
    require(t.pages.size() % static_cast<size_t>(groups_.n) == 0 && blocks(t) >= blocks_for(t.n_tokens), t.pages.size(), " pages for ", t.n_tokens, " tokens");
    for (int32_t g = 0; g < groups_.n; ++g) {
        const int32_t gone = t.gone[static_cast<size_t>(g)];
        require(gone <= groups_.first_block(g, t.n_tokens), "group ", g, " has lost ", gone, " blocks of ", t.n_tokens, " tokens");
        for (int32_t b = 0; b < blocks(t); ++b) {
            const int32_t p = page(t, b, g);
            require((p < 0) == (b < gone) && (p < 0 || pool_.refs(p) > 0), "group ", g, " has page ", p, " for block ", b, ", ", gone, " are gone");
        }
    }
}

}  // namespace inlay::kv
