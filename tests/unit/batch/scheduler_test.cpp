// SPDX-License-Identifier: Apache-2.0
// The scheduler against a world without a model: slots of the cache hold token ids, and before every step each planned
// sequence must read its own past through its table, as far as each group of layers looks back. Random arrivals, cancels,
// forks, aborts, drafts and cache sizes.
#include "batch/scheduler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

using namespace inlay;
using namespace inlay::batch;

namespace {

struct World {
    Memory mem;
    kv::Cache cache;
    Scheduler sched;
    StepPlan plan;
    std::vector<std::vector<int32_t>> slots, swap;
    std::vector<std::unique_ptr<Sequence>> all;
    uint64_t draws = 0, seed;
    int wrong = 0, steps = 0, computed = 0;

    World(int32_t n_pages, const Limits &l, bool share = true, uint64_t seed_ = 1, const std::vector<int32_t> &windows = {0})
        : cache(mem, n_pages, share, 7, groups_of(windows)),
          sched(mem, cache, l),
          plan(mem),
          slots(static_cast<size_t>(n_pages), std::vector<int32_t>(16, -1)),
          swap(static_cast<size_t>(l.swap_pages), std::vector<int32_t>(16, -1)),
          seed(seed_) {}

    static kv::Groups groups_of(const std::vector<int32_t> &windows) {
        kv::Groups g;
        g.n = static_cast<int32_t>(windows.size());
        std::copy(windows.begin(), windows.end(), g.window.begin());
        return g;
    }
    int32_t rnd(int32_t n) { return static_cast<int32_t>(philox(seed, 0, draws++).w[0] % static_cast<uint32_t>(n)); }
    // What follows is a function of the past: the token that any schedule must give.
    static int32_t next_of(const Vector<int32_t> &t) {
        return static_cast<int32_t>((t[t.size() - 1] * 7 + static_cast<int32_t>(t.size())) % 5);
    }

    Sequence &add(std::vector<int32_t> prompt, int32_t answer, int32_t priority = 0, uint64_t salt = 0) {
        auto s = std::make_unique<Sequence>(mem);
        s->tokens.assign(prompt.begin(), prompt.end());
        s->n_prompt = s->known();
        s->max_tokens = s->n_prompt + answer;
        s->priority = priority;
        s->salt = salt;
        sched.check_fits(s->max_tokens);
        sched.add(*s);
        all.push_back(std::move(s));
        return *all.back();
    }
    void drop(Sequence &s) {
        sched.remove(s);
        std::erase_if(all, [&](auto &p) { return p.get() == &s; });
    }
    // One step; false when there is nothing to do. Finished sequences leave.
    bool step(bool abort = false) {
        sched.plan(plan);
        if (plan.empty()) return false;
        sched.begin(plan);
        ++steps;
        CHECK(plan.n_tokens <= sched.limits().max_tokens);
        for (auto c : plan.copies)
            (c.way == kv::Copy::Way::out ? swap : slots)[static_cast<size_t>(c.to)] = (c.way == kv::Copy::Way::in ? swap : slots)[static_cast<size_t>(c.from)];
        for (Part &p : plan.parts) {
            Sequence &s = *p.seq;
            const kv::Groups &groups = cache.groups();
            for (int32_t g = 0; g < groups.n; ++g) {
                auto at = [&](int32_t i) -> int32_t & {
                    return slots.at(static_cast<size_t>(s.table.pages[static_cast<size_t>(i / 16 * groups.n + g)]))[static_cast<size_t>(i % 16)];
                };
                for (int32_t i = 0; i < p.n; ++i) {
                    int32_t pos = p.from + i;
                    at(pos) = (pos < s.known() ? s.tokens[static_cast<size_t>(pos)] : s.drafts[static_cast<size_t>(pos - s.known())]) + 1000 * g;
                }
                const int32_t w = groups.window[static_cast<size_t>(g)];
                for (int32_t i = w ? std::max(0, p.from + 1 - w) : 0; i < p.from; ++i) wrong += at(i) != s.tokens[static_cast<size_t>(i)] + 1000 * g;
            }
            computed += p.n;
        }
        if (abort) {
            sched.abort(plan);
            sched.check();
            return true;
        }
        std::vector<Sequence *> done;
        for (Part &p : plan.parts) {
            Sequence &s = *p.seq;
            int32_t accepted = 0;
            if (p.last) {
                for (;
                     accepted < p.n_drafts && s.known() < s.max_tokens - 1 && s.drafts[static_cast<size_t>(accepted)] == next_of(s.tokens);
                     ++accepted)
                    s.tokens.push_back(s.drafts[static_cast<size_t>(accepted)]);
                s.tokens.push_back(next_of(s.tokens));
            }
            sched.commit(p, accepted);
            if (s.known() >= s.max_tokens) done.push_back(&s);
        }
        sched.check();
        for (Sequence *s : done) drop(*s);
        return true;
    }
};

std::vector<int32_t> tokens(int n, int32_t first) {
    std::vector<int32_t> v;
    for (int i = 0; i < n; ++i) v.push_back(first + i);
    return v;
}

}  // namespace

TEST_CASE("prompts go in chunks beside decoding, within the budget") {
    Limits l;
    l.max_tokens = 32;
    l.chunk = 20;
    World w(64, l);
    Sequence &a = w.add(tokens(10, 0), 20), &b = w.add(tokens(50, 100), 5);
    w.step();
    CHECK(w.plan.parts.size() == 2);
    CHECK(a.decoding());
    CHECK(b.table.n_tokens == 20);
    w.step();
    CHECK(w.plan.parts[0].seq == &a);
    CHECK(w.plan.parts[0].n == 1);
    CHECK(w.plan.parts[1].n == 20);
    w.step();
    CHECK(w.plan.parts[1].last);
    CHECK(b.decoding());
    while (w.step()) {
    }
    CHECK(w.all.empty());
    CHECK(w.cache.pool().n_free() == 64);
}

TEST_CASE("a cache for one serves many, the first in rank never gives up its blocks") {
    Limits l;
    World w(8, l, false);
    std::vector<Sequence *> s;
    for (int i = 0; i < 5; ++i) s.push_back(&w.add(tokens(20, 100 * i), 60));
    uint64_t guard = 0;
    std::vector<size_t> left;
    while (w.step() && ++guard < 5000) left.push_back(w.all.size());
    CHECK(w.all.empty());
    CHECK(w.wrong == 0);
    CHECK(w.sched.n_preempted() > 0);
    CHECK(w.cache.pool().n_free() == 8);
}

TEST_CASE("what can never fit is refused with the need") {
    Limits l;
    World w(4, l);
    std::string text;
    try {
        w.add(tokens(60, 0), 10);
    } catch (const Error &e) {
        text = e.text();
    }
    CHECK(text == "a sequence of 70 tokens needs 5 KV blocks, the cache has 4 (64 tokens)");
}

TEST_CASE("policies order the queue, and nobody starves") {
    Limits l;
    l.max_running = 1;
    auto order = [&](Policy p) {
        l.policy = p;
        World w(64, l, false);
        Sequence &big = w.add(tokens(8, 0), 40, 0), &mid = w.add(tokens(8, 0), 20, 1), &small = w.add(tokens(8, 0), 4, 2);
        std::vector<Sequence *> want = {&big, &mid, &small};
        std::string out;
        std::vector<Sequence *> seen;
        while (w.step())
            if (seen.empty() || seen.back() != w.plan.parts[0].seq) {
                Sequence *s = w.plan.parts[0].seq;
                seen.push_back(s);
                out += "bms"[std::find(want.begin(), want.end(), s) - want.begin()];
            }
        return out;
    };
    CHECK(order(Policy::fcfs) == "bms");
    CHECK(order(Policy::priority) == "smb");
    CHECK(order(Policy::shortest) == "smb");

    l.policy = Policy::shortest;
    World w(64, l, false);
    Sequence *big = &w.add(tokens(8, 0), 200);
    int waited = 0;
    for (int i = 0; i < 3000; ++i) {
        if (w.all.size() < 4) w.add(tokens(8, 0), 4);
        w.step();
        if (std::none_of(w.all.begin(), w.all.end(), [&](auto &s) { return s.get() == big; })) break;
        ++waited;
    }
    CHECK(waited < 2900);
}

TEST_CASE("a higher priority takes the place of a lower one that runs") {
    Limits l;
    l.max_running = 2;
    l.policy = Policy::priority;
    World w(64, l, false);
    Sequence &a = w.add(tokens(8, 0), 50, 0);
    w.add(tokens(8, 0), 50, 0);
    w.step();
    Sequence &c = w.add(tokens(8, 0), 5, 3);
    w.step();
    CHECK(c.phase == Phase::running);
    CHECK(a.phase == Phase::running);
    CHECK(w.sched.n_preempted() == 1);
    while (w.step()) {
    }
    CHECK(w.wrong == 0);
}

TEST_CASE("tenants share: one's thousand requests do not delay another's first") {
    Limits l;
    l.max_running = 1;
    World w(64, l, false);
    for (int i = 0; i < 50; ++i) w.add(tokens(8, 0), 8, 0, 1);
    for (int i = 0; i < 20; ++i) w.step();
    Sequence *b = &w.add(tokens(8, 0), 8, 0, 2);
    int steps = 0;
    while (w.step() && std::any_of(w.all.begin(), w.all.end(), [&](auto &s) { return s.get() == b; })) ++steps;
    CHECK(steps < 30);
}

TEST_CASE("worst-case admission never preempts") {
    Limits l;
    l.worst_case = true;
    World w(12, l, false);
    for (int i = 0; i < 6; ++i) w.add(tokens(20, 100 * i), 60);
    while (w.step()) {
    }
    CHECK(w.all.empty());
    CHECK(w.sched.n_preempted() == 0);
    // With windows a sequence needs less: as many as fit by that count run at once, and never miss a page.
    for (int32_t chunk : {1, 5, 16, 64}) {
        l.chunk = chunk;
        World v(70, l, false, 1, {0, 20, 9});
        const int64_t each = v.cache.groups().pages(200, chunk);
        CHECK(each < 3 * 13);
        for (int i = 0; i < 6; ++i) v.add(tokens(20 + i, 100 * i), 180 - i);
        int32_t most = 0;
        while (v.step()) most = std::max(most, v.sched.n_running());
        CHECK(v.all.empty());
        CHECK(v.wrong == 0);
        CHECK(v.sched.n_preempted() == 0);
        CHECK(most >= 70 / each);
    }
}

TEST_CASE("the smallest cache that is said to hold a sequence does") {
    Limits l;
    for (int32_t chunk : {1, 7, 16, 40}) {
        l.chunk = l.max_tokens = chunk;
        const std::vector<int32_t> windows = {0, 33, 16, 1};
        const int32_t least = static_cast<int32_t>(World::groups_of(windows).pages(150, chunk));
        World w(least, l, true, 1, windows);
        w.add(tokens(90, 0), 60);
        w.add(tokens(50, 3), 100);  // one at a time, with preemptions
        while (w.step() && w.steps < 5000) {
        }
        CHECK(w.all.empty());
        CHECK(w.wrong == 0);
        World small(least - 1, l, true, 1, windows);
        CHECK_THROWS_AS(small.add(tokens(90, 0), 60), Error);
    }
}

TEST_CASE("a cached prefix is not computed again") {
    Limits l;
    World w(64, l);
    w.add(tokens(100, 0), 1);
    while (w.step()) {
    }
    int before = w.computed;
    CHECK(before == 100);
    Sequence &b = w.add(tokens(100, 0), 2);
    w.step();
    CHECK(b.n_cached == 96);
    CHECK(w.computed - before == 4);
    Sequence &c = w.add(tokens(100, 0), 2, 0, 5);  // another tenant
    w.step();
    CHECK(c.n_cached == 0);
}

TEST_CASE("random schedules: every sequence reads its own past, everything ends, all blocks return") {
    int preempted = 0, wrong = 0, cached = 0, swapped = 0;
    for (uint64_t seed = 0; seed < 150; ++seed) {
        Limits l;
        l.max_running = 1 + static_cast<int32_t>(seed % 7);
        l.max_tokens = 8 + static_cast<int32_t>(seed * 13 % 60);
        l.chunk = 1 + static_cast<int32_t>(seed * 7 % 40);
        l.max_outputs = 8 + static_cast<int32_t>(seed % 20);
        l.policy = static_cast<Policy>(seed % 3);
        l.worst_case = seed % 11 == 0;
        const std::vector<int32_t> kinds[] = {{0}, {0, 20}, {9, 30}}, &windows = kinds[seed % 3];
        const int32_t groups = static_cast<int32_t>(windows.size());
        l.swap_pages = static_cast<int32_t>(seed * 3 % 14) * groups;
        World w((6 + static_cast<int32_t>(seed * 5 % 30)) * groups, l, seed % 4 != 0, seed + 100, windows);
        int added = 0;
        for (int i = 0; i < 4000 && (added < 30 || !w.all.empty()); ++i) {
            if (added < 30 && w.rnd(4) == 0) {
                std::vector<int32_t> p;
                int n = 1 + w.rnd(50), kind = w.rnd(3);
                for (int k = 0; k < n; ++k) p.push_back(k < 33 ? kind : w.rnd(5));
                Sequence &s = w.add(p, 1 + w.rnd(40), w.rnd(3), static_cast<uint64_t>(w.rnd(2)));
                s.all_outputs = s.no_attach = w.rnd(8) == 0;
                ++added;
            }
            if (!w.all.empty() && w.rnd(40) == 0) w.drop(*w.all[static_cast<size_t>(w.rnd(static_cast<int32_t>(w.all.size())))]);
            if (!w.all.empty() && w.rnd(30) == 0) {
                Sequence &from = *w.all[static_cast<size_t>(w.rnd(static_cast<int32_t>(w.all.size())))];
                if (from.phase == Phase::running) {
                    auto s = std::make_unique<Sequence>(w.mem);
                    s->tokens = from.tokens;
                    s->n_prompt = from.n_prompt, s->max_tokens = from.max_tokens, s->salt = from.salt, s->priority = from.priority;
                    w.sched.fork(from, *s);
                    w.all.push_back(std::move(s));
                }
            }
            for (auto &s : w.all)
                if (s->phase == Phase::running && s->decoding() && w.rnd(3) == 0) {
                    // Right and wrong guesses.
                    int32_t n = std::min(w.rnd(4), s->max_tokens - s->known() - 1);
                    s->drafts.clear();
                    Vector<int32_t> t = s->tokens;
                    for (int32_t k = 0; k < n; ++k) {
                        t.push_back(World::next_of(t));
                        s->drafts.push_back(w.rnd(4) ? t.back() : 4 - t.back());
                    }
                }
            w.step(w.rnd(25) == 0);
        }
        CHECK(w.all.empty());
        CHECK(w.cache.pool().n_free() == w.cache.pool().n_blocks());
        CHECK(w.sched.swap().n_free() == l.swap_pages);
        preempted += static_cast<int>(w.sched.n_preempted());
        swapped += static_cast<int>(w.sched.n_swapped_in());
        wrong += w.wrong;
        cached += w.cache.pool().n_cached();
    }
    CHECK(wrong == 0);
    CHECK(preempted > 100);
    CHECK(swapped > 100);
    CHECK(cached > 100);
}
