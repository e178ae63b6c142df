// SPDX-License-Identifier: Apache-2.0
// What happens at the end of the context, with all that can stand beside it: several choices, a constraint, a host's
// sampler, guesses, too few blocks. The oracle asks the engine afresh for each piece between two shifts.
#include <doctest/doctest.h>

#include "rig.h"

using namespace inlay_test;

namespace {

constexpr int32_t kContext = 32;

std::vector<int32_t> without_middle(const std::vector<int32_t> &t, int32_t keep, size_t drop) {
    std::vector<int32_t> out(t.begin(), t.begin() + keep);
    out.insert(out.end(), t.begin() + keep + static_cast<std::ptrdiff_t>(drop), t.end());
    return out;
}

// One choice by fresh requests that end with the context, each given what the one before left.
std::vector<int32_t> piecewise(Rig &rig, const Ask &a, uint64_t seed) {
    std::vector<int32_t> all, context = a.prompt;
    while (static_cast<int32_t>(all.size()) < a.max_tokens) {
        Memory &mem = rig.mem;
        RequestParams p(mem);
        p.max_tokens = a.max_tokens - static_cast<int32_t>(all.size());
        p.ignore_eos = true;
        p.overflow = Overflow::stop;
        p.sampling.temperature = a.temperature;
        p.sampling.repetition_penalty = a.repetition;
        p.sampling.seed = seed;
        if (a.constrained) {
            auto c = make_owned<FakeConstraint>(mem, rig.engine->n_vocab());
            for (int32_t t : all) c->accept(t);
            p.constraint = std::move(c);
        }
        auto r = rig.engine->submit(context, std::move(p));
        while (rig.engine->step(0) != Code::done) {}
        Answer got;
        REQUIRE(Rig::take(*r, got));
        REQUIRE(got.finish == Finish::length);
        all.insert(all.end(), got.ids.begin(), got.ids.end());
        context.insert(context.end(), got.ids.begin(), got.ids.end());
        if (static_cast<int32_t>(context.size()) < kContext) break;
        context = without_middle(context, a.keep, (context.size() - static_cast<size_t>(a.keep)) / 2);
    }
    return all;
}

// All choices; a host's sampler takes the likeliest token.
std::vector<Answer> run(Rig &rig, const Ask &a) {
    auto first = rig.submit(a);
    std::vector<std::shared_ptr<Request>> rs;
    std::vector<Answer> out(static_cast<size_t>(a.n));
    for (int32_t k = 0; k < a.n; ++k) rs.push_back(first->choice(k));
    for (int guard = 0; guard < 2000; ++guard) {
        const bool idle = rig.engine->step(0) == Code::done;
        bool given = false;
        for (size_t k = 0; k < rs.size(); ++k) {
            Event e;
            while (rs[k]->poll(e) == Code::ok) {
                if (e.kind == EventKind::token) out[k].ids.push_back(e.token);
                if (e.kind == EventKind::finish) out[k].finish = e.finish, out[k].text = e.text;
                if (e.kind != EventKind::needs_token) continue;
                auto row = rs[k]->logits();
                rs[k]->set_token(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
                given = true;
            }
        }
        if (idle && !given) break;
    }
    CHECK(rig.backend->broken == 0);
    return out;
}

}  // namespace

TEST_CASE("context overflow with choices, a constraint, a host's sampler, guesses and few blocks") {
    int32_t runs = 0, differ = 0;
    for (int32_t n : {1, 3})
        for (bool constrained : {false, true})
            for (bool host : {false, true})
                for (int32_t lookup : {0, 6})
                    for (int32_t blocks : {64, n == 1 ? 2 : 3})  // one request's context is two blocks
                        for (float temperature : {0.0f, 0.9f})
                            for (int32_t n_prompt : {3, 20, 31}) {
                                if (host && temperature != 0) continue;
                                EngineParams p;
                                p.lookup_tokens = lookup;
                                FakeOptions o{.n_ctx = kContext, .n_blocks = blocks};
                                Rig rig(p, o), plain({}, FakeOptions{.n_ctx = kContext});
                                Ask a;
                                for (int32_t i = 0; i < n_prompt; ++i) a.prompt.push_back(1 + i % 9);
                                a.max_tokens = 90;
                                a.n = n;
                                a.constrained = constrained;
                                a.host = host;
                                a.temperature = temperature;
                                a.repetition = n_prompt == 20 ? 1.2f : 1.0f;
                                if (host) a.repetition = 1;
                                a.seed = 5;
                                a.keep = 3;
                                a.overflow = Overflow::shift;
                                std::vector<Answer> got = run(rig, a);
                                for (int32_t k = 0; k < n; ++k) {
                                    ++runs;
                                    const Answer &g = got[static_cast<size_t>(k)];
                                    const bool same = g.finish == Finish::length && g.ids == piecewise(plain, a, 5 + static_cast<uint64_t>(k));
                                    if (!same && ++differ == 1)
                                        MESSAGE("n ", n, " constrained ", constrained, " host ", host, " lookup ", lookup, " blocks ", blocks, " temperature ",
                                                temperature, " prompt ", n_prompt, " choice ", k, ": finish ", static_cast<int>(g.finish), " ", g.text, " ",
                                                g.ids.size(), " tokens");
                                }
                            }
    MESSAGE(runs, " answers with shifts");
    CHECK(runs == 2 * 2 * 2 * 3 * 3 * (1 + 3));
    CHECK(differ == 0);
}

TEST_CASE("a truncated prompt answers as the short one, whatever stands beside it; refusals name the figures") {
    for (int32_t n : {1, 3})
        for (bool constrained : {false, true})
            for (bool host : {false, true}) {
                Rig rig({}, FakeOptions{.n_ctx = kContext}), plain({}, FakeOptions{.n_ctx = kContext});
                Ask a;
                for (int32_t i = 0; i < 60; ++i) a.prompt.push_back(1 + i % 40);
                a.max_tokens = 10;
                a.n = n;
                a.keep = 2;
                a.constrained = constrained;
                a.host = host;
                a.temperature = host ? 0.0f : 0.9f;
                a.overflow = Overflow::truncate;
                Ask b = a;
                b.host = false;
                b.prompt = without_middle(a.prompt, 2, 38);
                b.overflow = Overflow::stop;
                std::vector<Answer> got = run(rig, a), want = run(plain, b);
                CHECK(got == want);
                for (const Answer &g : got) CHECK(g.ids.size() == 10);
                a.overflow = Overflow::refuse;
                CHECK(refusal(rig, a, Code::limit) == "the prompt has 60 tokens, the context 32: no room for an answer");
                a.prompt.resize(25);
                CHECK(refusal(rig, a, Code::limit) == "prompt and max_tokens are 25 + 10 tokens, the context has 32");
                a.overflow = Overflow::shift;
                a.keep = 16;
                CHECK(refusal(rig, a, Code::invalid_argument) == "keep is 16, at most half of the context of 32");
                CHECK(rig.engine->step(0) == Code::done);
            }
}

TEST_CASE("a host's token that the constraint forbids ends its own choice alone") {
    Rig rig;
    Ask a{{1, 2, 3}, 6};
    a.constrained = a.host = true;
    Ask b{{4, 5}, 6};
    auto r = rig.submit(a), other = rig.submit(b);
    Answer got, o;
    int32_t forbidden = 0;
    for (int guard = 0; guard < 100; ++guard) {
        rig.engine->step(0);
        Event e;
        while (r->poll(e) == Code::ok) {
            if (e.kind == EventKind::finish) got.finish = e.finish, got.text = e.text;
            if (e.kind != EventKind::needs_token) continue;
            auto row = r->logits();
            for (int32_t t = 0; t < 50; ++t) {
                CHECK((row[static_cast<size_t>(t)] == -INFINITY) == !FakeConstraint::allows(1, t, 50));
                if (row[static_cast<size_t>(t)] == -INFINITY) forbidden = t;
            }
            r->set_token(forbidden);
        }
    }
    CHECK(got.finish == Finish::error);
    CHECK(got.text == "the host's token " + std::to_string(forbidden) + " is not one that the constraint allows");
    CHECK(Rig::take(*other, o));
    Rig plain;
    CHECK(o == plain.solo(b));
}
