// SPDX-License-Identifier: Apache-2.0
// Products of f32 weights by OpenBLAS, in a build that has it (meson option openblas) and a runtime that asked: its sums have
// another order, which changes with the CPU, the number of tokens and the cut. docs/decisions/0002 says when that pays.
#pragma once

#include "tensor/matmul.h"

namespace inlay::tensor {

// UNSUPPORTED where it is not built in. Makes OpenBLAS stay on its caller's thread, which is a setting of the whole process.
void need_blas();
// Whether a product is one for OpenBLAS: float weights and enough tokens to make up for laying them out again.
bool blas_takes(DType weights, int64_t n_tokens) noexcept;
// As matmul_panels() but for the bits. Of what blas_takes().
void blas_matmul_panels(const PackedMatrix &w, const Activations &a, int64_t token0, int64_t n_tokens, int64_t panel0, int64_t panel1,
                        float *y, int64_t ldy, void *scratch, const float *add = nullptr, int64_t ld_add = 0) noexcept;

}  // namespace inlay::tensor
