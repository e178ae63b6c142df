// SPDX-License-Identifier: Apache-2.0
// Weights out of a packed panel, for 16 rows at once (the layout: signatures/panels.h): a block's eight code vectors,
// and a unit's scales as f32. Written in the words of x86/lanes512.h,
// x86/lanes256.h or arm/lanes128.h, which the includer chooses.
#pragma once

#include "kernels/signatures/matmul.h"

namespace inlay::INLAY_TIER {
namespace {

using namespace kernels;

// What is subtracted from a code to give the weight's integer; the kernels take it from the accumulator's start.
// none; a float a block; integers that are summed over a group of 256 k, times one float.
enum class Mins { none, block, group };

template <int g>
INLAY_INLINE I nibble(const I n[4]) {
    return and_(shift16<g < 4 ? 0 : -4>(n[g & 3]), set8(15));
}

// Codes stored + 128 as dot() takes them: unsigned on x86, where the sum starts lower; turned back where it is signed.
constexpr int kTop = kSignedDot ? 0 : 128;
INLAY_INLINE I from128(I v) {
    if constexpr (kSignedDot) return xor_(v, set8(128));
    else return v;
}

// Code vector g of a block, g = 0..7, from what load() keeps of it.
struct Nibbles {
    I n[4];
    INLAY_INLINE void load(const uint8_t *p) {
        for (int v = 0; v < 4; ++v) n[v] = INLAY_TIER::load(p + 64 * v);
    }
    template <int g>
    INLAY_INLINE I at() const { return nibble<g>(n); }
};
struct NibblesBit {
    I n[4], b;
    INLAY_INLINE void load(const uint8_t *p) {
        for (int v = 0; v < 4; ++v) n[v] = INLAY_TIER::load(p + 64 * v);
        b = INLAY_TIER::load(p + 256);
    }
    template <int g>
    INLAY_INLINE I at() const { return or_and(nibble<g>(n), shift16<4 - g>(b), set8(16)); }
};
struct NibblesCrumb {
    I n[4], c[2];
    INLAY_INLINE void load(const uint8_t *p) {
        for (int v = 0; v < 4; ++v) n[v] = INLAY_TIER::load(p + 64 * v);
        for (int h = 0; h < 2; ++h) c[h] = INLAY_TIER::load(p + 256 + 64 * h);
    }
    template <int g>
    INLAY_INLINE I at() const { return or_and(nibble<g>(n), shift16<4 - 2 * (g & 3)>(c[g >> 2]), set8(0x30)); }
    // Vectors g and g + 2 of the same + 96: two crumbs half a byte apart become 6 + crumb at once, and a selection joins each with its nibble.
    template <int g>
    INLAY_INLINE void two_plus96(I &c0, I &c2) const {
        const I two = add8(and_(shift16<(g & 1) ? -2 : 0>(c[g >> 2]), set8(0x33)), set8(0x66));
        c0 = select8(set8(15), shift16<g < 4 ? 0 : -4>(n[g & 3]), shift16<4>(two));
        c2 = select8(set8(15), shift16<g < 4 ? 0 : -4>(n[(g & 3) + 2]), two);
    }
};
struct Crumbs {
    I c[2];
    INLAY_INLINE void load(const uint8_t *p) {
        for (int h = 0; h < 2; ++h) c[h] = INLAY_TIER::load(p + 64 * h);
    }
    template <int g>
    INLAY_INLINE I at() const { return and_(shift16<-2 * (g & 3)>(c[g >> 2]), set8(3)); }
};
struct CrumbsBit {
    I c[2], b;
    INLAY_INLINE void load(const uint8_t *p) {
        for (int h = 0; h < 2; ++h) c[h] = INLAY_TIER::load(p + 64 * h);
        b = INLAY_TIER::load(p + 128);
    }
    template <int g>
    INLAY_INLINE I at() const { return or_and(and_(shift16<-2 * (g & 3)>(c[g >> 2]), set8(3)), shift16<2 - g>(b), set8(4)); }
};
struct Bytes {
    const uint8_t *p;
    INLAY_INLINE void load(const uint8_t *at) { p = at; }
    template <int g>
    INLAY_INLINE I at() const { return from128(INLAY_TIER::load(p + 64 * g)); }
};
// A code book turned unsigned by + 128, or by + 16 where its values are small: 16-bit sums then suffice.
struct Book {
    uint8_t v[16];
};
constexpr Book book_from(const int8_t (&values)[16], int offset) {
    Book b = {};
    for (int i = 0; i < 16; ++i) b.v[i] = static_cast<uint8_t>(values[i] + offset);
    return b;
}
constexpr Book kIq4nl128 = book_from(kIq4nl, 128), kMxfp4128 = book_from(kMxfp4, 128), kIq2128 = book_from(kIq2, 128);
constexpr Book kIq3xxs128 = book_from(kIq3xxs, 128), kIq3s16 = book_from(kIq3s, 16), kIq116 = book_from(kIq1, 16);
template <const Book &book, class C = Nibbles, bool by_128 = true>
struct Looked : C {
    template <int g>
    INLAY_INLINE I at() const {
        const I v = lookup(table16(book.v), C::template at<g>());
        if constexpr (by_128) return from128(v);
        else return v;
    }
};

// The i-th of sixteen six-bit values.
template <int i>
INLAY_INLINE I six(const uint8_t *p) {
    if constexpr (i < 15) return and_(srl32<6 * (i % 5)>(INLAY_TIER::load(p + 64 * (i / 5))), set32(63));
    else return or_(or_(srl32<30>(INLAY_TIER::load(p)), sll32<2>(srl32<30>(INLAY_TIER::load(p + 64)))), sll32<4>(srl32<30>(INLAY_TIER::load(p + 128))));
}

// Each type: its codes, the code that means 0 (offset), and scales() which fills, for every block of unit u, f32 scale
// and, where the type has them, min or 16-k factors. kBlocks = blocks a unit.
struct UnitScales {
    alignas(64) float scale[8][16];
    alignas(64) float min[8][16];        // of each block; [0]: -dmin / 8 of the group
    alignas(64) int32_t factor[16][16];  // two_scales: what the sums over 16 k are multiplied with
    alignas(64) int16_t pair[8][16][2];  // mins of a group, two by two, for each row
};

template <const PanelLayout &L, class C, int offset_>
struct Plain {
    using Codes = C;
    static constexpr const PanelLayout &layout = L;
    static constexpr int offset = offset_;
    static constexpr Mins mins = Mins::none;
    static constexpr bool two_scales = false;
    INLAY_INLINE static void scales(const uint8_t *, const uint8_t *unit, int64_t, UnitScales &s) {
        for (int j = 0; j < 2; ++j) storef(s.scale[j], halves(unit + 32 * j));
    }
};
template <const PanelLayout &L, class C>
struct WithMin : Plain<L, C, 0> {
    static constexpr Mins mins = Mins::block;
    INLAY_INLINE static void scales(const uint8_t *, const uint8_t *unit, int64_t, UnitScales &s) {
        for (int j = 0; j < 2; ++j) {
            storef(s.scale[j], halves(unit + 32 * j));
            storef(s.min[j], halves(unit + 64 + 32 * j));
        }
    }
};
struct Mxfp4 : Plain<kLayoutMXFP4, Looked<kMxfp4128>, kTop> {
    // The bits of 2^(e - 128): e - 1 in the exponent field; the two below it are subnormals.
    INLAY_INLINE static I power(const uint8_t *p) {
        const I e = bytes_u(p);
        return or_(sll32<23>(max32(sub32(e, set32(1)), zero())),
                   or_(and_(equal32(e, zero()), set32(0x00200000)), and_(equal32(e, set32(1)), set32(0x00400000))));
    }
    INLAY_INLINE static void scales(const uint8_t *panel, const uint8_t *, int64_t u, UnitScales &s) {
        for (int j = 0; j < 2; ++j) store(s.scale[j], power(panel + (2 * u + j) * 16));
    }
};
template <const PanelLayout &L, class C>
struct KWithMin {
    using Codes = C;
    static constexpr const PanelLayout &layout = L;
    static constexpr int offset = 0;
    static constexpr Mins mins = Mins::group;
    static constexpr int pairs = 4;  // of blocks
    static constexpr bool two_scales = false;
    template <int j>
    INLAY_INLINE static void two_blocks(const uint8_t *p, F d, UnitScales &s) {
        storef(s.scale[2 * j], mulf(d, cvt(six<4 * j>(p))));
        storef(s.scale[2 * j + 1], mulf(d, cvt(six<4 * j + 2>(p))));
        store(s.pair[j], or_(six<4 * j + 1>(p), sll32<16>(six<4 * j + 3>(p))));
    }
    INLAY_INLINE static void scales(const uint8_t *, const uint8_t *unit, int64_t, UnitScales &s) {
        const uint8_t *p = unit;
        const F d = halves(p + kSixBits);
        storef(s.min[0], mulf(halves(p + kSixBits + 32), setf(-0.125f)));
        two_blocks<0>(p, d, s), two_blocks<1>(p, d, s), two_blocks<2>(p, d, s), two_blocks<3>(p, d, s);
    }
};
struct Q2K {
    using Codes = Crumbs;
    static constexpr const PanelLayout &layout = kLayoutQ2_K;
    static constexpr int offset = 0;
    static constexpr Mins mins = Mins::group;
    static constexpr int pairs = 8;  // of half blocks
    static constexpr bool two_scales = true;
    INLAY_INLINE static void scales(const uint8_t *, const uint8_t *unit, int64_t, UnitScales &s) {
        const uint8_t *p = unit;
        const F d = halves(p + 256);
        storef(s.min[0], mulf(halves(p + 288), setf(-0.125f)));
        for (int j = 0; j < 8; ++j) {
            const I a = bytes_u(p + 32 * j), b = bytes_u(p + 32 * j + 16);
            store(s.factor[2 * j], and_(a, set32(15)));
            store(s.factor[2 * j + 1], and_(b, set32(15)));
            store(s.pair[j], or_(srl32<4>(a), sll32<16>(srl32<4>(b))));
            storef(s.scale[j], d);
        }
    }
};
// q3_k's form: six-bit factors of 16 k less `minus`, and the unit's d times a power of two.
template <class C, int offset_, int minus, bool eighth>
struct SixFactors {
    using Codes = C;
    static constexpr const PanelLayout &layout = kLayoutQ3_K;
    static constexpr int offset = offset_;
    static constexpr Mins mins = Mins::none;
    static constexpr bool two_scales = true;
    template <int i>
    INLAY_INLINE static void half(const uint8_t *p, UnitScales &s) {
        store(s.factor[i], minus ? add32(six<i>(p), set32(-minus)) : six<i>(p));
        if constexpr (i < 15) half<i + 1>(p, s);
    }
    INLAY_INLINE static void scales(const uint8_t *panel, const uint8_t *unit, int64_t u, UnitScales &s) {
        half<0>(unit, s);
        F d = halves(panel + 32 * u);
        if constexpr (eighth) d = mulf(d, setf(0.125f));
        for (int j = 0; j < 8; ++j) storef(s.scale[j], d);
    }
};
struct Q6K {
    using Codes = NibblesCrumb;
    static constexpr const PanelLayout &layout = kLayoutQ6_K;
    static constexpr int offset = 32;
    static constexpr Mins mins = Mins::none;
    static constexpr bool two_scales = true;
    INLAY_INLINE static void scales(const uint8_t *panel, const uint8_t *unit, int64_t u, UnitScales &s) {
        const F d = halves(panel + 32 * u);
        for (int i = 0; i < 16; ++i) store(s.factor[i], bytes_s(unit + 16 * i));
        for (int j = 0; j < 8; ++j) storef(s.scale[j], d);
    }
};
// iq4_xs's form: six-bit factors of 32 k less `minus`.
template <class C, int offset_, int minus, bool quarter>
struct EightFactors {
    using Codes = C;
    static constexpr const PanelLayout &layout = kLayoutIQ4_XS;
    static constexpr int offset = offset_;
    static constexpr Mins mins = Mins::none;
    static constexpr bool two_scales = false;
    INLAY_INLINE static void scales(const uint8_t *, const uint8_t *unit, int64_t, UnitScales &s) {
        const uint8_t *p = unit;
        const I w = INLAY_TIER::load(p), x = words_u(p + 64), m = set32(63);
        F d = halves(p + 96);
        if constexpr (quarter) d = mulf(d, setf(0.25f));
        auto put = [&](int j, I v) { storef(s.scale[j], mulf(d, cvt(minus ? add32(v, set32(-minus)) : v))); };
        put(0, and_(w, m)), put(1, and_(srl32<6>(w), m)), put(2, and_(srl32<12>(w), m)), put(3, and_(srl32<18>(w), m));
        put(4, and_(srl32<24>(w), m)), put(5, and_(x, m)), put(6, and_(srl32<6>(x), m)), put(7, or_(srl32<30>(w), sll32<2>(srl32<12>(x))));
    }
};
// One scale for 256 k, in the header.
struct TQ2_0 {
    using Codes = Crumbs;
    static constexpr const PanelLayout &layout = kLayoutTQ2_0;
    static constexpr int offset = 1;
    static constexpr Mins mins = Mins::none;
    static constexpr bool two_scales = false;
    INLAY_INLINE static void scales(const uint8_t *panel, const uint8_t *, int64_t u, UnitScales &s) {
        const F d = halves(panel + 32 * u);
        for (int j = 0; j < 8; ++j) storef(s.scale[j], d);
    }
};

using Q4_0 = Plain<kLayoutQ4_0, Nibbles, 8>;
using Q4_1 = WithMin<kLayoutQ4_1, Nibbles>;
using Q5_0 = Plain<kLayoutQ5_0, NibblesBit, 16>;
using Q5_1 = WithMin<kLayoutQ5_1, NibblesBit>;
using Q8_0 = Plain<kLayoutQ8_0, Bytes, kTop>;
using Q4K = KWithMin<kLayoutQ4_K, Nibbles>;
using Q5K = KWithMin<kLayoutQ5_K, NibblesBit>;
using Q3K = SixFactors<CrumbsBit, 4, 32, false>;
using Iq4Xs = EightFactors<Looked<kIq4nl128>, kTop, 32, false>;
using Iq3S = EightFactors<Looked<kIq3s16, Nibbles, false>, 16, 0, false>;
using Iq3Xxs = EightFactors<Looked<kIq3xxs128>, kTop, 0, true>;
using Iq2S = SixFactors<Looked<kIq2128, CrumbsBit>, kTop, 0, true>;             // iq2_xxs, iq2_xs too
using Iq1M = SixFactors<Looked<kIq116, CrumbsBit, false>, 16, 0, true>;         // iq1_s too
using Iq4Nl = Plain<kLayoutIQ4_NL, Looked<kIq4nl128>, kTop>;

// Sum over a group of the mins times the activations' sums, from 4 or 8 pairs at `pair`.
template <int pairs>
INLAY_INLINE F group_mins(const void *pair, const ActView &a, int64_t at) {
    const auto *m = static_cast<const uint8_t *>(pair);
    const int16_t *sums = pairs == 8 ? a.s16 + 2 * at : a.b16 + at;
    I s = madd16(INLAY_TIER::load(m), bcast(sums));
#pragma GCC unroll 8
    for (int i = 1; i < pairs; ++i) s = madd_add(s, INLAY_TIER::load(m + 64 * i), bcast(sums + 2 * i));
    return cvt(s);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
