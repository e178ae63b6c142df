// SPDX-License-Identifier: Apache-2.0
// Some tokens at a time, straight from a packed panel: code vectors are taken apart anew for every tile of a few tokens, in the
// pipes that products leave idle, while the next panel comes from memory into L2. One panel, as a product's four activations are
// broadcast by their load: more tokens that share a code vector are worth more than rows that share activations. Needs lanes*.h
// with dot(), matmul_few.h, scales_at.h.
#pragma once

#include <type_traits>

#include "kernels/generic/matmul_few.h"
#include "kernels/generic/scales_at.h"

namespace inlay::INLAY_TIER {
namespace {

// Bytes of a panel that memory is ahead of the arithmetic: the same place of the next panel, which no prefetcher of the hardware guesses,
// or less of long ones, so that pieces stay in an L2 of 1 MiB. Into L2 alone: an L1 has some 20 misses in flight, 12 GB/s at 100 ns, and
// further loads wait (q8_0, 8 tokens: 190 GOP/s by way of L1, 340 by L2).
constexpr int64_t kMostAhead = 128 << 10;

// Codes made to mean code - 128, whose sums' starts are stored: an addition for each vector, less than for each token's halves.
template <class Type>
constexpr bool kMade128 = Type::two_scales &&Type::offset != 0 && Type::offset != 128;

// Code vector g of a block. The address is hidden from the compiler, which would else keep all of a block's vectors in registers that it
// does not have (q5_0, 32 tokens: 290 against 317 GOP/s).
template <class Type, int g>
INLAY_INLINE void two_codes(const uint8_t *&p, I &c0, I &c2) {
#if !defined(INLAY_SIMDE)
    asm("" : "+r"(p));
#endif
    typename Type::Codes c;
    c.load(p);
    if constexpr (Type::offset == 32) {
        c.template two_plus96<g>(c0, c2);
    } else {
        c0 = c.template at<g>(), c2 = c.template at<g + 2>();
        if constexpr (kMade128<Type>) c0 = add8(c0, set8(128 - Type::offset)), c2 = add8(c2, set8(128 - Type::offset));
    }
}

// f(0), .. f(T - 1) with the number as a type's value.
template <int T, int t = 0, class F>
INLAY_INLINE void each_token(F &&f) {
    f(std::integral_constant<int, t>{});
    if constexpr (t + 1 < T) each_token<T, t + 1>(f);
}

// Where the same of T tokens lies, `step` bytes apart: three registers reach five of them.
template <int T>
struct Rows {
    const uint8_t *p[(T + 4) / 5];
    int64_t step, step3;

    INLAY_INLINE Rows(const void *first, int64_t bytes) : step(bytes), step3(3 * bytes) {
        for (int i = 0; i < (T + 4) / 5; ++i) p[i] = static_cast<const uint8_t *>(first) + 5 * i * bytes;
    }
    template <int t>
    static constexpr int times = t % 5 == 3 ? 1 : t % 5;
    template <int t>
    INLAY_INLINE int64_t by() const {
        return t % 5 == 3 ? step3 : step;
    }

    template <int t, int disp>
    INLAY_INLINE I bcast() const {
        return bcast_at<times<t>, disp>(p[t / 5], by<t>());
    }
    template <int t, int disp>
    INLAY_INLINE F sub(F v) const {
        return sub_at<times<t>, disp>(v, p[t / 5], by<t>());
    }
    template <int t, int disp>
    INLAY_INLINE I dot(I s, I c) const {
        return dot_at<times<t>, disp>(s, c, p[t / 5], by<t>());
    }
};

template <class Type, int g, int end, int T>
INLAY_INLINE void batch_dots(const uint8_t *&p, const Rows<T> &q, I (&s)[T]) {
    I c0, c2;
    two_codes<Type, g>(p, c0, c2);
    each_token<T>([&](auto t) __attribute__((always_inline)) { s[t] = q.template dot<t, 4 * g>(s[t], c0); });
    each_token<T>([&](auto t) __attribute__((always_inline)) { s[t] = q.template dot<t, 4 * g + 8>(s[t], c2); });
    if constexpr (g % 2 == 0)
        batch_dots<Type, g + 1, end>(p, q, s);
    else if constexpr (g + 3 < end)
        batch_dots<Type, g + 3, end>(p, q, s);
}

// Half h of a block, or all of it, into the sums of T tokens; a: of the first token. As in matmul_many.h the sums start at
// `magic`, so that one subtraction converts them.
template <class Type, int h, int T>
INLAY_INLINE void batch_half(const uint8_t *&p, F scale, const ActView &a, int64_t b, F (&f)[T]) {
    constexpr int groups = Type::two_scales ? 4 : 8;
    const Rows<T> magic(a.magic + b, 4 * a.ldb);
    I s[T];
    if constexpr (Type::offset == 0) {
        each_token<T>([&](auto t) __attribute__((always_inline)) { s[t] = magic.template bcast<t, 0>(); });
    } else if constexpr (Type::two_scales) {
        const Rows<T> from(a.mh128 + 2 * b, 8 * a.ldb);
        each_token<T>([&](auto t) __attribute__((always_inline)) { s[t] = from.template bcast<t, 4 * h>(); });
    } else {
        const Rows<T> from(Type::offset == 128 ? a.m128 + b : a.n128 + b, 4 * a.ldb);
        each_token<T>([&](auto t) __attribute__((always_inline)) {
            s[t] = from.template bcast<t, 0>();
            if constexpr (Type::offset != 128) s[t] = add32(sra32<7 - log2_of(Type::offset)>(s[t]), magic.template bcast<t, 0>());
        });
    }
    batch_dots<Type, groups * h, groups * h + groups>(p, Rows<T>(a.q + b * kBlock, a.ldq), s);
    each_token<T>([&](auto t) __attribute__((always_inline)) { f[t] = fma(magic.template sub<t, 0>(as_f(s[t])), scale, f[t]); });
}

// What a tile asks memory for while it computes: as many lines of the next panel for every block, since a branch that is guessed wrong
// costs more than a line asked for twice.
struct NextPanel {
    const uint8_t *at, *end;
    int64_t lines;
    INLAY_INLINE void ask() {
        for (int64_t i = 0; i < lines; ++i, at += 64)
            if (at < end) prefetch_l2(at);
    }
};

// T tokens; a, y and add: of the first.
template <class Type, int T>
void batch_tile(const uint8_t *panel, int64_t cols, const ActView &a, NextPanel &ahead, float *acc) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock;
    const uint8_t *unit = panel + panel_header(L, cols);
    const int64_t units = panel_units(L, cols);
    for (int64_t u = 0, g = 0, b = 0; u < units; ++g) {
        F f[T];
        for (int t = 0; t < T; ++t) f[t] = zerof();
        const int64_t end = u + kGroupBlocks / n_blocks < units ? u + kGroupBlocks / n_blocks : units;
        for (; u < end; ++u, unit += L.unit_bytes) {
            for (int64_t j = 0; j < n_blocks; ++j, ++b) {
                ahead.ask();
                const uint8_t *c = unit + codes_at(L) + j * L.block_bytes;
                for (int i = L.block_bytes; i < 2 * L.block_bytes; i += 64) prefetch(c + i);  // the next block from L2
                batch_half<Type, 0>(c, scale_at(Type{}, panel, unit, u, j, 0), a, b, f);
                if constexpr (Type::two_scales) batch_half<Type, 1>(c, scale_at(Type{}, panel, unit, u, j, 1), a, b, f);
                if constexpr (Type::mins == Mins::block) {
                    const F m = min_at(Type{}, unit, j);
#pragma GCC unroll 16
                    for (int t = 0; t < T; ++t) f[t] = fma(m, setf(a.sp[t * a.ldb + b]), f[t]);
                }
            }
        }
        if constexpr (Type::mins == Mins::group) add_mins<Type>(unit - L.unit_bytes, a, g * kGroupBlocks, f);
#pragma GCC unroll 16
        for (int t = 0; t < T; ++t) storef(acc + 16 * t, fma(f[t], setf(a.d[t * a.ldg + g]), g ? loadf(acc + 16 * t) : zerof()));
    }
}

template <class Type, int T>
void batch_tile_of(int64_t tokens, const uint8_t *panel, int64_t cols, const ActView &a, NextPanel &ahead, float *acc) {
    if constexpr (T > 1) {
        if (tokens < T) return batch_tile_of<Type, T - 1>(tokens, panel, cols, a, ahead, acc);
    }
    batch_tile<Type, T>(panel, cols, a, ahead, acc);
}

// Panel p, tiles of up to T tokens of nearly equal size.
template <class Type, int T>
void batch_panel(const MatmulArgs *m, int64_t p) {
    constexpr const PanelLayout &L = Type::layout;
    const uint8_t *panel = m->panels + p * m->panel_bytes;
    const int64_t distance = m->panel_bytes < kMostAhead ? m->panel_bytes : kMostAhead;
    const int64_t left = m->n_rows - p * kPanelRows, n_tiles = (m->n_tokens + T - 1) / T;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    const int64_t blocks = n_tiles * panel_units(L, m->cols) * (L.unit_k / kBlock);
    NextPanel ahead = {panel + distance, panel + distance + m->panel_bytes, (m->panel_bytes + 64 * blocks - 1) / (64 * blocks)};
    alignas(64) float acc[T][16];
    for (int64_t t = 0, i = 0; i < n_tiles; ++i) {
        const int64_t end = t + (m->n_tokens - t + n_tiles - i - 1) / (n_tiles - i);
        batch_tile_of<Type, T>(end - t, panel, m->cols, advance(m->act, t, 0), ahead, acc[0]);
        for (int k = 0; t < end; ++t, ++k) {
            F f = loadf(acc[k]);
            if (m->add) f = addf(loadf_n(m->add + t * m->ld_add + p * kPanelRows, rows), f);
            storef_n(m->y + t * m->ldy + p * kPanelRows, f, rows);
        }
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
