// SPDX-License-Identifier: Apache-2.0
// Plain series on reduced arguments. fma() is the correctly rounded one whatever the CPU.
#include "tensor/scalar_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/sincos.h"

namespace inlay::tensor {
namespace {

constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;  // 33 bits and the rest
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

void det_sincos(double x, double *sin, double *cos) noexcept { kernels::sincos(x, sin, cos); }

}  // namespace inlay::tensor
