// SPDX-License-Identifier: Apache-2.0
// The reference families. Each family's file has one init function that fills its pointers.
#include "kernels/signatures.h"

namespace inlay::ref {

// ---- matmul

// ---- vec

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul
    (void)t;

    // ---- vec
}

}  // namespace inlay::ref
