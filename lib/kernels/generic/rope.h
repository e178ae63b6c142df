// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding in place. The contract is RopeArgs's.
#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/sincos.h"

namespace inlay::INLAY_TIER {
namespace {

void rope_halves(const kernels::RopeArgs *a) noexcept {
    const int64_t half = a->n_rot / 2;
    for (int64_t row = 0; row < a->rows; ++row) {
        const float *cs = a->cos + row * a->ld_table, *sn = a->sin + row * a->ld_table;
        for (int64_t h = 0; h < a->heads; ++h) {
            float *x = a->x + row * a->ldx + h * a->dim;
            each_group(half, [&](int64_t i, int count) __attribute__((always_inline)) {
                const V p = load_n(x + i, count), q = load_n(x + half + i, count);
                const V c = load_n(cs + i, count), s = load_n(sn + i, count);
                store_n(x + i, fma(p, c, neg(mul(q, s))), count);
                store_n(x + half + i, fma(p, s, mul(q, c)), count);
            });
        }
    }
}

// Pairs lie side by side. With a and b of a pair in both its lanes, one form serves both: fma(a, [c, s], b * [-s, c]).
void rope_neighbours(const kernels::RopeArgs *a) noexcept {
    for (int64_t row = 0; row < a->rows; ++row) {
        const float *cs = a->cos + row * a->ld_table, *sn = a->sin + row * a->ld_table;
        each_group(a->n_rot / 2 * 2, [&](int64_t i, int count) __attribute__((always_inline)) {
            float first[kLanes] = {}, second[kLanes] = {};
            for (int j = 0; j < count; j += 2) {
                const float c = cs[(i + j) / 2], s = sn[(i + j) / 2];
                first[j] = c, first[j + 1] = s;
                second[j] = -s, second[j + 1] = c;
            }
            const V f = load(first), g = load(second);
            for (int64_t h = 0; h < a->heads; ++h) {
                float *x = a->x + row * a->ldx + h * a->dim + i;
                const V v = load_n(x, count);
                store_n(x, fma(dup_even(v), f, mul(dup_odd(v), g)), count);
            }
        });
    }
}

void rope_table(const double *__restrict freqs, int64_t n, double position, double scale, float *__restrict cos, float *__restrict sin) noexcept {
    for (int64_t i = 0; i < n; ++i) {
        double s, c;
        kernels::sincos(position * freqs[i], &s, &c);
        cos[i] = static_cast<float>(c * scale);
        sin[i] = static_cast<float>(s * scale);
    }
}

}  // namespace

void init_rope(kernels::KernelTable &t) noexcept;
void init_rope(kernels::KernelTable &t) noexcept {
    t.rope_halves = rope_halves;
    t.rope_neighbours = rope_neighbours;
    t.rope_table = rope_table;
}

}  // namespace inlay::INLAY_TIER
