// SPDX-License-Identifier: Apache-2.0
// Quantised weights on AVX-512 VNNI: vpdpbusd sums four products of unsigned weights and int8 activations per row.
#include "kernels/signatures.h"
#include "kernels/x86/lanes512.h"
#include "kernels/generic/matmul_many.h"

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
    t.matmul_q4_0 = matmul<Q4_0>;
    t.matmul_q4_1 = matmul<Q4_1>;
    t.matmul_q5_0 = matmul<Q5_0>;
    t.matmul_q5_1 = matmul<Q5_1>;
    t.matmul_q8_0 = matmul<Q8_0>;
    t.matmul_q2_k = matmul<Q2K>;
    t.matmul_q3_k = matmul<Q3K>;
    t.matmul_q4_k = matmul<Q4K>;
    t.matmul_q5_k = matmul<Q5K>;
    t.matmul_q6_k = matmul<Q6K>;
    t.matmul_iq4_nl = matmul<Iq4Nl>;
    t.matmul_iq4_xs = matmul<Iq4Xs>;
    t.matmul_mxfp4 = matmul<Mxfp4>;
    t.matmul_tq2_0 = matmul<TQ2_0>;
    t.matmul_iq1_m = matmul<Iq1M>;
    t.matmul_iq2_s = matmul<Iq2S>;
    t.matmul_iq3_xxs = matmul<Iq3Xxs>;
    t.matmul_iq3_s = matmul<Iq3S>;
}

}  // namespace inlay::avx512vnni
