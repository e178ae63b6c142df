// SPDX-License-Identifier: Apache-2.0
// Once a request runs, its steps take memory for nothing but what grows: an answer's list of blocks. With every way to
// step: constrained, speculating, several choices, beams.
#include <doctest/doctest.h>

#include "rig.h"

using namespace inlay_test;

namespace {

// Allocations of 60 steps after 40, with the events taken as they come.
uint64_t steady(Rig &rig, const Ask &a, int32_t requests) {
    std::vector<std::shared_ptr<Request>> rs;
    for (int32_t i = 0; i < requests; ++i) {
        Ask one = a;
        one.prompt[0] += i;
        one.seed = static_cast<uint64_t>(i);
        auto first = rig.submit(one);
        for (int32_t k = 1; k < a.n; ++k) rs.push_back(first->choice(k));
        rs.push_back(std::move(first));
    }
    Event e;
    auto step = [&] {
        rig.engine->step(0);
        for (auto &r : rs)
            while (r->poll(e) == Code::ok) CHECK(e.kind != EventKind::finish);
    };
    for (int i = 0; i < 40; ++i) step();
    const uint64_t before = rig.mem.allocations();
    for (int i = 0; i < 60; ++i) step();
    return rig.mem.allocations() - before;
}

const FakeOptions kRoomy{.n_ctx = 4096, .n_blocks = 1200};

}  // namespace

TEST_CASE("steps under a constraint allocate nothing") {
    for (int32_t lookup : {0, 8}) {
        EngineParams p;
        p.lookup_tokens = lookup;
        Rig rig(p, kRoomy);
        Ask a{{1, 2, 3}, 2000};
        a.constrained = true;
        CHECK(steady(rig, a, 4) <= 16);  // with guesses, or forced tokens, many a step
    }
}

TEST_CASE("steps that speculate allocate nothing") {
    for (bool draft : {false, true})
        for (float temperature : {0.0f, 0.8f}) {
            EngineParams p;
            p.lookup_tokens = draft ? 0 : 8;
            Rig rig(p, kRoomy, draft ? std::optional(kRoomy) : std::nullopt);
            Ask a{{1, 2, 3}, 2000};
            a.temperature = temperature;
            CHECK(steady(rig, a, 4) <= 16);  // a draft model's blocks are listed too
        }
}

TEST_CASE("steps of several choices allocate nothing") {
    Rig rig({}, kRoomy);
    Ask a{{1, 2, 3}, 2000};
    a.n = 4;
    a.temperature = 0.9f;
    a.logprobs = 3;
    CHECK(steady(rig, a, 2) <= 8);
}

TEST_CASE("steps of a beam search allocate nothing") {
    Rig rig({}, kRoomy);
    Ask a{{1, 2, 3}, 2000};
    a.beams = 4;
    a.temperature = 1;
    CHECK(steady(rig, a, 2) <= 24);
}
