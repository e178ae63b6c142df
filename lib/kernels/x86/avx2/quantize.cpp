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
INLAY_INLINE __m256i largest(const float *x) {
    return _mm256_max_epu32(_mm256_max_epu32(magnitude(x), magnitude(x + 8)), _mm256_max_epu32(magnitude(x + 16), magnitude(x + 24)));
}

// Eight blocks' vectors to one lane a block, by the operation: 128-bit parts of four blocks at a time ...
template <class Op>
INLAY_INLINE __m256i fold4(const __m256i v[4], Op op) {
    const __m256i ab = op(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
    const __m256i cd = op(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
    return op(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}
// ... then the two parts of each.
template <class Op>
INLAY_INLINE __m256i fold_halves(__m256i abcd, __m256i efgh, Op op) {
    return op(_mm256_permute2x128_si256(abcd, efgh, 0x20), _mm256_permute2x128_si256(abcd, efgh, 0x31));
}
INLAY_INLINE __m256i max_u32(__m256i a, __m256i b) { return _mm256_max_epu32(a, b); }
INLAY_INLINE __m256i add_16(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
INLAY_INLINE __m256i add_32(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
INLAY_INLINE void put(void *p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i *>(p), v); }
INLAY_INLINE __m256i twice(__m256i v, int from) {  // lanes from .. from + 3, each two times
    return _mm256_permutevar8x32_epi32(v, _mm256_add_epi32(_mm256_set1_epi32(from), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)));
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

// What a group has beside its d, in the order of the arrays of ActRows.
struct Group {
    int8_t q[kGroupBlocks * kBlock];
    float p[kGroupBlocks], sp[kGroupBlocks];
    int32_t n128[kGroupBlocks], h128[2 * kGroupBlocks], magic[kGroupBlocks], m128[kGroupBlocks], mh128[2 * kGroupBlocks];
    int16_t n16[4 * kGroupBlocks], s16[2 * kGroupBlocks], b16[kGroupBlocks];
};
struct GroupAt {
    int8_t *q;
    float *p, *sp;
    int32_t *n128, *h128, *magic, *m128, *mh128;
    int16_t *n16, *s16, *b16;
};

// 32 values to bytes; the packs work in 128-bit parts, so the 32-bit groups are put back in order.
INLAY_INLINE __m256i round_block(const float *x, __m256 scale) {
    __m256i w[4];
    for (int i = 0; i < 4; ++i) w[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), scale));
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(w[0], w[1]), _mm256_packs_epi32(w[2], w[3]));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Eight blocks at x; their d. A block alone would spend most of its time on its dozen sums and scales, one by one.
INLAY_INLINE float quantize_group(const float *x, const GroupAt &out) {
    __m256i v[kGroupBlocks];
    for (int b = 0; b < kGroupBlocks; ++b) v[b] = largest(x + b * kBlock);
    const __m256i blocks = fold_halves(fold4(v, max_u32), fold4(v + 4, max_u32), max_u32);
    alignas(32) uint32_t tops[kGroupBlocks];
    put(tops, blocks);
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(blocks), _mm256_extracti128_si256(blocks, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    const auto top = static_cast<uint32_t>(_mm_cvtsi128_si32(m));

    float d = 0;
    __m256i e = _mm256_setzero_si256(), abcd = e, efgh = e;  // pairs of 16-bit sums [half][block] of four blocks each
    if (top >= kTiny && top < kInf) {
        const uint32_t range = range_of(top, tops);
        d = from_bits(range) / 127.0f;
        e = halvings(_mm256_set1_epi32(static_cast<int>(range)), blocks);
        alignas(32) float scale[kGroupBlocks];
        const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23);
        _mm256_store_ps(scale, _mm256_mul_ps(_mm256_set1_ps(127.0f / from_bits(range)), _mm256_castsi256_ps(power)));
        for (int b = 0; b < kGroupBlocks; ++b) {
            const __m256i bytes = round_block(x + b * kBlock, _mm256_broadcast_ss(scale + b));
            put(out.q + b * kBlock, bytes);
            v[b] = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
        }
        abcd = fold4(v, add_16);
        efgh = fold4(v + 4, add_16);
    } else {
        if (top >= kInf) d = from_bits(0x7fc00000u);
        for (int b = 0; b < kGroupBlocks; ++b) put(out.q + b * kBlock, e);
    }

    const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1), exponent = _mm256_slli_epi32(e, 23);
    const __m256i sum = fold_halves(_mm256_madd_epi16(abcd, ones), _mm256_madd_epi16(efgh, ones), add_32);
    const __m256i n128 = _mm256_slli_epi32(_mm256_sub_epi32(zero, sum), 7);
    const __m256i magic = _mm256_sub_epi32(_mm256_set1_epi32(kernels::kMagic), exponent);
    const __m256 p = _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(127 << 23), exponent));
    _mm256_storeu_ps(out.p, p);
    _mm256_storeu_ps(out.sp, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), p));
    put(out.n128, n128);
    put(out.magic, magic);
    put(out.m128, _mm256_add_epi32(magic, n128));
    __m256i r[2];
    for (int i = 0; i < 2; ++i) {  // four blocks' halves, side by side
        const __m256i pairs = _mm256_permutevar8x32_epi32(i ? efgh : abcd, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        const __m256i half = _mm256_madd_epi16(pairs, ones), h128 = _mm256_slli_epi32(_mm256_sub_epi32(zero, half), 7);
        put(out.n16 + 16 * i, _mm256_sub_epi16(zero, pairs));
        put(out.h128 + 8 * i, h128);
        put(out.mh128 + 8 * i, _mm256_add_epi32(twice(magic, 4 * i), h128));
        const __m256i eighths = _mm256_srav_epi32(_mm256_slli_epi32(half, 4), twice(e, 4 * i));
        r[i] = _mm256_srai_epi32(_mm256_add_epi32(eighths, _mm256_set1_epi32(1)), 1);
    }
    const __m256i s16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(r[0], r[1]), 0xd8), b32 = _mm256_madd_epi16(s16, ones);
    put(out.s16, s16);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out.b16), _mm_packs_epi32(_mm256_castsi256_si128(b32), _mm256_extracti128_si256(b32, 1)));
    return d;
}

// n blocks, less than a group: `n` of each row of `from`.
void copy_blocks(const Group &from, size_t n, const GroupAt &to) noexcept {
    memcpy(to.q, from.q, n * kBlock);
    memcpy(to.p, from.p, n * 4);
    memcpy(to.sp, from.sp, n * 4);
    memcpy(to.n128, from.n128, n * 4);
    memcpy(to.h128, from.h128, n * 8);
    memcpy(to.magic, from.magic, n * 4);
    memcpy(to.m128, from.m128, n * 4);
    memcpy(to.mh128, from.mh128, n * 8);
    memcpy(to.n16, from.n16, n * 8);
    memcpy(to.s16, from.s16, n * 4);
    memcpy(to.b16, from.b16, n * 2);
}

void quantize_q8(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept {
    for (int64_t t = 0; t < n; ++t, x += ldx)
        for (int64_t g = 0; g * kGroupBlocks < out->blocks; ++g) {
            const int64_t b = g * kGroupBlocks, at = t * out->ldb + b, k = b * kBlock;
            const GroupAt to = {out->q + t * out->ldq + k, out->p + at, out->sp + at, out->n128 + at, out->h128 + 2 * at, out->magic + at,
                                out->m128 + at, out->mh128 + 2 * at, out->n16 + 4 * at, out->s16 + 2 * at, out->b16 + at};
            float *d = out->d + t * out->ldg + g;
            if (k + kGroupBlocks * kBlock <= cols) {
                *d = quantize_group(x + k, to);
                continue;
            }
            alignas(32) float tail[kGroupBlocks * kBlock] = {};
            for (int64_t i = k; i < cols; ++i) tail[i - k] = x[i];
            alignas(32) Group last;
            *d = quantize_group(tail, {last.q, last.p, last.sp, last.n128, last.h128, last.magic, last.m128, last.mh128, last.n16, last.s16, last.b16});
            const int64_t left = out->blocks - b;
            copy_blocks(last, static_cast<size_t>(left < kGroupBlocks ? left : kGroupBlocks), to);
        }
}

}  // namespace

void init_quantize(kernels::KernelTable &t) noexcept;
void init_quantize(kernels::KernelTable &t) noexcept { t.quantize_q8 = quantize_q8; }

}  // namespace inlay::avx2
