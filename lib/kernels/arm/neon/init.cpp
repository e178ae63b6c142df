// SPDX-License-Identifier: Apache-2.0
// The families that this tier brings; the rest stays with the tier below.
#include "kernels/signatures.h"

namespace inlay::neon {

// ---- matmul
void init_matmul_float(kernels::KernelTable &t) noexcept;
void init_matmul_int(kernels::KernelTable &t) noexcept;

// ---- vec
void init_norm(kernels::KernelTable &t) noexcept;
void init_act(kernels::KernelTable &t) noexcept;
void init_rope(kernels::KernelTable &t) noexcept;
void init_softmax(kernels::KernelTable &t) noexcept;
void init_map(kernels::KernelTable &t) noexcept;
void init_attention(kernels::KernelTable &t) noexcept;
void init_attention_q8(kernels::KernelTable &t) noexcept;
void init_kv_write(kernels::KernelTable &t) noexcept;

void init(kernels::KernelTable &t) noexcept;
void init(kernels::KernelTable &t) noexcept {
    // ---- matmul
    init_matmul_float(t);
    init_matmul_int(t);

    // ---- vec
    init_norm(t);
    init_act(t);
    init_rope(t);
    init_softmax(t);
    init_map(t);
    init_attention(t);
    init_attention_q8(t);
    init_kv_write(t);
}

}  // namespace inlay::neon
