// SPDX-License-Identifier: Apache-2.0
// Sixteen rows in four 128-bit registers: the words of x86/lanes512.h for NEON. Register i holds rows 4i..4i+3.
// dot() multiplies signed by signed, so codes stored + 128 are turned back first (kSignedDot).
#pragma once

#include <arm_neon.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

struct I {
    uint8x16_t q[4];
};
struct F {
    float32x4_t q[4];
};
constexpr bool kSignedDot = true;

template <class G>
INLAY_INLINE I each(G &&g) {
    return {{g(0), g(1), g(2), g(3)}};
}
template <class G>
INLAY_INLINE F eachf(G &&g) {
    return {{g(0), g(1), g(2), g(3)}};
}
INLAY_INLINE int8x16_t s8(uint8x16_t v) { return vreinterpretq_s8_u8(v); }
INLAY_INLINE int16x8_t s16(uint8x16_t v) { return vreinterpretq_s16_u8(v); }
INLAY_INLINE uint16x8_t u16(uint8x16_t v) { return vreinterpretq_u16_u8(v); }
INLAY_INLINE int32x4_t s32(uint8x16_t v) { return vreinterpretq_s32_u8(v); }
INLAY_INLINE uint32x4_t u32(uint8x16_t v) { return vreinterpretq_u32_u8(v); }
INLAY_INLINE uint8x16_t raw(int8x16_t v) { return vreinterpretq_u8_s8(v); }
INLAY_INLINE uint8x16_t raw(int16x8_t v) { return vreinterpretq_u8_s16(v); }
INLAY_INLINE uint8x16_t raw(uint16x8_t v) { return vreinterpretq_u8_u16(v); }
INLAY_INLINE uint8x16_t raw(int32x4_t v) { return vreinterpretq_u8_s32(v); }
INLAY_INLINE uint8x16_t raw(uint32x4_t v) { return vreinterpretq_u8_u32(v); }
INLAY_INLINE I all(uint8x16_t v) { return {{v, v, v, v}}; }

INLAY_INLINE I load(const void *p) {
    return each([&](int i) { return vld1q_u8(static_cast<const uint8_t *>(p) + 16 * i); });
}
INLAY_INLINE void store(void *p, I v) {
    for (int i = 0; i < 4; ++i) vst1q_u8(static_cast<uint8_t *>(p) + 16 * i, v.q[i]);
}
INLAY_INLINE F loadf(const float *p) {
    return eachf([&](int i) { return vld1q_f32(p + 4 * i); });
}
INLAY_INLINE void storef(float *p, F v) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.q[i]);
}
INLAY_INLINE I zero() { return all(vdupq_n_u8(0)); }
INLAY_INLINE F setf(float v) {
    return eachf([&](int) { return vdupq_n_f32(v); });
}
INLAY_INLINE F zerof() { return setf(0); }
INLAY_INLINE I set32(int32_t v) { return all(raw(vdupq_n_s32(v))); }
INLAY_INLINE I set8(int v) { return all(vdupq_n_u8(static_cast<uint8_t>(v))); }
INLAY_INLINE I set16(int v) { return all(raw(vdupq_n_s16(static_cast<int16_t>(v)))); }
INLAY_INLINE I bcast(const void *p) { return all(raw(vld1q_dup_s32(static_cast<const int32_t *>(p)))); }

INLAY_INLINE I and_(I a, I b) {
    return each([&](int i) { return vandq_u8(a.q[i], b.q[i]); });
}
INLAY_INLINE I or_(I a, I b) {
    return each([&](int i) { return vorrq_u8(a.q[i], b.q[i]); });
}
INLAY_INLINE I xor_(I a, I b) {
    return each([&](int i) { return veorq_u8(a.q[i], b.q[i]); });
}
INLAY_INLINE I or_and(I a, I b, I c) { return or_(a, and_(b, c)); }
template <int n>
INLAY_INLINE I shift16(I v) {
    if constexpr (n > 0) return each([&](int i) { return raw(vshlq_n_u16(u16(v.q[i]), n)); });
    else if constexpr (n < 0) return each([&](int i) { return raw(vshrq_n_u16(u16(v.q[i]), -n)); });
    else return v;
}
template <int n>
INLAY_INLINE I sra16(I v) {
    return each([&](int i) { return raw(vshrq_n_s16(s16(v.q[i]), n)); });
}
template <int n>
INLAY_INLINE I srl32(I v) {
    return each([&](int i) { return raw(vshrq_n_u32(u32(v.q[i]), n)); });
}
template <int n>
INLAY_INLINE I sra32(I v) {
    if constexpr (n == 0) return v;
    else return each([&](int i) { return raw(vshrq_n_s32(s32(v.q[i]), n)); });
}
template <int n>
INLAY_INLINE I sll32(I v) {
    return each([&](int i) { return raw(vshlq_n_u32(u32(v.q[i]), n)); });
}
INLAY_INLINE I add16(I a, I b) {
    return each([&](int i) { return raw(vaddq_s16(s16(a.q[i]), s16(b.q[i]))); });
}
INLAY_INLINE I add32(I a, I b) {
    return each([&](int i) { return raw(vaddq_s32(s32(a.q[i]), s32(b.q[i]))); });
}
INLAY_INLINE I sub32(I a, I b) {
    return each([&](int i) { return raw(vsubq_s32(s32(a.q[i]), s32(b.q[i]))); });
}
INLAY_INLINE I max32(I a, I b) {
    return each([&](int i) { return raw(vmaxq_s32(s32(a.q[i]), s32(b.q[i]))); });
}
INLAY_INLINE I equal32(I a, I b) {
    return each([&](int i) { return raw(vceqq_u32(u32(a.q[i]), u32(b.q[i]))); });
}
INLAY_INLINE I mul16(I a, I b) {
    return each([&](int i) { return raw(vmulq_s16(s16(a.q[i]), s16(b.q[i]))); });
}
INLAY_INLINE I mul32(I a, I b) {
    return each([&](int i) { return raw(vmulq_s32(s32(a.q[i]), s32(b.q[i]))); });
}
INLAY_INLINE I madd16(I a, I b) {
    return each([&](int i) {
        const int16x8_t x = s16(a.q[i]), y = s16(b.q[i]);
        return raw(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
    });
}
INLAY_INLINE I madd_add(I acc, I a, I b) { return add32(acc, madd16(a, b)); }
INLAY_INLINE I table16(const void *p) { return all(vld1q_u8(static_cast<const uint8_t *>(p))); }
INLAY_INLINE I lookup(I table, I index) {
    return each([&](int i) { return vqtbl1q_u8(table.q[i], index.q[i]); });
}

INLAY_INLINE F cvt(I v) {
    return eachf([&](int i) { return vcvtq_f32_s32(s32(v.q[i])); });
}
INLAY_INLINE F mulf(F a, F b) {
    return eachf([&](int i) { return vmulq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE F addf(F a, F b) {
    return eachf([&](int i) { return vaddq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE F subf(F a, F b) {
    return eachf([&](int i) { return vsubq_f32(a.q[i], b.q[i]); });
}
INLAY_INLINE F fma(F a, F b, F c) {
    return eachf([&](int i) { return vfmaq_f32(c.q[i], a.q[i], b.q[i]); });
}
INLAY_INLINE F negf(F v) {
    return eachf([&](int i) { return vnegq_f32(v.q[i]); });
}
INLAY_INLINE F as_f(I v) {
    return eachf([&](int i) { return vreinterpretq_f32_u8(v.q[i]); });
}
INLAY_INLINE F halves(const void *p) {
    return eachf([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(static_cast<const uint16_t *>(p) + 4 * i))); });
}
INLAY_INLINE I bytes_u(const void *p) {
    const uint8x16_t v = vld1q_u8(static_cast<const uint8_t *>(p));
    const uint16x8_t lo = vmovl_u8(vget_low_u8(v)), hi = vmovl_high_u8(v);
    return {{raw(vmovl_u16(vget_low_u16(lo))), raw(vmovl_high_u16(lo)), raw(vmovl_u16(vget_low_u16(hi))), raw(vmovl_high_u16(hi))}};
}
INLAY_INLINE I bytes_s(const void *p) {
    const int8x16_t v = s8(vld1q_u8(static_cast<const uint8_t *>(p)));
    const int16x8_t lo = vmovl_s8(vget_low_s8(v)), hi = vmovl_high_s8(v);
    return {{raw(vmovl_s16(vget_low_s16(lo))), raw(vmovl_high_s16(lo)), raw(vmovl_s16(vget_low_s16(hi))), raw(vmovl_high_s16(hi))}};
}
INLAY_INLINE I words_u(const void *p) {
    return each([&](int i) { return raw(vmovl_u16(vld1_u16(static_cast<const uint16_t *>(p) + 4 * i))); });
}

INLAY_INLINE F loadf_n(const float *p, int n) {
    if (n == 16) return loadf(p);
    float f[16] = {};
    for (int i = 0; i < n; ++i) f[i] = p[i];
    return loadf(f);
}
INLAY_INLINE void storef_n(float *p, F v, int n) {
    if (n == 16) return storef(p, v);
    float f[16];
    storef(f, v);
    for (int i = 0; i < n; ++i) p[i] = f[i];
}
INLAY_INLINE void prefetch_store(const void *p) { __builtin_prefetch(p, 1); }
INLAY_INLINE void prefetch(const void *p) { __builtin_prefetch(p); }
INLAY_INLINE void prefetch_l2(const void *p) { __builtin_prefetch(p, 0, 2); }
INLAY_INLINE void pin(I &) {}  // 32 registers: gcc keeps the sums by itself

// Four products of each row, exactly. Without dotprod two products fit 16 bits: 2 x 128 x 127 = 32,512.
INLAY_INLINE I dot(I acc, I w, I x) {
#if defined(__ARM_FEATURE_DOTPROD)
    return each([&](int i) { return raw(vdotq_s32(s32(acc.q[i]), s8(w.q[i]), s8(x.q[i]))); });
#else
    return each([&](int i) {
        const int8x16_t a = s8(w.q[i]), b = s8(x.q[i]);
        const int16x8_t pairs = vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b));
        return raw(vpadalq_s16(s32(acc.q[i]), pairs));
    });
#endif
}

#if defined(__ARM_FEATURE_MATMUL_INT8)
#define INLAY_MATRIX_DOT  // matmul_words.h: matrix_dot() is there
// Sums of two tokens: register 2 i + h holds rows 4 i + 2 h and the next, each row's two tokens side by side.
struct Pair {
    int32x4_t q[8];
};
INLAY_INLINE Pair pair_of(I a, I b) {  // a, b: the same in all lanes
    const int32x4_t v = vzip1q_s32(s32(a.q[0]), s32(b.q[0]));
    return {{v, v, v, v, v, v, v, v}};
}
INLAY_INLINE void split(Pair p, I &a, I &b) {
    a = each([&](int i) { return raw(vuzp1q_s32(p.q[2 * i], p.q[2 * i + 1])); });
    b = each([&](int i) { return raw(vuzp2q_s32(p.q[2 * i], p.q[2 * i + 1])); });
}
// Two groups of four k made one of eight: rows 4 i, 4 i + 1 (even) or 4 i + 2, 4 i + 3 in register i; and back.
INLAY_INLINE I zip_even(I a, I b) {
    return each([&](int i) { return raw(vzip1q_u32(u32(a.q[i]), u32(b.q[i]))); });
}
INLAY_INLINE I zip_odd(I a, I b) {
    return each([&](int i) { return raw(vzip2q_u32(u32(a.q[i]), u32(b.q[i]))); });
}
INLAY_INLINE I unzip_even(I a, I b) {
    return each([&](int i) { return raw(vuzp1q_u32(u32(a.q[i]), u32(b.q[i]))); });
}
INLAY_INLINE I unzip_odd(I a, I b) {
    return each([&](int i) { return raw(vuzp2q_u32(u32(a.q[i]), u32(b.q[i]))); });
}
// Eight k of two tokens onto zipped codes.
template <int odd>
INLAY_INLINE void matrix_dot(Pair &sum, I codes, const int8_t *t0, const int8_t *t1) {
    const int8x16_t x = vcombine_s8(vld1_s8(t0), vld1_s8(t1));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sum.q[2 * i + odd] = vmmlaq_s32(sum.q[2 * i + odd], s8(codes.q[i]), x);
}
#endif

// The 16-bit route of x86 (matmul_words.h) is not taken here.
INLAY_INLINE I maddubs(I u, I) { return u; }
INLAY_INLINE I abs8(I v) { return v; }
INLAY_INLINE I sign8(I x, I) { return x; }
INLAY_INLINE void widen16(const int8_t *, int16_t *) {}

}  // namespace
}  // namespace inlay::INLAY_TIER
