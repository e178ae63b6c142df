// SPDX-License-Identifier: Apache-2.0
// Plain series on reduced arguments. fma() is the correctly rounded one whatever the CPU.
#include "tensor/scalar_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace inlay::tensor {
namespace {

constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;  // 33 bits and the rest
// pi / 2 in three parts of 33, 33 and 53 bits: n * part is exact for n < 2^20 in the first two, and fma covers more.
constexpr double kPio2A = 0x1.921fb544p+0, kPio2B = 0x1.0b4611a6p-34, kPio2C = 0x1.3198a2e037073p-69;

double scale_by_power(double x, int n) noexcept {  // n in [-1022, 1023]
    return x * std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52);
}

}  // namespace

double det_log(double x) noexcept {
    if (!(x > 0)) return x == 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    if (x > std::numeric_limits<double>::max()) return x;
    uint64_t bits = std::bit_cast<uint64_t>(x);
    int e = static_cast<int>(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);  // [1, 2)
    if (m > 1.4142135623730951) m *= 0.5, ++e;
    // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: 10 terms reach 1e-17.
    const double f = m - 1.0, s = f / (m + 1.0), z = s * s;
    double p = 1.0 / 21;
    for (int k = 19; k >= 3; k -= 2) p = std::fma(p, z, 1.0 / k);
    const double tail = 2.0 * s * z * p;
    return std::fma(static_cast<double>(e), kLn2Hi, std::fma(static_cast<double>(e), kLn2Lo, tail) + 2.0 * s);
}

double det_exp(double x) noexcept {
    if (x != x) return x;
    if (x < -708.0) return 0.0;
    if (x > 709.0) return std::numeric_limits<double>::infinity();
    const double n = std::nearbyint(x * 1.4426950408889634);
    double r = std::fma(-n, kLn2Hi, x);
    r = std::fma(-n, kLn2Lo, r);
    // Taylor, 14 terms: 0.3466^14 / 14! = 4e-18.
    double p = 1.0;
    for (int k = 13; k >= 1; --k) p = std::fma(p * r, 1.0 / k, 1.0);
    const int half = static_cast<int>(n) / 2;
    return scale_by_power(scale_by_power(p, half), static_cast<int>(n) - half);
}

double det_pow(double base, double exponent) noexcept { return det_exp(exponent * det_log(base)); }

void det_sincos(double x, double *sin, double *cos) noexcept {
    const double n = std::nearbyint(x * 0.63661977236758134);
    double r = std::fma(-n, kPio2A, x);
    r = std::fma(-n, kPio2B, r);
    r = std::fma(-n, kPio2C, r);
    const double z = r * r;
    double s = 1.0, c = 1.0;  // Taylor to r^19 and r^18, |r| < 0.786: below 1e-19
    for (int k = 18; k >= 2; k -= 2) s = std::fma(s * z, -1.0 / (k * (k + 1)), 1.0);
    for (int k = 17; k >= 1; k -= 2) c = std::fma(c * z, -1.0 / (k * (k + 1)), 1.0);
    s *= r;
    switch (static_cast<int64_t>(n) & 3) {
        case 0: *sin = s, *cos = c; break;
        case 1: *sin = c, *cos = -s; break;
        case 2: *sin = -s, *cos = -c; break;
        default: *sin = -c, *cos = s; break;
    }
}

}  // namespace inlay::tensor
