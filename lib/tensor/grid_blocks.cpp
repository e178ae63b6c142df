// SPDX-License-Identifier: Apache-2.0
// Blocks of the lattice types (IQ1, IQ2, IQ3) and of the ternary ones taken apart. A lattice index stands for 4 or 8 weights; it
// becomes a code of 3 or 4 bits for each (magnitude, sign on top), as no instruction looks up 2,048 entries in a register.
#include <bit>

#include "base/half.h"
#include "tensor/block_bits.h"
#include "tensor/block_codes.h"
#include "tensor/grids.h"

namespace inlay::tensor {

namespace {

// Seven signs of eight weights: the eighth makes the number of minuses even.
uint32_t even_signs(uint32_t seven) noexcept {
    seven &= 127u;
    return seven | static_cast<uint32_t>(std::popcount(seven) & 1) << 7;
}
// Eight codes of two bits, signs or a shift in bit 2.
void put_crumbs(uint32_t point, uint32_t signs, uint8_t *q) noexcept {
    store32(q, spread_crumbs(point) | spread4(signs) << 2);
    store32(q + 4, spread_crumbs(point >> 8) | spread4(signs >> 4) << 2);
}
// Two points of four codes of three bits, signs in bit 3.
void put_nibbles(uint32_t a, uint32_t b, uint32_t signs, uint8_t *q) noexcept {
    store32(q, spread_nibbles(a) | spread4(signs) << 3);
    store32(q + 4, spread_nibbles(b) | spread4(signs >> 4) << 3);
}
uint8_t odd(uint32_t s) noexcept { return static_cast<uint8_t>(2 * s + 1); }

void from_iq2_xxs(const uint8_t *p, BlockCodes &c) noexcept {  // d, 8 x (points[4], u32 signs 4 x 7 and scale 4)
    c.d = load16(p);
    for (int b = 0; b < 8; ++b) {
        const uint8_t *at = p + 2 + 8 * b;
        const uint32_t x = load32(at + 4);
        for (int i = 0; i < 4; ++i) put_crumbs(kGridIq2Xxs[at[i]], even_signs(x >> (7 * i)), c.q + 32 * b + 8 * i);
        c.sc[2 * b] = c.sc[2 * b + 1] = odd(x >> 28);
    }
}
void from_iq2_xs(const uint8_t *p, BlockCodes &c) noexcept {  // d, u16[32] point 9 and signs 7, scales[8] of two nibbles
    c.d = load16(p);
    for (int i = 0; i < 32; ++i) {
        const uint32_t x = load16(p + 2 + 2 * i);
        put_crumbs(kGridIq2Xs[x & 511], even_signs(x >> 9), c.q + 8 * i);
    }
    for (int i = 0; i < 16; ++i) c.sc[i] = odd((p[66 + i / 2] >> (4 * (i % 2))) & 15u);
}
void from_iq2_s(const uint8_t *p, BlockCodes &c) noexcept {  // d, points[32], signs[32], points' top bits[8], scales[8]
    c.d = load16(p);
    for (int i = 0; i < 32; ++i) {
        const uint32_t top = (p[66 + i / 4] >> (2 * (i % 4))) & 3u;
        put_crumbs(kGridIq2S[p[2 + i] | top << 8], p[34 + i], c.q + 8 * i);
    }
    for (int i = 0; i < 16; ++i) c.sc[i] = odd((p[74 + i / 2] >> (4 * (i % 2))) & 15u);
}
void from_iq3_xxs(const uint8_t *p, BlockCodes &c) noexcept {  // d, points[64], u32[8] signs 4 x 7 and scale 4
    c.d = load16(p);
    for (int b = 0; b < 8; ++b) {
        const uint32_t x = load32(p + 66 + 4 * b);
        for (int i = 0; i < 4; ++i) {
            const uint8_t *at = p + 2 + 8 * b + 2 * i;
            put_nibbles(kGridIq3Xxs[at[0]], kGridIq3Xxs[at[1]], even_signs(x >> (7 * i)), c.q + 32 * b + 8 * i);
        }
        c.sc[b] = odd(x >> 28);
    }
}
void from_iq3_s(const uint8_t *p, BlockCodes &c) noexcept {  // d, points[64], points' top bits[8], signs[32], scales[4]
    c.d = load16(p);
    for (int i = 0; i < 32; ++i) {
        const uint32_t top = p[66 + i / 4] >> (2 * (i % 4)), a = p[2 + 2 * i] | (top & 1u) << 8, b = p[3 + 2 * i] | (top >> 1 & 1u) << 8;
        put_nibbles(kGridIq3S[a], kGridIq3S[b], p[74 + i], c.q + 8 * i);
    }
    for (int b = 0; b < 8; ++b) c.sc[b] = odd((p[106 + b / 2] >> (4 * (b % 2))) & 15u);
}
void from_iq1_s(const uint8_t *p, BlockCodes &c) noexcept {  // d, points[32], u16[8] points' top bits 4 x 3, scale 3, shift
    c.d = load16(p);
    for (int b = 0; b < 8; ++b) {
        const uint32_t x = load16(p + 34 + 2 * b);
        for (int i = 0; i < 4; ++i)
            put_crumbs(kGridIq1[p[2 + 4 * b + i] | (x >> (3 * i) & 7u) << 8], x >> 15 ? 255u : 0u, c.q + 32 * b + 8 * i);
        c.sc[2 * b] = c.sc[2 * b + 1] = odd(x >> 12 & 7u);
    }
}
void from_iq1_m(const uint8_t *p, BlockCodes &c) noexcept {  // points[32], nibbles[32] points' top bits 3 and shift, u16[4] scales 4 x 3, d
    uint32_t d = 0;
    for (int i = 0; i < 32; ++i) {
        const uint32_t x = static_cast<uint32_t>(p[32 + i / 2]) >> (4 * (i % 2));
        put_crumbs(kGridIq1[p[i] | (x & 7u) << 8], x & 8u ? 255u : 0u, c.q + 8 * i);
    }
    for (int i = 0; i < 4; ++i) {
        const uint32_t x = load16(p + 48 + 2 * i);
        for (int j = 0; j < 4; ++j) c.sc[4 * i + j] = odd(x >> (3 * j) & 7u);
        d |= x >> 12 << (4 * i);
    }
    c.d = static_cast<uint16_t>(d);
}
// A byte holds up to five digits of base 3 as a fraction: times 3, what reaches 256 is the first digit.
void from_tq1_0(const uint8_t *p, BlockCodes &c) noexcept {  // 32 and 16 bytes of five digits, 4 of four, d
    c.d = load16(p + 52);
    uint8_t *q = c.q;
    auto digits = [&](const uint8_t *at, int bytes, int n) {
        for (int i = 0; i < bytes; ++i) {
            uint32_t x = at[i];
            for (int j = 0; j < n; ++j) {
                x *= 3;
                q[bytes * j + i] = static_cast<uint8_t>(x >> 8);
                x &= 255u;
            }
        }
        q += bytes * n;
    };
    digits(p, 32, 5), digits(p + 32, 16, 5), digits(p + 48, 4, 4);
}
void from_tq2_0(const uint8_t *p, BlockCodes &c) noexcept {  // 64 bytes: 32 weights in each pair of bits of 32 bytes; d
    c.d = load16(p + 64);
    for (int b = 0; b < 8; ++b)
        for (int l = 0; l < 32; l += 4) store32(c.q + 32 * b + l, (load32(p + 32 * (b / 4) + l) >> (2 * (b % 4))) & kLow2);
}

}  // namespace

void grid_to_codes(DType t, const uint8_t *p, BlockCodes &c) noexcept {
    switch (t) {
    case DType::iq2_xxs: from_iq2_xxs(p, c); break;
    case DType::iq2_xs: from_iq2_xs(p, c); break;
    case DType::iq2_s: from_iq2_s(p, c); break;
    case DType::iq3_xxs: from_iq3_xxs(p, c); break;
    case DType::iq3_s: from_iq3_s(p, c); break;
    case DType::iq1_s: from_iq1_s(p, c); break;
    case DType::iq1_m: from_iq1_m(p, c); break;
    case DType::tq1_0: from_tq1_0(p, c); break;
    case DType::tq2_0: from_tq2_0(p, c); break;
    default: break;
    }
}

void grid_to_values(DType t, const BlockCodes &c, float *out) noexcept {
    const float d = f32_from_f16(c.d);
    switch (t) {
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.sc[k / 16]) * 0.125f * static_cast<float>(kernels::kIq2[c.q[k]]);
        break;
    case DType::iq1_s:
    case DType::iq1_m:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.sc[k / 16]) * 0.125f * static_cast<float>(kernels::kIq1[c.q[k]]);
        break;
    case DType::iq3_xxs:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.sc[k / 32]) * 0.25f * static_cast<float>(kernels::kIq3xxs[c.q[k]]);
        break;
    case DType::iq3_s:
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.sc[k / 32]) * static_cast<float>(kernels::kIq3s[c.q[k]]);
        break;
    default:  // ternary
        for (int k = 0; k < 256; ++k) out[k] = d * static_cast<float>(c.q[k] - 1);
        break;
    }
}

}  // namespace inlay::tensor
