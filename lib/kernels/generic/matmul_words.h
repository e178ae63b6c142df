// SPDX-License-Identifier: Apache-2.0
// Products where the sums of a few tokens fill the registers and the f32 sums live in L1 (PERFORMANCE.md 2i).
// With VNNI (AVX-VNNI has 16 registers only): dot() adds four products in 32 bits, exactly. Without: vpmaddubsw gives 16-bit sums of two
// products, and they are added up in 16 bits with wrap-around for as long as the true sum fits: 8 groups of u4 or u5 (16 products x 16 x
// 127 = 32,512), or 4 of u6, started at -offset * (sum of activations) where unsigned codes would not fit. Then one vpmaddwd widens.
// Codes of seven bits are widened at once, two products each (2 x 126 x 127). Weights of 8 bits would saturate vpmaddubsw (2 x 255 x 127):
// in tiles both sides are widened to 16 bits and go through vpmaddwd; from the panel, codes become magnitudes and give the activations
// their signs. Needs lanes*.h and, from the includer, kDot: whether dot() is there. Where matrix_dot() is, records hold groups zipped in
// pairs, eight k of two rows in 16 bytes, and tokens go in pairs too.
#pragma once

#include "kernels/generic/codes.h"

namespace inlay::INLAY_TIER {
namespace {

// Blocks of K unpacked at once: 16 records of 576 bytes (1088 for 8-bit weights) are half of a 32 KiB L1 at most.
constexpr int kStretch = 16;
constexpr int kSumTokens = 512;
constexpr int kStoreAhead = 12;  // lines in flight: about an L1's miss buffers

constexpr Book kMxfp412 = book_from(kMxfp4, 12);  // 0..24
struct Mxfp4Words : Mxfp4 {
    using Codes = Looked<kMxfp412>;
    static constexpr int offset = 12;
};
// Books of magnitudes up to 62, in seven bits.
constexpr Book kIq264 = book_from(kIq2, 64), kIq3xxs64 = book_from(kIq3xxs, 64);
using Iq2Words = SixFactors<Looked<kIq264, CrumbsBit, false>, 64, 0, true>;
using Iq3XxsWords = EightFactors<Looked<kIq3xxs64, Nibbles, false>, 64, 0, true>;

template <class Type>
struct Words {
    static constexpr bool wide = !kDot && Type::offset == 128;  // q8_0, iq4_nl, iq4_xs
    static constexpr bool seven = !kDot && Type::offset == 64;
    static constexpr int halves = Type::two_scales ? 2 : 1;
    // A code at most; whether 16 bits need the sum's start; whether codes with a min (offset 0) are lent one, to be given back in 32 bits.
    static constexpr int bits = (1 << Type::layout.block_bytes / 64) - 1, most = bits > 2 * Type::offset ? bits : 2 * Type::offset;
    static constexpr bool early = !kDot && !wide && !seven && 16 / halves * most * 127 > 32767;
    static constexpr bool lent = early && Type::offset == 0;
    static constexpr int offset = lent ? 16 : Type::offset;
    static constexpr int vectors = wide ? 16 : 8;  // a block's codes in a record

    static constexpr int scale = 64 * vectors;
    static constexpr int min = scale + 64 * halves;
    static constexpr int bytes = min + (Type::mins == Mins::block ? 64 : 0);

    static constexpr int pairs = [] {
        if constexpr (Type::mins == Mins::group) return Type::pairs;
        else return 0;
    }();
    static constexpr int group_bytes = pairs ? 64 + 64 * pairs : 0;                                  // a group's min, then pairs
    static constexpr int stretch_bytes = kStretch * bytes + kStretch / kGroupBlocks * group_bytes;  // the groups' after all blocks
};

// Four signed bytes of each row as two pairs of 16 bits: (k0, k2) and (k1, k3).
INLAY_INLINE I even_words(I v) { return sra16<8>(shift16<8>(v)); }
INLAY_INLINE I odd_words(I v) { return sra16<8>(v); }

// Code vector v of a block, wherever it lies: in the panel ...
template <class Type>
struct FromPanel {
    static constexpr bool packed = true;
    const uint8_t *codes;
    const UnitScales *s;
    int j;
    // The address is hidden from the compiler, which would else keep all of a block's vectors in registers that it does not have.
    template <int g>
    INLAY_INLINE I code() const {
        const uint8_t *p = codes;
#if !defined(INLAY_SIMDE)
        asm("" : "+r"(p));
#endif
        typename Type::Codes c;
        c.load(p);
        return c.template at<g>();
    }
    template <int v>
    INLAY_INLINE I word() const {
        const I c = xor_(code<v / 2>(), set8(128));
        return v % 2 ? odd_words(c) : even_words(c);
    }
    template <int h>
    INLAY_INLINE F scale() const {
        if constexpr (Type::two_scales) return mulf(loadf(s->scale[j]), cvt(load(s->factor[2 * j + h])));  // exact
        else return loadf(s->scale[j]);
    }
    INLAY_INLINE F min() const { return loadf(s->min[j]); }
};
// ... or in a record.
template <class Type>
struct FromRecord {
    static constexpr bool packed = false;
    using W = Words<Type>;
    const uint8_t *p;
    template <int g>
    INLAY_INLINE I code() const {
#if defined(INLAY_MATRIX_DOT)
        const I a = load(p + 64 * (g & ~1)), b = load(p + 64 * (g | 1));
        return g % 2 ? unzip_odd(a, b) : unzip_even(a, b);
#else
        return load(p + 64 * g);
#endif
    }
    template <int v>
    INLAY_INLINE I word() const {
        return load(p + 64 * v);
    }
    template <int h>
    INLAY_INLINE F scale() const {
        return loadf(reinterpret_cast<const float *>(p + W::scale) + 16 * h);
    }
    INLAY_INLINE F min() const { return loadf(reinterpret_cast<const float *>(p + W::min)); }
};

// Where T tokens' activations of one block are. wide: q points at 16-bit words in even_words/odd_words order.
struct Tokens {
    const int8_t *q;
    const float *sp;
    const int32_t *magic, *n128, *h128;
    const int16_t *n16;
    int64_t ldq, ldb;
};
INLAY_INLINE Tokens tokens_at(const ActView &a, int64_t t, int64_t b) {
    const int64_t at = t * a.ldb + b;
    return {a.q + t * a.ldq + b * kBlock, a.sp + at, a.magic + at, a.n128 + at, a.h128 + 2 * at, a.n16 + 4 * at, a.ldq, a.ldb};
}

template <class Type, int g, int end, class S, int T>
INLAY_INLINE void add_codes(I (&i)[T], const S &w, const Tokens &x) {
    constexpr bool first = g % (8 / Words<Type>::halves) == 0;
    const I c = w.template code<g>();
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const I a = bcast(x.q + t * x.ldq + 4 * g);
        if constexpr (kDot) {
            i[t] = dot(i[t], c, a);
        } else {
            I p = maddubs(c, a);
            if constexpr (Words<Type>::seven) p = madd16(p, set16(1));
            if constexpr (first && !Words<Type>::early) i[t] = p;
            else if constexpr (Words<Type>::seven) i[t] = add32(i[t], p);
            else i[t] = add16(i[t], p);
        }
        pin(i[t]);
    }
    if constexpr (g + 1 < end) add_codes<Type, g + 1, end>(i, w, x);
}
// Codes of 8 bits, taken as they lie: magnitudes up to 128 times activations with the codes' signs, two products in 16 bits.
template <int g, int end, class S, int T>
INLAY_INLINE void add_signed(I (&i)[T], const S &w, const Tokens &x) {
    const I c = xor_(w.template code<g>(), set8(128)), magnitude = abs8(c);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const I p = madd16(maddubs(magnitude, sign8(bcast(x.q + t * x.ldq + 4 * g), c)), set16(1));
        i[t] = g == 0 ? p : add32(i[t], p);
        pin(i[t]);
    }
    if constexpr (g + 1 < end) add_signed<g + 1, end>(i, w, x);
}
template <int v, int end, class S, int T>
INLAY_INLINE void add_words(I (&i)[T], const S &w, const Tokens &x) {
    const I c = w.template word<v>();
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const I p = madd16(c, bcast(x.q + t * x.ldq + 4 * v));
        i[t] = v == 0 ? p : add32(i[t], p);
        pin(i[t]);
    }
    if constexpr (v + 1 < end) add_words<v + 1, end>(i, w, x);
}
constexpr int log2_of(int v) { return v <= 1 ? 0 : 1 + log2_of(v / 2); }
// The 32-bit sums' start with dot(): minus128 = -128 * (sum of the activations).
template <class Type>
INLAY_INLINE I start32(const int32_t *minus128) {
    if constexpr (Type::offset == 0)
        return zero();
    else
        return sra32<7 - log2_of(Type::offset)>(bcast(minus128));
}
#if defined(INLAY_MATRIX_DOT)
// Groups [first, end) of a record for T tokens in pairs; start: where the sums of token t begin.
template <class Type, int first, int end, int T>
INLAY_INLINE void matrix_sums(I (&i)[T], const uint8_t *record, const Tokens &x, const int32_t *start, int64_t ld_start) {
    Pair sum[T / 2];
#pragma GCC unroll 8
    for (int t = 0; t < T; t += 2) sum[t / 2] = pair_of(start32<Type>(start + t * ld_start), start32<Type>(start + (t + 1) * ld_start));
#pragma GCC unroll 4
    for (int g = first; g < end; g += 2) {
        const I even = load(record + 64 * g), odd = load(record + 64 * g + 64);
#pragma GCC unroll 8
        for (int t = 0; t < T; t += 2) {
            const int8_t *q = x.q + t * x.ldq + 4 * g;
            matrix_dot<0>(sum[t / 2], even, q, q + x.ldq);
            matrix_dot<1>(sum[t / 2], odd, q, q + x.ldq);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; t += 2) split(sum[t / 2], i[t], i[t + 1]);
}
template <class Type, int h, int T>
INLAY_INLINE void half_sums(I (&i)[T], const FromRecord<Type> &w, const Tokens &x)
    requires(T % 2 == 0)
{
    matrix_sums<Type, 4 * h, 4 * h + 4>(i, w.p, x, x.h128 + h, 2 * x.ldb);
}
template <class Type, int T>
INLAY_INLINE void block_sums(I (&i)[T], const FromRecord<Type> &w, const Tokens &x)
    requires(T % 2 == 0)
{
    matrix_sums<Type, 0, 8>(i, w.p, x, x.n128, x.ldb);
}
#endif
// The 16-bit sums' start for half h; h = 2: both halves.
template <class Type, int h>
INLAY_INLINE I start16(const int16_t *n16) {
    if constexpr (Words<Type>::offset == 0)
        return zero();
    else if constexpr (h < 2)
        return mul16(bcast(n16 + 2 * h), set16(Words<Type>::offset));
    else
        return mul16(add16(bcast(n16), bcast(n16 + 2)), set16(Words<Type>::offset));
}

// Exact sums of half a block, for T tokens (without VNNI less what last() adds) ...
template <class Type, int h, class S, int T>
INLAY_INLINE void half_sums(I (&i)[T], const S &w, const Tokens &x) {
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        if constexpr (kDot) i[t] = start32<Type>(x.h128 + 2 * t * x.ldb + h);
        else if constexpr (Words<Type>::early) i[t] = start16<Type, h>(x.n16 + 4 * t * x.ldb);
    }
    add_codes<Type, 4 * h, 4 * h + 4>(i, w, x);
    if constexpr (!kDot && !Words<Type>::seven)
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) i[t] = madd16(i[t], set16(1));
}
// ... and of a whole one.
template <class Type, class S, int T>
INLAY_INLINE void block_sums(I (&i)[T], const S &w, const Tokens &x) {
    using W = Words<Type>;
    if constexpr (W::wide && S::packed) {
        add_signed<0, 8>(i, w, x);
    } else if constexpr (W::wide) {
        add_words<0, 16>(i, w, x);
    } else {
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
            if constexpr (kDot) i[t] = start32<Type>(x.n128 + t * x.ldb);
            else if constexpr (W::early) i[t] = start16<Type, 2>(x.n16 + 4 * t * x.ldb);
        }
        add_codes<Type, 0, 8>(i, w, x);
        if constexpr (!kDot && !W::seven)
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) i[t] = madd16(i[t], set16(1));
    }
}

// What sums of half h (2: of a whole block) still lack, in 32 bits.
template <class Type, int h>
INLAY_INLINE I last(I v, const Tokens &x, int t) {
    using W = Words<Type>;
    const int32_t *sum = h < 2 ? x.h128 + 2 * t * x.ldb + h : x.n128 + t * x.ldb;
    if constexpr (W::lent) return sub32(v, sra32<3>(bcast(sum)));
    else if constexpr (kDot || W::wide || W::early || Type::offset == 0) return v;
    else return add32(v, start32<Type>(sum));
}

// The sums become float and take the activations' factor p by one subtraction, as in matmul_many.h.
template <class Type, int h, class S, int T>
INLAY_INLINE void add_sums(float *part, const I (&i)[T], const S &w, const Tokens &x) {
    const F scale = w.template scale<h == 1>();
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        const I k = bcast(x.magic + t * x.ldb);
        F f = fma(subf(as_f(add32(i[t], last<Type, h>(k, x, t))), as_f(k)), scale, loadf(part + 16 * t));
        if constexpr (Type::mins == Mins::block) f = fma(w.min(), setf(x.sp[t * x.ldb]), f);
        storef(part + 16 * t, f);
    }
}

template <class Type, class S, int T>
INLAY_INLINE void block(float (&part)[T][16], const S &w, const Tokens &x) {
    I i[T];
    if constexpr (Type::two_scales) {
        half_sums<Type, 0>(i, w, x);
        add_sums<Type, 0>(part[0], i, w, x);
        half_sums<Type, 1>(i, w, x);
        add_sums<Type, 1>(part[0], i, w, x);
    } else {
        block_sums<Type>(i, w, x);
        add_sums<Type, 2>(part[0], i, w, x);
    }
}

// After a group's last block: what T tokens have of it goes into their sums. at: the group's first block; d: its scale for
// the first token; min and pairs: as in UnitScales.
template <class Type, int T>
INLAY_INLINE void end_group(float (&part)[T][16], float *sums, const ActView &a, int64_t at, const float *d, const void *min, const void *pairs) {
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
        F f = loadf(part[t]);
        if constexpr (Words<Type>::pairs > 0)
            f = fma(group_mins<Words<Type>::pairs>(pairs, a, at + t * a.ldb), loadf(static_cast<const float *>(min)), f);
        storef(sums + 16 * t, fma(f, setf(d[t * a.ldg]), loadf(sums + 16 * t)));
        storef(part[t], zerof());
    }
}

// n blocks of T tokens as 16-bit words, [T][32 * kStretch].
template <int T>
INLAY_INLINE void widen(const ActView &a, int64_t t0, int64_t b0, int64_t n, int16_t *out) {
    for (int t = 0; t < T; ++t)
        for (int64_t k = 0; k < n * kBlock; k += 16) widen16(a.q + (t0 + t) * a.ldq + b0 * kBlock + k, out + t * 32 * kStretch + k);
}

template <class Type, int g>
INLAY_INLINE void unpack_codes(const FromPanel<Type> &w, uint8_t *out) {
#if defined(INLAY_MATRIX_DOT)
    constexpr int pair = g & ~1;
    const I a = w.template code<pair>(), b = w.template code<pair + 1>();
    store(out + 64 * g, g % 2 ? zip_odd(a, b) : zip_even(a, b));
#else
    if constexpr (Words<Type>::wide)
        store(out + 64 * g, w.template word<g>());
    else
        store(out + 64 * g, w.template code<g>());
#endif
    if constexpr (g + 1 < Words<Type>::vectors) unpack_codes<Type, g + 1>(w, out);
}

// Units [u0, u1) of a panel into records.
template <class Type>
void unpack(const uint8_t *panel, int64_t cols, int64_t u0, int64_t u1, uint8_t *out) {
    using W = Words<Type>;
    constexpr const PanelLayout &L = Type::layout;
    const uint8_t *unit = panel + panel_header(L, cols) + u0 * L.unit_bytes;
    uint8_t *group = out + kStretch * W::bytes;
    UnitScales s;
    for (int64_t u = u0; u < u1; ++u, unit += L.unit_bytes) {
        Type::scales(panel, unit, u, s);
        if constexpr (W::pairs > 0) {
            store(group, load(s.min[0]));
            for (int i = 0; i < W::pairs; ++i) store(group + 64 + 64 * i, load(s.pair[i]));
            group += W::group_bytes;
        }
        for (int j = 0; j < L.unit_k / kBlock; ++j, out += W::bytes) {
            const FromPanel<Type> w = {unit + codes_at(L) + j * L.block_bytes, &s, j};
            unpack_codes<Type, 0>(w, out);
            storef(reinterpret_cast<float *>(out + W::scale), w.template scale<0>());
            if constexpr (Type::two_scales) storef(reinterpret_cast<float *>(out + W::scale) + 16, w.template scale<1>());
            if constexpr (Type::mins == Mins::block) storef(reinterpret_cast<float *>(out + W::min), w.min());
        }
    }
}

INLAY_INLINE void finish(const MatmulArgs *m, int64_t p, int64_t t, const float *sums) {
    const int64_t left = m->n_rows - p * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    F f = loadf(sums);
    if (m->add) f = addf(loadf_n(m->add + t * m->ld_add + p * kPanelRows, rows), f);
    storef_n(m->y + t * m->ldy + p * kPanelRows, f, rows);
}

// T tokens from the panel itself: each byte of it is read once.
template <class Type, int T>
void few_panel(const MatmulArgs *m, int64_t p, int64_t t0) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock;
    const uint8_t *panel = m->panels + p * m->panel_bytes, *unit = panel + panel_header(L, m->cols);
    const int64_t units = panel_units(L, m->cols);
    alignas(64) float sums[T][16] = {}, part[T][16] = {};
    UnitScales s;
    for (int64_t i = 0; i < panel_header(L, m->cols); i += 64) prefetch(panel + i);  // see matmul_few.h
    for (int64_t u = 0; u < units; ++u, unit += L.unit_bytes) {
        Type::scales(panel, unit, u, s);
        for (int j = 0; j < n_blocks; ++j) {
            const uint8_t *b = unit + codes_at(L) + j * L.block_bytes;
            for (int i = 0; i < L.block_bytes; i += 64) prefetch(b + i);  // see matmul_few.h
            const FromPanel<Type> w = {b, &s, j};
            const Tokens x = tokens_at(m->act, t0, u * n_blocks + j);
            block<Type, FromPanel<Type>, T>(part, w, x);
        }
        const int64_t blocks = (u + 1) * n_blocks;
        if (blocks % kGroupBlocks && u + 1 < units) continue;
        const int64_t g = (blocks - 1) / kGroupBlocks;
        end_group<Type>(part, sums[0], m->act, t0 * m->act.ldb + g * kGroupBlocks, m->act.d + t0 * m->act.ldg + g, s.min, s.pair);
    }
    for (int t = 0; t < T; ++t) finish(m, p, t0 + t, sums[t]);
}

template <class Type>
void few_tokens(const MatmulArgs *m, int64_t p) {
    int64_t t = 0;
    for (; m->n_tokens - t >= 4; t += 4) few_panel<Type, 4>(m, p, t);
    if (m->n_tokens - t == 3) few_panel<Type, 3>(m, p, t);
    else if (m->n_tokens - t == 2) few_panel<Type, 2>(m, p, t);
    else if (m->n_tokens - t == 1) few_panel<Type, 1>(m, p, t);
}

// Packed bytes that are unpacked next: lines [from, to) come into L2 (matmul_batch.h says why there) while a tile computes, a share for each
// of its blocks; share: 2^16 / blocks, rounded up.
struct NextLines {
    const uint8_t *at;
    int64_t from, to, share;
    INLAY_INLINE void ask(int64_t b) const {
        const int64_t part = (to - from) * share, end = from + ((b + 1) * part >> 16);
        for (int64_t i = from + (b * part >> 16); i < end; ++i) prefetch_l2(at + 64 * i);
    }
};

// T tokens over a stretch of records.
template <class Type, int T>
void tile(const uint8_t *records, int64_t n, const ActView &a, int64_t t0, int64_t b0, const NextLines &next, float *sums) {
    alignas(64) int16_t words[T][32 * kStretch];
    if constexpr (Words<Type>::wide) widen<T>(a, t0, b0, n, words[0]);
    Tokens x = tokens_at(a, t0, b0);
    if constexpr (Words<Type>::wide) {
        x.q = reinterpret_cast<const int8_t *>(words[0]);
        x.ldq = sizeof words[0];
    }
    constexpr int step = Words<Type>::wide ? 64 : 32;
    alignas(64) float part[T][16] = {};
    const uint8_t *group = records + kStretch * Words<Type>::bytes;
    for (int64_t b = 0; b < n; ++b, records += Words<Type>::bytes) {
        next.ask(b);
        block<Type, FromRecord<Type>, T>(part, {records}, x);
        x.q += step, ++x.sp, ++x.magic, ++x.n128, x.h128 += 2, x.n16 += 4;
        if ((b + 1) % kGroupBlocks && b + 1 < n) continue;
        const int64_t g = (b0 + b) / kGroupBlocks;
        end_group<Type>(part, sums, a, t0 * a.ldb + g * kGroupBlocks, a.d + t0 * a.ldg + g, group, group + 64);
        group += Words<Type>::group_bytes;
    }
}
template <class Type, int T>
void tile_of(int64_t tokens, const uint8_t *records, int64_t n, const ActView &a, int64_t t0, int64_t b0, const NextLines &next, float *sums) {
    if constexpr (T > 1) {
        if (tokens < T) return tile_of<Type, T - 1>(tokens, records, n, a, t0, b0, next, sums);
    }
    tile<Type, T>(records, n, a, t0, b0, next, sums);
}
// The next tile's tokens of `left`: the last two tiles are of equal size, or the last ones even where tokens go in pairs.
template <int T>
INLAY_INLINE int64_t tile_tokens(int64_t left) {
#if defined(INLAY_MATRIX_DOT)
    return left >= T ? T : left > 1 ? left & ~INT64_C(1) : left;
#else
    return left <= T ? left : left < 2 * T ? (left + 1) / 2 : T;
#endif
}

template <class Type, int T>
void many_panel(const MatmulArgs *m, int64_t p) {
    constexpr const PanelLayout &L = Type::layout;
    constexpr int n_blocks = L.unit_k / kBlock, stretch = kStretch / n_blocks;
    constexpr int64_t lines = (stretch * L.unit_bytes + 63) / 64;
    static_assert(Words<Type>::stretch_bytes + kSumTokens * 16 * 4 <= static_cast<int>(kMatmulScratch));
    auto *records = static_cast<uint8_t *>(m->scratch);
    auto *sums = reinterpret_cast<float *>(records + Words<Type>::stretch_bytes);
    const uint8_t *panel = m->panels + p * m->panel_bytes;
    const int64_t units = panel_units(L, m->cols);
    for (int64_t i = 0; i < panel_header(L, m->cols); i += 64) prefetch(panel + i);
    for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kSumTokens) {
        const int64_t n_tokens = m->n_tokens - t0 < kSumTokens ? m->n_tokens - t0 : kSumTokens;
        for (int64_t i = 0; i < n_tokens * 16; i += 16) storef(sums + i, zerof());
        for (int64_t u0 = 0; u0 < units; u0 += stretch) {
            const int64_t u1 = u0 + stretch < units ? u0 + stretch : units, n = (u1 - u0) * n_blocks, b0 = u0 * n_blocks;
            unpack<Type>(panel, m->cols, u0, u1, records);
            const uint8_t *next = u1 < units ? panel + panel_header(L, m->cols) + u1 * L.unit_bytes : panel + m->panel_bytes;
            for (int64_t t = 0, step; t < n_tokens; t += step) {
                step = tile_tokens<T>(n_tokens - t);
                const NextLines ahead = {next, t * lines / n_tokens, (t + step) * lines / n_tokens, ((1 << 16) + n - 1) / n};
                tile_of<Type, T>(step, records, n, m->act, t0 + t, b0, ahead, sums + 16 * t);
            }
        }
        for (int64_t t = 0; t < n_tokens; ++t) {
            // Each token's row is another page, and a store waits for its line: ask for it some tokens before.
            if (t + kStoreAhead < n_tokens) prefetch_store(m->y + (t0 + t + kStoreAhead) * m->ldy + p * kPanelRows);
            finish(m, p, t0 + t, sums + 16 * t);
        }
    }
}

template <class Type, int T, int many_from>
void matmul_words(const MatmulArgs *m) noexcept {
    for (int64_t p = 0; p < m->n_panels; ++p) {
        if (m->n_tokens >= many_from) many_panel<Type, T>(m, p);
        else few_tokens<Type>(m, p);
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
