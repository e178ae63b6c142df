// SPDX-License-Identifier: Apache-2.0
// Block formats of GGUF files taken apart into codes, and what the codes mean. The byte orders are the formats' own
// (docs/numerics.md section 2); the arithmetic works on four codes at a time, one byte each of a 32-bit word.
#include <bit>
#include <cstring>

#include "base/half.h"
#include "tensor/block_bits.h"
#include "tensor/block_codes.h"

namespace inlay::tensor {

namespace {

// 16 bytes: k = 0..15 in the low nibbles, 16..31 in the high ones.
void nibbles32(const uint8_t *qs, uint8_t *q) noexcept {
    for (int v = 0; v < 4; ++v) {
        uint32_t x = load32(qs + 4 * v);
        store32(q + 4 * v, x & kLow4);
        store32(q + 16 + 4 * v, (x >> 4) & kLow4);
    }
}
void fifth_bits(uint32_t qh, uint8_t *q) noexcept {
    for (int g = 0; g < 8; ++g) store32(q + 4 * g, load32(q + 4 * g) | spread4(qh >> (4 * g)) << 4);
}
// 128 bytes of which each 32 hold one block in the low and the next in the high nibbles.
void nibbles256(const uint8_t *qs, uint8_t *q) noexcept {
    for (int c = 0; c < 4; ++c)
        for (int l = 0; l < 32; l += 4) {
            uint32_t x = load32(qs + 32 * c + l);
            store32(q + 64 * c + l, x & kLow4);
            store32(q + 64 * c + 32 + l, (x >> 4) & kLow4);
        }
}
// 64 bytes of crumbs: half h of 128 values lies in bytes 32h.., its j-th 32 values in bits 2j.
void crumbs256(const uint8_t *qs, uint8_t *q) noexcept {
    for (int b = 0; b < 8; ++b)
        for (int l = 0; l < 32; l += 4) store32(q + 32 * b + l, (load32(qs + 32 * (b / 4) + l) >> (2 * (b % 4))) & kLow2);
}
// Eight six-bit scales and eight six-bit mins in 12 bytes.
void scales_k4(const uint8_t *s, BlockCodes &c) noexcept {
    for (int j = 0; j < 4; ++j) {
        c.sc[j] = s[j] & 63;
        c.mn[j] = s[4 + j] & 63;
        c.sc[4 + j] = static_cast<uint8_t>((s[8 + j] & 15) | (s[j] >> 6) << 4);
        c.mn[4 + j] = static_cast<uint8_t>((s[8 + j] >> 4) | (s[4 + j] >> 6) << 4);
    }
}

void from_q6_k(const uint8_t *p, BlockCodes &c) noexcept {
    for (int h = 0; h < 2; ++h)
        for (int l = 0; l < 32; l += 4) {
            uint32_t a = load32(p + 64 * h + l), b = load32(p + 64 * h + 32 + l), x = load32(p + 128 + 32 * h + l);
            uint8_t *q = c.q + 128 * h + l;
            store32(q, (a & kLow4) | (x & kLow2) << 4);
            store32(q + 32, (b & kLow4) | ((x >> 2) & kLow2) << 4);
            store32(q + 64, ((a >> 4) & kLow4) | ((x >> 4) & kLow2) << 4);
            store32(q + 96, ((b >> 4) & kLow4) | ((x >> 6) & kLow2) << 4);
        }
    std::memcpy(c.sc, p + 192, 16);
    c.d = load16(p + 208);
}

void from_q3_k(const uint8_t *p, BlockCodes &c) noexcept {  // hmask[32] qs[64] scales[12] d
    crumbs256(p + 32, c.q);
    for (int b = 0; b < 8; ++b)
        for (int l = 0; l < 32; l += 4) {
            uint8_t *q = c.q + 32 * b + l;
            store32(q, load32(q) | ((load32(p + l) >> b) & kLow1) << 2);
        }
    const uint8_t *s = p + 96;
    for (int i = 0; i < 16; ++i) {
        int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4, high = (s[8 + i % 4] >> (2 * (i / 4))) & 3;
        c.sc[i] = static_cast<uint8_t>(low | high << 4);
    }
    c.d = load16(p + 108);
}

void from_iq4_xs(const uint8_t *p, BlockCodes &c) noexcept {  // d, scales_h, scales_l[4], qs[128]
    c.d = load16(p);
    unsigned high = load16(p + 2);
    for (int b = 0; b < 8; ++b) {
        c.sc[b] = static_cast<uint8_t>(((p[4 + b / 2] >> (4 * (b % 2))) & 15) | ((high >> (2 * b)) & 3) << 4);
        nibbles32(p + 8 + 16 * b, c.q + 32 * b);
    }
}

// 2^(e - 128), the scale of values that are stored doubled.
float e8m0_half(uint8_t e) noexcept { return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23); }

}  // namespace

void file_to_codes(DType t, const uint8_t *p, BlockCodes &c) noexcept {
    switch (t) {
    case DType::q4_0:
    case DType::iq4_nl:
        c.d = load16(p);
        nibbles32(p + 2, c.q);
        break;
    case DType::q4_1:
        c.d = load16(p);
        c.m = load16(p + 2);
        nibbles32(p + 4, c.q);
        break;
    case DType::q5_0:
        c.d = load16(p);
        nibbles32(p + 6, c.q);
        fifth_bits(load32(p + 2), c.q);
        break;
    case DType::q5_1:
        c.d = load16(p);
        c.m = load16(p + 2);
        nibbles32(p + 8, c.q);
        fifth_bits(load32(p + 4), c.q);
        break;
    case DType::q8_0:
        c.d = load16(p);
        for (int g = 0; g < 8; ++g) store32(c.q + 4 * g, load32(p + 2 + 4 * g) ^ 0x80808080u);
        break;
    case DType::q2_k:
        std::memcpy(c.sc, p, 16);
        crumbs256(p + 16, c.q);
        c.d = load16(p + 80);
        c.m = load16(p + 82);
        break;
    case DType::q3_k: from_q3_k(p, c); break;
    case DType::q4_k:
        c.d = load16(p);
        c.m = load16(p + 2);
        scales_k4(p + 4, c);
        nibbles256(p + 16, c.q);
        break;
    case DType::q5_k:
        c.d = load16(p);
        c.m = load16(p + 2);
        scales_k4(p + 4, c);
        nibbles256(p + 48, c.q);
        for (int b = 0; b < 8; ++b)
            for (int l = 0; l < 32; l += 4) {
                uint8_t *q = c.q + 32 * b + l;
                store32(q, load32(q) | ((load32(p + 16 + l) >> b) & kLow1) << 4);
            }
        break;
    case DType::q6_k: from_q6_k(p, c); break;
    case DType::iq4_xs: from_iq4_xs(p, c); break;
    case DType::mxfp4:
        c.sc[0] = p[0];
        nibbles32(p + 1, c.q);
        break;
    default: grid_to_codes(t, p, c); break;
    }
}

void codes_to_values(DType t, const BlockCodes &c, float *out) noexcept {
    const float d = f32_from_f16(c.d), m = f32_from_f16(c.m);
    auto offset = [&](int n, float scale, int minus) {
        for (int k = 0; k < n; ++k) out[k] = scale * static_cast<float>(c.q[k] - minus);
    };
    switch (t) {
    case DType::q4_0: offset(32, d, 8); break;
    case DType::q5_0: offset(32, d, 16); break;
    case DType::q8_0: offset(32, d, 128); break;
    case DType::q4_1:
    case DType::q5_1:
        for (int k = 0; k < 32; ++k) out[k] = d * static_cast<float>(c.q[k]) + m;
        break;
    case DType::iq4_nl:
        for (int k = 0; k < 32; ++k) out[k] = d * static_cast<float>(kernels::kIq4nl[c.q[k]]);
        break;
    case DType::mxfp4: {
        const float e = e8m0_half(c.sc[0]);
        for (int k = 0; k < 32; ++k) out[k] = e * static_cast<float>(kernels::kMxfp4[c.q[k]]);
        break;
    }
    case DType::q2_k:
        for (int k = 0; k < 256; ++k) {
            float dl = d * static_cast<float>(c.sc[k / 16] & 15), ml = m * static_cast<float>(c.sc[k / 16] >> 4);
            out[k] = dl * static_cast<float>(c.q[k]) - ml;
        }
        break;
    case DType::q3_k:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.sc[k / 16] - 32) * static_cast<float>(c.q[k] - 4);
        break;
    case DType::q4_k:
    case DType::q5_k:
        for (int k = 0; k < 256; ++k) {
            float dl = d * static_cast<float>(c.sc[k / 32]), ml = m * static_cast<float>(c.mn[k / 32]);
            out[k] = dl * static_cast<float>(c.q[k]) - ml;
        }
        break;
    case DType::q6_k:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(static_cast<int8_t>(c.sc[k / 16])) * static_cast<float>(c.q[k] - 32);
        break;
    case DType::iq4_xs:
        for (int k = 0; k < 256; ++k)
            out[k] = d * static_cast<float>(c.sc[k / 32] - 32) * static_cast<float>(kernels::kIq4nl[c.q[k]]);
        break;
    default: grid_to_values(t, c, out); break;
    }
}

}  // namespace inlay::tensor
