// SPDX-License-Identifier: Apache-2.0
#include "kv/cache.h"

#include <algorithm>

#include "base/error.h"

namespace inlay::kv {

Cache::Cache(Memory &m, int32_t n_blocks, bool share_prefixes, uint64_t secret) : pool_(m, n_blocks), index_(m, pool_, secret), share_(share_prefixes) {}

int32_t Cache::known(uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks, int32_t *n_free) const noexcept {
    *n_free = 0;
    if (!share_) return 0;
    PrefixKey at = index_.root(salt);
    int32_t n = 0, limit = std::min(max_blocks, static_cast<int32_t>(tokens.size() / kBlockTokens));
    for (; n < limit; ++n) {
        auto part = tokens.subspan(static_cast<size_t>(n) * kBlockTokens, kBlockTokens);
        int32_t b = index_.find(at, part);
        if (b < 0) break;
        *n_free += pool_.refs(b) == 0;
        at = index_.child(at, part);
    }
    return n;
}

int32_t Cache::attach(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks) {
    if (t.n_indexed == 0) t.tip = index_.root(salt);
    if (!share_) return 0;
    t.blocks.reserve(static_cast<size_t>(blocks_for(static_cast<int64_t>(tokens.size()))));
    while (t.n_indexed < max_blocks && (static_cast<size_t>(t.n_indexed) + 1) * kBlockTokens <= tokens.size()) {
        auto part = tokens.subspan(static_cast<size_t>(t.n_indexed) * kBlockTokens, kBlockTokens);
        int32_t b = index_.find(t.tip, part);
        if (b < 0) break;
        t.blocks.push_back(b);
        pool_.hold(b);
        t.tip = index_.child(t.tip, part);
        ++t.n_indexed;
    }
    t.n_tokens = t.n_indexed * kBlockTokens;
    return t.n_tokens;
}

int32_t Cache::take() noexcept {
    int32_t b = pool_.take();
    if (b >= 0) index_.forget(b);
    return b;
}

int32_t Cache::need(const Table &t, int32_t n_tokens) const noexcept {
    int32_t have = static_cast<int32_t>(t.blocks.size()), n = std::max(0, blocks_for(n_tokens) - have);
    if (n_tokens > t.n_tokens && t.n_tokens % kBlockTokens != 0 && !own(t.blocks[static_cast<size_t>(t.n_tokens / kBlockTokens)])) ++n;
    return n;
}

bool Cache::reserve(Table &t, int32_t n_tokens, Vector<Copy> &copies) {
    if (need(t, n_tokens) > pool_.n_free()) return false;
    // Whatever may throw comes first: from here on nothing fails.
    if (size_t n = static_cast<size_t>(blocks_for(n_tokens)); n > t.blocks.capacity()) t.blocks.reserve(std::max(n, 2 * t.blocks.capacity()));
    if (copies.size() == copies.capacity()) copies.reserve(2 * copies.size() + 1);
    size_t partial = static_cast<size_t>(t.n_tokens / kBlockTokens);
    if (n_tokens > t.n_tokens && t.n_tokens % kBlockTokens != 0 && !own(t.blocks[partial])) {
        int32_t fresh = take();
        copies.push_back({t.blocks[partial], fresh});
        pool_.release(t.blocks[partial]);
        t.blocks[partial] = fresh;
    }
    while (static_cast<int32_t>(t.blocks.size()) < blocks_for(n_tokens)) t.blocks.push_back(take());
    return true;
}

bool Cache::restore(Table &t, int32_t n_tokens, int32_t first_block) {
    const int32_t have = static_cast<int32_t>(t.blocks.size()), want = blocks_for(n_tokens);
    if (want - std::max(have, first_block) > pool_.n_free()) return false;
    t.blocks.reserve(static_cast<size_t>(want));
    for (int32_t i = have; i < want; ++i) t.blocks.push_back(i < first_block ? -1 : take());
    t.n_tokens = n_tokens;
    return true;
}

void Cache::commit(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t n_tokens) noexcept {
    t.n_tokens = n_tokens;
    if (!share_) return;
    if (t.n_indexed == 0) t.tip = index_.root(salt);
    while ((t.n_indexed + 1) * kBlockTokens <= n_tokens) {
        auto part = tokens.subspan(static_cast<size_t>(t.n_indexed) * kBlockTokens, kBlockTokens);
        int32_t b = t.blocks[static_cast<size_t>(t.n_indexed)];
        // Known under another number already: this copy stays private.
        if (b >= 0 && !pool_.indexed(b)) index_.insert(t.tip, part, b);
        t.tip = index_.child(t.tip, part);
        ++t.n_indexed;
    }
}

void Cache::truncate(Table &t, int32_t n_tokens, uint64_t salt, std::span<const int32_t> tokens) noexcept {
    size_t keep = static_cast<size_t>(blocks_for(n_tokens));
    for (; t.blocks.size() > keep; t.blocks.pop_back())
        if (t.blocks.back() >= 0) pool_.release(t.blocks.back(), !pool_.indexed(t.blocks.back()));
    t.n_tokens = std::min(t.n_tokens, n_tokens);
    if (t.n_indexed > t.n_tokens / kBlockTokens) {
        t.n_indexed = 0;
        t.tip = index_.root(salt);
        for (; (t.n_indexed + 1) * kBlockTokens <= t.n_tokens; ++t.n_indexed)
            t.tip = index_.child(t.tip, tokens.subspan(static_cast<size_t>(t.n_indexed) * kBlockTokens, kBlockTokens));
    }
}

void Cache::fork(const Table &from, Table &to) {
    size_t n = static_cast<size_t>(blocks_for(from.n_tokens));
    to.blocks.assign(from.blocks.begin(), from.blocks.begin() + static_cast<ptrdiff_t>(n));
    for (int32_t b : to.blocks)
        if (b >= 0) pool_.hold(b);
    to.n_tokens = from.n_tokens;
    to.n_indexed = from.n_indexed;
    to.tip = from.tip;
}

void Cache::drop_before(Table &t, int32_t first_token) noexcept {
    size_t n = std::min(t.blocks.size(), static_cast<size_t>(std::max(0, first_token) / kBlockTokens));
    for (size_t i = n; i-- > 0 && t.blocks[i] >= 0;) {
        pool_.release(t.blocks[i]);
        t.blocks[i] = -1;
    }
}

void Cache::release(Table &t) noexcept {
    // Last first: the end of a sequence is evicted before its beginning, which other prompts may share.
    for (size_t i = t.blocks.size(); i-- > 0;)
        if (int32_t b = t.blocks[i]; b >= 0) pool_.release(b, !pool_.indexed(b));
    t.blocks.clear();
    t.n_tokens = t.n_indexed = 0;
}

void Cache::check() const {
    pool_.check();
    index_.check();
}

}  // namespace inlay::kv
