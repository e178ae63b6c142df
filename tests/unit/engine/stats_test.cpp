// SPDX-License-Identifier: Apache-2.0
// Counters and time histograms.
#include <doctest/doctest.h>

#include <vector>

#include "rig.h"

using namespace inlay_test;

TEST_CASE("buckets of time: four a factor of two, each begins where the one before ends") {
    auto begin = [](int b) { return b < 4 ? static_cast<uint64_t>(b) : static_cast<uint64_t>(4 + b % 4) << (b / 4 - 1); };
    for (int b = 0; b < kTimeBuckets; ++b) {
        CHECK(time_bucket(begin(b)) == b);
        CHECK(time_bucket(begin(b + 1) - 1) == b);
    }
    CHECK(time_bucket(UINT64_MAX) == kTimeBuckets - 1);
}

TEST_CASE("times count every call, batch, request and token") {
    FakeOptions o;
    o.rows_a_slice = 5;
    Rig rig({}, o);
    auto a = rig.submit(Ask{std::vector<int32_t>(40, 3), 9}), b = rig.submit(Ask{{1, 2}, 4});
    uint64_t calls = 0;
    while (rig.engine->step(1) != Code::done) ++calls;
    Times t;
    rig.engine->times(t);
    auto sum = [](const TimeCounts &c) {
        uint64_t n = 0;
        for (uint64_t x : c) n += x;
        return n;
    };
    CHECK(sum(t.step) == calls);
    CHECK(sum(t.batch) == rig.engine->stats().steps);
    CHECK(sum(t.queue) == 2);
    CHECK(sum(t.first_token) == 2);
    CHECK(sum(t.token) == 8 + 3);
}
