// SPDX-License-Identifier: Apache-2.0
// exp and log of single numbers in plain IEEE steps: the same bits with every libm. Rows go through the kernels' exp,
// which has the same bits on every tier. Taylor coefficients on a reduced argument; degree chosen so that the cut-off stays below the type's rounding.
#pragma once

#include <bit>
#include <cstdint>

namespace inlay::sample {

// e^x in f64, clamped to [-700, 700]. |relative error| < 1e-15.
inline double exp64(double x) noexcept {
    double c = x > -700 ? (x < 700 ? x : 700) : -700;
    double n = (c * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    double r = c - n * 0x1.62e42fefa0000p-1;
    r = r - n * 0x1.cf79abc9e3b3ap-40;
    double p = 1;
    for (int k = 13; k >= 1; --k) p = p * r / k + 1;
    return p * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
}

// ln x in f64 for a normal x > 0. |relative error| < 1e-15.
inline double log64(double x) noexcept {
    uint64_t b = std::bit_cast<uint64_t>(x);
    int64_t e = static_cast<int64_t>(b >> 52) - 1023;
    double m = std::bit_cast<double>((b & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++e;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, p = 0;
    for (int k = 25; k >= 1; k -= 2) p = p * s2 + 1.0 / k;
    double en = static_cast<double>(e);
    return en * 0x1.62e42fefa0000p-1 + (2 * s * p + en * 0x1.cf79abc9e3b3ap-40);
}

inline double sqrt64(double x) noexcept { return __builtin_sqrt(x); }  // correctly rounded by IEEE: one instruction
inline double pow64(double a, double b) noexcept { return a <= 0 ? 0 : exp64(b * log64(a)); }

}  // namespace inlay::sample
