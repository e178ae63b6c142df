// SPDX-License-Identifier: Apache-2.0
// Activations to int8 with a scale per 256 and a power of two per 32 (docs/numerics.md section 2): the reference.
#include <bit>

#include "kernels/signatures.h"

namespace inlay::ref {

namespace {

using kernels::ActRows;
using kernels::kBlock;
using kernels::kGroupBlocks;

// Below this a group is all zeros: 127 / amax would overflow near 2^-121, and such values say nothing.
constexpr uint32_t kTiny = 0x0d800000;  // 2^-100
constexpr uint32_t kInf = 0x7f800000;
constexpr uint32_t kMostHalvings = 15;

// Round half to even for |v| < 2^22: 1.5 * 2^23 pushes the fraction out.
int32_t round_even(float v) { return std::bit_cast<int32_t>(v + 12582912.0f) - kernels::kMagic; }

uint32_t largest(const float *x, int64_t n) {
    uint32_t top = 0;
    for (int64_t i = 0; i < n; ++i) {
        uint32_t a = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
        top = a > top ? a : top;
    }
    return top;
}

// Halvings of c that leave it at least v, both as bits: a difference of exponents, less one where v's fraction is larger.
uint32_t halvings(uint32_t c, uint32_t v) {
    const uint32_t e = (c - v) >> 23;
    return e < kMostHalvings ? e : kMostHalvings;
}

// The greatest value that a group's scale is made for: `top` or a little more, with the fraction of one block's top. The scales
// of the blocks are powers of two below it, so the fraction decides how much each block's range is missed; the least sum of
// squares (of the rounding errors, that is) wins, the first of equals.
uint32_t range_of(uint32_t top, const uint32_t *tops) {
    constexpr uint32_t fraction = 0x007fffff, one = 0x3f800000;
    uint32_t best = top;
    float least = 3.0e38f;
    for (int i = 0; i < kGroupBlocks; ++i) {
        uint32_t c = (tops[i] & fraction) | (top & ~fraction);
        const uint32_t up = c < top ? 1u << 23 : 0;
        c += up;
        float sum = 0;
        for (int b = 0; b < kGroupBlocks; ++b) {
            const float s = std::bit_cast<float>((c & fraction) + one + up - (halvings(c, tops[b]) << 23));
            sum += s * s;
        }
        if (c < kInf && sum < least) least = sum, best = c;
    }
    return best;
}

// n values of a block; inverse = 127 / range of the group or 0; at: the block's index in the arrays; e: its halvings.
void quantize_block(const float *x, int64_t n, float inverse, uint32_t e, int8_t *q, const ActRows &out, int64_t at) {
    const float p = std::bit_cast<float>((127 - e) << 23), scale = inverse * std::bit_cast<float>((127 + e) << 23);
    int32_t sum[2] = {}, pair[2][2] = {};
    for (int i = 0; i < kBlock; ++i) {
        int32_t v = i < n && inverse != 0 ? round_even(x[i] * scale) : 0;
        q[i] = static_cast<int8_t>(v);
        sum[i / 16] += v;
        pair[i / 16][i % 4 / 2] -= v;
    }
    const int32_t both = sum[0] + sum[1], magic = kernels::kMagic - static_cast<int32_t>(e << 23);
    out.p[at] = p;
    out.sp[at] = static_cast<float>(both) * p;
    out.n128[at] = -128 * both;
    out.magic[at] = magic;
    out.m128[at] = magic - 128 * both;
    for (int h = 0; h < 2; ++h) {
        out.h128[2 * at + h] = -128 * sum[h];
        out.mh128[2 * at + h] = magic - 128 * sum[h];
        out.s16[2 * at + h] = static_cast<int16_t>(((sum[h] << 4 >> e) + 1) >> 1);
    }
    out.b16[at] = static_cast<int16_t>(out.s16[2 * at] + out.s16[2 * at + 1]);
    for (int i = 0; i < 4; ++i) out.n16[4 * at + i] = static_cast<int16_t>(pair[i / 2][i % 2]);
}

void quantize_q8(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept {
    auto left = [&](int64_t b) {  // values from block b to the end
        const int64_t v = cols - b * kBlock;
        return v < 0 ? 0 : v;
    };
    for (int64_t t = 0; t < n; ++t, x += ldx)
        for (int64_t g = 0; g * kGroupBlocks < out->blocks; ++g) {
            const int64_t b0 = g * kGroupBlocks;
            uint32_t tops[kGroupBlocks] = {}, top = 0;
            for (int64_t b = b0; b < b0 + kGroupBlocks; ++b) {
                const uint32_t v = tops[b - b0] = largest(x + b * kBlock, left(b) < kBlock ? left(b) : kBlock);
                top = v > top ? v : top;
            }
            float d = 0, inverse = 0;
            uint32_t range = 0;
            if (top >= kInf) {
                d = std::bit_cast<float>(0x7fc00000u);
            } else if (top >= kTiny) {
                range = range_of(top, tops);
                d = std::bit_cast<float>(range) / 127.0f;
                inverse = 127.0f / std::bit_cast<float>(range);
            }
            out->d[t * out->ldg + g] = d;
            for (int64_t b = b0; b < b0 + kGroupBlocks && b < out->blocks; ++b) {
                const int64_t here = left(b) < kBlock ? left(b) : kBlock;
                const uint32_t e = inverse != 0 ? halvings(range, tops[b - b0]) : 0;
                quantize_block(x + b * kBlock, here, inverse, e, out->q + t * out->ldq + b * kBlock, *out, t * out->ldb + b);
            }
        }
}

}  // namespace

void init_quantize(kernels::KernelTable &t) noexcept;
void init_quantize(kernels::KernelTable &t) noexcept { t.quantize_q8 = quantize_q8; }

}  // namespace inlay::ref
