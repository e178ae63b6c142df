// SPDX-License-Identifier: Apache-2.0
// The families that this tier brings; the rest stays with the tier below.
#include "kernels/signatures.h"

namespace inlay::i8mm {

// ---- matmul
void init_matmul_int(kernels::KernelTable &t) noexcept;


void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul
    init_matmul_int(t);

}

}  // namespace inlay::i8mm
