// SPDX-License-Identifier: Apache-2.0
// Blocks that come back: from the swap, from a pinned prefix, from behind a window.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rig.h"

using namespace inlay_test;

TEST_CASE("a preempted request takes its blocks back from the swap") {
    Ask a{std::vector<int32_t>(60, 3), 60}, b{std::vector<int32_t>(62, 4), 60};
    Rig plain;
    const Answer wa = plain.solo(a), wb = plain.solo(b);
    for (int32_t n_swap : {0, 3, 8})
        for (int32_t window : {0, 24}) {
            FakeOptions o;
            o.n_blocks = 9;  // each needs 8
            o.n_swap = n_swap;
            o.windows = {window};
            Rig rig(EngineParams{.prefix_cache = false}, o), alone({}, FakeOptions{.windows = {window}});
            const Answer want_a = window ? alone.solo(a) : wa, want_b = window ? alone.solo(b) : wb;
            auto ra = rig.submit(a), rb = rig.submit(b);
            while (rig.engine->step(0) != Code::done) {
            }
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

TEST_CASE("a pinned prefix stays, an unpinned one goes, and no pin stops a request") {
    FakeOptions o;
    o.n_blocks = 24;  // n_ctx is 16 of them
    Rig rig({}, o), plain;
    const std::vector<int32_t> prompt(50, 7);
    auto answers = [&](int32_t token, int32_t n) {
        Ask a{std::vector<int32_t>(static_cast<size_t>(n), token), 5};
        auto r = rig.submit(a);
        while (rig.engine->step(0) != Code::done) {
        }
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

TEST_CASE("a window's past goes back while the answer stays") {
    FakeOptions o;
    o.windows = {24};
    o.n_blocks = 12;
    EngineParams p;
    p.prefix_cache = false;
    Rig rig(p, o), big(p, FakeOptions{.windows = {24}});
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
