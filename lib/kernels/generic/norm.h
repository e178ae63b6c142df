// SPDX-License-Identifier: Apache-2.0
// RMS and layer norms over sixteen lanes. The contract is NormArgs's.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

template <bool centred, bool only_weight>
INLAY_INLINE void finish_row(const kernels::NormArgs *a, int64_t row, float mean, float r) {
    const float *x = a->x + row * a->ldx;
    float *y = a->y + row * a->ldy;
    const float *res = a->add ? a->add + row * a->ld_add : nullptr;
    const V vr = set1(r), vm = set1(mean);
    each_group(a->n, [&](int64_t i, int count) __attribute__((always_inline)) {
        V v = load_n(x + i, count);
        if (centred) v = sub(v, vm);
        v = mul(v, vr);
        if (only_weight) {
            store_n(y + i, mul(v, load_n(a->w + i, count)), count);
            return;
        }
        if (a->w && a->b) v = fma(v, load_n(a->w + i, count), load_n(a->b + i, count));
        else if (a->w) v = mul(v, load_n(a->w + i, count));
        else if (a->b) v = add(v, load_n(a->b + i, count));
        if (res) v = add(load_n(res + i, count), v);
        store_n(y + i, v, count);
    });
}
template <bool centred>
INLAY_INLINE void finish_norm(const kernels::NormArgs *a, int64_t row, float mean, float r) {
    if (a->w && !a->b && !a->add) finish_row<centred, true>(a, row, mean, r);  // nearly all of them
    else finish_row<centred, false>(a, row, mean, r);
}

// Sums of squares of R rows at once: each is one chain, as the rule of 16 partial sums wants, so rows hide each other.
template <int R>
INLAY_INLINE void rms_rows(const kernels::NormArgs *a, int64_t row) {
    V sum[R];
    for (int k = 0; k < R; ++k) sum[k] = zero();
    each_group(a->n, [&](int64_t i, int count) __attribute__((always_inline)) {
        for (int k = 0; k < R; ++k) {
            const V v = load_n(a->x + (row + k) * a->ldx + i, count);
            sum[k] = fma(v, v, sum[k]);
        }
    });
    for (int k = 0; k < R; ++k) {
        const float r = 1.0f / __builtin_sqrtf(tree_sum(sum[k]) / static_cast<float>(a->n) + a->eps);
        finish_norm<false>(a, row + k, 0.0f, r);
    }
}

void rms_norm(const kernels::NormArgs *a) noexcept {
    int64_t row = 0;
    for (; row + 4 <= a->rows; row += 4) rms_rows<4>(a, row);
    for (; row < a->rows; ++row) rms_rows<1>(a, row);
}

void layer_norm(const kernels::NormArgs *a) noexcept {
    for (int64_t row = 0; row < a->rows; ++row) {
        const float *x = a->x + row * a->ldx;
        V sum = zero();
        each_group(a->n, [&](int64_t i, int count) __attribute__((always_inline)) { sum = add(sum, load_n(x + i, count)); });
        const float mean = tree_sum(sum) / static_cast<float>(a->n);
        V square = zero();
        each_group(a->n, [&](int64_t i, int count) __attribute__((always_inline)) {
            V v = select(lanes_in(0, count), sub(load_n(x + i, count), set1(mean)), zero());
            square = fma(v, v, square);
        });
        const float r = 1.0f / __builtin_sqrtf(tree_sum(square) / static_cast<float>(a->n) + a->eps);
        finish_norm<true>(a, row, mean, r);
    }
}

}  // namespace

void init_norm(kernels::KernelTable &t) noexcept;
void init_norm(kernels::KernelTable &t) noexcept {
    t.rms_norm = rms_norm;
    t.layer_norm = layer_norm;
}

}  // namespace inlay::INLAY_TIER
