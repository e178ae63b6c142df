// SPDX-License-Identifier: Apache-2.0
// What goes wrong ends what it concerns and nothing else: rows that are not numbers, passes that throw, allocations that fail.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "rig.h"

using namespace inlay_test;

TEST_CASE("a NaN ends its own request alone") {
    FakeOptions o;
    o.poison = 47;
    Ask good{{1, 2, 3}, 12}, bad{{4, 47, 6}, 12};
    Rig alone({}, o), both({}, o);
    Answer want = alone.solo(good);
    REQUIRE(want.finish == Finish::length);
    auto g = both.submit(good), b = both.submit(bad);
    while (both.engine->step(0) != Code::done) {
    }
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
            p.n_pages = 6;
            p.swap_pages = 4;
            p.max_requests = 3;
            auto engine = make_engine(mem, nullptr, make_owned<FakeBackend>(mem, FakeOptions{.n_blocks = 6, .n_swap = 4}), {},
                                      std::allocate_shared<FakeSpeech>(Alloc<FakeSpeech>(mem)), p, Limits{});
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
                        } catch (const Error &) {
                        }
                    CHECK(over);
                }
                out.push_back(a);
            }
        } catch (const Error &e) {
            CHECK((e.code() == Code::out_of_memory && !first));
        }
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
