// SPDX-License-Identifier: Apache-2.0
// The families that this tier brings; the rest stays with the tier below.
#include "kernels/signatures.h"

namespace inlay::dotprod {

// ---- matmul
void init_matmul_int(kernels::KernelTable &t) noexcept;

// ---- vec
void init_attention_q8(kernels::KernelTable &t) noexcept;

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul
    init_matmul_int(t);

    // ---- vec
    init_attention_q8(t);
}

}  // namespace inlay::dotprod
