// SPDX-License-Identifier: Apache-2.0
// The reference families. Each family's file has one init function that fills its pointers.
#include "kernels/signatures.h"

namespace inlay::ref {

// ---- matmul
void init_quantize(kernels::KernelTable &t) noexcept;
void init_matmul_float(kernels::KernelTable &t) noexcept;
void init_matmul_int(kernels::KernelTable &t) noexcept;

// ---- vec

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul
    init_quantize(t);
    init_matmul_float(t);
    init_matmul_int(t);

    // ---- vec
}

}  // namespace inlay::ref
