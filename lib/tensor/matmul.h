// SPDX-License-Identifier: Apache-2.0
// Matrix products from packed weights, in units that a caller can spread over threads and pause between: a range of
// panels times a range of tokens. Bits do not depend on how the work is cut, on the batch, or on the tier.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/signatures.h"
#include "tensor/activations.h"
#include "tensor/packed.h"

namespace inlay::tensor {

// Scratch of one worker, 64-byte aligned, for any matrix and any number of tokens.
inline constexpr size_t kMatmulScratch = kernels::kMatmulScratch;

kernels::MatmulFn *matmul_fn(const kernels::KernelTable &table, DType weights) noexcept;

// Panels that the products of so many tokens take together: work is best cut in multiples of them.
int64_t panels_together(const kernels::KernelTable &table, DType weights, int64_t n_tokens) noexcept;

// y[t][row] = sum over k w[row][k] * a[token0 + t][k] for t < n_tokens and the rows of panels [panel0, panel1).
// y is [n_tokens, ldy] and starts at the first row of panel0; only columns of those panels are written. With `add`
// ([n_tokens, ld_add], may be y itself) y = add + product: one f32 addition after the sum.
void matmul_panels(const kernels::KernelTable &table, const PackedMatrix &w, const Activations &a, int64_t token0, int64_t n_tokens,
                   int64_t panel0, int64_t panel1, float *y, int64_t ldy, void *scratch, const float *add = nullptr,
                   int64_t ld_add = 0) noexcept;

}  // namespace inlay::tensor
