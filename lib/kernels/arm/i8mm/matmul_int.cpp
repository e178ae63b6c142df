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

#include "kernels/generic/matmul_types.h"
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
    set_matmuls<Mxfp4, Iq2S, Iq3Xxs>(t, []<class Type>() -> MatmulFn * { return fn<Type>; });
}

}  // namespace inlay::i8mm
