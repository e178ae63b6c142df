// SPDX-License-Identifier: Apache-2.0
// Guesses change how many steps an answer takes, never the answer.
#include <doctest/doctest.h>

#include "rig.h"

using namespace inlay_test;

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
