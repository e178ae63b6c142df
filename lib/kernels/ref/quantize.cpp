// SPDX-License-Identifier: Apache-2.0
// Activations to int8 per 32 (docs/numerics.md section 2): the reference.
#include <bit>

#include "kernels/signatures.h"

namespace inlay::ref {

namespace {

using kernels::ActRows;
using kernels::kBlock;

// Below this a block is all zeros: 127 / amax would overflow near 2^-121, and such values say nothing.
constexpr uint32_t kTiny = 0x0d800000;  // 2^-100
constexpr uint32_t kInf = 0x7f800000;

// Round half to even for |v| < 2^22: 1.5 * 2^23 pushes the fraction out.
int32_t round_even(float v) { return std::bit_cast<int32_t>(v + 12582912.0f) - std::bit_cast<int32_t>(12582912.0f); }

void quantize_block(const float *x, int n, int8_t *q, float *d_out, float *sd, int32_t *n128, int32_t *h128, int16_t *s16, int16_t *n16) {
    uint32_t top = 0;
    for (int i = 0; i < n; ++i) {
        uint32_t a = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
        top = a > top ? a : top;
    }
    float d = 0, inverse = 0;
    if (top >= kInf) {
        d = std::bit_cast<float>(0x7fc00000u);
    } else if (top >= kTiny) {
        const float amax = std::bit_cast<float>(top);
        d = amax / 127.0f;
        inverse = 127.0f / amax;
    }
    int32_t sum[2] = {}, pair[2][2] = {};
    for (int i = 0; i < kBlock; ++i) {
        int32_t v = i < n && inverse != 0 ? round_even(x[i] * inverse) : 0;
        q[i] = static_cast<int8_t>(v);
        sum[i / 16] += v;
        pair[i / 16][i % 4 / 2] -= v;
    }
    *d_out = d;
    *sd = static_cast<float>(sum[0] + sum[1]) * d;
    *n128 = -128 * (sum[0] + sum[1]);
    h128[0] = -128 * sum[0];
    h128[1] = -128 * sum[1];
    s16[0] = static_cast<int16_t>(sum[0]);
    s16[1] = static_cast<int16_t>(sum[1]);
    for (int i = 0; i < 4; ++i) n16[i] = static_cast<int16_t>(pair[i / 2][i % 2]);
}

void quantize_q8(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept {
    for (int64_t t = 0; t < n; ++t)
        for (int64_t b = 0; b < out->ldb; ++b) {
            const int64_t left = cols - b * kBlock, at = t * out->ldb + b;
            quantize_block(x + t * ldx + b * kBlock,
                           left < 0        ? 0
                           : left < kBlock ? static_cast<int>(left)
                                           : kBlock,
                           out->q + t * out->ldq + b * kBlock, out->d + at, out->sd + at, out->n128 + at, out->h128 + 2 * at,
                           out->s16 + 2 * at, out->n16 + 4 * at);
        }
}

}  // namespace

void init_quantize(kernels::KernelTable &t) noexcept;
void init_quantize(kernels::KernelTable &t) noexcept { t.quantize_q8 = quantize_q8; }

}  // namespace inlay::ref
