// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX-512 VNNI: vpdpbusd sums four products of unsigned weights and int8 activations per row.
#include "kernels/signatures.h"
#include "kernels/x86/lanes512.h"
#include "kernels/generic/matmul_many.h"
#include "kernels/generic/matmul_batch.h"
#include "kernels/generic/matmul_types.h"
#include "kernels/x86/avx512vnni/matmul_chain.h"

namespace inlay::avx512vnni {

namespace {

// From here on panels are read ahead into L2 and tiles are as large as the tokens allow ...
constexpr int64_t kBatchFrom = 3;
// ... and unpacking panels once pays, later where the codes are bytes anyway (bench/kernels --tokens=2,3,4,16,24,32,48,64,80,96).
template <class Type>
constexpr int64_t kManyFrom = Type::layout.block_bytes == kU8 ? 81 : kManyTokens;

// Types whose panels are taken in fives, and how many of n panels: what remains are pairs.
template <class Type>
constexpr bool kChained = false;
template <>
constexpr bool kChained<Q4K> = true;
constexpr int64_t chained_panels(int64_t n) {
    constexpr int64_t apart[kChain] = {0, 6, 2, 8, 4};
    return n < apart[n % kChain] ? 0 : n - apart[n % kChain];
}

template <class Type>
void matmul(const MatmulArgs *m) noexcept {
    constexpr int tokens = 6;  // 32 rows x 6 tokens: 12 integer and 12 f32 sums + 2 code vectors + 1 of 32 registers
    constexpr int batch = 8;   // 16 rows x 8 tokens: 8 and 8 sums, and what taking codes apart needs; 12 tokens spill
    int64_t p = 0;
    if constexpr (kChained<Type>) {
        if (m->n_tokens >= kManyFrom<Type>)
            for (; p < chained_panels(m->n_panels); p += kChain) chain_panels<Type>(m, p);
    }
    if (m->n_tokens >= kManyFrom<Type>)
        for (; p + 1 < m->n_panels; p += 2) many_panels<Type, tokens>(m, p);
    else if (m->n_tokens >= kBatchFrom)
        for (; p < m->n_panels; ++p) batch_panel<Type, batch>(m, p);
    for (; p < m->n_panels; ++p) few_tokens<Type>(m, p);
}

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    set_matmuls<Mxfp4, Iq2S, Iq3Xxs>(t, []<class Type>() -> MatmulFn * { return matmul<Type>; });
    t.panels_q4_k = kChain;
}

}  // namespace inlay::avx512vnni
