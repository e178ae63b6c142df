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
    D low = zero_d(), high = zero_d();
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        const V p = select(lanes_in(0, count), exp(sub(load_n(x + i, count), m)), zero());
        low = add(low, widen_low(p)), high = add(high, widen_high(p));
    });
    double sum[kLanes];
    store(sum, low), store(sum + 8, high);
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) sum[j] += sum[j + step];
    return {greatest, sum[0]};
}

kernels::Extremes extremes(const float *x, int64_t n) noexcept {
    const V inf = set1(__builtin_inff());
    // Four chains: the next maximum waits for the one before it.
    V m[4] = {neg(inf), neg(inf), neg(inf), neg(inf)}, bad[4] = {zero(), zero(), zero(), zero()};
    auto take = [&](V v, int chain) __attribute__((always_inline)) {
        m[chain] = max(v, m[chain]);
        bad[chain] = select(lt(v, inf), bad[chain], set1(1.0f));  // NaN is less than nothing
    };
    int64_t i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes)
        for (int c = 0; c < 4; ++c) take(load(x + i + c * kLanes), c);
    each_group(n - i, [&](int64_t at, int count) __attribute__((always_inline)) {
        take(select(lanes_in(0, count), load_n(x + i + at, count), neg(inf)), 0);
    });
    for (int c = 1; c < 4; ++c) m[0] = max(m[c], m[0]), bad[0] = max(bad[c], bad[0]);
    return {tree_max(m[0]), tree_max(bad[0]) > 0};
}

// 2^x for x <= 0, 1e-4 off at most: interpolated over [-1/2, 1/2] at Chebyshev's places.
INLAY_INLINE V rough_exp2(V x) {
    const V magic = set1(kernels::kRound + 127.0f);
    x = max(x, set1(-126.0f));  // of NaN too: -Inf - -Inf in a block without numbers
    const V t = add(x, magic), f = sub(x, sub(t, magic));
    V p = fma(f, set1(0x1.c96d5ep-5f), set1(0x1.f0ecf8p-3f));
    p = fma(p, f, set1(0x1.62e2d2p-1f));
    p = fma(p, f, set1(0x1.fff61cp-1f));
    return mul(p, low_bits_to_exponent(t));
}

kernels::Extremes block_tops(const float *x, int64_t n, float log2_scale, float *greatest, float *sums) noexcept {
    const V inf = set1(__builtin_inff()), scale = set1(log2_scale);
    V best = neg(inf), bad = zero();
    for (; n > 0; n -= 256, x += 256) {
        const int64_t count = n < 256 ? n : 256;
        V m = neg(inf);
        each_group(count, [&](int64_t i, int c) __attribute__((always_inline)) {
            const V v = select(lanes_in(0, c), load_n(x + i, c), neg(inf));
            m = max(v, m);
            bad = select(lt(v, inf), bad, set1(1.0f));  // NaN is less than nothing
        });
        best = max(m, best);
        *greatest = tree_max(m);
        if (log2_scale > 0) {
            const V top = set1(*greatest);
            V sum = zero();
            each_group(count, [&](int64_t i, int c) __attribute__((always_inline)) {
                sum = add(sum, select(lanes_in(0, c), rough_exp2(mul(sub(load_n(x + i, c), top), scale)), zero()));
            });
            *sums++ = tree_sum(sum);
        }
        ++greatest;
    }
    return {tree_max(best), tree_max(bad) > 0};
}

void at_least(const float *x, int64_t n, float bound, uint64_t *out) noexcept {
    const V b = set1(bound);
    for (int64_t i = 0; i < n; i += 64, ++out) {
        *out = 0;
        each_group(n - i < 64 ? n - i : 64, [&](int64_t at, int count) __attribute__((always_inline)) {
            // bound <= x, as NaN is on no side and the lanes know < alone
            const V v = select(lanes_in(0, count), load_n(x + i + at, count), set1(-__builtin_inff()));
            *out |= static_cast<uint64_t>(bits(lt(b, v)) | bits(eq(b, v))) << at;
        });
        if (n - i < 64) *out &= (uint64_t{1} << (n - i)) - 1;
    }
}

template <bool scaled>
INLAY_INLINE double exp_block(const float *x, int64_t n, V shift, V scale) {
    D sums = zero_d();
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        V d = sub(load_n(x + i, count), shift);
        if (scaled) d = div(d, scale);
        const V p = select(lanes_in(0, count), exp(d), zero());
        sums = add(add(sums, widen_low(p)), widen_high(p));
    });
    double sum[8];
    store(sum, sums);
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

void exp_blocks(const float *x, int64_t n, float shift, float scale, double *blocks) noexcept {
    const V m = set1(shift), t = set1(scale);
    for (; n > 0; n -= 256, x += 256) {
        const int64_t count = n < 256 ? n : 256;
        *blocks++ = scale == 1.0f ? exp_block<false>(x, count, m, t) : exp_block<true>(x, count, m, t);
    }
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
    t.extremes = extremes;
    t.block_tops = block_tops;
    t.exp_blocks = exp_blocks;
    t.at_least = at_least;
    t.argmax = argmax;
}

}  // namespace inlay::INLAY_TIER
