// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes as two ymm registers (AVX2, FMA, F16C).
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

struct V {
    __m256 l, h;
};
using M = V;  // all bits of a lane set or clear

INLAY_INLINE V set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLAY_INLINE V load(const float *p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLAY_INLINE __m256i first_lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLAY_INLINE V load_part(const float *p, int n) {
    return {_mm256_maskload_ps(p, first_lanes(n)), _mm256_maskload_ps(p + 8, first_lanes(n - 8))};
}
INLAY_INLINE void store(float *p, V v) {
    _mm256_storeu_ps(p, v.l);
    _mm256_storeu_ps(p + 8, v.h);
}
INLAY_INLINE void store_part(float *p, V v, int n) {
    _mm256_maskstore_ps(p, first_lanes(n), v.l);
    _mm256_maskstore_ps(p + 8, first_lanes(n - 8), v.h);
}
INLAY_INLINE V add(V a, V b) { return {_mm256_add_ps(a.l, b.l), _mm256_add_ps(a.h, b.h)}; }
INLAY_INLINE V sub(V a, V b) { return {_mm256_sub_ps(a.l, b.l), _mm256_sub_ps(a.h, b.h)}; }
INLAY_INLINE V mul(V a, V b) { return {_mm256_mul_ps(a.l, b.l), _mm256_mul_ps(a.h, b.h)}; }
INLAY_INLINE V div(V a, V b) { return {_mm256_div_ps(a.l, b.l), _mm256_div_ps(a.h, b.h)}; }
INLAY_INLINE V fma(V a, V b, V c) { return {_mm256_fmadd_ps(a.l, b.l, c.l), _mm256_fmadd_ps(a.h, b.h, c.h)}; }
INLAY_INLINE V neg(V a) {
    const __m256 s = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(a.l, s), _mm256_xor_ps(a.h, s)};
}
INLAY_INLINE V abs(V a) {
    const __m256 s = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(s, a.l), _mm256_andnot_ps(s, a.h)};
}
INLAY_INLINE V copy_sign(V a, V sign) {
    const __m256 s = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(s, a.l), _mm256_and_ps(s, sign.l)),
            _mm256_or_ps(_mm256_andnot_ps(s, a.h), _mm256_and_ps(s, sign.h))};
}
INLAY_INLINE V max(V a, V b) { return {_mm256_max_ps(a.l, b.l), _mm256_max_ps(a.h, b.h)}; }
INLAY_INLINE V min(V a, V b) { return {_mm256_min_ps(a.l, b.l), _mm256_min_ps(a.h, b.h)}; }
INLAY_INLINE M lt(V a, V b) { return {_mm256_cmp_ps(a.l, b.l, _CMP_LT_OQ), _mm256_cmp_ps(a.h, b.h, _CMP_LT_OQ)}; }
INLAY_INLINE M eq(V a, V b) { return {_mm256_cmp_ps(a.l, b.l, _CMP_EQ_OQ), _mm256_cmp_ps(a.h, b.h, _CMP_EQ_OQ)}; }
INLAY_INLINE uint32_t bits(M m) {
    return static_cast<uint32_t>(_mm256_movemask_ps(m.l)) | static_cast<uint32_t>(_mm256_movemask_ps(m.h)) << 8;
}
INLAY_INLINE bool any(M m) { return _mm256_movemask_ps(_mm256_or_ps(m.l, m.h)) != 0; }
INLAY_INLINE M lanes_in(int first, int last) {
    return {_mm256_castsi256_ps(_mm256_andnot_si256(first_lanes(first), first_lanes(last))),
            _mm256_castsi256_ps(_mm256_andnot_si256(first_lanes(first - 8), first_lanes(last - 8)))};
}
INLAY_INLINE V select(M m, V a, V b) { return {_mm256_blendv_ps(b.l, a.l, m.l), _mm256_blendv_ps(b.h, a.h, m.h)}; }
// Lanes (0, 0, 2, 2, ..) and (1, 1, 3, 3, ..).
INLAY_INLINE V dup_even(V a) { return {_mm256_moveldup_ps(a.l), _mm256_moveldup_ps(a.h)}; }
INLAY_INLINE V dup_odd(V a) { return {_mm256_movehdup_ps(a.l), _mm256_movehdup_ps(a.h)}; }
// The low bits of a float's pattern moved to where its exponent is.
INLAY_INLINE V low_bits_to_exponent(V a) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.l), 23)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.h), 23))};
}
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
INLAY_INLINE float tree_sum(V v) { return tree_sum_8(_mm256_add_ps(v.l, v.h)); }
INLAY_INLINE float tree_max(V v) { return tree_max_8(_mm256_max_ps(v.l, v.h)); }

INLAY_INLINE float half_value(uint16_t h) { return _cvtsh_ss(h); }
INLAY_INLINE V load_f16(const uint16_t *p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p + 8)))};
}
INLAY_INLINE void store_f16(uint16_t *p, V v) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm256_cvtps_ph(v.l, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p + 8), _mm256_cvtps_ph(v.h, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLAY_INLINE __m256 bf16_half(const uint16_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))), 16));
}
INLAY_INLINE V load_bf16(const uint16_t *p) { return {bf16_half(p), bf16_half(p + 8)}; }
// Eight doubles.
struct D {
    __m256d l, h;
};
INLAY_INLINE D zero_d() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
INLAY_INLINE D add(D a, D b) { return {_mm256_add_pd(a.l, b.l), _mm256_add_pd(a.h, b.h)}; }
INLAY_INLINE D widen_half(__m256 a) { return {_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1))}; }
INLAY_INLINE D widen_low(V a) { return widen_half(a.l); }
INLAY_INLINE D widen_high(V a) { return widen_half(a.h); }
INLAY_INLINE void store(double *p, D a) {
    _mm256_storeu_pd(p, a.l);
    _mm256_storeu_pd(p + 4, a.h);
}
// Sixteen int32.
struct I {
    __m256i l, h;
};
INLAY_INLINE I set1i(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
INLAY_INLINE V to_float(I a) { return {_mm256_cvtepi32_ps(a.l), _mm256_cvtepi32_ps(a.h)}; }
// acc + the dot of 4 bytes a lane: k holds value + 128, q is signed. With kOffsetDots acc starts from -128 * sum q;
// without, vpmaddubsw would saturate on such bytes, so they are made signed and their signs moved to q.
#if defined(__AVXVNNI__)
inline constexpr bool kOffsetDots = true;
INLAY_INLINE __m256i dot4_half(__m256i acc, const uint8_t *k, __m256i q) {
    return _mm256_dpbusd_avx_epi32(acc, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(k)), q);
}
#else
inline constexpr bool kOffsetDots = false;
INLAY_INLINE __m256i dot4_half(__m256i acc, const uint8_t *k, __m256i q) {
    const __m256i s = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(k)), _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(s), _mm256_sign_epi8(q, s));  // 2 * 127 * 127 < 2^15
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif
INLAY_INLINE I dot4(I acc, const uint8_t *k, const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, 4);
    const __m256i b = _mm256_set1_epi32(four);
    return {dot4_half(acc.l, k, b), dot4_half(acc.h, k + 32, b)};
}
INLAY_INLINE V load_i8(const int8_t *p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)))),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p + 8))))};
}

}  // namespace
}  // namespace inlay::INLAY_TIER
