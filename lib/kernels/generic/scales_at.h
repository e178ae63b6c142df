// SPDX-License-Identifier: Apache-2.0
// A unit's scales one by one in registers, where codes.h writes all of them to memory: a store of 64 bytes keeps Zen 4 from two products,
// and a batch of eight tokens has only 64 products for each scale. j: a block of unit u, h: its half. Needs codes.h.
#pragma once

#include "kernels/generic/codes.h"

namespace inlay::INLAY_TIER {
namespace {

// The i-th of sixteen six-bit values, i known as the loop runs.
INLAY_INLINE I six_at(const uint8_t *p, int64_t i) {
    static constexpr int32_t shift[15] = {0, 6, 12, 18, 24, 0, 6, 12, 18, 24, 0, 6, 12, 18, 24};
    if (i == 15) return six<15>(p);
    return and_(srlv32(load(p + 64 * (i / 5)), bcast(shift + i)), set32(63));
}

template <const PanelLayout &L, class C, int offset>
INLAY_INLINE F scale_at(Plain<L, C, offset>, const uint8_t *, const uint8_t *unit, int64_t, int64_t j, int) {
    return halves(unit + 32 * j);
}
INLAY_INLINE F scale_at(Mxfp4, const uint8_t *panel, const uint8_t *, int64_t u, int64_t j, int) {
    return as_f(Mxfp4::power(panel + (2 * u + j) * 16));
}
template <const PanelLayout &L, class C>
INLAY_INLINE F scale_at(KWithMin<L, C>, const uint8_t *, const uint8_t *unit, int64_t, int64_t j, int) {
    return mulf(halves(unit + kSixBits), cvt(six_at(unit, 2 * j)));
}
INLAY_INLINE F scale_at(Q2K, const uint8_t *, const uint8_t *unit, int64_t, int64_t j, int h) {
    return mulf(halves(unit + 256), cvt(and_(bytes_u(unit + 32 * j + 16 * h), set32(15))));
}
template <class C, int offset, int minus, bool eighth>
INLAY_INLINE F scale_at(SixFactors<C, offset, minus, eighth>, const uint8_t *panel, const uint8_t *unit, int64_t u, int64_t j, int h) {
    F d = halves(panel + 32 * u);
    if constexpr (eighth) d = mulf(d, setf(0.125f));
    const I v = six_at(unit, 2 * j + h);
    return mulf(d, cvt(minus ? add32(v, set32(-minus)) : v));
}
INLAY_INLINE F scale_at(Q6K, const uint8_t *panel, const uint8_t *unit, int64_t u, int64_t j, int h) {
    return mulf(halves(panel + 32 * u), cvt(bytes_s(unit + 32 * j + 16 * h)));
}
template <class C, int offset, int minus, bool quarter>
INLAY_INLINE F scale_at(EightFactors<C, offset, minus, quarter>, const uint8_t *, const uint8_t *unit, int64_t, int64_t j, int) {
    static constexpr int32_t shift[7] = {0, 6, 12, 18, 24, 0, 6};
    F d = halves(unit + 96);
    if constexpr (quarter) d = mulf(d, setf(0.25f));
    I v;
    if (j == 7)
        v = or_(srl32<30>(load(unit)), and_(sll32<2>(srl32<12>(words_u(unit + 64))), set32(63)));
    else
        v = and_(srlv32(j < 5 ? load(unit) : words_u(unit + 64), bcast(shift + j)), set32(63));
    return mulf(d, cvt(minus ? add32(v, set32(-minus)) : v));
}
INLAY_INLINE F scale_at(TQ2_0, const uint8_t *panel, const uint8_t *, int64_t u, int64_t, int) { return halves(panel + 32 * u); }

// A block's min.
template <const PanelLayout &L, class C>
INLAY_INLINE F min_at(WithMin<L, C>, const uint8_t *unit, int64_t j) {
    return halves(unit + 64 + 32 * j);
}

// A group's min, and its factors two by two for each row.
template <const PanelLayout &L, class C>
INLAY_INLINE F group_min(KWithMin<L, C>, const uint8_t *unit) {
    return mulf(halves(unit + kSixBits + 32), setf(-0.125f));
}
INLAY_INLINE F group_min(Q2K, const uint8_t *unit) { return mulf(halves(unit + 288), setf(-0.125f)); }
template <int j, const PanelLayout &L, class C>
INLAY_INLINE I pair_at(KWithMin<L, C>, const uint8_t *unit) {
    return or_(six<4 * j + 1>(unit), sll32<16>(six<4 * j + 3>(unit)));
}
template <int j>
INLAY_INLINE I pair_at(Q2K, const uint8_t *unit) {
    return or_(srl32<4>(bytes_u(unit + 32 * j)), sll32<16>(srl32<4>(bytes_u(unit + 32 * j + 16))));
}

// Sums over a group of the mins times the activations' sums, of T tokens; at: the group's first block of the first.
template <class Type, int j, int T>
INLAY_INLINE void mins_from(const uint8_t *unit, const int16_t *sums, int64_t ld, I (&s)[T]) {
    const I p = pair_at<j>(Type{}, unit);
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) s[t] = j ? madd_add(s[t], p, bcast(sums + t * ld + 2 * j)) : madd16(p, bcast(sums + t * ld));
    if constexpr (j + 1 < Type::pairs) mins_from<Type, j + 1>(unit, sums, ld, s);
}
template <class Type, int T>
INLAY_INLINE void add_mins(const uint8_t *unit, const ActView &a, int64_t at, F (&f)[T]) {
    I s[T];
    if constexpr (Type::pairs == 8)
        mins_from<Type, 0>(unit, a.s16 + 2 * at, 2 * a.ldb, s);
    else
        mins_from<Type, 0>(unit, a.b16 + at, a.ldb, s);
    const F m = group_min(Type{}, unit);
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) f[t] = fma(cvt(s[t]), m, f[t]);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
