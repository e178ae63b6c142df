// SPDX-License-Identifier: Apache-2.0
// Quantised weights on NEON with dot products: sdot (matmul_words.h).
#include "kernels/signatures.h"
#include "kernels/arm/lanes128.h"

namespace inlay::dotprod {
namespace {
constexpr bool kDot = true;
}  // namespace
}  // namespace inlay::dotprod

#include "kernels/generic/matmul_types.h"
#include "kernels/generic/matmul_words.h"

namespace inlay::dotprod {

namespace {

// 16 rows x 5 tokens: 20 sums + 4 code vectors + 1 of activations of 32 registers.
constexpr int kTokens = 5;
constexpr int kManyFrom = 10;

template <class Type>
constexpr MatmulFn *fn = matmul_words<Type, kTokens, kManyFrom>;

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4, Iq2S, Iq3Xxs>(t, []<class Type>() -> MatmulFn * { return fn<Type>; });
}

}  // namespace inlay::dotprod
