// SPDX-License-Identifier: Apache-2.0
// Activations to int8 per 32 on AVX2; wider registers gain nothing on a block of 32.
#include <immintrin.h>
#include <string.h>

#include "kernels/signatures.h"

namespace inlay::avx2 {

namespace {

using kernels::ActRows;
using kernels::kBlock;

constexpr uint32_t kTiny = 0x0d800000, kInf = 0x7f800000;  // as in ref/quantize.cpp

INLAY_INLINE float from_bits(uint32_t v) {
    float f;
    memcpy(&f, &v, 4);
    return f;
}

INLAY_INLINE __m256i magnitude(__m256 v) { return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff)); }
INLAY_INLINE uint32_t largest(__m256i v) {
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}

// at = index of the block in the arrays of scales.
INLAY_INLINE void quantize_block(const float *x, int8_t *q, const ActRows *out, int64_t at) {
    __m256 v[4];
    for (int i = 0; i < 4; ++i) v[i] = _mm256_loadu_ps(x + 8 * i);
    const uint32_t top =
        largest(_mm256_max_epu32(_mm256_max_epu32(magnitude(v[0]), magnitude(v[1])), _mm256_max_epu32(magnitude(v[2]), magnitude(v[3]))));
    __m256i bytes = _mm256_setzero_si256();
    float d = 0;
    if (top >= kInf) {
        d = from_bits(0x7fc00000u);
    } else if (top >= kTiny) {
        const float amax = from_bits(top);
        d = amax / 127.0f;
        const __m256 inverse = _mm256_set1_ps(127.0f / amax);
        __m256i w[4];
        for (int i = 0; i < 4; ++i) w[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
        // The packs work in 128-bit parts: put the 32-bit groups back in order.
        bytes = _mm256_packs_epi16(_mm256_packs_epi32(w[0], w[1]), _mm256_packs_epi32(w[2], w[3]));
        bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(q), bytes);
    // Sums of neighbours, then of the four 32-bit lanes of each half: [k % 4 = 0 1, k % 4 = 2 3] twice.
    __m256i s = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    s = _mm256_add_epi16(s, _mm256_srli_si256(s, 8));
    s = _mm256_add_epi16(s, _mm256_srli_si256(s, 4));
    const __m256i n = _mm256_sub_epi16(_mm256_setzero_si256(), s), whole = _mm256_madd_epi16(s, _mm256_set1_epi16(1));
    const int32_t pair[2] = {_mm256_cvtsi256_si32(n), _mm256_extract_epi32(n, 4)};
    const int32_t s0 = _mm256_cvtsi256_si32(whole), s1 = _mm256_extract_epi32(whole, 4), sum = s0 + s1;
    memcpy(out->n16 + 4 * at, pair, 8);
    out->s16[2 * at] = static_cast<int16_t>(s0);
    out->s16[2 * at + 1] = static_cast<int16_t>(s1);
    out->h128[2 * at] = -128 * s0;
    out->h128[2 * at + 1] = -128 * s1;
    out->n128[at] = -128 * sum;
    out->d[at] = d;
    out->sd[at] = static_cast<float>(sum) * d;
}

void quantize_q8(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept {
    for (int64_t t = 0; t < n; ++t, x += ldx)
        for (int64_t b = 0; b < out->ldb; ++b) {
            int8_t *q = out->q + t * out->ldq + b * kBlock;
            const int64_t left = cols - b * kBlock;
            if (left >= kBlock) {
                quantize_block(x + b * kBlock, q, out, t * out->ldb + b);
            } else {
                float tail[kBlock] = {};
                for (int64_t i = 0; i < left; ++i) tail[i] = x[b * kBlock + i];
                quantize_block(tail, q, out, t * out->ldb + b);
            }
        }
}

}  // namespace

void init_quantize(kernels::KernelTable &t) noexcept;
void init_quantize(kernels::KernelTable &t) noexcept { t.quantize_q8 = quantize_q8; }

}  // namespace inlay::avx2
