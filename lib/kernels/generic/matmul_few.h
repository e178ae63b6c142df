// SPDX-License-Identifier: Apache-2.0
// One or two tokens, or a last panel without a partner: decode is bound by memory, so each byte of weights is read once
// and taken apart in registers. Needs lanes*.h with dot() (u8 x s8 into int32), scales_at.h.
#pragma once

#include "kernels/generic/scales_at.h"

namespace inlay::INLAY_TIER {
namespace {

constexpr int log2_of(int v) { return v <= 1 ? 0 : 1 + log2_of(v / 2); }

// -offset * (sum of the activations): what the accumulator starts from, out of the stored -128 * sum.
template <int offset>
INLAY_INLINE I start(const int32_t *minus128) {
    if constexpr (offset == 0) return zero();
    else return sra32<7 - log2_of(offset)>(bcast(minus128));
}

// What the tiles read, from token t and block b, a group's first.
INLAY_INLINE ActView advance(const ActView &a, int64_t t, int64_t b) {
    const int64_t at = t * a.ldb + b;
    ActView v = a;
    v.q += t * a.ldq + b * kBlock;
    v.d += t * a.ldg + b / kGroupBlocks;
    v.sp += at;
    v.s16 += 2 * at;
    v.b16 += at;
    v.n128 += at;
    v.h128 += 2 * at;
    v.magic += at;
    v.m128 += at;
    v.mh128 += 2 * at;
    return v;
}

// The f32 scale of half h of block j.
template <class Type, int h>
INLAY_INLINE F scale_of(const UnitScales &s, int j) {
    if constexpr (Type::two_scales) return mulf(loadf(s.scale[j]), cvt(load(s.factor[2 * j + h])));
    else return loadf(s.scale[j]);
}

// part + the block's, in the order of docs/numerics.md section 5.
template <class Type>
INLAY_INLINE F block_sum(F part, const I (&c)[8], F scale0, F scale1, F min, const ActView &a, int64_t t, int64_t ib) {
    const int8_t *q = a.q + t * a.ldq + ib * kBlock;
    const int64_t at = t * a.ldb + ib;
    const I k = bcast(a.magic + at);  // as in matmul_many.h: conversion and factor p by one subtraction
    if constexpr (Type::two_scales) {
        I s0 = add32(start<Type::offset>(a.h128 + 2 * at), k), s1 = add32(start<Type::offset>(a.h128 + 2 * at + 1), k);
        for (int g = 0; g < 4; ++g) {
            s0 = dot(s0, c[g], bcast(q + 4 * g));
            s1 = dot(s1, c[g + 4], bcast(q + 16 + 4 * g));
        }
        part = fma(subf(as_f(s0), as_f(k)), scale0, part);
        part = fma(subf(as_f(s1), as_f(k)), scale1, part);
    } else {
        I s0 = start<Type::offset>(a.n128 + at), s1 = k;
        for (int g = 0; g < 8; g += 2) {
            s0 = dot(s0, c[g], bcast(q + 4 * g));
            s1 = dot(s1, c[g + 1], bcast(q + 4 * g + 4));
        }
        part = fma(subf(as_f(add32(s0, s1)), as_f(k)), scale0, part);
    }
    if constexpr (Type::mins == Mins::block) part = fma(min, setf(a.sp[at]), part);
    return part;
}

template <class Type, int T>
void few_panel(const MatmulArgs *m, int64_t p, int64_t t0) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock;
    const uint8_t *panel = m->panels + p * m->panel_bytes, *unit = panel + panel_header(L, m->cols);
    const int64_t units = panel_units(L, m->cols);
    // All of the header now: its lines asked for one by one, behind the codes, stop the hardware's prefetcher (mxfp4: 12 GB/s against 31).
    for (int64_t i = 0; i < panel_header(L, m->cols); i += 64) prefetch(panel + i);
    const ActView &a = m->act;
    alignas(64) float acc[T][16];  // once a group: not worth registers
    for (int t = 0; t < T; ++t) storef(acc[t], zerof());
    constexpr int64_t group_units = kGroupBlocks / n_blocks;
    for (int64_t u = 0, g = 0; u < units; ++g) {
        F part[T];
        for (int t = 0; t < T; ++t) part[t] = zerof();
        const int64_t end = u + group_units < units ? u + group_units : units;
        for (; u < end; ++u, unit += L.unit_bytes) {
            for (int j = 0; j < n_blocks; ++j) {
                const uint8_t *b = unit + codes_at(L) + j * L.block_bytes;
                // All lines of the block at once and none further ahead: the hardware's prefetcher runs far ahead by itself when it
                // sees the loads; prefetching 0.5 to 8 KiB ahead hid them from it (15-24 against 27-32 GB/s on a loaded Zen 4).
                // Codes of 8 bits are all loads already: asked for as well, they decode 7 % slower (q8_0, rows of 640).
                if constexpr (L.block_bytes < 512)
                    for (int i = 0; i < L.block_bytes; i += 64) prefetch(b + i);
                typename Type::Codes codes;
                codes.load(b);
                const I c[8] = {codes.template at<0>(), codes.template at<1>(), codes.template at<2>(), codes.template at<3>(),
                                codes.template at<4>(), codes.template at<5>(), codes.template at<6>(), codes.template at<7>()};
                const F scale0 = scale_at(Type{}, panel, unit, u, j, 0);
                F scale1 = scale0, min = scale0;
                if constexpr (Type::two_scales) scale1 = scale_at(Type{}, panel, unit, u, j, 1);
                if constexpr (Type::mins == Mins::block) min = min_at(Type{}, unit, j);
                auto add = [&](int t) { part[t] = block_sum<Type>(part[t], c, scale0, scale1, min, a, t0 + t, u * n_blocks + j); };
#pragma GCC unroll 4
                for (int t = 0; t < T; ++t) add(t);
            }
        }
        if constexpr (Type::mins == Mins::group) add_mins<Type>(unit - L.unit_bytes, a, t0 * a.ldb + g * kGroupBlocks, part);
        for (int t = 0; t < T; ++t) storef(acc[t], fma(part[t], setf(a.d[(t0 + t) * a.ldg + g]), loadf(acc[t])));
    }
    const int64_t left = m->n_rows - p * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    for (int t = 0; t < T; ++t) {
        float *y = m->y + (t0 + t) * m->ldy + p * kPanelRows;
        F f = loadf(acc[t]);
        if (m->add) f = addf(loadf_n(m->add + (t0 + t) * m->ld_add + p * kPanelRows, rows), f);
        storef_n(y, f, rows);
    }
}

// All tokens of panel p.
template <class Type>
void few_tokens(const MatmulArgs *m, int64_t p) {
    int64_t t = 0;
    for (; m->n_tokens - t >= 4; t += 4) few_panel<Type, 4>(m, p, t);
    if (m->n_tokens - t >= 2) few_panel<Type, 2>(m, p, t), t += 2;
    if (m->n_tokens - t == 1) few_panel<Type, 1>(m, p, t);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
