// SPDX-License-Identifier: Apache-2.0
// Float weights: the shared tiles with this tier's registers.
#include "kernels/arm/lanes128.h"
#include "kernels/generic/matmul_float.h"

namespace inlay::neon {

namespace {

constexpr int kTokens = 3;  // 2 panels x 3 tokens: 24 sums of 32 registers + 4 of weights + 1 of activations
constexpr int kAlone = 2;  // a panel is four chains

template <class W>
constexpr MatmulFn *fn = matmul_float<W, kTokens, kAlone>;

}  // namespace

void init_matmul_float(KernelTable &t) noexcept;
void init_matmul_float(KernelTable &t) noexcept {
    t.matmul_f32 = fn<WF32>;
    t.matmul_f16 = fn<WF16>;
    t.matmul_bf16 = fn<WBF16>;
}

}  // namespace inlay::neon
