// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes as four q registers (AArch64's own SIMD, with dotprod where the tier has it).
#pragma once

#include <arm_neon.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

struct V {
    float32x4_t q[4];
};
struct M {
    uint32x4_t q[4];
};

template <class F>
INLAY_INLINE V each4(F &&f) {
    return {{f(0), f(1), f(2), f(3)}};
}
template <class F>
INLAY_INLINE M test4(F &&f) {
    return {{f(0), f(1), f(2), f(3)}};
}

INLAY_INLINE V set1(float x) {
    return each4([&](int) { return vdupq_n_f32(x); });
}
INLAY_INLINE V load(const float *p) {
    return each4([&](int i) { return vld1q_f32(p + 4 * i); });
}
INLAY_INLINE V load_part(const float *p, int n) {
    float f[16] = {};
    for (int i = 0; i < n; ++i) f[i] = p[i];
    return load(f);
}
INLAY_INLINE void store(float *p, V v) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.q[i]);
}
INLAY_INLINE void store_part(float *p, V v, int n) {
    float f[16];
    store(f, v);
    for (int i = 0; i < n; ++i) p[i] = f[i];
}
INLAY_INLINE V add(V a, V b) {
    return each4([&](int i) { return vaddq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE V sub(V a, V b) {
    return each4([&](int i) { return vsubq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE V mul(V a, V b) {
    return each4([&](int i) { return vmulq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE V div(V a, V b) {
    return each4([&](int i) { return vdivq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE V fma(V a, V b, V c) {
    return each4([&](int i) { return vfmaq_f32(c.q[i], a.q[i], b.q[i]); });
}
INLAY_INLINE V neg(V a) {
    return each4([&](int i) { return vnegq_f32(a.q[i]); });
}
INLAY_INLINE V abs(V a) {
    return each4([&](int i) { return vabsq_f32(a.q[i]); });
}
INLAY_INLINE V copy_sign(V a, V sign) {
    return each4([&](int i) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign.q[i], a.q[i]); });
}
// a > b ? a : b, which is not what fmax does with NaN and zeros of two signs.
INLAY_INLINE V max(V a, V b) {
    return each4([&](int i) { return vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]); });
}
INLAY_INLINE V min(V a, V b) {
    return each4([&](int i) { return vbslq_f32(vcltq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]); });
}
INLAY_INLINE M lt(V a, V b) {
    return test4([&](int i) { return vcltq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE M eq(V a, V b) {
    return test4([&](int i) { return vceqq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE uint32_t bits(M m) {
    const uint32_t place[4] = {1, 2, 4, 8};
    const uint32x4_t p = vld1q_u32(place);
    uint32_t r = 0;
    for (int i = 0; i < 4; ++i) r |= vaddvq_u32(vandq_u32(m.q[i], p)) << (4 * i);
    return r;
}
INLAY_INLINE bool any(M m) {
    return vmaxvq_u32(vorrq_u32(vorrq_u32(m.q[0], m.q[1]), vorrq_u32(m.q[2], m.q[3]))) != 0;
}
INLAY_INLINE M lanes_in(int first, int last) {
    const int32x4_t base = {0, 1, 2, 3};
    return test4([&](int i) {
        const int32x4_t lane = vaddq_s32(base, vdupq_n_s32(4 * i));
        return vandq_u32(vcgeq_s32(lane, vdupq_n_s32(first)), vcltq_s32(lane, vdupq_n_s32(last)));
    });
}
INLAY_INLINE V select(M m, V a, V b) {
    return each4([&](int i) { return vbslq_f32(m.q[i], a.q[i], b.q[i]); });
}
// Lanes (0, 0, 2, 2, ..) and (1, 1, 3, 3, ..).
INLAY_INLINE V dup_even(V a) {
    return each4([&](int i) { return vtrn1q_f32(a.q[i], a.q[i]); });
}
INLAY_INLINE V dup_odd(V a) {
    return each4([&](int i) { return vtrn2q_f32(a.q[i], a.q[i]); });
}
// The low bits of a float's pattern moved to where its exponent is.
INLAY_INLINE V low_bits_to_exponent(V a) {
    return each4([&](int i) { return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.q[i]), 23)); });
}
// The fixed tree over 16 partial sums: s[j] += s[j + 8], then + 4, + 2, + 1; and the same for max.
INLAY_INLINE float tree_sum(V v) {
    const float32x4_t q = vaddq_f32(vaddq_f32(v.q[0], v.q[2]), vaddq_f32(v.q[1], v.q[3]));
    const float32x2_t d = vadd_f32(vget_low_f32(q), vget_high_f32(q));
    return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}
INLAY_INLINE float tree_max(V v) {
    float f[16];
    store(f, v);
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) f[j] = f[j] > f[j + step] ? f[j] : f[j + step];
    return f[0];
}

INLAY_INLINE float half_value(uint16_t h) {
    __fp16 f;
    __builtin_memcpy(&f, &h, 2);
    return static_cast<float>(f);
}
INLAY_INLINE V load_f16(const uint16_t *p) {
    return each4([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
}
INLAY_INLINE void store_f16(uint16_t *p, V v) {
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v.q[i])));
}
INLAY_INLINE V load_bf16(const uint16_t *p) {
    return each4([&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
}

// Eight doubles.
struct D {
    float64x2_t q[4];
};
INLAY_INLINE D zero_d() {
    const float64x2_t z = vdupq_n_f64(0);
    return {{z, z, z, z}};
}
INLAY_INLINE D add(D a, D b) { return {{vaddq_f64(a.q[0], b.q[0]), vaddq_f64(a.q[1], b.q[1]), vaddq_f64(a.q[2], b.q[2]), vaddq_f64(a.q[3], b.q[3])}}; }
INLAY_INLINE D widen_pair(float32x4_t a, float32x4_t b) {
    return {{vcvt_f64_f32(vget_low_f32(a)), vcvt_high_f64_f32(a), vcvt_f64_f32(vget_low_f32(b)), vcvt_high_f64_f32(b)}};
}
INLAY_INLINE D widen_low(V a) { return widen_pair(a.q[0], a.q[1]); }
INLAY_INLINE D widen_high(V a) { return widen_pair(a.q[2], a.q[3]); }
INLAY_INLINE void store(double *p, D a) {
    for (int i = 0; i < 4; ++i) vst1q_f64(p + 2 * i, a.q[i]);
}
// Sixteen int32.
struct I {
    int32x4_t q[4];
};
INLAY_INLINE I set1i(int32_t x) {
    const int32x4_t v = vdupq_n_s32(x);
    return {{v, v, v, v}};
}
INLAY_INLINE V to_float(I a) {
    return each4([&](int i) { return vcvtq_f32_s32(a.q[i]); });
}
// acc + the dot of 4 bytes a lane: k holds value + 128, q is signed. One xor makes k signed, so no offset is needed.
inline constexpr bool kOffsetDots = false;
INLAY_INLINE int32x4_t dot4_quarter(int32x4_t acc, const uint8_t *k, int8x16_t q) {
    const int8x16_t s = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(k), vdupq_n_u8(0x80)));
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(acc, s, q);
#else
    const int32x4_t lo = vpaddlq_s16(vmull_s8(vget_low_s8(s), vget_low_s8(q)));    // pairs of rows 0 and 1
    const int32x4_t hi = vpaddlq_s16(vmull_s8(vget_high_s8(s), vget_high_s8(q)));  // and 2 and 3
    return vaddq_s32(acc, vpaddq_s32(lo, hi));
#endif
}
INLAY_INLINE I dot4(I acc, const uint8_t *k, const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, 4);
    const int8x16_t b = vreinterpretq_s8_s32(vdupq_n_s32(four));
    for (int i = 0; i < 4; ++i) acc.q[i] = dot4_quarter(acc.q[i], k + 16 * i, b);
    return acc;
}
INLAY_INLINE V load_i8(const int8_t *p) {
    const int8x16_t b = vld1q_s8(p);
    const int16x8_t lo = vmovl_s8(vget_low_s8(b)), hi = vmovl_s8(vget_high_s8(b));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(lo))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(lo))),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(hi))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(hi)))}};
}

}  // namespace
}  // namespace inlay::INLAY_TIER
