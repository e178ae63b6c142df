// SPDX-License-Identifier: Apache-2.0
// Activations to int8 with a scale per 256 and a power of two per 32 on AVX2; wider registers gain nothing on blocks of 32.
#include <immintrin.h>
#include <string.h>

#include "kernels/signatures.h"

namespace inlay::avx2 {

namespace {

using kernels::ActRows;
using kernels::kBlock;
using kernels::kGroupBlocks;

constexpr uint32_t kTiny = 0x0d800000, kInf = 0x7f800000, kMostHalvings = 15;  // as in ref/quantize.cpp

INLAY_INLINE float from_bits(uint32_t v) {
    float f;
    memcpy(&f, &v, 4);
    return f;
}

INLAY_INLINE __m256i magnitude(const float *x) { return _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x)), _mm256_set1_epi32(0x7fffffff)); }
INLAY_INLINE uint32_t largest(const float *x) {
    const __m256i v = _mm256_max_epu32(_mm256_max_epu32(magnitude(x), magnitude(x + 8)), _mm256_max_epu32(magnitude(x + 16), magnitude(x + 24)));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}

INLAY_INLINE __m256i halvings(__m256i c, __m256i v) {
    return _mm256_min_epu32(_mm256_srli_epi32(_mm256_sub_epi32(c, v), 23), _mm256_set1_epi32(kMostHalvings));
}

// As in ref/quantize.cpp, a candidate a lane.
INLAY_INLINE uint32_t range_of(uint32_t top, const uint32_t *tops) {
    const __m256i fraction = _mm256_set1_epi32(0x007fffff), t = _mm256_set1_epi32(static_cast<int>(top));
    const __m256i own = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(tops)), fraction);
    __m256i c = _mm256_or_si256(own, _mm256_andnot_si256(fraction, t));
    const __m256i up = _mm256_and_si256(_mm256_cmpgt_epi32(t, c), _mm256_set1_epi32(1 << 23));
    c = _mm256_add_epi32(c, up);
    const __m256i one = _mm256_add_epi32(_mm256_add_epi32(own, _mm256_set1_epi32(0x3f800000)), up);
    __m256 sum = _mm256_setzero_ps();
    for (int b = 0; b < kGroupBlocks; ++b) {
        const __m256i e = halvings(c, _mm256_set1_epi32(static_cast<int>(tops[b])));
        const __m256 s = _mm256_castsi256_ps(_mm256_sub_epi32(one, _mm256_slli_epi32(e, 23)));
        sum = _mm256_add_ps(sum, _mm256_mul_ps(s, s));
    }
    // Sums are above 0, so their bits are in their order; a candidate that is no number loses against all.
    __m256i bits = _mm256_or_si256(_mm256_castps_si256(sum), _mm256_cmpgt_epi32(c, _mm256_set1_epi32(kInf - 1)));
    __m256i least = _mm256_min_epu32(bits, _mm256_permute2x128_si256(bits, bits, 1));
    least = _mm256_min_epu32(least, _mm256_shuffle_epi32(least, 0x4e));
    least = _mm256_min_epu32(least, _mm256_shuffle_epi32(least, 0xb1));
    const int first = __builtin_ctz(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(bits, least)))));
    uint32_t all[kGroupBlocks];
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(all), c);
    return all[first];
}

// at = index of the block in the arrays of scales.
INLAY_INLINE void quantize_block(const float *x, float inverse, uint32_t e, int8_t *q, const ActRows *out, int64_t at) {
    const float p = from_bits((127 - e) << 23);
    __m256i bytes = _mm256_setzero_si256();
    if (inverse != 0) {
        const __m256 scale = _mm256_set1_ps(inverse * from_bits((127 + e) << 23));
        __m256i w[4];
        for (int i = 0; i < 4; ++i) w[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), scale));
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
    const int32_t magic = kernels::kMagic - static_cast<int32_t>(e << 23);
    memcpy(out->n16 + 4 * at, pair, 8);
    out->p[at] = p;
    out->sp[at] = static_cast<float>(sum) * p;
    out->n128[at] = -128 * sum;
    out->h128[2 * at] = -128 * s0;
    out->h128[2 * at + 1] = -128 * s1;
    out->magic[at] = magic;
    out->m128[at] = magic - 128 * sum;
    out->mh128[2 * at] = magic - 128 * s0;
    out->mh128[2 * at + 1] = magic - 128 * s1;
    const int32_t r0 = ((s0 << 4 >> e) + 1) >> 1, r1 = ((s1 << 4 >> e) + 1) >> 1;
    out->s16[2 * at] = static_cast<int16_t>(r0);
    out->s16[2 * at + 1] = static_cast<int16_t>(r1);
    out->b16[at] = static_cast<int16_t>(r0 + r1);
}

// Blocks [b0, b1) of one group; at b0 * 32, x has that many values.
INLAY_INLINE void quantize_group(const float *x, int64_t b0, int64_t b1, int64_t t, int64_t g, const ActRows *out) {
    uint32_t tops[kGroupBlocks] = {}, top = 0, range = 0;
    for (int64_t b = b0; b < b1; ++b) {
        const uint32_t v = tops[b - b0] = largest(x + (b - b0) * kBlock);
        top = v > top ? v : top;
    }
    float d = 0, inverse = 0;
    if (top >= kInf) {
        d = from_bits(0x7fc00000u);
    } else if (top >= kTiny) {
        range = range_of(top, tops);
        d = from_bits(range) / 127.0f;
        inverse = 127.0f / from_bits(range);
    }
    out->d[t * out->ldg + g] = d;
    for (int64_t b = b0; b < b1; ++b) {
        uint32_t e = inverse != 0 ? (range - tops[b - b0]) >> 23 : 0;
        e = e < kMostHalvings ? e : kMostHalvings;
        quantize_block(x + (b - b0) * kBlock, inverse, e, out->q + t * out->ldq + b * kBlock, out, t * out->ldb + b);
    }
}

void quantize_q8(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept {
    for (int64_t t = 0; t < n; ++t, x += ldx)
        for (int64_t g = 0; g < out->ldg; ++g) {
            const int64_t b0 = g * kGroupBlocks, b1 = b0 + kGroupBlocks < out->ldb ? b0 + kGroupBlocks : out->ldb;
            if (b1 * kBlock <= cols) {
                quantize_group(x + b0 * kBlock, b0, b1, t, g, out);
            } else {
                float tail[kGroupBlocks * kBlock] = {};
                for (int64_t i = b0 * kBlock; i < cols; ++i) tail[i - b0 * kBlock] = x[i];
                quantize_group(tail, b0, b1, t, g, out);
            }
        }
}

}  // namespace

void init_quantize(kernels::KernelTable &t) noexcept;
void init_quantize(kernels::KernelTable &t) noexcept { t.quantize_q8 = quantize_q8; }

}  // namespace inlay::avx2
