// SPDX-License-Identifier: Apache-2.0
#include "io/finite.h"

#include <cstring>

namespace inlay::io {

namespace {

bool bad16(uint16_t h, uint16_t exponent) noexcept { return (h & exponent) == exponent; }

template <class T>
T load(const std::byte *p) noexcept {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

// Floats: all exponent bits set. Chunks first, with no way out inside, so that the common case is one vector loop.
template <class T>
std::optional<uint64_t> scan(std::span<const std::byte> bytes, T exponent) noexcept {
    constexpr size_t chunk = 1024;
    size_t n = bytes.size() / sizeof(T);
    for (size_t i = 0; i < n; i += chunk) {
        size_t end = n - i < chunk ? n : i + chunk;
        bool bad = false;
        for (size_t j = i; j < end; ++j) bad |= (load<T>(bytes.data() + j * sizeof(T)) & exponent) == exponent;
        if (!bad) continue;
        for (size_t j = i; j < end; ++j)
            if ((load<T>(bytes.data() + j * sizeof(T)) & exponent) == exponent) return j;
    }
    return std::nullopt;
}

// Where a block keeps its f16 numbers; -1 = none.
struct Scales {
    int first = -1, second = -1;
};
Scales scales_of(DType t) noexcept {
    switch (t) {
        case DType::q4_0:
        case DType::q5_0:
        case DType::q8_0:
        case DType::iq2_xxs:
        case DType::iq2_xs:
        case DType::iq3_xxs:
        case DType::iq1_s:
        case DType::iq4_nl:
        case DType::iq3_s:
        case DType::iq2_s:
        case DType::iq4_xs:
            return {0, -1};
        case DType::q4_1:
        case DType::q5_1:
        case DType::q4_k:
        case DType::q5_k:
            return {0, 2};
        case DType::q2_k:
            return {80, 82};
        case DType::q3_k:
            return {108, -1};
        case DType::q6_k:
            return {208, -1};
        case DType::tq1_0:
            return {52, -1};
        case DType::tq2_0:
            return {64, -1};
        default:
            return {};
    }
}

bool bad_block(DType t, Scales s, const std::byte *p) noexcept {
    if (s.first >= 0 && bad16(load<uint16_t>(p + s.first), 0x7c00)) return true;
    if (s.second >= 0 && bad16(load<uint16_t>(p + s.second), 0x7c00)) return true;
    if (t == DType::mxfp4) return p[0] == std::byte{0xFF};
    if (t == DType::iq1_m) {
        // Its f16 scale is spread over the top nibbles of four words; the last holds the top four bits.
        unsigned h = load<uint16_t>(p + 48) >> 12 | (load<uint16_t>(p + 50) >> 8 & 0xF0) | (load<uint16_t>(p + 52) >> 4 & 0xF00) |
                     (load<uint16_t>(p + 54) & 0xF000);
        return bad16(static_cast<uint16_t>(h), 0x7c00);
    }
    return false;
}

}  // namespace

std::optional<uint64_t> first_not_finite(DType type, std::span<const std::byte> bytes) noexcept {
    switch (type) {
        case DType::f32:
            return scan<uint32_t>(bytes, 0x7f800000u);
        case DType::f16:
            return scan<uint16_t>(bytes, 0x7c00);
        case DType::bf16:
            return scan<uint16_t>(bytes, 0x7f80);
        case DType::f64:
            return scan<uint64_t>(bytes, 0x7ff0000000000000u);
        default:
            break;
    }
    const DTypeInfo *info = dtype_info(type);
    Scales s = scales_of(type);
    if (!info || (s.first < 0 && type != DType::mxfp4 && type != DType::iq1_m)) return std::nullopt;
    size_t step = static_cast<size_t>(info->block_bytes), n = bytes.size() / step;
    for (size_t i = 0; i < n; ++i)
        if (bad_block(type, s, bytes.data() + i * step)) return i;
    return std::nullopt;
}

}  // namespace inlay::io
