// SPDX-License-Identifier: Apache-2.0
// Many tokens: two panels' codes are unpacked to bytes over a stretch of K that stays in L1, and tiles of 32 rows x a
// few tokens pass over it. Every type goes through the same tiles; what differs is a record's fields. Needs lanes*.h
// with dot(), codes.h, matmul_few.h.
#pragma once

#include "kernels/generic/matmul_few.h"

namespace inlay::INLAY_TIER {
namespace {

// Blocks of K unpacked at once: two panels x 16 records of 576 bytes are 18 KiB, and leave room in a 32 KiB L1 for the
// tokens that stream by (bench/kernels). A multiple of 8, the blocks of a K-quant's unit.
constexpr int kStretch = 16;
// Tokens whose partial sums are kept while K goes by: 64 KiB of the scratch.
constexpr int kSumTokens = 512;

// A block of 16 rows as the tiles read it. `start` = codes were made to mean code - 128.
template <Mins mins_, bool two_scales_, bool start_>
struct Record {
    static constexpr Mins mins = mins_;
    static constexpr bool two_scales = two_scales_, start = start_;
    static constexpr int scale = 512;
    static constexpr int min = scale + 64;
    static constexpr int factor = min + (mins == Mins::none ? 0 : 64);
    static constexpr int pair = factor + (two_scales ? 128 : 0);
    static constexpr int bytes = pair + (mins == Mins::two ? 64 : 0);
};
template <class Type>
using RecordOf = Record<Type::mins, Type::two_scales, Type::offset != 0>;

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
    UnitScales s;
    for (int64_t u = u0; u < u1; ++u, unit += L.unit_bytes) {
        Type::scales(panel, unit, u, s);
        for (int j = 0; j < L.unit_k / kBlock; ++j, out += R::bytes) {
            typename Type::Codes codes;
            codes.load(unit + codes_at(L) + j * L.block_bytes);
            unpack_codes<Type, 0>(codes, out);
            store(out + R::scale, load(s.scale[j]));
            if constexpr (R::mins != Mins::none) store(out + R::min, load(s.min[j]));
            if constexpr (R::two_scales) {
                store(out + R::factor, load(s.factor[2 * j]));
                store(out + R::factor + 64, load(s.factor[2 * j + 1]));
            }
            if constexpr (R::mins == Mins::two) store(out + R::pair, load(s.pair[j]));
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
        prefetch(a.d + at);
        if constexpr (R::mins == Mins::one) prefetch(a.sd + at);
        if constexpr (R::two_scales) prefetch(a.h128 + 2 * at), prefetch(a.h128 + 2 * at + 16);
        else if constexpr (R::start) prefetch(a.n128 + at);
    }
}

// Where a tile's sums go after the last stretch of K; y of the first token's first column.
struct Target {
    float *y;
    const float *add;
    int64_t ldy, ld_add;
    int rows;  // of the second panel
};

// T tokens x 2 panels over n blocks. q, d.. point at the first token's first block; sums is [T][32]. The last stretch's
// tiles write y themselves and ask for its lines, which are far apart, before their arithmetic.
template <class R, int T>
void tile(const uint8_t *w0, const uint8_t *w1, int64_t n, ActView a, float *sums, bool first, const Target *target) {
    if (target)
        for (int t = 0; t < T; ++t) prefetch_store(target->y + t * target->ldy), prefetch_store(target->y + t * target->ldy + 16);
    F f0[T], f1[T];
    for (int t = 0; t < T; ++t) {
        f0[t] = first ? zerof() : loadf(sums + 32 * t);
        f1[t] = first ? zerof() : loadf(sums + 32 * t + 16);
    }
    for (int64_t b = 0; b < n; ++b, w0 += R::bytes, w1 += R::bytes) {
        prefetch_next<R, T>(a, b);
        I i0[T], i1[T];
        if constexpr (R::two_scales) {
            I h0[T], h1[T];
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 8
                for (int t = 0; t < T; ++t) h0[t] = h1[t] = R::start ? bcast(a.h128 + 2 * (t * a.ldb + b) + h) : zero();
#pragma GCC unroll 4
                for (int g = 4 * h; g < 4 * h + 4; ++g) {
                    const I c0 = load(w0 + 64 * g), c1 = load(w1 + 64 * g);
#pragma GCC unroll 8
                    for (int t = 0; t < T; ++t) {
                        const I x = bcast(a.q + t * a.ldq + b * kBlock + 4 * g);
                        h0[t] = dot(h0[t], c0, x);
                        h1[t] = dot(h1[t], c1, x);
                    }
                }
                const I m0 = load(w0 + R::factor + 64 * h), m1 = load(w1 + R::factor + 64 * h);
#pragma GCC unroll 8
                for (int t = 0; t < T; ++t) {
                    i0[t] = h ? add32(i0[t], mul32(h0[t], m0)) : mul32(h0[t], m0);
                    i1[t] = h ? add32(i1[t], mul32(h1[t], m1)) : mul32(h1[t], m1);
                }
            }
        } else {
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) i0[t] = i1[t] = R::start ? bcast(a.n128 + t * a.ldb + b) : zero();
#pragma GCC unroll 8
            for (int g = 0; g < 8; ++g) {
                const I c0 = load(w0 + 64 * g), c1 = load(w1 + 64 * g);
#pragma GCC unroll 8
                for (int t = 0; t < T; ++t) {
                    const I x = bcast(a.q + t * a.ldq + b * kBlock + 4 * g);
                    i0[t] = dot(i0[t], c0, x);
                    i1[t] = dot(i1[t], c1, x);
                }
            }
        }
        const F s0 = loadf(reinterpret_cast<const float *>(w0 + R::scale)), s1 = loadf(reinterpret_cast<const float *>(w1 + R::scale));
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            const F d = setf(a.d[t * a.ldb + b]);
            f0[t] = fma(cvt(i0[t]), mulf(s0, d), f0[t]);
            f1[t] = fma(cvt(i1[t]), mulf(s1, d), f1[t]);
        }
        if constexpr (R::mins != Mins::none) {
            const F m0 = loadf(reinterpret_cast<const float *>(w0 + R::min)), m1 = loadf(reinterpret_cast<const float *>(w1 + R::min));
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                if constexpr (R::mins == Mins::one) {
                    const F sd = setf(a.sd[t * a.ldb + b]);
                    f0[t] = fma(m0, sd, f0[t]);
                    f1[t] = fma(m1, sd, f1[t]);
                } else {
                    const F d = setf(a.d[t * a.ldb + b]);
                    const I x = bcast(a.s16 + 2 * (t * a.ldb + b));
                    f0[t] = fma(cvt(madd16(load(w0 + R::pair), x)), mulf(m0, d), f0[t]);
                    f1[t] = fma(cvt(madd16(load(w1 + R::pair), x)), mulf(m1, d), f1[t]);
                }
            }
        }
    }
    if (!target) {
        for (int t = 0; t < T; ++t) {
            storef(sums + 32 * t, f0[t]);
            storef(sums + 32 * t + 16, f1[t]);
        }
        return;
    }
    for (int t = 0; t < T; ++t) {
        if (target->add) {
            const float *add = target->add + t * target->ld_add;
            f0[t] = addf(loadf(add), f0[t]);
            f1[t] = addf(loadf_n(add + 16, target->rows), f1[t]);
        }
        storef(target->y + t * target->ldy, f0[t]);
        storef_n(target->y + t * target->ldy + 16, f1[t], target->rows);
    }
}

INLAY_INLINE Target advance(Target o, int64_t t) {
    o.y += t * o.ldy;
    if (o.add) o.add += t * o.ld_add;
    return o;
}

INLAY_INLINE ActView advance(const ActView &a, int64_t t, int64_t b) {
    const int64_t at = t * a.ldb + b;
    return {a.q + t * a.ldq + b * kBlock, a.d + at, a.sd + at, a.n128 + at, a.h128 + 2 * at, a.s16 + 2 * at, a.n16 + 4 * at, nullptr, a.ldq, a.ldb, 0};
}

template <class R, int T>
void tile_of(int64_t tokens, const uint8_t *w0, const uint8_t *w1, int64_t n, const ActView &a, float *sums, bool first, const Target *target) {
    if constexpr (T > 1) {
        if (tokens < T) return tile_of<R, T - 1>(tokens, w0, w1, n, a, sums, first, target);
    }
    tile<R, T>(w0, w1, n, a, sums, first, target);
}

// Tiles of T tokens, the last two of them of equal size: 4 + 4 are faster than 6 + 2.
template <class R, int T>
void tiles(const uint8_t *w0, const uint8_t *w1, int64_t n, const ActView &a, int64_t n_tokens, float *sums, bool first,
           const Target *target) {
    for (int64_t t = 0, step; t < n_tokens; t += step) {
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
    static_assert(2 * kStretch * R::bytes + kSumTokens * 32 * 4 <= static_cast<int>(kMatmulScratch));
    auto *w0 = static_cast<uint8_t *>(m->scratch), *w1 = w0 + kStretch * R::bytes;
    auto *sums = reinterpret_cast<float *>(w1 + kStretch * R::bytes);
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
            tiles<R, T>(w0, w1, (u1 - u0) * n_blocks, advance(m->act, t0, u0 * n_blocks), n_tokens, sums, u0 == 0,
                        u1 == units ? &target : nullptr);
        }
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
