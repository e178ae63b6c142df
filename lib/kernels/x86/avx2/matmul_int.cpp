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

#include "kernels/generic/matmul_words.h"

namespace inlay::avx2 {

namespace {

// 16 rows x 5 tokens: 10 sums + 2 code vectors + 1 of activations + 1 of ones of 16 registers (PERFORMANCE.md 2i: 6 spill).
constexpr int kTokens = 5;
constexpr int kManyFrom = 10;

template <class Type>
constexpr MatmulFn *fn = matmul_words<Type, kTokens, kManyFrom>;

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    t.matmul_q4_0 = fn<Q4_0>;
    t.matmul_q4_1 = fn<Q4_1>;
    t.matmul_q5_0 = fn<Q5_0>;
    t.matmul_q5_1 = fn<Q5_1>;
    t.matmul_q8_0 = fn<Q8_0>;
    t.matmul_q2_k = fn<Q2K>;
    t.matmul_q3_k = fn<Q3K>;
    t.matmul_q4_k = fn<Q4K>;
    t.matmul_q5_k = fn<Q5K>;
    t.matmul_q6_k = fn<Q6K>;
    t.matmul_iq4_nl = fn<Iq4Nl>;
    t.matmul_iq4_xs = fn<Iq4Xs>;
    t.matmul_mxfp4 = fn<Mxfp4Words>;
    t.matmul_tq2_0 = fn<TQ2_0>;
    t.matmul_iq1_m = fn<Iq1M>;
    t.matmul_iq2_s = fn<Iq2S>;
    t.matmul_iq3_xxs = fn<Iq3Xxs>;
    t.matmul_iq3_s = fn<Iq3S>;
}

}  // namespace inlay::avx2
