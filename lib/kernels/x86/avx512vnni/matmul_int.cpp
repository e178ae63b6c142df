// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX-512 VNNI: vpdpbusd sums four products of unsigned weights and int8 activations per row.
#include "kernels/signatures.h"
#include "kernels/x86/lanes512.h"
#include "kernels/generic/matmul_many.h"
#include "kernels/generic/matmul_types.h"

namespace inlay::avx512vnni {

namespace {

// From here on unpacking a panel once pays: fewer tokens, eight at a time, read memory while they compute and unpacking waits for it
// (inlay bench -b 12,16,24,32,40: weights of a real size, which bench/kernels repeats from the cache).
constexpr int64_t kManyFrom = 41;

template <class Type>
void matmul(const MatmulArgs *m) noexcept {
    constexpr int tokens = 6;  // 32 rows x 6 tokens: 12 integer and 12 f32 sums + 2 code vectors + 1 of 32 registers
    int64_t p = 0;
    if (m->n_tokens >= kManyFrom)
        for (; p + 1 < m->n_panels; p += 2) many_panels<Type, tokens>(m, p);
    for (; p < m->n_panels; ++p) few_tokens<Type>(m, p, 0, m->n_tokens);
}

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4>(t, []<class Type>() -> MatmulFn * { return matmul<Type>; });
}

}  // namespace inlay::avx512vnni
