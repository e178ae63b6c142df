// SPDX-License-Identifier: Apache-2.0
// sin and cos in double, by plain series on a reduced argument: the same steps for a scalar and, as nothing branches, for
// as many lanes as a compiler makes of a loop. Errors are below 4e-16 for |x| < 2^30.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernels/types.h"

namespace inlay::kernels {
namespace {

// pi / 2 in three parts of 33, 33 and 53 bits: n * part is exact for n < 2^20 in the first two, and fma covers more.
constexpr double kPio2A = 0x1.921fb544p+0, kPio2B = 0x1.0b4611a6p-34, kPio2C = 0x1.3198a2e037073p-69;
constexpr double kWhole = 0x1.8p52;  // added, it leaves an integer, which stands in the low bits of the sum

INLAY_INLINE void sincos(double x, double *sin, double *cos) {
    const double t = x * 0.63661977236758134 + kWhole, n = t - kWhole;
    double r = __builtin_fma(-n, kPio2A, x);
    r = __builtin_fma(-n, kPio2B, r);
    r = __builtin_fma(-n, kPio2C, r);
    const double z = r * r;
    double s = 1.0, c = 1.0;  // Taylor to r^19 and r^18, |r| < 0.786: below 1e-19
#pragma GCC unroll 16
    for (int k = 18; k >= 2; k -= 2) s = __builtin_fma(s * z, -1.0 / (k * (k + 1)), 1.0);
#pragma GCC unroll 16
    for (int k = 17; k >= 1; k -= 2) c = __builtin_fma(c * z, -1.0 / (k * (k + 1)), 1.0);
    s *= r;
    // Quarters of a turn: 0 (s, c), 1 (c, -s), 2 (-s, -c), 3 (-c, s).
    uint64_t q, a, b;
    memcpy(&q, &t, 8);
    memcpy(&a, &s, 8);
    memcpy(&b, &c, 8);
    const uint64_t odd = 0 - (q & 1), swap = (a ^ b) & odd;
    a = a ^ swap ^ (q & 2) << 62;
    b = b ^ swap ^ ((q + 1) & 2) << 62;
    memcpy(sin, &a, 8);
    memcpy(cos, &b, 8);
}

}  // namespace
}  // namespace inlay::kernels
