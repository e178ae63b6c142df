// SPDX-License-Identifier: Apache-2.0
// A step keeps its budget and allocates nothing.
#include <doctest/doctest.h>
#include <poll.h>

#include <memory>
#include <vector>

#include "rig.h"

using namespace inlay_test;

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
            while (r->poll(e) == Code::ok) {
            }
    };
    for (int i = 0; i < 40; ++i) step();
    uint64_t before = rig.mem.allocations();
    for (int i = 0; i < 60; ++i) step();
    // A table grows its vector now and then.
    CHECK(rig.mem.allocations() - before <= 8);
}
