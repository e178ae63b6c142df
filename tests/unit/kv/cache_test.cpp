// SPDX-License-Identifier: Apache-2.0
// The paged cache by its counters: blocks come back, shared blocks are never written, prefixes are found by content and
// salt alone, and a long random run against a plain model of who should see which tokens.
#include "kv/cache.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "base/error.h"
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
    explicit Fixture(int32_t n, bool share = true) : cache(mem, n, share, 12345), copies(Alloc<Copy>(mem)) {}
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

// Slots hold tokens; every table must always read back its own sequence, whoever shares, evicts or copies.
TEST_CASE("random use: every sequence reads its own tokens") {
    Fixture f(24);
    std::vector<std::vector<int32_t>> slots(24, std::vector<int32_t>(16, -1));
    struct Seq {
        Table t;
        std::vector<int32_t> tokens;
        uint64_t salt;
    };
    std::vector<Seq> seqs;
    uint64_t n = 0;
    auto rnd = [&](uint32_t k) { return static_cast<int32_t>(philox(3, 0, n++).w[0] % k); };
    auto write = [&](Seq &s, int32_t upto) {
        f.copies.clear();
        int32_t from = s.t.n_tokens;
        if (!f.cache.reserve(s.t, upto, f.copies)) return false;
        for (auto c : f.copies) slots[static_cast<size_t>(c.to)] = slots[static_cast<size_t>(c.from)];
        for (int32_t i = from; i < upto; ++i)
            slots[static_cast<size_t>(s.t.pages[static_cast<size_t>(i / 16)])][static_cast<size_t>(i % 16)] =
                s.tokens[static_cast<size_t>(i)];
        f.cache.commit(s.t, s.salt, s.tokens, upto);
        return true;
    };
    int hits = 0, wrong = 0;
    for (int step = 0; step < 20000; ++step) {
        int what = rnd(10);
        if (what < 3 && seqs.size() < 6) {
            Seq s{Table(f.mem), {}, static_cast<uint64_t>(rnd(2))};
            int32_t len = 1 + rnd(70), kind = rnd(3);
            for (int32_t i = 0; i < len; ++i) s.tokens.push_back(i < 40 ? kind : rnd(2));
            hits += f.cache.attach(s.t, s.salt, s.tokens, (len - 1) / 16) > 0;
            if (write(s, len))
                seqs.push_back(std::move(s));
            else
                f.cache.release(s.t);
        } else if (what < 7 && !seqs.empty()) {
            Seq &s = seqs[static_cast<size_t>(rnd(static_cast<uint32_t>(seqs.size())))];
            s.tokens.push_back(rnd(2));
            if (!write(s, static_cast<int32_t>(s.tokens.size()))) s.tokens.pop_back();
        } else if (what == 7 && !seqs.empty() && seqs.size() < 6) {
            size_t from = static_cast<size_t>(rnd(static_cast<uint32_t>(seqs.size())));
            Seq s{Table(f.mem), seqs[from].tokens, seqs[from].salt};
            f.cache.fork(seqs[from].t, s.t);
            seqs.push_back(std::move(s));
        } else if (what == 8 && !seqs.empty()) {
            Seq &s = seqs[static_cast<size_t>(rnd(static_cast<uint32_t>(seqs.size())))];
            int32_t keep = 1 + rnd(static_cast<uint32_t>(s.tokens.size()));
            f.cache.truncate(s.t, keep, s.salt, s.tokens);
            s.tokens.resize(static_cast<size_t>(keep));
        } else if (what == 9 && !seqs.empty()) {
            size_t i = static_cast<size_t>(rnd(static_cast<uint32_t>(seqs.size())));
            f.cache.release(seqs[i].t);
            seqs.erase(seqs.begin() + static_cast<long>(i));
        }
        if (step % 16 == 0) f.cache.check();
        for (Seq &s : seqs)
            for (size_t i = 0; i < s.tokens.size(); ++i) wrong += slots[static_cast<size_t>(s.t.pages[i / 16])][i % 16] != s.tokens[i];
    }
    CHECK(wrong == 0);
    CHECK(hits > 100);
    for (Seq &s : seqs) f.cache.release(s.t);
    CHECK(f.cache.pool().n_free() == 24);
    f.cache.check();
}
