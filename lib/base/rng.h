// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11).
// A draw is a pure function of (seed, stream, counter), so a request's numbers do not depend on its neighbours, and a
// restored request goes on with the same ones.
#pragma once

#include <cstdint>

namespace inlay {

struct PhiloxBlock {
    uint32_t w[4];
};

inline PhiloxBlock philox(uint64_t seed, uint64_t stream, uint64_t counter) noexcept {
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
    uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
        uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<uint32_t>(p1);
        c3 = static_cast<uint32_t>(p0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// Uniform in [0, 1): 24 bits, so that it is exact in f32 as well.
inline float uniform_float(uint32_t word) noexcept { return static_cast<float>(word >> 8) * 0x1p-24f; }
// Uniform in [0, 1): 53 bits.
inline double uniform_double(uint32_t hi, uint32_t lo) noexcept {
    return static_cast<double>(((static_cast<uint64_t>(hi) << 32) | lo) >> 11) * 0x1p-53;
}

}  // namespace inlay
