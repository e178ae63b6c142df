// SPDX-License-Identifier: Apache-2.0
// Clients on many threads, and the engine on a thread of its own.
#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "rig.h"

using namespace inlay_test;

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
