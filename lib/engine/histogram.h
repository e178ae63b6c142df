// SPDX-License-Identifier: Apache-2.0
// How long things took: counts by size, four buckets a factor of two. One thread writes, any thread reads, nobody locks.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace inlay::engine {

// The largest bucket begins at two hours.
constexpr int kTimeBuckets = 128;
using TimeCounts = std::array<uint64_t, kTimeBuckets>;

// Bucket b begins at b microseconds below 4, else at (4 + b % 4) << (b / 4 - 1): 4 5 6 7 8 10 12 14 16 20 ...
constexpr int time_bucket(uint64_t us) noexcept {
    if (us < 4) return static_cast<int>(us);
    const int log = std::bit_width(us) - 1;
    return std::min(kTimeBuckets - 1, 4 * (log - 1) + static_cast<int>(us >> (log - 2) & 3));
}

class Histogram {
public:
    void add(uint64_t ns) noexcept {
        std::atomic<uint64_t> &n = n_[static_cast<size_t>(time_bucket(ns / 1000))];
        n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // one writer: no locked add
    }
    void read(TimeCounts &out) const noexcept {
        for (size_t i = 0; i < out.size(); ++i) out[i] = n_[i].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<uint64_t>, kTimeBuckets> n_{};
};

}  // namespace inlay::engine
