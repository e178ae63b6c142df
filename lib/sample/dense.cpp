// SPDX-License-Identifier: Apache-2.0
#include "sample/dense.h"

#include <algorithm>
#include <bit>
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

namespace {

// e[i] = exp(x[i] - max) for one block; zeros up to kBlock.
void block_exp(const kernels::KernelTable &k, const float *x, int64_t n, float max, float *e) noexcept {
    float d[kBlock];
    for (int64_t i = 0; i < n; ++i) d[i] = x[i] - max;
    k.map_exp(d, e, n);
    for (int64_t i = n; i < kBlock; ++i) e[i] = 0;
}

double block_sum(const float *e) noexcept {
    double lane[8] = {};
    for (int64_t i = 0; i < kBlock; i += 8)
        for (int l = 0; l < 8; ++l) lane[l] += static_cast<double>(e[i + l]);
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

}  // namespace

double exp_sum(const kernels::KernelTable &k, std::span<const float> x, float max, double *blocks) noexcept {
    double total = 0;
    int64_t n = static_cast<int64_t>(x.size());
    for (int64_t at = 0, b = 0; at < n; at += kBlock, ++b) {
        float e[kBlock];
        block_exp(k, x.data() + at, std::min(kBlock, n - at), max, e);
        double s = block_sum(e);
        if (blocks) blocks[b] = s;
        total += s;
    }
    return total;
}

void weights(const kernels::KernelTable &k, std::span<const Candidate> list, float max, float *out) noexcept {
    for (size_t i = 0; i < list.size(); ++i) out[i] = list[i].logit - max;
    k.map_exp(out, out, static_cast<int64_t>(list.size()));
}

size_t gather(std::span<const float> x, float bound, Candidate *out) noexcept {
    if (!(bound > -kInf)) bound = std::numeric_limits<float>::lowest();
    size_t n = 0;
    for (size_t i = 0; i < x.size(); ++i) {  // no branch: half of all rows would guess it wrong
        out[n] = {x[i], static_cast<int32_t>(i)};
        n += x[i] >= bound;
    }
    return n;
}

size_t gather_better(std::span<const float> x, const Candidate &end, Candidate *out) noexcept {
    size_t n = gather(x, end.logit, out), kept = 0;
    for (size_t i = 0; i < n; ++i) {  // of equals, those up to its id
        out[kept] = out[i];
        kept += out[i].logit > end.logit || out[i].id <= end.id;
    }
    return kept;
}

size_t select_best(std::span<const float> x, int64_t k, Candidate *out) noexcept {
    int64_t n = static_cast<int64_t>(x.size()), have = 0;
    // A heap of k beats a full gather while k is a small part of the row.
    if (k > n / 16) {
        have = static_cast<int64_t>(gather(x, -kInf, out));
        if (have > k) {
            std::nth_element(out, out + k - 1, out + have, better);
            have = k;
        }
    } else {
        int64_t i = 0;
        for (; i < n && have < k; ++i)
            if (float v = x[static_cast<size_t>(i)]; v > -kInf) {
                out[have++] = {v, static_cast<int32_t>(i)};
                std::push_heap(out, out + have, better);
            }
        for (; i < n; ++i)
            if (float v = x[static_cast<size_t>(i)]; v > out[0].logit) {  // an equal one has a higher id: it loses
                std::pop_heap(out, out + k, better);
                out[k - 1] = {v, static_cast<int32_t>(i)};
                std::push_heap(out, out + k, better);
            }
    }
    std::sort(out, out + have, better);
    return static_cast<size_t>(have);
}

// The mass by depth below the best, in 16ths of a nat, says in which slice the nucleus ends; only that slice is sorted.
Candidate nucleus_end(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, double *histogram, Candidate *scratch) noexcept {
    constexpr float kSlices = 16;
    constexpr int32_t kDeepest = std::bit_cast<int32_t>(static_cast<float>(kDepths - 1));
    auto depth = [&](float v) {  // clamped on bits, as depths are never negative: a choice between floats does not vectorise
        int32_t bits = std::bit_cast<int32_t>((max - v) * kSlices);
        return static_cast<int32_t>(std::bit_cast<float>(bits < kDeepest ? bits : kDeepest));
    };
    std::fill_n(histogram, 2 * kDepths, 0.0);
    for (size_t at = 0; at < x.size(); at += kBlock) {
        float e[kBlock];
        int32_t slice[kBlock];
        size_t m = std::min<size_t>(kBlock, x.size() - at);
        const float *row = x.data() + at;
        block_exp(k, row, static_cast<int64_t>(m), max, e);
        for (size_t i = 0; i < m; ++i) slice[i] = depth(row[i]);
        // Two histograms take turns: neighbours often share a slice, and an addition waits for the one before it.
        for (size_t i = 0; i < m; ++i) histogram[slice[i] + kDepths * static_cast<int32_t>(i & 1)] += static_cast<double>(e[i]);
    }
    double total = 0, have = 0;
    for (int d = 0; d < kDepths; ++d) {
        histogram[d] += histogram[d + kDepths];
        total += histogram[d];
    }
    int32_t s = 0;
    while (s + 1 < kDepths && have + histogram[s] < top_p * total) have += histogram[s++];
    // A bound that is surely below the slice first: it leaves few to look at closely.
    size_t near = s + 1 < kDepths ? gather(x, max - static_cast<float>(s + 2) / kSlices, scratch) : gather(x, -kInf, scratch), n = 0;
    for (size_t i = 0; i < near; ++i) {
        scratch[n] = scratch[i];
        n += depth(scratch[i].logit) == s;
    }
    std::sort(scratch, scratch + n, better);
    Candidate end = n ? scratch[0] : Candidate{max, static_cast<int32_t>(x.size())};
    for (size_t i = 0; i < n && have < top_p * total; ++i) {
        end = scratch[i];
        float e = end.logit - max;
        k.map_exp(&e, &e, 1);
        have += static_cast<double>(e);
    }
    return end;
}

}  // namespace inlay::sample
