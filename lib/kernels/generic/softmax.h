// SPDX-License-Identifier: Apache-2.0
// Softmax, and the parts of log-softmax that a sampler needs.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

INLAY_INLINE float row_max(const float *x, int64_t n) {
    V m = set1(-__builtin_inff());
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        m = max(select(lanes_in(0, count), load_n(x + i, count), set1(-__builtin_inff())), m);
    });
    return tree_max(m);
}

void softmax(float *x, int64_t ldx, int64_t rows, int64_t n) noexcept {
    for (int64_t row = 0; row < rows; ++row, x += ldx) {
        const V m = set1(row_max(x, n));
        V sum = zero();
        each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
            const V p = exp(sub(load_n(x + i, count), m));
            store_n(x + i, p, count);
            sum = add(sum, select(lanes_in(0, count), p, zero()));
        });
        const V inv = set1(1.0f / tree_sum(sum));
        each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) { store_n(x + i, mul(load_n(x + i, count), inv), count); });
    }
}

kernels::ExpSum exp_sum(const float *x, int64_t n) noexcept {
    const float greatest = row_max(x, n);
    const V m = set1(greatest);
    double sum[kLanes] = {};
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        float p[kLanes];
        store(p, select(lanes_in(0, count), exp(sub(load_n(x + i, count), m)), zero()));
        for (int j = 0; j < kLanes; ++j) sum[j] += static_cast<double>(p[j]);
    });
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) sum[j] += sum[j + step];
    return {greatest, sum[0]};
}

// The greatest value first, then the first place that holds it: two quick passes, and ties need no care.
int64_t argmax(const float *x, int64_t n) noexcept {
    const float greatest = row_max(x, n);
    int64_t i = 0;
    for (; i + kLanes <= n && !any(eq(load(x + i), set1(greatest))); i += kLanes) {}
    for (; i < n; ++i)
        if (x[i] == greatest) return i;
    return -1;
}

}  // namespace

void init_softmax(kernels::KernelTable &t) noexcept;
void init_softmax(kernels::KernelTable &t) noexcept {
    t.softmax = softmax;
    t.exp_sum = exp_sum;
    t.argmax = argmax;
}

}  // namespace inlay::INLAY_TIER
