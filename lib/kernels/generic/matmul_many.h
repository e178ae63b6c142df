// SPDX-License-Identifier: Apache-2.0
// Many tokens: two panels' codes are unpacked to bytes over a stretch of K that stays in L1, and tiles of 32 rows x a
// few tokens pass over it. Every type goes through the same tiles; what differs is a record's fields. Needs lanes*.h
// with dot(), codes.h, matmul_few.h.
#pragma once

#include "kernels/generic/matmul_few.h"

namespace inlay::INLAY_TIER {
namespace {

// Blocks of K unpacked at once: two panels x 16 records of 576 bytes are 18 KiB, and leave room in a 32 KiB L1 for the
// tokens that stream by (bench/kernels). A multiple of a group's.
constexpr int kStretch = 16;
// Tokens whose partial sums are kept while K goes by: 64 KiB of the scratch.
constexpr int kSumTokens = 512;

// A block of 16 rows as the tiles read it, and what a group has at its end. `start` = codes were made to mean code - 128.
template <Mins mins_, bool two_scales_, bool start_, int pairs_>
struct Record {
    static constexpr Mins mins = mins_;
    static constexpr bool two_scales = two_scales_, start = start_;
    static constexpr int halves = two_scales ? 2 : 1, pairs = pairs_;
    static constexpr int scale = 512;
    static constexpr int min = scale + 64 * halves;
    static constexpr int bytes = min + (mins == Mins::block ? 64 : 0);
    static constexpr int group_bytes = mins == Mins::group ? 64 + 64 * pairs : 0;                    // min, then pairs
    static constexpr int stretch_bytes = kStretch * bytes + kStretch / kGroupBlocks * group_bytes;  // the groups' after all blocks
};
template <class Type>
constexpr int pairs_of() {
    if constexpr (Type::mins == Mins::group) return Type::pairs;
    else return 0;
}
template <class Type>
using RecordOf = Record<Type::mins, Type::two_scales, Type::offset != 0, pairs_of<Type>()>;

template <class Type, int g>
INLAY_INLINE void unpack_codes(const typename Type::Codes &codes, uint8_t *out) {
    I c = codes.template at<g>();
    if constexpr (Type::offset != 0 && Type::offset != 128) c = add8(c, set8(128 - Type::offset));
    store(out + 64 * g, c);
    if constexpr (g < 7) unpack_codes<Type, g + 1>(codes, out);
}

// Units [u0, u1) of a panel into records.
template <class Type>
void unpack(const uint8_t *panel, int64_t cols, int64_t u0, int64_t u1, uint8_t *out) {
    using R = RecordOf<Type>;
    constexpr const PanelLayout &L = Type::layout;
    const uint8_t *unit = panel + panel_header(L, cols) + u0 * L.unit_bytes;
    uint8_t *group = out + kStretch * R::bytes;
    UnitScales s;
    for (int64_t u = u0; u < u1; ++u, unit += L.unit_bytes) {
        Type::scales(panel, unit, u, s);
        if constexpr (R::mins == Mins::group) {
            store(group, load(s.min[0]));
            for (int i = 0; i < R::pairs; ++i) store(group + 64 + 64 * i, load(s.pair[i]));
            group += R::group_bytes;
        }
        for (int j = 0; j < L.unit_k / kBlock; ++j, out += R::bytes) {
            typename Type::Codes codes;
            codes.load(unit + codes_at(L) + j * L.block_bytes);
            unpack_codes<Type, 0>(codes, out);
            storef(reinterpret_cast<float *>(out + R::scale), scale_of<Type, 0>(s, j));
            if constexpr (R::two_scales) storef(reinterpret_cast<float *>(out + R::scale) + 16, scale_of<Type, 1>(s, j));
            if constexpr (R::mins == Mins::block) store(out + R::min, load(s.min[j]));
        }
    }
}

// The next tile's tokens lie T rows further on, in L2 or beyond, too far apart for the hardware to see a stream: their
// stretch comes in a few lines a block (2 blocks of codes, 16 of scales are a line).
template <class R, int T>
INLAY_INLINE void prefetch_next(const ActView &a, int64_t b) {
    if (b % 2 == 0) {
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) prefetch(a.q + (T + t) * a.ldq + b * kBlock);
    } else if (b / 2 < T) {
        const int64_t at = (T + b / 2) * a.ldb;
        prefetch(a.magic + at);
        if constexpr (R::mins == Mins::block) prefetch(a.sp + at);
        if constexpr (R::start && R::two_scales) prefetch(a.mh128 + 2 * at), prefetch(a.mh128 + 2 * at + 16);
        else if constexpr (R::start) prefetch(a.m128 + at);
        if constexpr (R::pairs == 4) prefetch(a.b16 + at);
        if constexpr (R::pairs == 8) prefetch(a.s16 + 2 * at);
    }
}

// Where a tile's sums go after the last stretch of K; y of the first token's first column.
struct Target {
    float *y;
    const float *add;
    int64_t ldy, ld_add;
    int rows;  // of the second panel
};

// One block into T tokens x 2 panels. The sums start at `magic`, so that their bits are a float: 1.5 * 2^23 * p + S * p, and one
// subtraction (in pipes that the products leave idle) is the conversion and the factor p at once.
template <class R, int T>
INLAY_INLINE void tile_block(const uint8_t *w0, const uint8_t *w1, const ActView &a, int64_t b, F (&f0)[T], F (&f1)[T]) {
    constexpr int groups = 8 / R::halves;
#pragma GCC unroll 2
    for (int h = 0; h < R::halves; ++h) {
        I i0[T], i1[T];
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const int64_t at = t * a.ldb + b;
            i0[t] = i1[t] = bcast(!R::start ? a.magic + at : R::two_scales ? a.mh128 + 2 * at + h : a.m128 + at);
        }
#pragma GCC unroll 8
        for (int g = groups * h; g < groups * h + groups; ++g) {
            const I c0 = load(w0 + 64 * g), c1 = load(w1 + 64 * g);
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                const I x = bcast(a.q + t * a.ldq + b * kBlock + 4 * g);
                i0[t] = dot(i0[t], c0, x);
                i1[t] = dot(i1[t], c1, x);
            }
        }
        const F s0 = loadf(reinterpret_cast<const float *>(w0 + R::scale) + 16 * h), s1 = loadf(reinterpret_cast<const float *>(w1 + R::scale) + 16 * h);
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const F k = as_f(bcast(a.magic + t * a.ldb + b));
            f0[t] = fma(subf(as_f(i0[t]), k), s0, f0[t]);
            f1[t] = fma(subf(as_f(i1[t]), k), s1, f1[t]);
        }
    }
    if constexpr (R::mins == Mins::block) {
        const F m0 = loadf(reinterpret_cast<const float *>(w0 + R::min)), m1 = loadf(reinterpret_cast<const float *>(w1 + R::min));
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const F sp = setf(a.sp[t * a.ldb + b]);
            f0[t] = fma(m0, sp, f0[t]);
            f1[t] = fma(m1, sp, f1[t]);
        }
    }
}

// T tokens x 2 panels over n blocks. q, d.. point at the first token's first block; sums is [T][32]. The last stretch's
// tiles write y themselves and ask for its lines, which are far apart, before their arithmetic.
template <class R, int T>
void tile(const uint8_t *w0, const uint8_t *w1, int64_t n, ActView a, float *sums, bool first, const Target *target) {
    if (target)
        for (int t = 0; t < T; ++t) prefetch_store(target->y + t * target->ldy), prefetch_store(target->y + t * target->ldy + 16);
    const uint8_t *g0 = w0 + kStretch * R::bytes, *g1 = w1 + kStretch * R::bytes;
    for (int64_t from = 0; from < n; from += kGroupBlocks) {
        F f0[T], f1[T];
        for (int t = 0; t < T; ++t) f0[t] = f1[t] = zerof();
        const int64_t to = from + kGroupBlocks < n ? from + kGroupBlocks : n;
        for (int64_t b = from; b < to; ++b, w0 += R::bytes, w1 += R::bytes) {
            prefetch_next<R, T>(a, b);
            tile_block<R, T>(w0, w1, a, b, f0, f1);
        }
        if constexpr (R::mins == Mins::group) {
            const F m0 = loadf(reinterpret_cast<const float *>(g0)), m1 = loadf(reinterpret_cast<const float *>(g1));
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                f0[t] = fma(group_mins<R::pairs>(g0 + 64, a, t * a.ldb + from), m0, f0[t]);
                f1[t] = fma(group_mins<R::pairs>(g1 + 64, a, t * a.ldb + from), m1, f1[t]);
            }
            g0 += R::group_bytes, g1 += R::group_bytes;
        }
        const bool fresh = first && from == 0;
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const F d = setf(a.d[t * a.ldg + from / kGroupBlocks]);
            storef(sums + 32 * t, fma(f0[t], d, fresh ? zerof() : loadf(sums + 32 * t)));
            storef(sums + 32 * t + 16, fma(f1[t], d, fresh ? zerof() : loadf(sums + 32 * t + 16)));
        }
    }
    if (!target) return;
    for (int t = 0; t < T; ++t) {
        F f0 = loadf(sums + 32 * t), f1 = loadf(sums + 32 * t + 16);
        if (target->add) {
            const float *add = target->add + t * target->ld_add;
            f0 = addf(loadf(add), f0);
            f1 = addf(loadf_n(add + 16, target->rows), f1);
        }
        storef(target->y + t * target->ldy, f0);
        storef_n(target->y + t * target->ldy + 16, f1, target->rows);
    }
}

INLAY_INLINE Target advance(Target o, int64_t t) {
    o.y += t * o.ldy;
    if (o.add) o.add += t * o.ld_add;
    return o;
}

template <class R, int T>
void tile_of(int64_t tokens, const uint8_t *w0, const uint8_t *w1, int64_t n, const ActView &a, float *sums, bool first, const Target *target) {
    if constexpr (T > 1) {
        if (tokens < T) return tile_of<R, T - 1>(tokens, w0, w1, n, a, sums, first, target);
    }
    tile<R, T>(w0, w1, n, a, sums, first, target);
}

// Packed bytes that are unpacked next: they come into L2 while tiles compute, some lines each. Unpacking alone would wait for memory.
struct Ahead {
    const uint8_t *panel[2];
    int64_t bytes;  // of each panel
};

// Tiles of T tokens, the last two of them of equal size: 4 + 4 are faster than 6 + 2.
template <class R, int T>
void tiles(const uint8_t *w0, const uint8_t *w1, int64_t n, const ActView &a, int64_t n_tokens, float *sums, bool first, const Target *target,
           const Ahead &ahead) {
    const int64_t lines = (ahead.bytes * T / n_tokens + 63) / 64;
    for (int64_t t = 0, at = 0, step; t < n_tokens; t += step) {
        for (int64_t i = 0; i < lines && at < ahead.bytes; ++i, at += 64) prefetch_l2(ahead.panel[0] + at), prefetch_l2(ahead.panel[1] + at);
        const int64_t left = n_tokens - t;
        step = left <= T ? left : left < 2 * T ? (left + 1) / 2 : T;
        const Target to = target ? advance(*target, t) : Target{};
        tile_of<R, T>(step, w0, w1, n, advance(a, t, 0), sums + 32 * t, first, target ? &to : nullptr);
    }
}

// Panels p and p + 1.
template <class Type, int T>
void many_panels(const MatmulArgs *m, int64_t p) {
    using R = RecordOf<Type>;
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock, stretch = kStretch / n_blocks;
    static_assert(2 * R::stretch_bytes + kSumTokens * 32 * 4 <= static_cast<int>(kMatmulScratch));
    auto *w0 = static_cast<uint8_t *>(m->scratch), *w1 = w0 + R::stretch_bytes;
    auto *sums = reinterpret_cast<float *>(w1 + R::stretch_bytes);
    const int64_t units = panel_units(L, m->cols);
    for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kSumTokens) {
        const int64_t n_tokens = m->n_tokens - t0 < kSumTokens ? m->n_tokens - t0 : kSumTokens;
        const int64_t left = m->n_rows - (p + 1) * kPanelRows;
        const Target target = {m->y + t0 * m->ldy + p * kPanelRows, m->add ? m->add + t0 * m->ld_add + p * kPanelRows : nullptr, m->ldy, m->ld_add,
                               left < kPanelRows ? static_cast<int>(left) : kPanelRows};
        for (int64_t u0 = 0; u0 < units; u0 += stretch) {
            const int64_t u1 = u0 + stretch < units ? u0 + stretch : units;
            const uint8_t *p0 = m->panels + p * m->panel_bytes, *p1 = p0 + m->panel_bytes;
            unpack<Type>(p0, m->cols, u0, u1, w0);
            unpack<Type>(p1, m->cols, u0, u1, w1);
            // The next stretch of these panels, or the next two from their start.
            const uint8_t *next = u1 < units ? p0 + panel_header(L, m->cols) + u1 * L.unit_bytes : p0 + 2 * m->panel_bytes;
            tiles<R, T>(w0, w1, (u1 - u0) * n_blocks, advance(m->act, t0, u0 * n_blocks), n_tokens, sums, u0 == 0, u1 == units ? &target : nullptr,
                        {{next, next + m->panel_bytes}, stretch * L.unit_bytes});
        }
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
