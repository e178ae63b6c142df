// SPDX-License-Identifier: Apache-2.0
#include "sample/dense.h"

#include <algorithm>
#include <limits>

#include "sample/math.h"

namespace inlay::sample {

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
}

Extremes extremes(std::span<const float> x) noexcept {
    constexpr size_t kLanes = 16;  // four SSE registers: enough to hide the latency of max
    float m[kLanes];
    int32_t bad[kLanes] = {};
    for (float &v : m) v = -kInf;
    size_t i = 0;
    for (; i + kLanes <= x.size(); i += kLanes)
        for (size_t l = 0; l < kLanes; ++l) {
            float v = x[i + l];
            m[l] = v > m[l] ? v : m[l];
            bad[l] |= !(v < kInf);  // NaN compares false
        }
    for (; i < x.size(); ++i) {
        m[0] = x[i] > m[0] ? x[i] : m[0];
        bad[0] |= !(x[i] < kInf);
    }
    Extremes e{-kInf, false};
    for (size_t l = 0; l < kLanes; ++l) {
        e.max = m[l] > e.max ? m[l] : e.max;
        e.broken |= bad[l] != 0;
    }
    return e;
}

int32_t first_equal(std::span<const float> x, float value) noexcept {
    size_t i = 0;
    for (; i + 64 <= x.size(); i += 64) {
        int32_t any = 0;
        for (size_t l = 0; l < 64; ++l) any |= x[i + l] == value;
        if (any) break;
    }
    for (; i < x.size(); ++i)
        if (x[i] == value) return static_cast<int32_t>(i);
    return -1;
}

double exp_sum(std::span<const float> x, float max, double *blocks) noexcept {
    double total = 0;
    int64_t n = static_cast<int64_t>(x.size());
    for (int64_t at = 0, b = 0; at < n; at += kBlock, ++b) {
        float e[kBlock];
        int64_t m = std::min(kBlock, n - at);
        const float *row = x.data() + at;
        for (int64_t i = 0; i < m; ++i) e[i] = exp_neg(row[i] - max);
        for (int64_t i = m; i < kBlock; ++i) e[i] = 0;
        double lane[8] = {};
        for (int64_t i = 0; i < kBlock; i += 8)
            for (int l = 0; l < 8; ++l) lane[l] += static_cast<double>(e[i + l]);
        double s = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
        if (blocks) blocks[b] = s;
        total += s;
    }
    return total;
}

void gather(std::span<const float> x, float bound, Vector<Candidate> &out) {
    out.clear();
    if (!(bound > -kInf)) bound = std::numeric_limits<float>::lowest();
    for (size_t i = 0; i < x.size(); ++i)
        if (x[i] >= bound) out.push_back({x[i], static_cast<int32_t>(i)});
}

void select_best(std::span<const float> x, int64_t k, Vector<Candidate> &out) {
    int64_t n = static_cast<int64_t>(x.size());
    // A heap of k beats a full gather while k is a small part of the row.
    if (k > n / 16) {
        gather(x, -kInf, out);
        if (static_cast<int64_t>(out.size()) > k) {
            std::nth_element(out.begin(), out.begin() + k - 1, out.end(), better);
            out.erase(out.begin() + k, out.end());
        }
    } else {
        out.clear();
        for (int64_t i = 0; i < n; ++i) {
            float v = x[static_cast<size_t>(i)];
            if (static_cast<int64_t>(out.size()) < k) {
                if (!(v > -kInf)) continue;
                out.push_back({v, static_cast<int32_t>(i)});
                std::push_heap(out.begin(), out.end(), better);
            } else if (v > out.front().logit) {  // an equal one has a higher id: it loses
                std::pop_heap(out.begin(), out.end(), better);
                out.back() = {v, static_cast<int32_t>(i)};
                std::push_heap(out.begin(), out.end(), better);
            }
        }
    }
    std::sort(out.begin(), out.end(), better);
}

}  // namespace inlay::sample
