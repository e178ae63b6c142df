// SPDX-License-Identifier: Apache-2.0
// What one request gives: tokens, text, usage, its end; what is refused; several choices; the host's own sampler.
#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rig.h"

using namespace inlay_test;

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
    CHECK(refusal(tight, Ask{std::vector<int32_t>(60, 1), 10}, Code::limit) ==
          "a sequence of 70 tokens needs 5 KV blocks, the cache has 4 (64 tokens)");
    EngineParams p;
    p.max_queue = 2;
    Rig full(p);
    auto r1 = full.submit(Ask{{1}, 5}), r2 = full.submit(Ask{{1}, 5});
    CHECK(refusal(full, Ask{{1}, 5}, Code::busy) == "the queue is full: 2 requests wait, limit 2");
}

TEST_CASE("n choices share the prompt, sample with seed + i, and end one by one") {
    Rig rig;
    Ask a{std::vector<int32_t>(40, 3), 12};
    a.temperature = 1.5f;
    a.seed = 5;
    a.n = 4;
    auto r = rig.submit(a);
    r->choice(2)->cancel();
    while (rig.engine->step(0) != Code::done) {
    }
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
    while (rig.engine->step(0) != Code::done) {
    }
    Answer got;
    CHECK(Rig::take(*s->choice(3), got));
    CHECK(got.ids.size() == 12);
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
