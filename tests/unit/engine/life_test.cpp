// SPDX-License-Identifier: Apache-2.0
// Requests that end before their time: cancelled, past their deadline, or with their engine.
#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <vector>

#include "rig.h"

using namespace inlay_test;

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
