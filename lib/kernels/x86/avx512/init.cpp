// SPDX-License-Identifier: Apache-2.0
// The families that this tier brings; the rest stays with the tier below.
#include "kernels/signatures.h"

namespace inlay::avx512 {

// ---- matmul

// ---- vec

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    (void)t;
    // ---- matmul

    // ---- vec
}

}  // namespace inlay::avx512
