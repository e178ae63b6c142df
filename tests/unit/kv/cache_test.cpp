// SPDX-License-Identifier: Apache-2.0
// The paged cache by its counters: blocks come back, shared blocks are never written, prefixes are found by content and
// salt alone, and a long random run against a plain model of who should see which tokens.
#include "kv/cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"

using namespace inlay;
using namespace inlay::kv;

namespace {

std::vector<int32_t> run_of(int32_t first, int n) {
    std::vector<int32_t> v;
    for (int i = 0; i < n; ++i) v.push_back(first + i);
    return v;
}

struct Fixture {
    Memory mem;
    Cache cache;
    Vector<Copy> copies;
    explicit Fixture(int32_t n, bool share = true, std::initializer_list<int32_t> windows = {0})
        : cache(mem, n, share, 12345, groups_of(windows)), copies(Alloc<Copy>(mem)) {}
    static Groups groups_of(std::initializer_list<int32_t> windows) {
        Groups g;
        g.n = 0;
        for (int32_t w : windows) g.window[static_cast<size_t>(g.n++)] = w;
        return g;
    }
    Table filled(const std::vector<int32_t> &tokens, uint64_t salt = 0) {
        Table t(mem);
        cache.attach(t, salt, tokens, static_cast<int32_t>((tokens.size() - 1) / kBlockTokens));
        REQUIRE(cache.reserve(t, static_cast<int32_t>(tokens.size()), copies));
        cache.commit(t, salt, tokens, static_cast<int32_t>(tokens.size()));
        return t;
    }
};

}  // namespace

TEST_CASE("SipHash keys differ by salt, parent and every token") {
    Fixture f(4);
    const PrefixIndex &x = f.cache.index();
    auto a = run_of(0, 16);
    PrefixKey k = x.child(x.root(1), a);
    CHECK(k == x.child(x.root(1), a));
    CHECK_FALSE(k == x.child(x.root(2), a));
    for (int i = 0; i < 16; ++i) {
        auto b = a;
        b[static_cast<size_t>(i)] += 1;
        CHECK_FALSE(k == x.child(x.root(1), b));
    }
}

TEST_CASE("blocks are taken, returned and counted") {
    Fixture f(10, false);
    Table t(f.mem);
    CHECK(f.cache.need(t, 33) == 3);
    CHECK(f.cache.reserve(t, 33, f.copies));
    CHECK(f.cache.pool().n_free() == 7);
    CHECK_FALSE(f.cache.reserve(t, 161, f.copies));
    CHECK(f.cache.pool().n_free() == 7);
    CHECK(f.cache.reserve(t, 160, f.copies));
    CHECK(f.cache.pool().n_free() == 0);
    f.cache.truncate(t, 16, 0, {});
    CHECK(f.cache.pool().n_free() == 9);
    f.cache.release(t);
    CHECK(f.cache.pool().n_free() == 10);
    f.cache.check();
}

TEST_CASE("a prefix is found by its tokens and salt, whole blocks only") {
    Fixture f(20);
    auto p = run_of(100, 50);
    Table a = f.filled(p);
    auto q = p;
    q[40] = 7;  // differs in the third block
    CHECK(f.cache.known(0, q, 3).blocks == 2);
    CHECK(f.cache.known(0, q, 3).n_free == 0);
    CHECK(f.cache.known(9, q, 3).blocks == 0);
    Table b = f.filled(q);
    CHECK(b.pages[0] == a.pages[0]);
    CHECK(b.pages[1] == a.pages[1]);
    CHECK(b.pages[2] != a.pages[2]);
    CHECK(f.cache.pool().n_free() == 20 - 6);
    f.cache.release(a);
    CHECK(f.cache.known(0, p, 3).blocks == 3);
    CHECK(f.cache.known(0, p, 3).n_free == 1);
    f.cache.release(b);
    CHECK(f.cache.pool().n_free() == 20);
    CHECK(f.cache.pool().n_cached() == 4);
    Table c = f.filled(p);
    CHECK(c.n_indexed == 3);
    f.cache.check();
    f.cache.release(c);
}

TEST_CASE("the least recently used prefix is lost first, its end before its beginning") {
    Fixture f(6);
    Table a = f.filled(run_of(0, 33)), b = f.filled(run_of(500, 33));
    f.cache.release(a);
    f.cache.release(b);
    CHECK(f.cache.pool().n_cached() == 4);
    Table c = f.filled(run_of(900, 48));  // two uncached free ones, then one of a's
    CHECK(f.cache.known(0, run_of(0, 33), 2).blocks == 1);
    CHECK(f.cache.known(0, run_of(500, 33), 2).blocks == 2);
    f.cache.release(c);
    f.cache.check();
}

TEST_CASE("fork shares, the first writer copies") {
    Fixture f(10);
    auto p = run_of(1, 20);
    Table a = f.filled(p);
    Table b(f.mem);
    f.cache.fork(a, b);
    CHECK(f.cache.pool().n_free() == 8);
    CHECK(f.cache.need(b, 21) == 1);
    REQUIRE(f.cache.reserve(b, 21, f.copies));
    REQUIRE(f.copies.size() == 1);
    CHECK(f.copies[0].from == a.pages[1]);
    CHECK(f.copies[0].to == b.pages[1]);
    CHECK(f.cache.need(a, 21) == 0);  // alone again
    f.cache.release(a);
    f.cache.release(b);
    CHECK(f.cache.pool().n_free() == 10);
    f.cache.check();
}

TEST_CASE("a block that the index knows is not written after a truncate") {
    Fixture f(10);
    auto p = run_of(1, 32);
    Table a = f.filled(p);
    f.cache.truncate(a, 20, 0, p);
    CHECK(a.n_indexed == 1);
    REQUIRE(f.cache.reserve(a, 24, f.copies));
    CHECK(f.copies.size() == 1);
    f.cache.release(a);
    f.cache.check();
}

TEST_CASE("a window's past goes back early, to the token") {
    Fixture f(40, false, {0, 20});
    CHECK(f.cache.groups().first_block(1, 19) == 0);
    CHECK(f.cache.groups().first_block(1, 34) == 0);  // token 34 reads 15 and on
    CHECK(f.cache.groups().first_block(1, 35) == 1);  // token 35 reads 16 and on
    Table a(f.mem);
    auto p = run_of(1, 100);
    auto grow = [&](int32_t n) {
        REQUIRE(f.cache.reserve(a, n, f.copies));
        f.cache.commit(a, 0, p, n);
        f.cache.check(a);
    };
    grow(34);
    CHECK(f.cache.held(a) == 6);
    grow(35);
    CHECK(f.cache.held(a) == 5);
    CHECK(a.pages[1] == -1);
    grow(100);
    CHECK(f.cache.held(a) == 7 + 2);  // tokens 81 to 99 are in blocks 5 and 6
    CHECK(f.cache.pool().n_free() == 40 - 9);
    Table b(f.mem);
    f.cache.fork(a, b);
    CHECK(f.cache.need(b, 101) == 2);  // block 6 of both groups is shared
    // Further back than the window has kept: nothing is left to go on from.
    f.cache.truncate(a, 60, 0, p);
    CHECK(a.n_tokens == 0);
    f.cache.truncate(b, 99, 0, p);
    CHECK(b.n_tokens == 99);
    f.cache.release(b);
    CHECK(f.cache.pool().n_free() == 40);
    f.cache.check();
}

TEST_CASE("counts of groups: the most that a sequence holds is held by some and exceeded by none") {
    for (int32_t w : {1, 2, 15, 16, 17, 20, 33})
        for (int32_t chunk : {1, 2, 7, 16, 31}) {
            Fixture f(200, false, {0, w});
            const int32_t n = 150;
            int64_t most = 0;
            for (int32_t first = 1; first <= 16; ++first) {  // where chunks begin
                Table t(f.mem);
                auto p = run_of(1, n);
                for (int32_t at = 0; at < n;) {
                    const int32_t upto = std::min(n, at + (at ? chunk : std::min(first, chunk)));
                    REQUIRE(f.cache.reserve(t, upto, f.copies));
                    most = std::max<int64_t>(most, f.cache.held(t) - f.cache.blocks(t));
                    CHECK(f.cache.held(t) <= f.cache.groups().pages(upto, chunk));
                    f.cache.commit(t, 0, p, at = upto);
                }
                f.cache.release(t);
            }
            CHECK(most <= f.cache.groups().most(1, n, chunk));
            CHECK(most + 1 >= f.cache.groups().most(1, n, chunk));
        }
    Fixture f(30, false, {0, 20});
    CHECK(f.cache.groups().pages(f.cache.holds(8), 8) <= 30);
    CHECK(f.cache.groups().pages(f.cache.holds(8) + 1, 8) > 30);
}

TEST_CASE("a prefix is found again when a window has passed over it") {
    Fixture f(60, true, {0, 20, 40});
    auto p = run_of(0, 200);
    Table a = f.filled(p);
    f.cache.release(a);
    // All pages are still known: any whole beginning can be gone on from, and holds no more than its windows read.
    for (int32_t blocks = 1; blocks <= 12; ++blocks) {
        CHECK(f.cache.known(0, p, blocks).blocks == blocks);
        Table b(f.mem);
        CHECK(f.cache.attach(b, 0, p, blocks) == blocks * 16);
        CHECK(f.cache.held(b) == f.cache.groups().kept(blocks));
        CHECK(f.cache.held(b) == f.cache.known(0, p, blocks).spared[0] + std::min(blocks, 2) + std::min(blocks, 3));
        f.cache.check(b);
        f.cache.release(b);
    }
    // A windowed group has lost block 3 alone: beginnings that end in its reach will not do, longer and shorter ones do.
    const PrefixIndex &x = f.cache.index();
    PrefixKey tip = x.root(0);
    for (int32_t b = 0; b < 3; ++b) tip = x.child(tip, std::span(p).subspan(static_cast<size_t>(b) * 16, 16));
    auto part = std::span<const int32_t>(p).subspan(48, 16);
    const_cast<PrefixIndex &>(x).forget(x.find(x.child(tip, part), tip, part, 1));
    CHECK(f.cache.known(0, p, 12).blocks == 12);
    CHECK(f.cache.known(0, p, 6).blocks == 6);
    CHECK(f.cache.known(0, p, 5).blocks == 3);  // token 80 reads from 61 on
    CHECK(f.cache.known(0, p, 4).blocks == 3);
    // The full group has: nothing behind it.
    const_cast<PrefixIndex &>(x).forget(x.find(x.child(tip, part), tip, part, 0));
    CHECK(f.cache.known(0, p, 12).blocks == 3);
    f.cache.check();
}

namespace {

// Slots hold what was computed: a hash of all tokens up to there, and for whom. Before every token each group must read
// what its own sequence left, as far as its window goes by the attention's rule, whoever shares, evicts, copies or drops.
int random_use(std::initializer_list<int32_t> windows, int32_t n_pages, int *hits, int *restarts) {
    Fixture f(n_pages, true, windows);
    const Groups &groups = f.cache.groups();
    struct Slot {
        uint64_t past = 0;
        int32_t group = -1;
    };
    std::vector<std::vector<Slot>> slots(static_cast<size_t>(n_pages), std::vector<Slot>(16));
    struct Seq {
        Table t;
        std::vector<int32_t> tokens;
        uint64_t salt;
    };
    std::vector<Seq> seqs;
    uint64_t n = 0;
    auto rnd = [&](uint32_t k) { return static_cast<int32_t>(philox(3, 0, n++).w[0] % k); };
    int wrong = 0;
    auto slot = [&](Seq &s, int32_t i, int32_t g) -> Slot & {
        const int32_t page = s.t.pages[static_cast<size_t>(i / 16 * groups.n + g)];
        static Slot none;
        if (page < 0) return none = {};
        return slots[static_cast<size_t>(page)][static_cast<size_t>(i % 16)];
    };
    auto past = [](const Seq &s, int32_t i) {
        uint64_t h = s.salt;
        for (int32_t k = 0; k <= i; ++k) h = mix64(h + 1, static_cast<uint64_t>(s.tokens[static_cast<size_t>(k)]));
        return h;
    };
    auto read = [&](Seq &s) {
        for (int32_t g = 0; g < groups.n; ++g) {
            const int32_t w = groups.window[static_cast<size_t>(g)];
            for (int32_t i = w ? std::max(0, s.t.n_tokens + 1 - w) : 0; i < s.t.n_tokens; ++i) {
                const Slot &x = slot(s, i, g);
                wrong += x.group != g || x.past != past(s, i);
            }
        }
    };
    auto write = [&](Seq &s, int32_t upto) {
        read(s);
        f.copies.clear();
        const int32_t from = s.t.n_tokens;
        if (!f.cache.reserve(s.t, upto, f.copies)) return false;
        for (auto c : f.copies) slots[static_cast<size_t>(c.to)] = slots[static_cast<size_t>(c.from)];
        for (int32_t i = from; i < upto; ++i)
            for (int32_t g = 0; g < groups.n; ++g) slot(s, i, g) = {past(s, i), g};
        f.cache.commit(s.t, s.salt, s.tokens, upto);
        f.cache.check(s.t);
        return true;
    };
    // The longest beginning by trying each, straight from the rule.
    auto best = [&](const Seq &s, int32_t limit) {
        const PrefixIndex &x = f.cache.index();
        for (int32_t blocks = limit; blocks > 0; --blocks) {
            bool all = true;
            PrefixKey tip = x.root(s.salt);
            for (int32_t b = 0; b < blocks; ++b) {
                auto part = std::span(s.tokens).subspan(static_cast<size_t>(b) * 16, 16);
                const PrefixKey key = x.child(tip, part);
                for (int32_t g = 0; g < groups.n; ++g) {
                    const int32_t w = groups.window[static_cast<size_t>(g)], last = b * 16 + 15;
                    if (w == 0 || last > blocks * 16 - w) all &= x.find(key, tip, part, g) >= 0;
                }
                tip = key;
            }
            if (all) return blocks;
        }
        return 0;
    };
    for (int step = 0; step < 12000; ++step) {
        int what = rnd(11);
        auto any = [&]() -> Seq & { return seqs[static_cast<size_t>(rnd(static_cast<uint32_t>(seqs.size())))]; };
        if (what < 3 && seqs.size() < 6) {
            Seq s{Table(f.mem), {}, static_cast<uint64_t>(rnd(2))};
            int32_t len = 1 + rnd(100), kind = rnd(3);
            for (int32_t i = 0; i < len; ++i) s.tokens.push_back(i < 70 ? kind : rnd(2));
            const int32_t limit = (len - 1) / 16;
            CHECK(f.cache.known(s.salt, s.tokens, limit).blocks == best(s, limit));
            *hits += f.cache.attach(s.t, s.salt, s.tokens, limit) > 0;
            f.cache.check(s.t);
            if (write(s, len))
                seqs.push_back(std::move(s));
            else
                f.cache.release(s.t);
        } else if (what < 7 && !seqs.empty()) {
            Seq &s = any();
            for (int32_t k = 1 + rnd(2) * rnd(20); k > 0; --k) s.tokens.push_back(rnd(2));
            if (!write(s, static_cast<int32_t>(s.tokens.size()))) s.tokens.resize(static_cast<size_t>(s.t.n_tokens));
        } else if (what == 7 && !seqs.empty() && seqs.size() < 6) {
            Seq &from = any();
            Seq s{Table(f.mem), from.tokens, from.salt};
            f.cache.fork(from.t, s.t);
            seqs.push_back(std::move(s));
        } else if (what == 8 && !seqs.empty()) {
            Seq &s = any();
            const int32_t had = s.t.n_tokens, keep = std::max(1, had - rnd(rnd(4) ? 6 : 200));
            f.cache.truncate(s.t, keep, s.salt, s.tokens);
            s.tokens.resize(static_cast<size_t>(s.t.n_tokens));
            if (s.t.n_tokens != keep) {  // a window had left it behind
                ++*restarts;
                CHECK(s.t.n_tokens == 0);
                s.tokens.assign(1, 1);
                if (!write(s, 1)) {
                    f.cache.release(s.t);
                    seqs.erase(seqs.begin() + (&s - seqs.data()));
                }
            }
        } else if (what == 9 && !seqs.empty()) {
            Seq &s = any();
            f.cache.release(s.t);
            seqs.erase(seqs.begin() + (&s - seqs.data()));
        } else if (what == 10 && !seqs.empty()) {  // put aside and taken back
            Seq &s = any();
            const int32_t had = s.t.n_tokens;
            std::vector<int32_t> saved(s.t.pages.begin(), s.t.pages.begin() + blocks_for(had) * groups.n);
            std::vector<std::vector<Slot>> aside;
            for (int32_t p : saved) aside.push_back(p < 0 ? std::vector<Slot>(16) : slots[static_cast<size_t>(p)]);
            f.cache.release(s.t);
            const bool cut = std::any_of(saved.begin(), saved.end(), [](int32_t p) { return p < 0; });
            if (!cut) f.cache.attach(s.t, s.salt, s.tokens, (had - 1) / 16);
            const size_t have = s.t.pages.size();
            if (!f.cache.restore(s.t, had, saved)) {
                f.cache.release(s.t);
                seqs.erase(seqs.begin() + (&s - seqs.data()));
                continue;
            }
            for (size_t i = have; i < saved.size(); ++i)
                if (s.t.pages[i] >= 0) slots[static_cast<size_t>(s.t.pages[i])] = aside[i];
            f.cache.check(s.t);
        }
        if (step % 16 == 0) f.cache.check();
        for (Seq &s : seqs) read(s);
    }
    for (Seq &s : seqs) f.cache.release(s.t);
    CHECK(f.cache.pool().n_free() == n_pages);
    f.cache.check();
    return wrong;
}

}  // namespace

TEST_CASE("random use: every sequence reads its own tokens") {
    int hits = 0, restarts = 0;
    CHECK(random_use({0}, 32, &hits, &restarts) == 0);
    CHECK(hits > 100);
    CHECK(restarts == 0);
    for (auto windows : {std::initializer_list<int32_t>{20}, {0, 20}, {0, 1, 33, 16}, {17, 40}}) {
        hits = restarts = 0;
        CHECK(random_use(windows, 28 * static_cast<int32_t>(windows.size()), &hits, &restarts) == 0);
        CHECK(hits > 100);
        CHECK(restarts > 10);
    }
}

TEST_CASE("layers are cut into groups of one size") {
    auto split = [](std::initializer_list<int32_t> windows, std::vector<int32_t> *group = nullptr, std::initializer_list<int64_t> bytes = {}) {
        std::vector<LayerPart> layers;
        for (int32_t w : windows) layers.push_back({bytes.size() ? bytes.begin()[layers.size()] : 1024, w});
        std::vector<int32_t> g(layers.size(), -1);
        Groups out = split_layers(layers, g);
        if (group) *group = g;
        return out;
    };
    auto gemma3 = [&](int n, std::vector<int32_t> *group) {
        std::vector<LayerPart> layers;
        for (int i = 0; i < n; ++i) layers.push_back({4096, i % 6 == 5 ? 0 : 512});
        group->assign(layers.size(), -1);
        return split_layers(layers, *group);
    };
    std::vector<int32_t> g;
    CHECK(split({0, 0, 0}).n == 1);
    CHECK(split({512, 512}).window[0] == 512);
    CHECK(gemma3(18, &g).n == 6);  // 3 full layers, 5 times 3 others
    CHECK(g[5] == g[11]);
    CHECK(g[0] == g[2]);
    CHECK(g[0] != g[5]);
    for (int n : {18, 26, 34, 48, 62}) {  // the sizes there are
        Groups x = gemma3(n, &g);
        REQUIRE(x.n > 1);
        std::vector<int> count(static_cast<size_t>(x.n), 0);
        for (int i = 0; i < n; ++i) {
            ++count[static_cast<size_t>(g[static_cast<size_t>(i)])];
            CHECK(x.window[static_cast<size_t>(g[static_cast<size_t>(i)])] == (i % 6 == 5 ? 0 : 512));
        }
        CHECK((*std::max_element(count.begin(), count.end()) * x.n - n) * 8 <= n);
    }
    Groups two = split({512, 0, 512, 0}, &g);
    CHECK(two.n == 2);
    CHECK(g == std::vector<int32_t>{g[0], g[1], g[0], g[1]});
    // Nothing cuts these without waste: one group that keeps all.
    Groups odd = split({0, 512, 1024}, &g, {1000, 10, 10});
    CHECK(odd.n == 1);
    CHECK(odd.window[0] == 0);
    CHECK(split({256, 512}, &g, {1000, 10}).window[0] == 512);
    // Layers that keep nothing belong anywhere.
    CHECK(split({512, 0, 512, 0}, &g, {64, 0, 64, 0}).n == 1);
    CHECK(split({512, 0, 512, 0}, &g, {64, 0, 64, 0}).window[0] == 512);
    // More kinds than groups, and pages of several layers beside one great one.
    std::vector<LayerPart> many;
    for (int i = 0; i < 40; ++i) many.push_back({64, i});
    g.assign(40, 0);
    CHECK(split_layers(many, g).n == 1);
    Groups great = split({0, 512, 512, 512, 512}, &g, {4000, 1000, 1000, 1000, 1000});
    CHECK(great.n == 2);
    CHECK(split({}).n == 1);
}
