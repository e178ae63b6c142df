// SPDX-License-Identifier: Apache-2.0
// Coefficients of the elementary functions, the same on every tier (docs/numerics.md states the steps and the errors).
// Fitted by weighted least squares towards the minimax (Lawson) at 400 Chebyshev nodes; the error is that of the fit.
#pragma once

namespace inlay::kernels {

// exp(r) = 1 + r + r^2 P(r) on |r| <= ln 2 / 2, relative error 3.1e-9.
inline constexpr float kExp[5] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239d6p-7f, 0x1.6a243ep-10f};
// ln 2 in two parts: the first has 9 trailing zero bits, so n * kLn2Hi is exact for |n| < 2^9.
inline constexpr float kLog2e = 0x1.715476p+0f, kLn2Hi = 0x1.62e4p-1f, kLn2Lo = 0x1.7f7d1cp-20f;
// Below: 2^-125.4, where the result is set to 0. Above: the largest x whose exp is finite; past it, +Inf.
inline constexpr float kExpMin = -0x1.5bap+6f, kExpMax = 0x1.62e42ep+6f;
// Adding it rounds a small float to an integer, to nearest even.
inline constexpr float kRound = 0x1.8p+23f;

// tanh(x) = x + x^3 P(x^2) on |x| < 0.625, relative error 4.4e-9; else 1 - 2 / (exp(2 |x|) + 1).
inline constexpr float kTanh[5] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c54p-5f, 0x1.522678p-6f, -0x1.75e13ap-8f};
inline constexpr float kTanhSmall = 0.625f;

// erf(x) = x + x P(x^2) on |x| < 1, relative error 1.3e-9; else 1 - exp(P(|x|)), |x| cut at 4, absolute error 2.1e-11.
inline constexpr float kErfSmall[7] = {0x1.06eba8p-3f,  -0x1.81273ep-2f, 0x1.ce2cf8p-4f, -0x1.b7f90cp-6f,
                                       0x1.5405b0p-8f, -0x1.a3f6f0p-11f, 0x1.496a0ap-14f};
inline constexpr float kErfLarge[8] = {0x1.8a5d7cp-13f, -0x1.212c0ep+0f,  -0x1.443564p-1f,  -0x1.bc1530p-4f,
                                       0x1.9d0344p-6f,  -0x1.138d18p-8f, 0x1.cec71cp-12f, -0x1.6bd952p-16f};

// gelu_tanh: 2 sqrt(2 / pi) (g + 0.044715 g^3) = g (A + B g^2).
inline constexpr float kGeluTanhA = 1.5957691216057308f, kGeluTanhB = 0.071354816272600247f;
inline constexpr float kSqrtHalf = 0.70710678118654752f;
inline constexpr float kQuickGelu = 1.702f;

}  // namespace inlay::kernels
