// SPDX-License-Identifier: Apache-2.0
// Some tokens at a time, straight from two packed panels: code vectors are taken apart anew for every tile of a few tokens, in the
// pipes that products leave idle, while the next panels come from memory into L2. Two panels, as each four activations that are
// broadcast then serve two products. Needs lanes*.h with dot(), codes.h, matmul_few.h.
#pragma once

#include "kernels/generic/matmul_few.h"

namespace inlay::INLAY_TIER {
namespace {

// At most this many tokens: their sums fill the scratch while K goes by.
constexpr int kPairTokens = kMatmulScratch / (2 * kPanelRows * sizeof(float));
// Bytes of a panel that memory is ahead of the arithmetic: the same place of the next two panels, which no prefetcher of the hardware guesses,
// or less of long ones, so that four pieces stay in an L2 of 1 MiB. Into L2 alone: an L1 has some 20 misses in flight, 12 GB/s at 100 ns, and
// further loads wait (q8_0, 8 tokens: 190 GOP/s by way of L1, 340 by L2).
constexpr int64_t kMostAhead = 128 << 10;

// What a group of 256 k of one panel holds beside codes, as tiles read it.
template <class Type>
struct GroupScales {
    static constexpr int halves = Type::two_scales ? 2 : 1;
    // Codes made to mean code - 128, whose sums' starts are stored: eight additions for each block and panel, less than for each token's halves.
    static constexpr bool made_128 = Type::two_scales && Type::offset != 0 && Type::offset != 128;
    alignas(64) float scale[kGroupBlocks][halves][16];
    UnitScales unit;  // of the last unit, the only one of types with mins of groups
    alignas(64) float min[Type::mins == Mins::block ? kGroupBlocks : 1][16];

    INLAY_INLINE void take(const uint8_t *panel, const uint8_t *at, int64_t u0, int64_t u1) {
        constexpr const PanelLayout &L = Type::layout;
        constexpr int n_blocks = L.unit_k / kBlock;
        for (int64_t u = u0; u < u1; ++u, at += L.unit_bytes) {
            Type::scales(panel, at, u, unit);
            for (int j = 0; j < n_blocks; ++j) {
                const int64_t b = (u - u0) * n_blocks + j;
                storef(scale[b][0], scale_of<Type, 0>(unit, j));
                if constexpr (Type::two_scales) storef(scale[b][1], scale_of<Type, 1>(unit, j));
                if constexpr (Type::mins == Mins::block) storef(min[b], loadf(unit.min[j]));
            }
        }
    }
};

// Code vector g of a block. The address is hidden from the compiler, which would else keep all of a block's vectors in registers that it
// does not have (q5_0, 32 tokens: 290 against 317 GOP/s).
template <class Type, int g>
INLAY_INLINE I code_at(const uint8_t *&p) {
#if !defined(INLAY_SIMDE)
    asm("" : "+r"(p));
#endif
    typename Type::Codes c;
    c.load(p);
    if constexpr (GroupScales<Type>::made_128) return add8(c.template at<g>(), set8(128 - Type::offset));
    else return c.template at<g>();
}

template <class Type, int g, int end, int T>
INLAY_INLINE void pair_dots(const uint8_t *&b0, const uint8_t *&b1, const int8_t *q, int64_t ldq, I (&i0)[T], I (&i1)[T]) {
    const I c0 = code_at<Type, g>(b0), c1 = code_at<Type, g>(b1);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const I x = bcast(q + t * ldq + 4 * g);
        i0[t] = dot(i0[t], c0, x);
        i1[t] = dot(i1[t], c1, x);
    }
    if constexpr (g + 1 < end) pair_dots<Type, g + 1, end>(b0, b1, q, ldq, i0, i1);
}

// Half h of a block, or all of it, into the sums of T tokens x 2 panels; a: of the first token. As in matmul_many.h the sums start at
// `magic`, so that one subtraction converts them.
template <class Type, int h, int T>
INLAY_INLINE void pair_half(const uint8_t *&b0, const uint8_t *&b1, const float *s0, const float *s1, const ActView &a, int64_t b, F (&f0)[T],
                            F (&f1)[T]) {
    using S = GroupScales<Type>;
    constexpr int groups = 8 / S::halves;
    I i0[T], i1[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const int64_t at = t * a.ldb + b;
        if constexpr (Type::offset == 0) i0[t] = bcast(a.magic + at);
        else if constexpr (Type::offset == 128 || S::made_128) i0[t] = bcast(Type::two_scales ? a.mh128 + 2 * at + h : a.m128 + at);
        else i0[t] = add32(start<Type::offset>(Type::two_scales ? a.h128 + 2 * at + h : a.n128 + at), bcast(a.magic + at));
        i1[t] = i0[t];
    }
    pair_dots<Type, groups * h, groups * h + groups>(b0, b1, a.q + b * kBlock, a.ldq, i0, i1);
    const F scale0 = loadf(s0), scale1 = loadf(s1);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const F k = as_f(bcast(a.magic + t * a.ldb + b));
        f0[t] = fma(subf(as_f(i0[t]), k), scale0, f0[t]);
        f1[t] = fma(subf(as_f(i1[t]), k), scale1, f1[t]);
    }
}

// What a tile asks memory for while it computes: lines [from, to) of each panel, a share for every block.
struct NextPair {
    const uint8_t *p0, *p1;
    int64_t from, to;
    INLAY_INLINE void ask(int64_t j) const {
        const int64_t n = to - from;
        for (int64_t i = from + j * n / kGroupBlocks; i < from + (j + 1) * n / kGroupBlocks; ++i) prefetch_l2(p0 + 64 * i), prefetch_l2(p1 + 64 * i);
    }
};

// T tokens over group g of n blocks, whose codes begin at b0 and b1; a: of the first token; sums is [T][2][16].
template <class Type, int T>
void pair_tile(const uint8_t *b0, const uint8_t *b1, const GroupScales<Type> (&s)[2], const ActView &a, int64_t g, int64_t n, const NextPair &ahead,
               float *sums) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock;
    F f0[T], f1[T];
    for (int t = 0; t < T; ++t) f0[t] = f1[t] = zerof();
    for (int64_t j = 0; j < n; ++j) {
        ahead.ask(j);
        if (ahead.from == 0)  // the group's first tile: the next block from L2
            for (int i = L.block_bytes; i < 2 * L.block_bytes; i += 64) prefetch(b0 + i), prefetch(b1 + i);
        const int64_t b = g * kGroupBlocks + j;
        const uint8_t *p0 = b0, *p1 = b1;
        pair_half<Type, 0>(p0, p1, s[0].scale[j][0], s[1].scale[j][0], a, b, f0, f1);
        if constexpr (Type::two_scales) pair_half<Type, 1>(p0, p1, s[0].scale[j][1], s[1].scale[j][1], a, b, f0, f1);
        if constexpr (Type::mins == Mins::block) {
            const F m0 = loadf(s[0].min[j]), m1 = loadf(s[1].min[j]);
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                const F sp = setf(a.sp[t * a.ldb + b]);
                f0[t] = fma(m0, sp, f0[t]);
                f1[t] = fma(m1, sp, f1[t]);
            }
        }
        const int64_t step = (j + 1) % n_blocks ? L.block_bytes : L.block_bytes + codes_at(L);
        b0 += step, b1 += step;
    }
    if constexpr (Type::mins == Mins::group) {
        const F m0 = loadf(s[0].unit.min[0]), m1 = loadf(s[1].unit.min[0]);
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const int64_t at = t * a.ldb + g * kGroupBlocks;
            f0[t] = fma(group_mins<Type::pairs>(s[0].unit.pair, a, at), m0, f0[t]);
            f1[t] = fma(group_mins<Type::pairs>(s[1].unit.pair, a, at), m1, f1[t]);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const F d = setf(a.d[t * a.ldg + g]);
        storef(sums + 32 * t, fma(f0[t], d, loadf(sums + 32 * t)));
        storef(sums + 32 * t + 16, fma(f1[t], d, loadf(sums + 32 * t + 16)));
    }
}

template <class Type, int T>
void pair_tile_of(int64_t tokens, const uint8_t *b0, const uint8_t *b1, const GroupScales<Type> (&s)[2], const ActView &a, int64_t g, int64_t n,
                  const NextPair &ahead, float *sums) {
    if constexpr (T > 1) {
        if (tokens < T) return pair_tile_of<Type, T - 1>(tokens, b0, b1, s, a, g, n, ahead, sums);
    }
    pair_tile<Type, T>(b0, b1, s, a, g, n, ahead, sums);
}

// Panels p and p + 1, tiles of up to T tokens, the last two of equal size.
template <class Type, int T>
void pair_panels(const MatmulArgs *m, int64_t p) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int64_t group_units = kGroupBlocks / (L.unit_k / kBlock), group_bytes = group_units * L.unit_bytes, lines = (group_bytes + 63) / 64;
    const uint8_t *panel0 = m->panels + p * m->panel_bytes, *panel1 = panel0 + m->panel_bytes;
    const int64_t units = panel_units(L, m->cols), distance = m->panel_bytes < kMostAhead ? m->panel_bytes : kMostAhead;
    auto *sums = static_cast<float *>(m->scratch);
    GroupScales<Type> s[2];
    for (int64_t i = 0; i < panel_header(L, m->cols); i += 64)
        prefetch_l2(panel0 + 2 * m->panel_bytes + i), prefetch_l2(panel1 + 2 * m->panel_bytes + i);
    const int64_t n_tokens = m->n_tokens;
    for (int64_t i = 0; i < n_tokens * 32; i += 16) storef(sums + i, zerof());
    int64_t at = panel_header(L, m->cols);
    for (int64_t u = 0, g = 0; u < units; ++g, at += group_bytes) {
        const int64_t end = u + group_units < units ? u + group_units : units;
        s[0].take(panel0, panel0 + at, u, end);
        s[1].take(panel1, panel1 + at, u, end);
        int64_t next = at + distance;
        if (next >= m->panel_bytes) next += m->panel_bytes;
        const int64_t n_tiles = (n_tokens + T - 1) / T;
        for (int64_t t = 0, i = 0, step; t < n_tokens; t += step, ++i) {
            const int64_t left = n_tokens - t;
            step = left <= T ? left : left < 2 * T ? (left + 1) / 2 : T;
            const NextPair ahead = {panel0 + next, panel1 + next, i * lines / n_tiles, (i + 1) * lines / n_tiles};
            pair_tile_of<Type, T>(step, panel0 + at + codes_at(L), panel1 + at + codes_at(L), s, advance(m->act, t, 0), g,
                                  (end - u) * (L.unit_k / kBlock), ahead, sums + 32 * t);
        }
        u = end;
    }
    const int64_t left = m->n_rows - (p + 1) * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    for (int64_t t = 0; t < n_tokens; ++t) {
        F f0 = loadf(sums + 32 * t), f1 = loadf(sums + 32 * t + 16);
        if (m->add) {
            const float *add = m->add + t * m->ld_add + p * kPanelRows;
            f0 = addf(loadf(add), f0);
            f1 = addf(loadf_n(add + 16, rows), f1);
        }
        float *y = m->y + t * m->ldy + p * kPanelRows;
        storef(y, f0);
        storef_n(y + 16, f1, rows);
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
