// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes as one zmm register (AVX-512 F, BW, DQ, VL).
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

using V = __m512;
using M = __mmask16;

INLAY_INLINE V set1(float x) { return _mm512_set1_ps(x); }
INLAY_INLINE V load(const float *p) { return _mm512_loadu_ps(p); }
INLAY_INLINE V load_part(const float *p, int n) { return _mm512_maskz_loadu_ps(static_cast<M>((1u << n) - 1u), p); }
INLAY_INLINE void store(float *p, V v) { _mm512_storeu_ps(p, v); }
INLAY_INLINE void store_part(float *p, V v, int n) { _mm512_mask_storeu_ps(p, static_cast<M>((1u << n) - 1u), v); }
INLAY_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
INLAY_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
INLAY_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
INLAY_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
INLAY_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
INLAY_INLINE V neg(V a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
INLAY_INLINE V abs(V a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
INLAY_INLINE V copy_sign(V a, V sign) {
    const V s = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(s, a), _mm512_and_ps(s, sign));
}
INLAY_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
INLAY_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
INLAY_INLINE M lt(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLAY_INLINE M eq(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
INLAY_INLINE uint32_t bits(M m) { return m; }
INLAY_INLINE bool any(M m) { return m != 0; }
INLAY_INLINE M lanes_in(int first, int last) {  // 0 <= first, last <= 16
    return static_cast<M>(((1u << last) - 1u) & ~((1u << first) - 1u));
}
INLAY_INLINE V select(M m, V a, V b) { return _mm512_mask_blend_ps(m, b, a); }
// Lanes (0, 0, 2, 2, ..) and (1, 1, 3, 3, ..).
INLAY_INLINE V dup_even(V a) { return _mm512_moveldup_ps(a); }
INLAY_INLINE V dup_odd(V a) { return _mm512_movehdup_ps(a); }
// The low bits of a float's pattern moved to where its exponent is.
INLAY_INLINE V low_bits_to_exponent(V a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)); }
// The fixed tree over 16 partial sums: s[j] += s[j + 8], then + 4, + 2, + 1; and the same for max.
INLAY_INLINE float tree_sum_8(__m256 v) {
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
INLAY_INLINE float tree_max_8(__m256 v) {
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
INLAY_INLINE float tree_sum(V v) { return tree_sum_8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))); }
INLAY_INLINE float tree_max(V v) { return tree_max_8(_mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))); }

INLAY_INLINE float half_value(uint16_t h) { return _cvtsh_ss(h); }
INLAY_INLINE V load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p))); }
INLAY_INLINE void store_f16(uint16_t *p, V v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLAY_INLINE V load_bf16(const uint16_t *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p))), 16));
}
// Eight doubles.
using D = __m512d;
INLAY_INLINE D zero_d() { return _mm512_setzero_pd(); }
INLAY_INLINE D add(D a, D b) { return _mm512_add_pd(a, b); }
INLAY_INLINE D widen_low(V a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
INLAY_INLINE D widen_high(V a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
INLAY_INLINE void store(double *p, D a) { _mm512_storeu_pd(p, a); }
// Sixteen int32.
using I = __m512i;
INLAY_INLINE I set1i(int32_t x) { return _mm512_set1_epi32(x); }
INLAY_INLINE V to_float(I a) { return _mm512_cvtepi32_ps(a); }
// acc + the dot of 4 bytes a lane: k holds value + 128, q is signed. With kOffsetDots acc starts from -128 * sum q;
// without, vpmaddubsw would saturate on such bytes, so they are made signed and their signs moved to q.
#if defined(__AVX512VNNI__)
inline constexpr bool kOffsetDots = true;
INLAY_INLINE I dot4(I acc, const uint8_t *k, const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, 4);
    return _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(k), _mm512_set1_epi32(four));
}
#else
inline constexpr bool kOffsetDots = false;
INLAY_INLINE I dot4(I acc, const uint8_t *k, const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, 4);
    const __m512i s = _mm512_xor_si512(_mm512_loadu_si512(k), _mm512_set1_epi8(-128)), b = _mm512_set1_epi32(four);
    const __m512i signed_q = _mm512_mask_sub_epi8(b, _mm512_movepi8_mask(s), _mm512_setzero_si512(), b);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(s), signed_q);  // 2 * 127 * 127 < 2^15
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#endif
INLAY_INLINE V load_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
}

}  // namespace
}  // namespace inlay::INLAY_TIER
