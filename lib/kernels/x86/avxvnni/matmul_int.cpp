// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX-VNNI: vpdpbusd in 16 registers (matmul_words.h).
#include "kernels/signatures.h"
#include "kernels/x86/lanes256.h"

namespace inlay::avxvnni {
namespace {
constexpr bool kDot = true;
}  // namespace
}  // namespace inlay::avxvnni

#include "kernels/generic/matmul_types.h"
#include "kernels/generic/matmul_words.h"

namespace inlay::avxvnni {

namespace {

// 16 rows x 5 tokens: 10 sums + 2 code vectors + 1 of activations of 16 registers.
constexpr int kTokens = 5;
constexpr int kManyFrom = 5;  // as AVX2; not measured

template <class Type>
constexpr MatmulFn *fn = matmul_words<Type, kTokens, kManyFrom>;

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4, Iq2S, Iq3Xxs>(t, []<class Type>() -> MatmulFn * { return fn<Type>; });
}

}  // namespace inlay::avxvnni
