// SPDX-License-Identifier: Apache-2.0
// Function types of the norms, activations, rope, softmax and other row-wise kernels. All run over rows: `rows` of
// them, `n` values each, the strides (ld..) in elements. No alignment is needed; nothing is read or written past n.
//
// Sums over a row follow one rule (docs/numerics.md): 16 partial sums, element i in sum i mod 16, ascending; then
// s[j] += s[j + 8], s[j + 4], s[j + 2], s[j + 1]. Polynomials are those of kernels/polynomials.h.
#pragma once

#include "kernels/signatures/attention.h"
#include "kernels/types.h"

namespace inlay::kernels {

// rms:   y = (x * r) * w,             r = 1 / sqrt(sum(x * x) / n + eps)
// layer: y = fma((x - mean) * r, w, b), mean = sum(x) / n, r = 1 / sqrt(sum((x - mean)^2) / n + eps)
// then, where `add` is given, y = add + y. w null = 1, b null = 0 (the step is left out). y may be x or add.
struct NormArgs {
    const float *x;    // [rows, n]
    const float *w;    // [n] or null
    const float *b;    // [n] or null; layer_norm only
    const float *add;  // [rows, n] or null
    float *y;          // [rows, n]
    int64_t ldx, ld_add, ldy, rows, n;
    float eps;
};
using NormFn = void(const NormArgs *) noexcept;

// y = act(g) * u, or act(g) where u is null. y may be g or u.
// silu: g / (1 + exp(-g)). gelu_tanh: g / (1 + exp(-g (A + B g^2))), which is 0.5 g (1 + tanh ..). gelu_erf: 0.5 g (1 +
// erf(g / sqrt 2)). relu: g > 0 ? g : 0. quick_gelu: g / (1 + exp(-1.702 g)).
struct ActArgs {
    const float *g;  // [rows, n]
    const float *u;  // [rows, n] or null
    float *y;        // [rows, n]
    int64_t ldg, ldu, ldy, rows, n;
};
using ActFn = void(const ActArgs *) noexcept;

// Turns pairs of each head in place: (a, b) → (fma(a, c, -(b * s)), fma(a, s, b * c)). Pair i of n_rot / 2 is
// (i, i + n_rot / 2) for halves, (2 i, 2 i + 1) for neighbours. Values past n_rot stay as they are.
struct RopeArgs {
    float *x;          // [rows, heads, dim], heads contiguous
    const float *cos;  // [rows, n_rot / 2]
    const float *sin;  // [rows, n_rot / 2]
    int64_t ldx, ld_table, rows, heads, dim, n_rot;
};
using RopeFn = void(const RopeArgs *) noexcept;
// cos, sin [n]: scale * the cosine and sine (kernels/sincos.h) of position * freqs[i], in double until they are rounded. One
// table serves all layers with the same rope. `scale` is yarn's and longrope's attention factor.
using RopeTableFn = void(const double *freqs, int64_t n, double position, double scale, float *cos, float *sin) noexcept;

// y = exp(x - max) / sum, in place; the division is a multiplication by 1 / sum.
using SoftmaxFn = void(float *x, int64_t ldx, int64_t rows, int64_t n) noexcept;
// y = x + y and y = a * x over n values; y may be x.
using AddFn = void(const float *x, float *y, int64_t n) noexcept;
using ScaleFn = void(const float *x, float a, float *y, int64_t n) noexcept;
// y = a * tanh(x / a)
using SoftcapFn = void(const float *x, float a, float *y, int64_t n) noexcept;
// y += a * x as fma
using AxpyFn = void(const float *x, float a, float *y, int64_t n) noexcept;
using DotFn = float(const float *x, const float *y, int64_t n) noexcept;
// Elementwise exp, tanh, erf: what the other kernels use, for samplers and tests.
using MapFn = void(const float *x, float *y, int64_t n) noexcept;

// The index of the greatest value, the lowest on a tie; NaN is never greatest. -1 when all are NaN or n is 0.
using ArgmaxFn = int64_t(const float *x, int64_t n) noexcept;
// The greatest value and the double sum of exp(x - max) by the rule of 16 partial sums: log(sum) + max is logsumexp.
struct ExpSum {
    float max;
    double sum;
};
using ExpSumFn = ExpSum(const float *x, int64_t n) noexcept;
// What a sampler asks of a row first: its greatest value (-Inf when there is none), and whether a NaN or +Inf is there.
struct Extremes {
    float max;
    bool broken;
};
using ExtremesFn = Extremes(const float *x, int64_t n) noexcept;
// The same, and of each 256 values the greatest (-Inf where none is more), and where log2_scale > 0 the sum of
// 2^((x - greatest) * log2_scale) within 2e-4 of it; powers below 2^-126 count as that.
using BlockTopsFn = Extremes(const float *x, int64_t n, float log2_scale, float *greatest, float *sums) noexcept;
// blocks[b] = the double sum of exp((x - shift) / scale) over values [256 b, 256 b + 256): 8 partial sums, element i in
// sum i mod 8, ascending; then ((0 + 4) + (1 + 5)) + ((2 + 6) + (3 + 7)).
using ExpBlocksFn = void(const float *x, int64_t n, float shift, float scale, double *blocks) noexcept;
// Bit i % 64 of bits[i / 64]: x[i] >= bound.
using AtLeastFn = void(const float *x, int64_t n, float bound, uint64_t *bits) noexcept;

// Exact upwards; to nearest even downwards.
using FromHalfFn = void(const uint16_t *x, float *y, int64_t n) noexcept;
using ToHalfFn = void(const float *x, uint16_t *y, int64_t n) noexcept;

}  // namespace inlay::kernels
