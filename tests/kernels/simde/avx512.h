// SPDX-License-Identifier: Apache-2.0
// AVX-512 on CPUs that lack it: put before every file of lib/kernels/x86/avx512 (-include), it turns the intrinsics into SIMDe's,
// which run on AVX2 and FMA (its types are the compiler's own vectors). What Debian 12's SIMDe lacks is written here, on its 256-bit halves.
#pragma once

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#if !defined(SIMDE_X86_AVX2_NATIVE) || !defined(SIMDE_X86_FMA_NATIVE) || defined(SIMDE_X86_AVX512F_NATIVE)
#error "for -mavx2 -mfma -mf16c without AVX-512: SIMDe's fmadd is two roundings without FMA"
#endif

#define INLAY_SIMDE 1  // kernels leave out what binds values to registers
#define __AVX512F__ 1  // lanes.h: these registers

namespace inlay_simde {

#define INLAY_HERE static inline __attribute__((always_inline))

INLAY_HERE simde__m512 join(__m256 lo, __m256 hi) {
    simde__m512_private r;
    r.m256[0] = lo, r.m256[1] = hi;
    return simde__m512_from_private(r);
}
INLAY_HERE simde__m512i join(__m256i lo, __m256i hi) {
    simde__m512i_private r;
    r.m256i[0] = lo, r.m256i[1] = hi;
    return simde__m512i_from_private(r);
}
template <int i>
INLAY_HERE __m256 half(simde__m512 v) { return simde__m512_to_private(v).m256[i]; }
template <int i>
INLAY_HERE __m256i half(simde__m512i v) { return simde__m512i_to_private(v).m256i[i]; }
INLAY_HERE __m128i upper8(__m128i v) { return _mm_srli_si128(v, 8); }
// Lanes 8 i .. 8 i + 7 of a mask as a 256-bit one.
template <int i>
INLAY_HERE __m256i lanes(unsigned k) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(k >> (8 * i))), bit), bit);
}

INLAY_HERE simde__m512 cvtepi32_ps(simde__m512i v) { return join(_mm256_cvtepi32_ps(half<0>(v)), _mm256_cvtepi32_ps(half<1>(v))); }
INLAY_HERE simde__m512d cvtps_pd(__m256 v) {
    simde__m512d_private r;
    r.m256d[0] = _mm256_cvtps_pd(_mm256_castps256_ps128(v)), r.m256d[1] = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
    return simde__m512d_from_private(r);
}
INLAY_HERE simde__m512i cvtps_epi32(simde__m512 v) { return join(_mm256_cvtps_epi32(half<0>(v)), _mm256_cvtps_epi32(half<1>(v))); }
INLAY_HERE simde__m512i cvtepi8_epi32(__m128i v) { return join(_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(upper8(v))); }
INLAY_HERE simde__m512i cvtepu8_epi32(__m128i v) { return join(_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(upper8(v))); }
INLAY_HERE simde__m512i cvtepu16_epi32(__m256i v) {
    return join(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)), _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1)));
}
INLAY_HERE simde__m512 cvtph_ps(__m256i v) {
    return join(_mm256_cvtph_ps(_mm256_castsi256_si128(v)), _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1)));
}
template <int rounding>
INLAY_HERE __m256i cvtps_ph(simde__m512 v) {
    return _mm256_set_m128i(_mm256_cvtps_ph(half<1>(v), rounding & 7), _mm256_cvtps_ph(half<0>(v), rounding & 7));
}
INLAY_HERE simde__m512 moveldup_ps(simde__m512 v) { return join(_mm256_moveldup_ps(half<0>(v)), _mm256_moveldup_ps(half<1>(v))); }
INLAY_HERE simde__m512 movehdup_ps(simde__m512 v) { return join(_mm256_movehdup_ps(half<0>(v)), _mm256_movehdup_ps(half<1>(v))); }
INLAY_HERE simde__m512i srai_epi32(simde__m512i v, int n) { return join(_mm256_srai_epi32(half<0>(v), n), _mm256_srai_epi32(half<1>(v), n)); }
INLAY_HERE simde__m512 maskz_loadu_ps(unsigned k, const void *p) {
    const auto *f = static_cast<const float *>(p);
    return join(_mm256_maskload_ps(f, lanes<0>(k)), _mm256_maskload_ps(f + 8, lanes<1>(k)));
}
INLAY_HERE void mask_storeu_ps(void *p, unsigned k, simde__m512 v) {
    auto *f = static_cast<float *>(p);
    _mm256_maskstore_ps(f, lanes<0>(k), half<0>(v));
    _mm256_maskstore_ps(f + 8, lanes<1>(k), half<1>(v));
}

#undef INLAY_HERE

}  // namespace inlay_simde

#undef _mm512_madd_epi16  // SIMDe 0.7.4 gives the name to its masked form
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)
#define _mm512_cvtepi32_ps(v) inlay_simde::cvtepi32_ps(v)
#define _mm512_cvtps_pd(v) inlay_simde::cvtps_pd(v)
#define _mm512_cvtps_epi32(v) inlay_simde::cvtps_epi32(v)
#define _mm512_cvtepi8_epi32(v) inlay_simde::cvtepi8_epi32(v)
#define _mm512_cvtepu8_epi32(v) inlay_simde::cvtepu8_epi32(v)
#define _mm512_cvtepu16_epi32(v) inlay_simde::cvtepu16_epi32(v)
#define _mm512_cvtph_ps(v) inlay_simde::cvtph_ps(v)
#define _mm512_cvtps_ph(v, rounding) inlay_simde::cvtps_ph<(rounding)>(v)
#define _mm512_moveldup_ps(v) inlay_simde::moveldup_ps(v)
#define _mm512_movehdup_ps(v) inlay_simde::movehdup_ps(v)
#define _mm512_srai_epi32(v, n) inlay_simde::srai_epi32(v, n)
#define _mm512_maskz_loadu_ps(k, p) inlay_simde::maskz_loadu_ps(k, p)
#define _mm512_mask_storeu_ps(p, k, v) inlay_simde::mask_storeu_ps(p, k, v)
#define _mm512_extractf32x8_ps(v, i) inlay_simde::half<(i)>(v)
