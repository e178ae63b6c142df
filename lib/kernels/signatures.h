// SPDX-License-Identifier: Apache-2.0
// The function types of all kernels and the table that holds one of each. A signature's comment states the math, the
// layout, aliasing, and the order of operations; ref/ is the executable form of it, and every tier gives its bits.
#pragma once

#include "kernels/signatures/matmul.h"
#include "kernels/signatures/vec.h"
#include "kernels/types.h"

namespace inlay::kernels {

// One pointer a kernel, made from kernels.def. Filled from ref/ first, then by each tier in ascending order, so a
// family that a tier lacks stays with the tier below.
struct KernelTable {
#define INLAY_KERNEL(name, Fn, family) Fn *name = nullptr;
#include "kernels/kernels.def"
#undef INLAY_KERNEL
    // Panels that matmul_q4_k takes together for many tokens: work is best cut in multiples of them.
    int32_t panels_q4_k = 2;
};

}  // namespace inlay::kernels
