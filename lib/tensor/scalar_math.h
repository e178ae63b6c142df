// SPDX-License-Identifier: Apache-2.0
// log, exp, pow, sin and cos in double, of our own: a C library's may differ in the last bit from the next one's, and
// what comes from them (rope tables, log-probabilities) must not. Errors are below 4e-16 relative (pow: times |exponent
// of the result|), far under half an ulp of the f32 values that are made of them.
#pragma once

namespace inlay::tensor {

double det_log(double x) noexcept;   // x > 0 and normal; -inf at 0, NaN below
double det_exp(double x) noexcept;   // 0 below -708, inf above 709
double det_pow(double base, double exponent) noexcept;  // base > 0
void det_sincos(double x, double *sin, double *cos) noexcept;  // |x| < 2^30

}  // namespace inlay::tensor
