// SPDX-License-Identifier: Apache-2.0
// Float weights: the shared tiles with this tier's registers.
#include "kernels/x86/lanes512.h"
#include "kernels/generic/matmul_float.h"

namespace inlay::avx512 {

namespace {

constexpr int kTokens = 8;  // 2 panels x 8 tokens: 16 chains of 4 cycles at two a cycle; 12 tokens need more addresses than registers (90 against 115 GFLOP/s)
constexpr int kAlone = 4;     // a chain of one k in four cycles each, at 64 bytes: more than memory gives

// f32: the hardware's prefetcher is ahead by itself (16 tokens: 107 GFLOP/s, asked 100).
template <class W>
constexpr MatmulFn *fn = matmul_float<W, kTokens, kAlone, W::widened>;

}  // namespace

void init_matmul_float(KernelTable &t) noexcept;
void init_matmul_float(KernelTable &t) noexcept {
    t.matmul_f32 = fn<WF32>;
    t.matmul_f16 = fn<WF16>;
    t.matmul_bf16 = fn<WBF16>;
}

}  // namespace inlay::avx512
