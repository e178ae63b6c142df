// SPDX-License-Identifier: Apache-2.0
// Log probabilities of given tokens, and embeddings.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "rig.h"

using namespace inlay_test;

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
        while (rig.engine->step(0) != Code::done) {
        }
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
    } catch (const Error &e) {
        text = e.text();
    }
    CHECK(text == "requests wait for KV blocks that unfinished scores hold: 0 of 4 are free");
    s.reset();
    while (rig.engine->step(0) != Code::done) {
    }
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
