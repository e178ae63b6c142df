// SPDX-License-Identifier: Apache-2.0
// The families that this tier brings; the rest stays with the tier below.
#include "kernels/signatures.h"

namespace inlay::dotprod {

// ---- matmul

// ---- vec
void init_attention_q8(kernels::KernelTable &t) noexcept;

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul

    // ---- vec
    init_attention_q8(t);
}

}  // namespace inlay::dotprod
