// SPDX-License-Identifier: Apache-2.0
// Little-endian words out of blocks, and bits spread over the four bytes of a word: one byte a code.
#pragma once

#include <cstdint>
#include <cstring>

namespace inlay::tensor {

inline uint32_t load32(const uint8_t *p) noexcept {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
}
inline uint16_t load16(const uint8_t *p) noexcept {
    uint16_t v;
    std::memcpy(&v, p, 2);
    return v;
}
inline void store32(uint8_t *p, uint32_t v) noexcept { std::memcpy(p, &v, 4); }
inline void store16(uint8_t *p, uint16_t v) noexcept { std::memcpy(p, &v, 2); }

inline constexpr uint32_t kLow4 = 0x0f0f0f0fu, kLow2 = 0x03030303u, kLow1 = 0x01010101u;

// Four bits, four pairs of bits, four nibbles: one into each byte.
inline uint32_t spread4(uint32_t bits) noexcept { return ((bits & 15u) * 0x00204081u) & kLow1; }
inline uint32_t spread_crumbs(uint32_t v) noexcept {
    v = ((v & 0xffu) | (v & 0xffu) << 12) & 0x000f000fu;
    return (v | v << 6) & kLow2;
}
inline uint32_t spread_nibbles(uint32_t v) noexcept {
    v = ((v & 0xffffu) | (v & 0xffffu) << 8) & 0x00ff00ffu;
    return (v | v << 4) & kLow4;
}

}  // namespace inlay::tensor
