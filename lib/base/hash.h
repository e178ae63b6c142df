// SPDX-License-Identifier: Apache-2.0
// 64-bit hashing of bytes and integers: a multiply-xor mix in the manner of wyhash (Wang Yi, public domain).
// Not cryptographic; tables over file data use SeededHash, whose seed is drawn from the address layout.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace inlay {

inline uint64_t mix64(uint64_t a, uint64_t b) noexcept {
    unsigned __int128 r = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xbf58476d1ce4e5b9u);
    return static_cast<uint64_t>(r) ^ static_cast<uint64_t>(r >> 64);
}

inline uint64_t hash_bytes(const void *data, size_t n, uint64_t seed) noexcept {
    const unsigned char *p = static_cast<const unsigned char *>(data);
    uint64_t h = mix64(seed, n);
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        std::memcpy(&w, p, 8);
        h = mix64(h ^ w, 0xd6e8feb86659fd93u);
    }
    uint64_t w = 0;
    if (n) std::memcpy(&w, p, n);  // p may be null for an empty view
    return mix64(h ^ w, 0xa0761d6478bd642fu);
}

// Differs from process to process where addresses are randomised; never used for anything that is stored or printed.
inline uint64_t process_seed() noexcept {
    static const char anchor = 0;
    return mix64(reinterpret_cast<uintptr_t>(&anchor), 0x2545f4914f6cdd1du);
}

struct SeededHash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const noexcept { return hash_bytes(s.data(), s.size(), process_seed()); }
    template <std::integral T>
    size_t operator()(T v) const noexcept { return mix64(static_cast<uint64_t>(v), process_seed()); }
};

}  // namespace inlay
