// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX2 by 16-bit sums (matmul_words.h).
#include "kernels/signatures.h"
#include "kernels/x86/lanes256.h"

namespace inlay::avx2 {
namespace {
constexpr bool kDot = false;
INLAY_INLINE I dot(I acc, I, I) { return acc; }  // never reached
}  // namespace
}  // namespace inlay::avx2

#include "kernels/generic/matmul_types.h"
#include "kernels/generic/matmul_words.h"

namespace inlay::avx2 {

namespace {

// 16 rows x 5 tokens: 10 sums + 2 code vectors + 1 of activations + 1 of ones of 16 registers (PERFORMANCE.md 2i: 6 spill).
constexpr int kTokens = 5;
constexpr int kManyFrom = 5;  // more than one tile from the panel itself (bench/kernels --tokens=3,4,5,8)

template <class Type>
constexpr MatmulFn *fn = matmul_words<Type, kTokens, kManyFrom>;

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4Words, Iq2Words, Iq3XxsWords>(t, []<class Type>() -> MatmulFn * { return fn<Type>; });
}

}  // namespace inlay::avx2
