// SPDX-License-Identifier: Apache-2.0
// One to eight tokens straight from the packed panel: decode is bound by memory, so each byte of weights is read once
// and taken apart in registers. Needs lanes*.h with dot() (u8 x s8 into int32), codes.h.
#pragma once

#include "kernels/generic/codes.h"

namespace inlay::INLAY_TIER {
namespace {

constexpr int log2_of(int v) { return v <= 1 ? 0 : 1 + log2_of(v / 2); }

// -offset * (sum of the activations): what the accumulator starts from, out of the stored -128 * sum.
template <int offset>
INLAY_INLINE I start(const int32_t *minus128) {
    if constexpr (offset == 0) return zero();
    else return sra32<7 - log2_of(offset)>(bcast(minus128));
}

// acc + the block's part, in the order of docs/numerics.md section 5.
template <class Type>
INLAY_INLINE F block_sum(F acc, const I (&c)[8], const UnitScales &s, int j, const ActView &a, int64_t t, int64_t ib) {
    const int8_t *q = a.q + t * a.ldq + ib * kBlock;
    const int64_t at = t * a.ldb + ib;
    const F d = setf(a.d[at]);
    I sum;
    if constexpr (Type::two_scales) {
        I s0 = start<Type::offset>(a.h128 + 2 * at), s1 = start<Type::offset>(a.h128 + 2 * at + 1);
        for (int g = 0; g < 4; ++g) {
            s0 = dot(s0, c[g], bcast(q + 4 * g));
            s1 = dot(s1, c[g + 4], bcast(q + 16 + 4 * g));
        }
        sum = add32(mul32(s0, load(s.factor[2 * j])), mul32(s1, load(s.factor[2 * j + 1])));
    } else {
        I s0 = start<Type::offset>(a.n128 + at), s1 = zero();
        for (int g = 0; g < 8; g += 2) {
            s0 = dot(s0, c[g], bcast(q + 4 * g));
            s1 = dot(s1, c[g + 1], bcast(q + 4 * g + 4));
        }
        sum = add32(s0, s1);
    }
    acc = fma(cvt(sum), mulf(loadf(s.scale[j]), d), acc);
    if constexpr (Type::mins == Mins::one) acc = fma(loadf(s.min[j]), setf(a.sd[at]), acc);
    if constexpr (Type::mins == Mins::two) acc = fma(cvt(madd16(load(s.pair[j]), bcast(a.s16 + 2 * at))), mulf(loadf(s.min[j]), d), acc);
    return acc;
}

template <class Type, int T>
void few_panel(const MatmulArgs *m, int64_t p, int64_t t0) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock;
    const uint8_t *panel = m->panels + p * m->panel_bytes, *unit = panel + panel_header(L, m->cols);
    const int64_t units = panel_units(L, m->cols);
    const ActView &a = m->act;
    F acc[T];
    for (int t = 0; t < T; ++t) acc[t] = zerof();
    UnitScales s;
    for (int64_t u = 0; u < units; ++u, unit += L.unit_bytes) {
        Type::scales(panel, unit, u, s);
        for (int j = 0; j < n_blocks; ++j) {
            const uint8_t *b = unit + codes_at(L) + j * L.block_bytes;
            // All lines of the block at once and none further ahead: the hardware's prefetcher runs far ahead by itself when it
            // sees the loads; prefetching 0.5 to 8 KiB ahead hid them from it (15-24 against 27-32 GB/s on a loaded Zen 4).
            for (int i = 0; i < L.block_bytes; i += 64) prefetch(b + i);
            typename Type::Codes codes;
            codes.load(b);
            const I c[8] = {codes.template at<0>(), codes.template at<1>(), codes.template at<2>(), codes.template at<3>(),
                            codes.template at<4>(), codes.template at<5>(), codes.template at<6>(), codes.template at<7>()};
            for (int t = 0; t < T; ++t) acc[t] = block_sum<Type>(acc[t], c, s, j, a, t0 + t, u * n_blocks + j);
        }
    }
    const int64_t left = m->n_rows - p * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    for (int t = 0; t < T; ++t) {
        float *y = m->y + (t0 + t) * m->ldy + p * kPanelRows;
        if (m->add) acc[t] = addf(loadf_n(m->add + (t0 + t) * m->ld_add + p * kPanelRows, rows), acc[t]);
        storef_n(y, acc[t], rows);
    }
}

// Tokens [t0, t1) of panel p, eight at a time: their sums and a block's codes are 24 vectors.
template <class Type>
void few_tokens(const MatmulArgs *m, int64_t p, int64_t t0, int64_t t1) {
    for (; t1 - t0 >= 8; t0 += 8) few_panel<Type, 8>(m, p, t0);
    if (t1 - t0 >= 4) few_panel<Type, 4>(m, p, t0), t0 += 4;
    if (t1 - t0 == 3) few_panel<Type, 3>(m, p, t0), t0 += 3;
    if (t1 - t0 == 2) few_panel<Type, 2>(m, p, t0), t0 += 2;
    if (t1 - t0 == 1) few_panel<Type, 1>(m, p, t0);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
