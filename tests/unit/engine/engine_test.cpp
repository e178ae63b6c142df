// SPDX-License-Identifier: Apache-2.0
// The engine over the fake model of fake_backend.h: every answer in every schedule equals the answer alone.
#include <doctest/doctest.h>

#include <poll.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "asks.h"
#include "rig.h"

using namespace inlay_test;

namespace {

// One random schedule over `asks`; the answers must be `want` (choice by choice). Returns how many differ.
int schedule(const std::vector<Ask> &asks, const std::vector<std::vector<Answer>> &want, uint64_t seed, Stats *total) {
    Dice d{seed};
    FakeOptions o;
    o.n_blocks = 8 + d(40);
    o.rows_a_slice = 1 + d(50);
    o.head_rows = 1 + d(9);
    EngineParams p;
    p.max_batch_tokens = 4 + d(80);
    p.chunk = 1 + d(p.max_batch_tokens);
    p.max_requests = 1 + d(8);
    p.policy = static_cast<Policy>(d(3));
    p.prefix_cache = d(4) != 0;
    p.lookup_tokens = d(2) ? 0 : 1 + d(8);
    std::optional<FakeOptions> draft;
    o.n_swap = d(2) ? 0 : 1 + d(20);
    if (d(3) == 0) draft = FakeOptions{.n_blocks = 2 + d(40), .rows_a_slice = 1 + d(20), .head_rows = 1 + d(5), .twisted = true};
    Rig rig(p, o, draft);
    struct Live {
        std::shared_ptr<Request> r;
        size_t ask;
        std::vector<Answer> got;
        std::vector<bool> over;
        bool cancelled = false;
    };
    std::vector<Live> live;
    std::vector<std::shared_ptr<Prefix>> pins;
    size_t next = 0, done = 0;
    int bad = 0;
    for (int guard = 0; done < asks.size() && guard < 100000; ++guard) {
        if (next < asks.size() && (d(3) == 0 || live.empty())) {
            const Ask &a = asks[next];
            Live l{rig.submit(a), next, std::vector<Answer>(static_cast<size_t>(a.n)), std::vector<bool>(static_cast<size_t>(a.n)), false};
            live.push_back(std::move(l));
            ++next;
        }
        if (!live.empty() && d(60) == 0) {
            Live &l = live[static_cast<size_t>(d(static_cast<int32_t>(live.size())))];
            for (int k = 0; k < l.r->choices(); ++k) l.r->choice(k)->cancel();
            l.cancelled = true;
        }
        if (p.prefix_cache && d(40) == 0) {
            const Ask &a = asks[static_cast<size_t>(d(static_cast<int32_t>(asks.size())))];
            if (d(3) == 0)
                pins.clear();
            else if (a.prompt.size() >= 16)
                try {
                    pins.push_back(rig.engine->pin(a.prompt, a.salt));
                } catch (const Error &e) {
                    CHECK(e.code() == Code::limit);
                }
        }
        rig.engine->step(d(2) ? 0 : 1);
        for (size_t i = 0; i < live.size();) {
            Live &l = live[i];
            bool all = true;
            for (int k = 0; k < l.r->choices(); ++k) all &= Rig::take(*l.r->choice(k), l.got[static_cast<size_t>(k)]);
            if (!all) {
                ++i;
                continue;
            }
            for (int k = 0; k < l.r->choices(); ++k) {
                Answer &g = l.got[static_cast<size_t>(k)];
                const Answer &w = want[l.ask][static_cast<size_t>(k)];
                const Ask &a = asks[l.ask];
                if (l.cancelled && (a.best_of > 0 || a.beams > 1)) {
                    bad += g.finish == Finish::none;  // whichever were drawn so far
                } else if (l.cancelled) {  // a beginning of it
                    bad += g.ids.size() > w.ids.size() || !std::equal(g.ids.begin(), g.ids.end(), w.ids.begin());
                } else {
                    bad += !(g == w);
                }
            }
            ++done;
            live.erase(live.begin() + static_cast<long>(i));
        }
    }
    CHECK(done == asks.size());
    pins.clear();
    while (rig.engine->step(0) != Code::done) {}
    Stats s = rig.engine->stats();
    CHECK(s.n_blocks_free + s.n_blocks_cached == s.n_blocks);
    CHECK(s.n_running == 0);
    CHECK(s.n_swap_blocks_free == s.n_swap_blocks);
    CHECK(rig.backend->broken == 0);
    if (total) {
        total->preempted += s.preempted;
        total->cached_tokens += s.cached_tokens;
        total->accepted_tokens += s.accepted_tokens;
        total->draft_tokens += s.draft_tokens;
        total->pauses += s.pauses;
        total->swapped_out += s.swapped_out;
        total->swapped_in += s.swapped_in;
        total->forced_tokens += s.forced_tokens;
    }
    return bad;
}

}  // namespace

TEST_CASE("one request: tokens, text, usage, finish") {
    Rig rig;
    Ask a{{1, 2, 3}, 5};
    auto r = rig.submit(a);
    Event e;
    CHECK(r->poll(e) == Code::again);
    CHECK(rig.engine->step(0) == Code::ok);
    CHECK(r->poll(e) == Code::ok);
    CHECK(e.kind == EventKind::token);
    Message want;
    want << '<' << e.token << '>';
    CHECK(e.text == want.view());
    CHECK(r->poll(e) == Code::again);
    int steps = 1;
    while (rig.engine->step(0) == Code::ok) ++steps;
    CHECK(steps == 5);
    Answer rest;
    CHECK(Rig::take(*r, rest));
    CHECK(rest.ids.size() == 4);
    CHECK(rest.finish == Finish::length);
    CHECK(r->poll(e) == Code::done);
    RequestInfo i = r->info();
    CHECK(i.prompt_tokens == 3);
    CHECK(i.completion_tokens == 5);
    CHECK(i.latency_us >= i.ttft_us);
    CHECK(rig.engine->stats().finished == 1);
}

TEST_CASE("stop strings are held back and cut, end tokens end, min_tokens forbids them") {
    Rig rig;
    Ask a{{1, 2, 3}, 40};
    Answer free_run = rig.solo(a);
    REQUIRE(free_run.ids.size() == 40);
    Message second;
    second << '<' << free_run.ids[2] << "><" << free_run.ids[3];
    a.stop = {std::string(second.view())};
    Answer cut = rig.solo(a);
    CHECK(cut.finish == Finish::stop);
    size_t at = free_run.text.find(a.stop[0]);
    CHECK(cut.text == free_run.text.substr(0, at));
    CHECK(cut.ids.size() < 40);
    a.stop.clear();
    a.stop_tokens = {free_run.ids[5]};
    Answer ended = rig.solo(a);
    CHECK(ended.finish == Finish::stop);
    CHECK(ended.ids.back() == free_run.ids[5]);
    CHECK(ended.ids.size() <= 6);
    a.min_tokens = static_cast<int32_t>(ended.ids.size());
    Answer later = rig.solo(a);
    CHECK(later.ids.size() > ended.ids.size());
    CHECK(later.ids[ended.ids.size() - 1] != a.stop_tokens[0]);
}

TEST_CASE("bad requests are refused by name and leave no trace") {
    Rig rig;
    Ask a{{1, 2, 3}, 5};
    a.prompt = {};
    CHECK(refusal(rig, a, Code::invalid_argument) == "no token ids");
    a.prompt = {1, 50};
    CHECK(refusal(rig, a, Code::invalid_argument) == "ids[1] is 50, the vocabulary has 50 tokens");
    a.prompt.assign(256, 1);
    CHECK(refusal(rig, a, Code::limit) == "the prompt has 256 tokens, the context 256: no room for an answer");
    a.prompt.assign(250, 1);
    a.max_tokens = 7;
    a.overflow = Overflow::refuse;
    CHECK(refusal(rig, a, Code::limit) == "prompt and max_tokens are 250 + 7 tokens, the context has 256");
    a.max_tokens = 5;
    a.min_tokens = 6;
    CHECK(refusal(rig, a, Code::invalid_argument) == "min_tokens is 6, max_tokens is 5");
    a.min_tokens = 0;
    a.temperature = -1;
    CHECK(refusal(rig, a, Code::invalid_argument) == "temperature is -1, range 0 to 100");
    a.temperature = 0;
    a.n = 9;
    CHECK(refusal(rig, a, Code::invalid_argument) == "n is 9, range 1 to 8");
    CHECK(rig.engine->step(0) == Code::done);
    CHECK(rig.engine->stats().submitted == 0);

    FakeOptions small;
    small.n_blocks = 4;
    Rig tight({}, small);
    CHECK(refusal(tight, Ask{std::vector<int32_t>(60, 1), 10}, Code::limit) == "a sequence of 70 tokens needs 5 KV blocks, the cache has 4 (64 tokens)");
    EngineParams p;
    p.max_queue = 2;
    Rig full(p);
    auto r1 = full.submit(Ask{{1}, 5}), r2 = full.submit(Ask{{1}, 5});
    CHECK(refusal(full, Ask{{1}, 5}, Code::busy) == "the queue is full: 2 requests wait, limit 2");
}

TEST_CASE("a NaN ends its own request alone") {
    FakeOptions o;
    o.poison = 47;
    Ask good{{1, 2, 3}, 12}, bad{{4, 47, 6}, 12};
    Rig alone({}, o), both({}, o);
    Answer want = alone.solo(good);
    REQUIRE(want.finish == Finish::length);
    auto g = both.submit(good), b = both.submit(bad);
    while (both.engine->step(0) != Code::done) {}
    Answer ga, ba;
    CHECK(Rig::take(*g, ga));
    CHECK(Rig::take(*b, ba));
    CHECK(ga == want);
    CHECK(ba.finish == Finish::numeric);
    CHECK(ba.ids.empty());
    CHECK(both.engine->stats().failed == 1);
}

TEST_CASE("a pass that throws is undone; the next goes on with the same bits") {
    Ask a{{1, 2, 3, 4, 5}, 20}, b{{7, 8, 9}, 20};
    Rig plain;
    Answer wa = plain.solo(a), wb = plain.solo(b);
    for (int32_t pass = 0; pass < 15; ++pass) {
        FakeOptions o;
        o.fail_pass = pass;
        Rig rig({}, o);
        auto ra = rig.submit(a), rb = rig.submit(b);
        int failures = 0;
        for (;;) try {
                if (rig.engine->step(0) == Code::done) break;
            } catch (const Error &e) {
                CHECK(e.code() == Code::out_of_memory);
                ++failures;
            }
        CHECK(failures == 1);
        Answer ga, gb;
        CHECK(Rig::take(*ra, ga));
        CHECK(Rig::take(*rb, gb));
        CHECK(ga == wa);
        CHECK(gb == wb);
        CHECK(rig.backend->broken == 0);
    }
}

TEST_CASE("every allocation of a run may fail: others stay right, nothing leaks") {
    struct Failing {
        uint64_t n = 0, at = UINT64_MAX;
        static void *alloc(void *u, size_t bytes, size_t align) {
            Failing &f = *static_cast<Failing *>(u);
            if (f.n++ == f.at) return nullptr;
            void *p = nullptr;
            return posix_memalign(&p, std::max(align, sizeof(void *)), bytes) == 0 ? p : nullptr;
        }
        static void free(void *, void *p, size_t, size_t) { std::free(p); }
    };
    auto run = [&](Failing &f, bool first) {
        Memory mem({&f, Failing::alloc, Failing::free});
        std::vector<Answer> out;
        try {
            EngineParams p;
            p.n_blocks = 6;
            p.swap_blocks = 4;
            p.max_requests = 3;
            auto engine = make_engine(mem, nullptr, make_owned<FakeBackend>(mem, FakeOptions{.n_blocks = 6, .n_swap = 4}), {}, std::allocate_shared<FakeSpeech>(Alloc<FakeSpeech>(mem)), p, Limits{});
            std::vector<std::shared_ptr<Request>> rs;
            for (int i = 0; i < 4; ++i) try {
                    RequestParams q(mem);
                    q.max_tokens = 20;
                    q.ignore_eos = true;
                    q.sampling.temperature = 0;
                    q.sampling.logprobs = 3;
                    q.stop.push_back(make_string(mem, "a stop string that is long enough for the heap"));
                    std::vector<int32_t> ids(static_cast<size_t>(20 + i), 3 + i);
                    rs.push_back(engine->submit(ids, std::move(q)));
                } catch (const Error &) {
                    if (first) throw;
                    rs.push_back(nullptr);
                }
            for (int guard = 0; guard < 1000; ++guard) try {
                    if (engine->step(0) == Code::done) break;
                } catch (const Error &) {
                    if (first) throw;
                }
            for (auto &r : rs) {
                Answer a;
                if (r) {
                    bool over = false;
                    for (int t = 0; t < 3 && !over; ++t) try {
                            over = Rig::take(*r, a);
                        } catch (const Error &) {}
                    CHECK(over);
                }
                out.push_back(a);
            }
        } catch (const Error &e) { CHECK((e.code() == Code::out_of_memory && !first)); }
        CHECK(mem.used() == 0);
        return out;
    };
    Failing clean;
    std::vector<Answer> want = run(clean, true);
    REQUIRE(want.size() == 4);
    int hurt = 0, wrong = 0;
    for (uint64_t at = 0; at < clean.n; ++at) {
        Failing f;
        f.at = at;
        std::vector<Answer> got = run(f, false);
        int bad = 0;
        for (size_t i = 0; i < got.size(); ++i)
            if (!(got[i].ids == want[i].ids && got[i].finish == want[i].finish)) {
                ++bad;
                wrong += got[i].finish == Finish::length;  // an answer that claims to be whole
            }
        hurt += bad > 0;
        wrong += bad > 1;  // one failure, one victim
    }
    CHECK(hurt > 0);
    CHECK(wrong == 0);
}

TEST_CASE("a preempted request takes its blocks back from the swap") {
    Ask a{std::vector<int32_t>(60, 3), 60}, b{std::vector<int32_t>(62, 4), 60};
    Rig plain;
    const Answer wa = plain.solo(a), wb = plain.solo(b);
    for (int32_t n_swap : {0, 3, 8})
        for (int32_t window : {0, 24}) {
            FakeOptions o;
            o.n_blocks = 9;  // each needs 8
            o.n_swap = n_swap;
            o.window = window;
            Rig rig(EngineParams{.prefix_cache = false}, o), alone({}, FakeOptions{.window = window});
            const Answer want_a = window ? alone.solo(a) : wa, want_b = window ? alone.solo(b) : wb;
            auto ra = rig.submit(a), rb = rig.submit(b);
            while (rig.engine->step(0) != Code::done) {}
            Answer ga, gb;
            CHECK(Rig::take(*ra, ga));
            CHECK(Rig::take(*rb, gb));
            CHECK(ga == want_a);
            CHECK(gb == want_b);
            CHECK(rig.backend->broken == 0);
            Stats s = rig.engine->stats();
            if (window) continue;  // it may fit beside the other
            CHECK(s.preempted > 0);
            CHECK(s.prompt_tokens == (n_swap == 8 ? 122u : s.prompt_tokens));
            CHECK((s.swapped_in > 0) == (n_swap == 8));
            CHECK(s.swapped_in == s.swapped_out);
            CHECK(s.n_swap_blocks_free == static_cast<uint32_t>(n_swap));
        }
    // Cancelled while it is away: the places come back.
    FakeOptions o;
    o.n_blocks = 9;
    o.n_swap = 8;
    Rig rig(EngineParams{.prefix_cache = false}, o);
    auto ra = rig.submit(a), rb = rig.submit(b);
    while (rig.engine->stats().swapped_out == 0) rig.engine->step(0);
    CHECK(rig.engine->stats().n_swap_blocks_free < 8);
    rb->cancel();
    rig.engine->step(0);
    CHECK(rig.engine->stats().n_swap_blocks_free == 8);
}

TEST_CASE("buckets of time: four a factor of two, each begins where the one before ends") {
    auto begin = [](int b) { return b < 4 ? static_cast<uint64_t>(b) : static_cast<uint64_t>(4 + b % 4) << (b / 4 - 1); };
    for (int b = 0; b < kTimeBuckets; ++b) {
        CHECK(time_bucket(begin(b)) == b);
        CHECK(time_bucket(begin(b + 1) - 1) == b);
    }
    CHECK(time_bucket(UINT64_MAX) == kTimeBuckets - 1);
}

TEST_CASE("times count every call, batch, request and token") {
    FakeOptions o;
    o.rows_a_slice = 5;
    Rig rig({}, o);
    auto a = rig.submit(Ask{std::vector<int32_t>(40, 3), 9}), b = rig.submit(Ask{{1, 2}, 4});
    uint64_t calls = 0;
    while (rig.engine->step(1) != Code::done) ++calls;
    Times t;
    rig.engine->times(t);
    auto sum = [](const TimeCounts &c) {
        uint64_t n = 0;
        for (uint64_t x : c) n += x;
        return n;
    };
    CHECK(sum(t.step) == calls);
    CHECK(sum(t.batch) == rig.engine->stats().steps);
    CHECK(sum(t.queue) == 2);
    CHECK(sum(t.first_token) == 2);
    CHECK(sum(t.token) == 8 + 3);
}

TEST_CASE("a pinned prefix stays, an unpinned one goes, and no pin stops a request") {
    FakeOptions o;
    o.n_blocks = 24;  // n_ctx is 16 of them
    Rig rig({}, o), plain;
    const std::vector<int32_t> prompt(50, 7);
    auto answers = [&](int32_t token, int32_t n) {
        Ask a{std::vector<int32_t>(static_cast<size_t>(n), token), 5};
        auto r = rig.submit(a);
        while (rig.engine->step(0) != Code::done) {}
        Answer got;
        CHECK(Rig::take(*r, got));
        CHECK(got == plain.solo(a));
        return r->info().cached_tokens;
    };
    auto pin = rig.engine->pin(prompt, 0);
    CHECK(pin->n_tokens() == 48);
    CHECK(pin->n_held() == 0);
    try {
        rig.engine->pin(std::vector<int32_t>(96, 1), 0);
        CHECK(false);
    } catch (const Error &e) {
        CHECK(std::string(e.text()) == "pinning 6 KV blocks beside 3 leaves too few of 24 for a request of 256 tokens, which needs 16");
    }
    CHECK(answers(7, 50) == 0);
    CHECK(pin->n_held() == 48);
    for (int32_t i = 10; i < 14; ++i) answers(i, 245);  // the longest there may be
    CHECK(answers(7, 50) == 48);
    CHECK(rig.engine->stats().n_blocks_pinned == 3);
    pin.reset();
    for (int32_t i = 10; i < 14; ++i) answers(i, 245);
    CHECK(answers(7, 50) == 0);
    CHECK(rig.engine->stats().n_blocks_pinned == 0);
    Rig none(EngineParams{.prefix_cache = false});
    CHECK_THROWS_AS(none.engine->pin(prompt, 0), Error);
}

TEST_CASE("n choices share the prompt, sample with seed + i, and end one by one") {
    Rig rig;
    Ask a{std::vector<int32_t>(40, 3), 12};
    a.temperature = 1.5f;
    a.seed = 5;
    a.n = 4;
    auto r = rig.submit(a);
    r->choice(2)->cancel();
    while (rig.engine->step(0) != Code::done) {}
    for (int i = 0; i < 4; ++i) {
        Answer got;
        CHECK(Rig::take(*r->choice(i), got));
        if (i == 2) {
            CHECK(got.finish == Finish::cancelled);
            continue;
        }
        Ask one = a;
        one.n = 1;
        one.seed = 5 + static_cast<uint64_t>(i);
        Rig alone;
        CHECK(got == alone.solo(one));
    }
    CHECK(rig.engine->stats().prompt_tokens == 40);
    // Cancelling choice 0 in the queue leaves the others.
    auto s = rig.submit(a);
    s->cancel();
    while (rig.engine->step(0) != Code::done) {}
    Answer got;
    CHECK(Rig::take(*s->choice(3), got));
    CHECK(got.ids.size() == 12);
}

TEST_CASE("cancel anywhere frees the blocks within a step; a dropped handle cancels") {
    Rig rig;
    Ask a{std::vector<int32_t>(100, 3), 100};
    auto r = rig.submit(a);
    r->cancel();
    r->cancel();
    CHECK(rig.engine->step(0) == Code::done);
    Answer got;
    CHECK(Rig::take(*r, got));
    CHECK(got.finish == Finish::cancelled);
    r = rig.submit(a);
    rig.engine->step(0);
    rig.engine->step(0);
    CHECK(rig.engine->stats().n_running == 1);
    r.reset();
    rig.engine->step(0);
    Stats s = rig.engine->stats();
    CHECK(s.n_running == 0);
    CHECK(s.n_blocks_free + s.n_blocks_cached == s.n_blocks);
    CHECK(s.cancelled == 2);
}

TEST_CASE("an engine that goes away cancels what is there; handles stay valid") {
    std::shared_ptr<Request> r, q;
    Rig rig;
    r = rig.submit(Ask{{1, 2, 3}, 50});
    rig.engine->step(0);
    q = rig.submit(Ask{{1, 2, 3}, 50});
    rig.engine.reset();
    Answer a, b;
    CHECK(Rig::take(*r, a));
    CHECK(Rig::take(*q, b));
    CHECK(a.finish == Finish::cancelled);
    CHECK(a.ids.size() == 1);
    CHECK(b.finish == Finish::cancelled);
    r->cancel();
}

TEST_CASE("a deadline ends a request, queued or running") {
    EngineParams p;
    p.max_requests = 1;
    Rig rig(p);
    auto r = rig.submit(Ask{{1, 2, 3}, 0});
    Ask late{{1, 2}, 5};
    late.timeout_ms = 1;
    auto q = rig.submit(late);
    rig.engine->step(0);
    uint64_t t = 0;
    for (auto start = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - start < std::chrono::milliseconds(2);) ++t;
    rig.engine->step(0);
    Answer a;
    CHECK(Rig::take(*q, a));
    CHECK(a.finish == Finish::deadline);
    Event e;
    CHECK(r->poll(e) == Code::ok);
}

TEST_CASE("a host's sampler gets the logits and gives the tokens") {
    Rig rig, plain;
    Ask a{{1, 2, 3}, 6};
    Answer want = plain.solo(a);
    a.host = true;
    auto r = rig.submit(a);
    auto other = rig.submit(Ask{{9, 9}, 6});
    std::vector<int32_t> ids;
    for (int guard = 0; guard < 100; ++guard) {
        rig.engine->step(0);
        Event e;
        while (r->poll(e) == Code::ok) {
            if (e.kind == EventKind::token) ids.push_back(e.token);
            if (e.kind == EventKind::needs_token) {
                auto row = r->logits();
                r->set_token(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
                CHECK_THROWS_AS(r->set_token(1), Error);
            }
        }
    }
    CHECK(ids == want.ids);
    CHECK_THROWS_AS(r->logits(), Error);
    Answer o;
    CHECK(Rig::take(*other, o));
}

TEST_CASE("context overflow: stop, truncate, shift") {
    FakeOptions o;
    o.n_ctx = 32;
    Rig rig({}, o);
    Ask a{std::vector<int32_t>(20, 3), 0};
    Answer stop = rig.solo(a);
    CHECK(stop.ids.size() == 12);
    CHECK(stop.finish == Finish::length);
    // Truncated: the answer is that of the shorter prompt.
    Ask b;
    for (int i = 0; i < 60; ++i) b.prompt.push_back(i % 40);
    b.max_tokens = 10;
    b.keep = 2;
    b.overflow = Overflow::truncate;
    Answer cut = rig.solo(b);
    Ask c;
    c.prompt = {b.prompt[0], b.prompt[1]};
    c.prompt.insert(c.prompt.end(), b.prompt.end() - 20, b.prompt.end());
    c.max_tokens = 10;
    CHECK(cut == rig.solo(c));
    // Shifted: at 32 tokens half of what follows `keep` goes, and the rest is as if asked afresh.
    Ask s{std::vector<int32_t>(20, 3), 30};
    s.overflow = Overflow::shift;
    s.keep = 4;
    Answer shifted = rig.solo(s);
    REQUIRE(shifted.ids.size() == 30);
    CHECK(std::equal(stop.ids.begin(), stop.ids.end(), shifted.ids.begin()));
    Ask fresh;
    fresh.prompt.assign(20, 3);
    fresh.prompt.insert(fresh.prompt.end(), stop.ids.begin(), stop.ids.end());
    fresh.prompt.erase(fresh.prompt.begin() + 4, fresh.prompt.begin() + 4 + 14);
    fresh.max_tokens = 10;
    Answer f = rig.solo(fresh);
    CHECK(std::equal(f.ids.begin(), f.ids.end(), shifted.ids.begin() + 12));
}

TEST_CASE("prompt logprobs: one for each prompt token after the first, as score says") {
    EngineParams p;
    p.max_batch_tokens = 13;
    Rig rig(p);
    Ask a;
    for (int i = 0; i < 50; ++i) a.prompt.push_back(1 + i * 7 % 40);
    a.prompt_logprobs = true;
    rig.solo(Ask{a.prompt, 3});  // its prefix is cached: rows are computed all the same
    Answer got = rig.solo(a);
    REQUIRE(got.prompt_ids.size() == 49);
    auto score = rig.engine->score(a.prompt, 0);
    ScoreRow row;
    for (size_t i = 0; i < 50; ++i) {
        REQUIRE(score->next(row, nullptr));
        if (i < 49) CHECK(got.prompt_logprobs[i] == row.logprob);
        if (i < 49) CHECK(got.prompt_ids[i] == a.prompt[i + 1]);
    }
    CHECK_FALSE(score->next(row, nullptr));
    CHECK(got.ids[0] == row.argmax);
}

TEST_CASE("scores: the same rows whatever the chunk, also while requests run") {
    std::vector<int32_t> ids;
    for (int i = 0; i < 70; ++i) ids.push_back(1 + i * 11 % 40);
    std::vector<std::vector<float>> rows;
    for (int32_t chunk : {0, 1, 7, 33}) {
        Rig rig;
        auto r = rig.submit(Ask{{5, 6, 7}, 40});
        auto s = rig.engine->score(ids, chunk);
        ScoreRow row;
        std::vector<float> logits(50);
        std::vector<std::vector<float>> got;
        while (s->next(row, logits.data())) {
            got.push_back(logits);
            if (got.size() % 9 == 0) rig.engine->step(1);
        }
        if (rows.empty()) rows = got;
        CHECK(got == rows);
        CHECK(rig.backend->broken == 0);
        s.reset();
        while (rig.engine->step(0) != Code::done) {}
        Stats st = rig.engine->stats();
        CHECK(st.n_blocks_free + st.n_blocks_cached == st.n_blocks);
    }
}

TEST_CASE("a score that holds the cache is named, not waited for in silence") {
    FakeOptions o;
    o.n_blocks = 4;
    Rig rig({}, o);
    auto s = rig.engine->score(std::vector<int32_t>(60, 3), 0);
    ScoreRow row;
    CHECK(s->next(row, nullptr));
    auto r = rig.submit(Ask{{1, 2, 3}, 10});
    std::string text;
    try {
        rig.engine->step(0);
    } catch (const Error &e) { text = e.text(); }
    CHECK(text == "requests wait for KV blocks that unfinished scores hold: 0 of 4 are free");
    s.reset();
    while (rig.engine->step(0) != Code::done) {}
    Answer got;
    CHECK(Rig::take(*r, got));
    CHECK(got.ids.size() == 10);
}

TEST_CASE("embeddings: pooling, cut, normalise, dimensions; encoders in one pass") {
    for (bool causal : {true, false}) {
        FakeOptions o;
        o.causal = causal;
        EngineParams p;
        p.chunk = 5;
        Rig rig(p, o);
        std::vector<int32_t> ids;
        for (int i = 0; i < 23; ++i) ids.push_back(1 + i);
        EmbedParams e;
        e.normalize = false;
        e.pooling = Pooling::none;
        REQUIRE(rig.engine->embed_size(23, e) == 23 * 8);
        std::vector<float> all(23 * 8), one(8), want(8);
        rig.engine->embed(ids, e, all);
        e.pooling = Pooling::last;
        rig.engine->embed(ids, e, one);
        CHECK(std::equal(one.begin(), one.end(), all.end() - 8));
        e.pooling = Pooling::cls;
        rig.engine->embed(ids, e, one);
        CHECK(std::equal(one.begin(), one.end(), all.begin()));
        e.pooling = Pooling::model;
        rig.engine->embed(ids, e, one);
        for (size_t k = 0; k < 8; ++k) {
            double s = 0;
            for (size_t i = 0; i < 23; ++i) s += all[i * 8 + k];
            CHECK(one[k] == static_cast<float>(s / 23));
        }
        e.normalize = true;
        e.dimensions = 3;
        one.resize(3);
        rig.engine->embed(ids, e, one);
        CHECK(std::fabs(one[0] * one[0] + one[1] * one[1] + one[2] * one[2] - 1) < 1e-6);
        CHECK_THROWS_AS(rig.engine->embed(ids, e, std::span<float>(one.data(), 2)), Error);
        e.max_tokens = 10;
        std::vector<int32_t> cut(ids.begin(), ids.begin() + 9);
        cut.push_back(ids.back());
        std::vector<float> a(3), b(3);
        rig.engine->embed(ids, e, a);
        rig.engine->embed(cut, e, b);
        CHECK(a == b);
        if (!causal) CHECK_THROWS_AS(rig.submit(Ask{{1}, 1}), Error);
    }
}

TEST_CASE("a window's past goes back while the answer stays") {
    FakeOptions o;
    o.window = 24;
    o.n_blocks = 12;
    EngineParams p;
    p.prefix_cache = false;
    Rig rig(p, o), big(p, FakeOptions{.window = 24});
    Ask a{std::vector<int32_t>(10, 3), 150};
    auto r = rig.submit(a);
    uint32_t most = 0;
    while (rig.engine->step(0) != Code::done) most = std::max(most, rig.engine->stats().n_blocks - rig.engine->stats().n_blocks_free);
    Answer got;
    CHECK(Rig::take(*r, got));
    CHECK(got == big.solo(a));
    CHECK(most <= 3);
    CHECK(rig.backend->broken == 0);
}

TEST_CASE("speculation by lookup gives the same tokens in fewer steps") {
    Ask a{{1, 2, 3}, 100};
    EngineParams fast;
    fast.lookup_tokens = 8;
    Rig plain, quick(fast);
    for (float t : {0.0f, 0.7f}) {
        a.temperature = t;
        Answer w = plain.solo(a), g = quick.solo(a);
        CHECK(w == g);
    }
    Stats p = plain.engine->stats(), q = quick.engine->stats();
    CHECK(q.accepted_tokens > 20);
    CHECK(q.steps < p.steps);
    CHECK(q.completion_tokens == p.completion_tokens);
}

TEST_CASE("speculation by a draft model: good, bad and short of memory") {
    Ask a{{1, 2, 3}, 60};
    for (float t : {0.0f, 0.9f})
        for (float rep : {1.0f, 1.2f}) {
            a.temperature = t;
            a.repetition = rep;
            Rig plain;
            Answer want = plain.solo(a);
            Rig same({}, {}, FakeOptions{}), twisted({}, {}, FakeOptions{.twisted = true}), tiny({}, {}, FakeOptions{.n_blocks = 2});
            CHECK(same.solo(a) == want);
            CHECK(twisted.solo(a) == want);
            CHECK(tiny.solo(a) == want);
            Stats s = same.engine->stats(), w = twisted.engine->stats();
            CHECK(s.accepted_tokens == s.draft_tokens);
            CHECK(s.steps < 20);
            CHECK(w.accepted_tokens < w.draft_tokens);
            CHECK(w.steps < 50);
        }
}

TEST_CASE("a step stops at its budget and goes on") {
    FakeOptions o;
    o.rows_a_slice = 3;
    Rig rig({}, o), plain;
    Ask a{std::vector<int32_t>(50, 3), 5};
    auto r = rig.submit(a);
    int pauses = 0;
    for (Code c = Code::again; c != Code::done;) {
        c = rig.engine->step(1);
        pauses += c == Code::again;
        if (pauses == 4) {
            std::shared_ptr<Request> other = rig.submit(a);  // legal in a paused pass
            other->cancel();
        }
    }
    CHECK(pauses > 15);
    Answer got;
    CHECK(Rig::take(*r, got));
    CHECK(got == plain.solo(a));
    CHECK(rig.engine->stats().pauses == static_cast<uint64_t>(pauses));
}

TEST_CASE("steady steps allocate nothing") {
    EngineParams p;
    p.prefix_cache = true;
    Rig rig(p, FakeOptions{.n_ctx = 4096, .n_blocks = 400});
    std::vector<std::shared_ptr<Request>> rs;
    for (int i = 0; i < 8; ++i) rs.push_back(rig.submit(Ask{{1 + i, 2, 3}, 400}));
    Event e;
    auto step = [&] {
        rig.engine->step(0);
        for (auto &r : rs)
            while (r->poll(e) == Code::ok) {}
    };
    for (int i = 0; i < 40; ++i) step();
    uint64_t before = rig.mem.allocations();
    for (int i = 0; i < 60; ++i) step();
    // A table grows its vector now and then.
    CHECK(rig.mem.allocations() - before <= 8);
}

TEST_CASE("clients on many threads") {
    EngineParams p;
    p.max_queue = 1000;
    Rig rig(p), plain;
    Ask a{{1, 2, 3}, 12};
    Answer want = plain.solo(a);
    std::atomic<int> wrong{0}, left{8};
    std::vector<std::thread> clients;
    for (int t = 0; t < 8; ++t)
        clients.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                auto r = rig.submit(a);
                if ((i + t) % 5 == 0) {
                    r->cancel();
                    continue;
                }
                Answer got;
                while (!Rig::take(*r, got)) std::this_thread::yield();
                wrong += !(got == want);
                rig.engine->stats();
            }
            --left;
        });
    while (left > 0) rig.engine->step(0);
    for (auto &c : clients) c.join();
    CHECK(wrong == 0);
}

TEST_CASE("background mode: own thread, pause, resume, wake descriptor, embed meanwhile") {
    EngineParams p;
    p.background = true;
    Rig plain;
    Ask a{{1, 2, 3}, 60};
    Answer want = plain.solo(a);
    Rig rig(p);
    auto readable = [&](int ms) {
        pollfd f{rig.engine->wake_fd(), POLLIN, 0};
        return poll(&f, 1, ms) == 1;
    };
    CHECK_FALSE(readable(0));
    CHECK_THROWS_AS(rig.engine->step(0), Error);
    for (int round = 0; round < 3; ++round) {
        rig.engine->pause();
        auto r = rig.submit(a);
        CHECK_FALSE(readable(20));
        rig.engine->resume();
        Answer got;
        EmbedParams e;
        std::vector<float> v(8);
        rig.engine->embed(a.prompt, e, v);
        bool over = false;
        while (!over) {
            REQUIRE(readable(2000));
            over = Rig::take(*r, got);
        }
        CHECK(got == want);
        CHECK_FALSE(readable(0));
    }
    // Many clients, then the end with requests in flight.
    std::vector<std::thread> clients;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
        clients.emplace_back([&] {
            for (int i = 0; i < 10; ++i) {
                auto r = rig.submit(a);
                Answer got;
                while (!Rig::take(*r, got)) std::this_thread::yield();
                wrong += !(got == want);
            }
        });
    for (auto &c : clients) c.join();
    CHECK(wrong == 0);
    auto r = rig.submit(Ask{{1, 2, 3}, 200});
    rig.engine.reset();
    Answer got;
    CHECK(Rig::take(*r, got));
}

TEST_CASE("random schedules: every answer is the answer alone") {
    // INLAY_SCHEDULES=10000 for the long form (meson suite `long`).
    const char *env = std::getenv("INLAY_SCHEDULES");
    int n = env ? std::atoi(env) : 400, bad = 0;
    Stats total;
    std::vector<Ask> asks;
    std::vector<std::vector<Answer>> want;
    for (int i = 0; i < n; ++i) {
        if (i % 50 == 0) {
            Dice d{static_cast<uint64_t>(i) + 1};
            asks.clear();
            want.clear();
            for (int k = 0; k < 12; ++k) {
                asks.push_back(d(4) ? random_ask(d) : ranked_ask(d));
                asks.back().constrained = d(4) == 0;
                want.emplace_back();
                if (asks.back().best_of > 0 || asks.back().beams > 1) {
                    Rig alone(EngineParams{.prefix_cache = false});
                    want.back() = alone.solo_all(asks.back());
                    continue;
                }
                for (int c = 0; c < asks.back().n; ++c) {
                    Ask one = asks.back();
                    one.n = 1;
                    one.seed += static_cast<uint64_t>(c);
                    one.prompt_logprobs = one.prompt_logprobs && c == 0;
                    Rig alone(EngineParams{.prefix_cache = false});
                    want.back().push_back(alone.solo(one));
                }
            }
        }
        bad += schedule(asks, want, static_cast<uint64_t>(i) + 7, &total);
    }
    MESSAGE(n, " schedules, answers differing: ", bad, "; preemptions ", total.preempted, ", cached tokens ", total.cached_tokens, ", drafts accepted ",
            total.accepted_tokens, " of ", total.draft_tokens, ", pauses ", total.pauses, ", blocks swapped ", total.swapped_out, " out, ", total.swapped_in, " in");
    CHECK(bad == 0);
    CHECK(total.preempted > 0);
    CHECK(total.swapped_in > 0);
    CHECK(total.cached_tokens > 0);
    CHECK(total.accepted_tokens > 0);
    CHECK(total.forced_tokens > 0);
}
