// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX-512 without VNNI by 16-bit sums (matmul_words.h).
#include "kernels/signatures.h"
#include "kernels/x86/lanes512.h"

namespace inlay::avx512 {
namespace {
constexpr bool kDot = false;
INLAY_INLINE I dot(I acc, I, I) { return acc; }  // never reached
}  // namespace
}  // namespace inlay::avx512

#include "kernels/generic/matmul_types.h"
#include "kernels/generic/matmul_words.h"

namespace inlay::avx512 {

namespace {

// 16 rows x 8 tokens: 8 sums + 1 code vector, as tokens come in eights; 10 gain nothing (bench/kernels).
constexpr int kTokens = 8;
constexpr int kManyFrom = 5;  // as AVX2

template <class Type>
constexpr MatmulFn *fn = matmul_words<Type, kTokens, kManyFrom>;

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4Words, Iq2Words, Iq3XxsWords>(t, []<class Type>() -> MatmulFn * { return fn<Type>; });
}

}  // namespace inlay::avx512
