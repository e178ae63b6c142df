// SPDX-License-Identifier: Apache-2.0
// Quantised weights on NEON with matrix products: smmla, 2 rows x 2 tokens x 8 k at once, over unpacked panels; sdot for few tokens
// (matmul_words.h).
#include "kernels/signatures.h"
#include "kernels/arm/lanes128.h"

namespace inlay::i8mm {
namespace {
constexpr bool kDot = true;
}  // namespace
}  // namespace inlay::i8mm

#include "kernels/generic/matmul_words.h"

namespace inlay::i8mm {

namespace {

// 16 rows x 4 tokens: 16 registers of sums + 4 of codes + 2 of activations of 32. Tokens go in pairs.
constexpr int kTokens = 4;
constexpr int kManyFrom = 8;  // not measured: smmla does twice sdot's work, so unpacking pays a little sooner than there

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
    t.matmul_mxfp4 = fn<Mxfp4>;
    t.matmul_tq2_0 = fn<TQ2_0>;
    t.matmul_iq1_m = fn<Iq1M>;
    t.matmul_iq2_s = fn<Iq2S>;
    t.matmul_iq3_xxs = fn<Iq3Xxs>;
    t.matmul_iq3_s = fn<Iq3S>;
}

}  // namespace inlay::i8mm
