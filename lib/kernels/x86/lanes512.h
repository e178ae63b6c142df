// SPDX-License-Identifier: Apache-2.0
// Sixteen rows in one 512-bit register: the words that the matmul families are written in. I = 16 x int32 or 64 bytes,
// F = 16 x f32. lanes256.h says the same with two registers.
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace inlay::INLAY_TIER {
namespace {

using I = __m512i;
using F = __m512;
constexpr bool kSignedDot = false;  // dot() takes unsigned codes

INLAY_INLINE I load(const void *p) { return _mm512_loadu_si512(p); }
INLAY_INLINE void store(void *p, I v) { _mm512_storeu_si512(p, v); }
INLAY_INLINE F loadf(const float *p) { return _mm512_loadu_ps(p); }
INLAY_INLINE void storef(float *p, F v) { _mm512_storeu_ps(p, v); }
INLAY_INLINE I zero() { return _mm512_setzero_si512(); }
INLAY_INLINE F zerof() { return _mm512_setzero_ps(); }
INLAY_INLINE I set32(int32_t v) { return _mm512_set1_epi32(v); }
INLAY_INLINE F setf(float v) { return _mm512_set1_ps(v); }
INLAY_INLINE I set8(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
INLAY_INLINE I set16(int v) { return _mm512_set1_epi16(static_cast<short>(v)); }
// Four activations to all rows.
INLAY_INLINE I bcast(const void *p) { return _mm512_set1_epi32(*static_cast<const int32_t *>(p)); }

INLAY_INLINE I and_(I a, I b) { return _mm512_and_si512(a, b); }
INLAY_INLINE I xor_(I a, I b) { return _mm512_xor_si512(a, b); }
// a | (b & c)
INLAY_INLINE I or_and(I a, I b, I c) { return _mm512_ternarylogic_epi32(a, b, c, 0xf8); }
// Bits of a where mask has them, else of b.
INLAY_INLINE I select8(I mask, I a, I b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xca); }
template <int n>  // bits up (n > 0) or down (n < 0) in 16-bit lanes; the caller masks what crosses bytes
INLAY_INLINE I shift16(I v) {
    if constexpr (n > 0) return _mm512_slli_epi16(v, n);
    else if constexpr (n < 0) return _mm512_srli_epi16(v, -n);
    else return v;
}
template <int n>
INLAY_INLINE I sra16(I v) { return _mm512_srai_epi16(v, n); }
template <int n>
INLAY_INLINE I srl32(I v) { return _mm512_srli_epi32(v, n); }
template <int n>
INLAY_INLINE I sra32(I v) { return _mm512_srai_epi32(v, n); }
template <int n>
INLAY_INLINE I sll32(I v) { return _mm512_slli_epi32(v, n); }
INLAY_INLINE I srlv32(I v, I n) { return _mm512_srlv_epi32(v, n); }
INLAY_INLINE I or_(I a, I b) { return _mm512_or_si512(a, b); }
INLAY_INLINE I add8(I a, I b) { return _mm512_add_epi8(a, b); }
INLAY_INLINE I add16(I a, I b) { return _mm512_add_epi16(a, b); }
INLAY_INLINE I add32(I a, I b) { return _mm512_add_epi32(a, b); }
INLAY_INLINE I max32(I a, I b) { return _mm512_max_epi32(a, b); }
INLAY_INLINE I equal32(I a, I b) { return _mm512_movm_epi32(_mm512_cmpeq_epi32_mask(a, b)); }
INLAY_INLINE I sub32(I a, I b) { return _mm512_sub_epi32(a, b); }
INLAY_INLINE I mul16(I a, I b) { return _mm512_mullo_epi16(a, b); }
INLAY_INLINE I mul32(I a, I b) { return _mm512_mullo_epi32(a, b); }
INLAY_INLINE I madd16(I a, I b) { return _mm512_madd_epi16(a, b); }
INLAY_INLINE I maddubs(I u, I s) { return _mm512_maddubs_epi16(u, s); }
INLAY_INLINE I abs8(I v) { return _mm512_abs_epi8(v); }
// x with the sign of y; anything where y is 0.
INLAY_INLINE I sign8(I x, I y) { return _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(y), _mm512_setzero_si512(), x); }
// A 16-entry table in every 128-bit part, looked up by nibbles.
INLAY_INLINE I table16(const void *p) { return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i *>(p))); }
INLAY_INLINE I lookup(I table, I index) { return _mm512_shuffle_epi8(table, index); }

INLAY_INLINE F cvt(I v) { return _mm512_cvtepi32_ps(v); }
INLAY_INLINE F mulf(F a, F b) { return _mm512_mul_ps(a, b); }
INLAY_INLINE F addf(F a, F b) { return _mm512_add_ps(a, b); }
INLAY_INLINE F subf(F a, F b) { return _mm512_sub_ps(a, b); }
INLAY_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
INLAY_INLINE F halves(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i *>(p))); }
INLAY_INLINE I bytes_u(const void *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i *>(p))); }
INLAY_INLINE I bytes_s(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i *>(p))); }
INLAY_INLINE I words_u(const void *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i *>(p))); }
INLAY_INLINE F as_f(I v) { return _mm512_castsi512_ps(v); }
INLAY_INLINE F negf(F v) { return as_f(_mm512_xor_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MIN))); }

INLAY_INLINE F loadf_n(const float *p, int n) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p); }
INLAY_INLINE void storef_n(float *p, F v, int n) { _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), v); }
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

// Keeps a sum where it is: gcc re-associates and spills long chains otherwise (measure/avx2c.cpp: 100 against 220 GOP/s).
#if defined(INLAY_SIMDE)  // emulated (tests/kernels/simde): there is no such register
INLAY_INLINE void pin(I &) {}
#else
INLAY_INLINE void pin(I &v) { asm("" : "+v"(v)); }
#endif

#if defined(__AVX512VNNI__)
INLAY_INLINE I dot(I acc, I u, I s) { return _mm512_dpbusd_epi32(acc, u, s); }
INLAY_INLINE I madd_add(I acc, I a, I b) { return _mm512_dpwssd_epi32(acc, a, b); }
#else
INLAY_INLINE I madd_add(I acc, I a, I b) { return add32(acc, madd16(a, b)); }
#endif

// Four bytes for all rows from p + times * step + disp, times = 0, 1, 2, 4, 8: in an address of its own for each row of activations the
// compiler would keep more registers than there are, and move some of them to and from vectors for each use (q6_k, 8 tokens: 282 against 305
// GOP/s). What is read does not change while a kernel runs, so it is no operand.
#if defined(INLAY_SIMDE)
template <int times, int disp>
INLAY_INLINE I bcast_at(const void *p, int64_t step) { return bcast(static_cast<const char *>(p) + times * step + disp); }
template <int times, int disp>
INLAY_INLINE F sub_at(F v, const void *p, int64_t step) { return subf(v, as_f(bcast_at<times, disp>(p, step))); }
#if defined(__AVX512VNNI__)
template <int times, int disp>
INLAY_INLINE I dot_at(I acc, I u, const void *p, int64_t step) { return dot(acc, u, bcast_at<times, disp>(p, step)); }
#endif
#else
template <int times, int disp>
INLAY_INLINE I bcast_at(const void *p, int64_t step) {
    I v;
    if constexpr (times == 0) asm("vpbroadcastd %c2(%1), %0" : "=v"(v) : "r"(p), "i"(disp));
    else asm("vpbroadcastd %c3(%1,%2,%c4), %0" : "=v"(v) : "r"(p), "r"(step), "i"(disp), "i"(times));
    return v;
}
template <int times, int disp>
INLAY_INLINE F sub_at(F v, const void *p, int64_t step) {
    if constexpr (times == 0) asm("vsubps %c2(%1)%{1to16%}, %0, %0" : "+v"(v) : "r"(p), "i"(disp));
    else asm("vsubps %c3(%1,%2,%c4)%{1to16%}, %0, %0" : "+v"(v) : "r"(p), "r"(step), "i"(disp), "i"(times));
    return v;
}
#if defined(__AVX512VNNI__)
template <int times, int disp>
INLAY_INLINE I dot_at(I acc, I u, const void *p, int64_t step) {
    if constexpr (times == 0) asm("vpdpbusd %c3(%2)%{1to16%}, %1, %0" : "+v"(acc) : "v"(u), "r"(p), "i"(disp));
    else asm("vpdpbusd %c4(%2,%3,%c5)%{1to16%}, %1, %0" : "+v"(acc) : "v"(u), "r"(p), "r"(step), "i"(disp), "i"(times));
    return acc;
}
#endif
#endif

}  // namespace
}  // namespace inlay::INLAY_TIER
