// SPDX-License-Identifier: Apache-2.0
// Matrix multiplication from packed panels: y[t][r] = sum over k of w[r][k] * x[t][k], and the rounding of activations
// to int8 that integer weights ask for. The layouts and the order of operations are docs/numerics.md, sections 2 to 5.
#pragma once

#include "kernels/signatures/panels.h"
#include "kernels/types.h"

namespace inlay::kernels {

// Name of the rules of docs/numerics.md; packed files, checkpoints and goldens carry it.
constexpr const char *kNumericsId = "inlay-numerics-2";

// A panel is 16 output rows; lane = row in every tier.
constexpr int kPanelRows = 16;
// K of integer types is walked in blocks of 32; a row of activations has an even number of them (padded with zeros),
// because two blocks' scales of 16 rows fill one 64-byte line of a panel.
constexpr int kBlock = 32;
// Blocks that share a scale of activations, but for a power of two of each: 256 k, a K-quant's unit.
constexpr int kGroupBlocks = 8;
// Bytes of scratch that a matmul kernel may use: two panels of codes unpacked to bytes over a stretch of K, and partial
// sums of a stretch of tokens. Half of a 512 KiB L2.
constexpr size_t kMatmulScratch = 256 * 1024;

// Activations of one or more tokens. Integer weights read all but x, float weights x. All are [n_tokens, ...] with the strides
// below; blocks past K hold q = 0 and sums 0. x is about q * p * d.
struct ActView {
    const int8_t *q;        // [n, ldq] round-half-even(x * (127 / amax) / p), |q| <= 127
    const float *d;         // [n, ldg] amax / 127 of each group; NaN when it holds NaN or Inf (then q = 0)
    const float *p;         // [n, ldb] 2^-e of each block, e = 0..15
    const float *sp;        // [n, ldb] float(sum q) * p
    const int32_t *n128;    // [n, ldb] -128 * sum q: what an accumulator of weights stored + 128 starts from
    const int32_t *h128;    // [n, 2 * ldb] the same over each half block
    const int16_t *n16;     // [n, 4 * ldb] of each half block: -(sum of q at k % 4 = 0, 1), -(at k % 4 = 2, 3)
    const int16_t *s16;     // [n, 2 * ldb] 8 * p * sum q over each half block, to the nearest, halves up
    const int16_t *b16;     // [n, ldb] both halves' s16
    const int32_t *magic;   // [n, ldb] the bits of 1.5 * 2^23 * p: magic + S is, as a float, 1.5 * 2^23 * p + S * p, for |S| < 2^22
    const int32_t *m128;    // [n, ldb] magic + n128
    const int32_t *mh128;   // [n, 2 * ldb] magic + h128
    const float *x;         // [n, ldx]
    int64_t ldq, ldb, ldg, ldx;
};
constexpr int32_t kMagic = 0x4b400000;  // 1.5 * 2^23

// The same memory, to be written.
struct ActRows {
    int8_t *q;
    float *d;
    float *p;
    float *sp;
    int32_t *n128;
    int32_t *h128;
    int16_t *n16;
    int16_t *s16;
    int16_t *b16;
    int32_t *magic;
    int32_t *m128;
    int32_t *mh128;
    int64_t ldq, ldb, ldg;
    int64_t blocks;  // of a row to write: those of cols and what pads them
};

// Rounds tokens [0, n) of x [n, ldx], cols values each, to int8 per 32. No aliasing.
using QuantizeFn = void(const float *x, int64_t ldx, int64_t n, int64_t cols, const ActRows *out) noexcept;

// So many are many to KernelTable::panels_q4_k.
constexpr int64_t kManyTokens = 33;

struct MatmulArgs {
    const uint8_t *panels;  // first panel to compute, 64-byte aligned
    int64_t panel_bytes;
    int64_t n_panels;
    int64_t cols;           // K of the matrix; panels hold it padded by their type's rule
    ActView act;            // of the first token
    int64_t n_tokens;
    float *y;               // [n_tokens, ldy]: column 0 is row 0 of the first panel
    int64_t ldy;
    int64_t n_rows;         // columns of y to write: > (n_panels - 1) * 16 and <= n_panels * 16, for a short last panel
    const float *add;       // [n_tokens, ld_add] or null: y = add + (w x), one rounded f32 addition at the end; may be y
    int64_t ld_add;
    void *scratch;          // kMatmulScratch bytes, 64-byte aligned
};

// y is never read (unless `add` is it) and does not alias anything else.
using MatmulFn = void(const MatmulArgs *) noexcept;

}  // namespace inlay::kernels
