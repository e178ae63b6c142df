// SPDX-License-Identifier: Apache-2.0
// IEEE binary16 and bfloat16 to and from f32, in plain integer code: the reference for every kernel tier.
// f32 → f16 rounds to nearest even; NaN stays NaN (quiet). f32 → bf16 likewise.
#pragma once

#include <bit>
#include <cstdint>

namespace inlay {

inline float f32_from_f16(uint16_t h) noexcept {
    uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, exp = (h >> 10) & 0x1fu, man = h & 0x3ffu;
    if (exp == 0x1f) {  // Inf, NaN: a signalling NaN becomes quiet, as vcvtph2ps does
        uint32_t quiet = man ? 0x400000u : 0u;
        return std::bit_cast<float>(sign | 0x7f800000u | (man << 13) | quiet);
    }
    if (exp == 0) {  // zero, subnormal: man * 2^-24, exact in f32
        float v = static_cast<float>(man) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<uint32_t>(v) | sign);
    }
    return std::bit_cast<float>(sign | ((exp + 112u) << 23) | (man << 13));
}

inline uint16_t f16_from_f32(float f) noexcept {
    uint32_t x = std::bit_cast<uint32_t>(f), sign = (x >> 16) & 0x8000u;
    x &= 0x7fffffffu;
    if (x > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((x >> 13) & 0x3ffu));
    if (x >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // >= 2^16, Inf
    if (x < 0x38800000u) {                                                // below 2^-14: subnormal result
        // Adding 0.5 lets the FPU's own rounding put the 10 bits in place (2^-24 is the unit in the last place of 0.5).
        float v = std::bit_cast<float>(x) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(v) - 0x3f000000u));
    }
    uint32_t odd = (x >> 13) & 1u;
    x += 0xc8000fffu + odd;  // exponent bias 127 → 15, and round half to even
    return static_cast<uint16_t>(sign | (x >> 13));
}

inline float f32_from_bf16(uint16_t h) noexcept { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

inline uint16_t bf16_from_f32(float f) noexcept {
    uint32_t x = std::bit_cast<uint32_t>(f);
    if ((x & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((x >> 16) | 0x40u);
    return static_cast<uint16_t>((x + 0x7fffu + ((x >> 16) & 1u)) >> 16);
}

}  // namespace inlay
