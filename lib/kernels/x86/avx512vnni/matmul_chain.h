// SPDX-License-Identifier: Apache-2.0
// Many tokens and codes of four bits: five panels' sums a, b, c, d, e out of the four products a + 16 b, b + 16 c, c + 16 d, d + 16 e, a fifth
// fewer multiplications. A byte of weights has room for the codes of two panels, and of codes that mean -8 .. 7 the sum over a block has 16
// bits (8 * 32 * 127 < 2^15): (a + 16 b) - 16 (b + 16 c) + 256 (c + 16 d) - 4096 (d + 16 e) = a - 65536 e, whose low 16 bits are a; the others
// follow from it one by one. All in integers, so no bit of a result changes. Taking sums apart is shifts and additions, in pipes that the
// products leave idle, where it stands among the next block's products.
#pragma once

#include "kernels/generic/matmul_many.h"
#include "kernels/x86/avx512vnni/chain_group.h"

namespace inlay::INLAY_TIER {
namespace {

// One or two tokens over a group. sums is [tokens][80].
INLAY_INLINE void chain_tile(const uint8_t *w, const ActView &a, int64_t tokens, float *sums, bool first, const Target *target) {
    F f[2][kChain];
    for (int t = 2; t < 4; ++t) prefetch(a.magic + t * a.ldb), prefetch(a.n128 + t * a.ldb), prefetch(a.b16 + t * a.ldb);
    chain_group(w, a, tokens - 1, 2 * a.ldq, f);
#pragma GCC unroll 2
    for (int t = 0; t < 2; ++t) {
        if (t == tokens) break;
        float *to = sums + t * kChainRows;
        const F d = setf(a.d[t * a.ldg]);
        if (!target) {
#pragma GCC unroll 8
            for (int i = 0; i < kChain; ++i) storef(to + 16 * i, fma(f[t][i], d, first ? zerof() : loadf(to + 16 * i)));
            continue;
        }
        float *y = target->y + t * target->ldy;
        const float *add = target->add ? target->add + t * target->ld_add : nullptr;
#pragma GCC unroll 8
        for (int i = 0; i < kChain; ++i) {
            const int rows = i == kChain - 1 ? target->rows : kPanelRows;
            F sum = fma(f[t][i], d, first ? zerof() : loadf(to + 16 * i));
            if (add) sum = addf(loadf_n(add + 16 * i, rows), sum);
            storef_n(y + 16 * i, sum, rows);
        }
    }
}

// Panels p to p + 4.
template <class Type>
void chain_panels(const MatmulArgs *m, int64_t p) {
    using R = ChainRecord;
    constexpr const PanelLayout &L = Type::layout;
    static_assert(L.unit_k == kGroupBlocks * kBlock && L.header_bytes == 0 && Type::mins == Mins::group && Type::pairs == 4 && !Type::two_scales);
    static_assert(R::all + kSumTokens * kChainRows * 4 <= static_cast<int>(kMatmulScratch));
    auto *w = static_cast<uint8_t *>(m->scratch);
    auto *sums = reinterpret_cast<float *>(w + R::all);
    const int64_t units = panel_units(L, m->cols), left_rows = m->n_rows - (p + kChain - 1) * kPanelRows;
    const uint8_t *panels = m->panels + p * m->panel_bytes;
    for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kSumTokens) {
        const int64_t n = m->n_tokens - t0 < kSumTokens ? m->n_tokens - t0 : kSumTokens;
        const Target target = {m->y + t0 * m->ldy + p * kPanelRows, m->add ? m->add + t0 * m->ld_add + p * kPanelRows : nullptr, m->ldy, m->ld_add,
                               left_rows < kPanelRows ? static_cast<int>(left_rows) : kPanelRows};
        for (int64_t u = 0; u < units; ++u) {
            unpack_chain<Type>(panels, m->panel_bytes, m->cols, u, w);
            // What is unpacked next comes into L2 meanwhile.
            const uint8_t *next = u + 1 < units ? panels + (u + 1) * L.unit_bytes : panels + kChain * m->panel_bytes;
            const int64_t lines = (2 * L.unit_bytes / n + 63) / 64;
            const ActView a = advance(m->act, t0, u * kGroupBlocks);
            for (int64_t t = 0, at = 0; t < n; t += 2) {
                for (int64_t i = 0; i < lines && at < L.unit_bytes; ++i, at += 64)
                    for (int k = 0; k < kChain; ++k) prefetch_l2(next + k * m->panel_bytes + at);
                const Target to = advance(target, t);
                chain_tile(w, advance(a, t, 0), n - t < 2 ? 1 : 2, sums + t * kChainRows, u == 0, u + 1 == units ? &to : nullptr);
            }
        }
    }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
