// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes as an array: the meaning of every operation, for ref and for CPUs without a tier of their own.
#pragma once

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

struct V {
    float f[16];
};
struct M {
    bool b[16];
};

template <class F>
INLAY_INLINE V each(F &&f) {
    V r;
    for (int i = 0; i < 16; ++i) r.f[i] = f(i);
    return r;
}
template <class F>
INLAY_INLINE M test(F &&f) {
    M r;
    for (int i = 0; i < 16; ++i) r.b[i] = f(i);
    return r;
}

INLAY_INLINE V set1(float x) {
    return each([&](int) { return x; });
}
INLAY_INLINE V load(const float *p) {
    return each([&](int i) { return p[i]; });
}
INLAY_INLINE V load_part(const float *p, int n) {
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
}
INLAY_INLINE void store(float *p, V v) {
    for (int i = 0; i < 16; ++i) p[i] = v.f[i];
}
INLAY_INLINE void store_part(float *p, V v, int n) {
    for (int i = 0; i < n; ++i) p[i] = v.f[i];
}
INLAY_INLINE V add(V a, V b) {
    return each([&](int i) { return a.f[i] + b.f[i]; });
}
INLAY_INLINE V sub(V a, V b) {
    return each([&](int i) { return a.f[i] - b.f[i]; });
}
INLAY_INLINE V mul(V a, V b) {
    return each([&](int i) { return a.f[i] * b.f[i]; });
}
INLAY_INLINE V div(V a, V b) {
    return each([&](int i) { return a.f[i] / b.f[i]; });
}
// a * b + c, rounded once
INLAY_INLINE V fma(V a, V b, V c) {
    return each([&](int i) { return __builtin_fmaf(a.f[i], b.f[i], c.f[i]); });
}
INLAY_INLINE V neg(V a) {
    return each([&](int i) { return -a.f[i]; });
}
INLAY_INLINE V abs(V a) {
    return each([&](int i) { return __builtin_fabsf(a.f[i]); });
}
INLAY_INLINE V copy_sign(V a, V sign) {
    return each([&](int i) { return __builtin_copysignf(a.f[i], sign.f[i]); });
}
// The second where either is NaN or both are zeros, as x86's instructions do.
INLAY_INLINE V max(V a, V b) {
    return each([&](int i) { return a.f[i] > b.f[i] ? a.f[i] : b.f[i]; });
}
INLAY_INLINE V min(V a, V b) {
    return each([&](int i) { return a.f[i] < b.f[i] ? a.f[i] : b.f[i]; });
}
INLAY_INLINE M lt(V a, V b) {
    return test([&](int i) { return a.f[i] < b.f[i]; });
}
INLAY_INLINE M eq(V a, V b) {
    return test([&](int i) { return a.f[i] == b.f[i]; });
}
// Bit i: lane i.
INLAY_INLINE uint32_t bits(M m) {
    uint32_t r = 0;
    for (int i = 0; i < 16; ++i) r |= static_cast<uint32_t>(m.b[i]) << i;
    return r;
}
INLAY_INLINE bool any(M m) {
    bool r = false;
    for (bool b : m.b) r |= b;
    return r;
}
// Lanes [first, last)
INLAY_INLINE M lanes_in(int first, int last) {
    return test([&](int i) { return i >= first && i < last; });
}
INLAY_INLINE V select(M m, V a, V b) {
    return each([&](int i) { return m.b[i] ? a.f[i] : b.f[i]; });
}
// Lanes (0, 0, 2, 2, ..) and (1, 1, 3, 3, ..).
INLAY_INLINE V dup_even(V a) {
    return each([&](int i) { return a.f[i & ~1]; });
}
INLAY_INLINE V dup_odd(V a) {
    return each([&](int i) { return a.f[i | 1]; });
}
// The low bits of a float's pattern moved to where its exponent is.
INLAY_INLINE V low_bits_to_exponent(V a) {
    return each([&](int i) {
        uint32_t bits;
        __builtin_memcpy(&bits, &a.f[i], 4);
        bits <<= 23;
        float r;
        __builtin_memcpy(&r, &bits, 4);
        return r;
    });
}
// The fixed tree over 16 partial sums: s[j] += s[j + 8], then + 4, + 2, + 1; and the same for max.
INLAY_INLINE float tree_sum(V v) {
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) v.f[j] += v.f[j + step];
    return v.f[0];
}
INLAY_INLINE float tree_max(V v) {
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) v.f[j] = v.f[j] > v.f[j + step] ? v.f[j] : v.f[j + step];
    return v.f[0];
}

INLAY_INLINE float half_to_float(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, e = (h >> 10) & 0x1fu, man = h & 0x3ffu;
    uint32_t bits;
    if (e == 0x1f) bits = 0x7f800000u | (man << 13) | (man ? 0x400000u : 0u);
    else if (e) bits = ((e + 112u) << 23) | (man << 13);
    else {
        const float v = static_cast<float>(man) * 0x1p-24f;
        __builtin_memcpy(&bits, &v, 4);
    }
    bits |= sign;
    float r;
    __builtin_memcpy(&r, &bits, 4);
    return r;
}
INLAY_INLINE uint16_t float_to_half(float f) {
    uint32_t x;
    __builtin_memcpy(&x, &f, 4);
    const uint32_t sign = (x >> 16) & 0x8000u;
    x &= 0x7fffffffu;
    if (x > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((x >> 13) & 0x3ffu));
    if (x >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (x < 0x38800000u) {  // subnormal: adding 0.5 lets the FPU round the 10 bits in place
        float v;
        __builtin_memcpy(&v, &x, 4);
        v += 0.5f;
        __builtin_memcpy(&x, &v, 4);
        return static_cast<uint16_t>(sign | (x - 0x3f000000u));
    }
    x += 0xc8000fffu + ((x >> 13) & 1u);
    return static_cast<uint16_t>(sign | (x >> 13));
}
INLAY_INLINE float half_value(uint16_t h) { return half_to_float(h); }
INLAY_INLINE V load_f16(const uint16_t *p) {
    return each([&](int i) { return half_to_float(p[i]); });
}
INLAY_INLINE void store_f16(uint16_t *p, V v) {
    for (int i = 0; i < 16; ++i) p[i] = float_to_half(v.f[i]);
}
INLAY_INLINE V load_bf16(const uint16_t *p) {
    return each([&](int i) {
        const uint32_t bits = static_cast<uint32_t>(p[i]) << 16;
        float r;
        __builtin_memcpy(&r, &bits, 4);
        return r;
    });
}
// Eight doubles.
struct D {
    double d[8];
};
INLAY_INLINE D zero_d() { return {}; }
INLAY_INLINE D add(D a, D b) {
    for (int i = 0; i < 8; ++i) a.d[i] += b.d[i];
    return a;
}
INLAY_INLINE D widen_from(V a, int first) {
    D r;
    for (int i = 0; i < 8; ++i) r.d[i] = static_cast<double>(a.f[first + i]);
    return r;
}
INLAY_INLINE D widen_low(V a) { return widen_from(a, 0); }
INLAY_INLINE D widen_high(V a) { return widen_from(a, 8); }
INLAY_INLINE void store(double *p, D a) {
    for (int i = 0; i < 8; ++i) p[i] = a.d[i];
}
// Sixteen int32.
struct I {
    int32_t i[16];
};
INLAY_INLINE I set1i(int32_t x) {
    I r;
    for (int j = 0; j < 16; ++j) r.i[j] = x;
    return r;
}
INLAY_INLINE V to_float(I a) {
    return each([&](int j) { return static_cast<float>(a.i[j]); });
}
// acc + the dot of 4 bytes a lane: k holds value + 128, q is signed. With kOffsetDots acc starts from -128 * sum q.
inline constexpr bool kOffsetDots = true;
INLAY_INLINE I dot4(I acc, const uint8_t *k, const int8_t *q) {
    for (int j = 0; j < 16; ++j)
        for (int b = 0; b < 4; ++b) acc.i[j] += static_cast<int32_t>(k[j * 4 + b]) * q[b];
    return acc;
}
INLAY_INLINE V load_i8(const int8_t *p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
}

}  // namespace
}  // namespace inlay::INLAY_TIER
