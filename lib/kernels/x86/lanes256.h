// SPDX-License-Identifier: Apache-2.0
// Sixteen rows in two 256-bit registers: lanes512.h's words for AVX2 and AVX-VNNI. The first register holds rows 0..7.
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

struct I {
    __m256i a, b;
};
struct F {
    __m256 a, b;
};
constexpr bool kSignedDot = false;  // dot() takes unsigned codes

INLAY_INLINE __m256i half_load(const void *p) { return _mm256_loadu_si256(static_cast<const __m256i *>(p)); }
INLAY_INLINE I load(const void *p) { return {half_load(p), half_load(static_cast<const uint8_t *>(p) + 32)}; }
INLAY_INLINE void store(void *p, I v) {
    _mm256_storeu_si256(static_cast<__m256i *>(p), v.a);
    _mm256_storeu_si256(static_cast<__m256i *>(p) + 1, v.b);
}
INLAY_INLINE F loadf(const float *p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLAY_INLINE void storef(float *p, F v) { _mm256_storeu_ps(p, v.a), _mm256_storeu_ps(p + 8, v.b); }
INLAY_INLINE I zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
INLAY_INLINE F zerof() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLAY_INLINE I both(__m256i v) { return {v, v}; }
INLAY_INLINE I set32(int32_t v) { return both(_mm256_set1_epi32(v)); }
INLAY_INLINE F setf(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
INLAY_INLINE I set8(int v) { return both(_mm256_set1_epi8(static_cast<char>(v))); }
INLAY_INLINE I set16(int v) { return both(_mm256_set1_epi16(static_cast<short>(v))); }
INLAY_INLINE I bcast(const void *p) { return both(_mm256_set1_epi32(*static_cast<const int32_t *>(p))); }

INLAY_INLINE I and_(I x, I y) { return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)}; }
INLAY_INLINE I or_(I x, I y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
INLAY_INLINE I xor_(I x, I y) { return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)}; }
INLAY_INLINE I or_and(I x, I y, I z) { return or_(x, and_(y, z)); }
template <int n>
INLAY_INLINE I shift16(I v) {
    if constexpr (n > 0) return {_mm256_slli_epi16(v.a, n), _mm256_slli_epi16(v.b, n)};
    else if constexpr (n < 0) return {_mm256_srli_epi16(v.a, -n), _mm256_srli_epi16(v.b, -n)};
    else return v;
}
template <int n>
INLAY_INLINE I sra16(I v) { return {_mm256_srai_epi16(v.a, n), _mm256_srai_epi16(v.b, n)}; }
template <int n>
INLAY_INLINE I srl32(I v) { return {_mm256_srli_epi32(v.a, n), _mm256_srli_epi32(v.b, n)}; }
template <int n>
INLAY_INLINE I sra32(I v) { return {_mm256_srai_epi32(v.a, n), _mm256_srai_epi32(v.b, n)}; }
template <int n>
INLAY_INLINE I sll32(I v) { return {_mm256_slli_epi32(v.a, n), _mm256_slli_epi32(v.b, n)}; }
INLAY_INLINE I add8(I x, I y) { return {_mm256_add_epi8(x.a, y.a), _mm256_add_epi8(x.b, y.b)}; }
INLAY_INLINE I add16(I x, I y) { return {_mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b)}; }
INLAY_INLINE I add32(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
INLAY_INLINE I max32(I x, I y) { return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)}; }
INLAY_INLINE I equal32(I x, I y) { return {_mm256_cmpeq_epi32(x.a, y.a), _mm256_cmpeq_epi32(x.b, y.b)}; }
INLAY_INLINE I sub32(I x, I y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
INLAY_INLINE I mul16(I x, I y) { return {_mm256_mullo_epi16(x.a, y.a), _mm256_mullo_epi16(x.b, y.b)}; }
INLAY_INLINE I mul32(I x, I y) { return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)}; }
INLAY_INLINE I madd16(I x, I y) { return {_mm256_madd_epi16(x.a, y.a), _mm256_madd_epi16(x.b, y.b)}; }
INLAY_INLINE I maddubs(I u, I s) { return {_mm256_maddubs_epi16(u.a, s.a), _mm256_maddubs_epi16(u.b, s.b)}; }
INLAY_INLINE I abs8(I v) { return {_mm256_abs_epi8(v.a), _mm256_abs_epi8(v.b)}; }
// x with the sign of y; anything where y is 0.
INLAY_INLINE I sign8(I x, I y) { return {_mm256_sign_epi8(x.a, y.a), _mm256_sign_epi8(x.b, y.b)}; }
INLAY_INLINE I madd_add(I acc, I a, I b) { return add32(acc, madd16(a, b)); }
INLAY_INLINE I table16(const void *p) { return both(_mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i *>(p)))); }
INLAY_INLINE I lookup(I table, I index) { return {_mm256_shuffle_epi8(table.a, index.a), _mm256_shuffle_epi8(table.b, index.b)}; }

INLAY_INLINE F cvt(I v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }
INLAY_INLINE F mulf(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
INLAY_INLINE F addf(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
INLAY_INLINE F subf(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
INLAY_INLINE F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
INLAY_INLINE __m128i quarter(const void *p, int i) { return _mm_loadu_si128(static_cast<const __m128i *>(p) + i); }
INLAY_INLINE F halves(const void *p) { return {_mm256_cvtph_ps(quarter(p, 0)), _mm256_cvtph_ps(quarter(p, 1))}; }
INLAY_INLINE I bytes_u(const void *p) {
    const __m128i v = quarter(p, 0);
    return {_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8))};
}
INLAY_INLINE I bytes_s(const void *p) {
    const __m128i v = quarter(p, 0);
    return {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))};
}
INLAY_INLINE I words_u(const void *p) { return {_mm256_cvtepu16_epi32(quarter(p, 0)), _mm256_cvtepu16_epi32(quarter(p, 1))}; }
INLAY_INLINE F as_f(I v) { return {_mm256_castsi256_ps(v.a), _mm256_castsi256_ps(v.b)}; }
INLAY_INLINE F negf(F v) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(v.a, sign), _mm256_xor_ps(v.b, sign)};
}

// The first n lanes, 0 < n <= 16; others read as 0 and are not touched.
INLAY_INLINE I first(int n) {
    const __m256i i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(n), i), _mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8), i)};
}
INLAY_INLINE F loadf_n(const float *p, int n) {
    if (n == 16) return loadf(p);
    const I m = first(n);
    return {_mm256_maskload_ps(p, m.a), _mm256_maskload_ps(p + 8, m.b)};
}
INLAY_INLINE void storef_n(float *p, F v, int n) {
    if (n == 16) return storef(p, v);
    const I m = first(n);
    _mm256_maskstore_ps(p, m.a, v.a);
    _mm256_maskstore_ps(p + 8, m.b, v.b);
}
INLAY_INLINE void prefetch_store(const void *p) { __builtin_prefetch(p, 1); }
INLAY_INLINE void prefetch(const void *p) { _mm_prefetch(static_cast<const char *>(p), _MM_HINT_T0); }
INLAY_INLINE void prefetch_l2(const void *p) { _mm_prefetch(static_cast<const char *>(p), _MM_HINT_T1); }

// 16 bytes to 16 words, in the order 0 2 1 3 of each four.
INLAY_INLINE void widen16(const int8_t *q, int16_t *out) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i *>(q));
    const __m128i even = _mm_srai_epi16(_mm_slli_epi16(v, 8), 8), odd = _mm_srai_epi16(v, 8);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm_unpacklo_epi32(even, odd));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out) + 1, _mm_unpackhi_epi32(even, odd));
}

// Keeps a sum where it is: gcc re-associates and spills long chains otherwise (measure/avx2c.cpp: 140 against 220 GOP/s).
INLAY_INLINE void pin(I &v) { asm("" : "+x"(v.a), "+x"(v.b)); }

#if defined(__AVXVNNI__)
INLAY_INLINE I dot(I acc, I u, I s) { return {_mm256_dpbusd_avx_epi32(acc.a, u.a, s.a), _mm256_dpbusd_avx_epi32(acc.b, u.b, s.b)}; }
#endif

}  // namespace
}  // namespace inlay::INLAY_TIER
