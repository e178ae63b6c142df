// SPDX-License-Identifier: Apache-2.0
// Float weights: the shared tiles with this tier's registers.
#include "kernels/x86/lanes256.h"
#include "kernels/generic/matmul_float.h"

namespace inlay::avx2 {

namespace {

constexpr int kTokens = 3;  // 2 panels x 3 tokens: 12 sums of 16 registers + 2 of weights + 1 of activations
constexpr int kAlone = 4;     // a chain of one k in four cycles each, at 64 bytes: more than memory gives

template <class W>
constexpr MatmulFn *fn = matmul_float<W, kTokens, kAlone>;

}  // namespace

void init_matmul_float(KernelTable &t) noexcept;
void init_matmul_float(KernelTable &t) noexcept {
    t.matmul_f32 = fn<WF32>;
    t.matmul_f16 = fn<WF16>;
    t.matmul_bf16 = fn<WBF16>;
}

}  // namespace inlay::avx2
