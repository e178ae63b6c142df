// SPDX-License-Identifier: Apache-2.0
// Scores over q8_0 panels: exact integer dots of 32 dims, then one fma a block. The contract is AttnScoresArgs's.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

// A tile's sums are an integer and a float vector each: 12 of them fit 32 registers, 3 fit 8 pairs.
#if defined(__AVX512F__)
inline constexpr int kTileQ8 = 12, kRowsQ8 = 12;
#else
inline constexpr int kTileQ8 = 3, kRowsQ8 = 3;
#endif
constexpr int panels_q8(int rows) { return rows * 4 <= kTileQ8 ? 4 : rows * 2 <= kTileQ8 ? 2 : 1; }

// R rows, P panels.
template <int R, int P>
INLAY_INLINE void score_tile_q8(const kernels::AttnScoresArgs *a, int64_t row, int64_t panel) {
    const kernels::ActView &x = a->act;
    const int64_t blocks = (a->k_dim + 31) / 32;
    const uint8_t *k[P], *ahead[P];
    for (int p = 0; p < P; ++p) {
        k[p] = a->panels[panel + p];
        ahead[p] = panel + P + p < a->n_panels ? a->panels[panel + P + p] : k[p];  // as in generic/attention.h
    }
    const int64_t v_offset = kernels::kv_v_offset(kernels::KvType::q8_0, a->k_dim);
    V acc[R][P];
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) acc[r][p] = zero();
    for (int64_t b = 0; b < blocks; ++b) {
        float dq[R];
        for (int r = 0; r < R; ++r) dq[r] = x.d[(row + r) * x.ldg + b / kernels::kGroupBlocks] * x.p[(row + r) * x.ldb + b];
        I dots[R][P];
        for (int r = 0; r < R; ++r)
            for (int p = 0; p < P; ++p) dots[r][p] = set1i(kOffsetDots ? x.n128[(row + r) * x.ldb + b] : 0);
        for (int g = 0; g < 8; ++g)
            for (int p = 0; p < P; ++p) {
                const int64_t at = b * 512 + g * 64;
                __builtin_prefetch(ahead[p] + at, 0, 3);
                if (R <= 4) __builtin_prefetch(k[p] + v_offset + at, 0, 2);  // decode: the panel's V is read next
                for (int r = 0; r < R; ++r) dots[r][p] = dot4(dots[r][p], k[p] + at, x.q + (row + r) * x.ldq + b * 32 + g * 4);
            }
        for (int p = 0; p < P; ++p) {
            const V d = load_f16(reinterpret_cast<const uint16_t *>(k[p] + blocks * 32 * kLanes) + b * kLanes);
            for (int r = 0; r < R; ++r) acc[r][p] = fma(to_float(dots[r][p]), mul(set1(dq[r]), d), acc[r][p]);
        }
    }
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) store(a->s + (row + r) * a->lds + (panel + p) * kLanes, acc[r][p]);
}

template <int R>
void score_rows_q8(const kernels::AttnScoresArgs *a, int64_t row) {
    for (; row + R <= a->rows; row += R) {
        constexpr int P = panels_q8(R);
        int64_t p = 0;
        for (; p + P <= a->n_panels; p += P) score_tile_q8<R, P>(a, row, p);
        if constexpr (P > 1)
            for (; p < a->n_panels; ++p) score_tile_q8<R, 1>(a, row, p);
    }
    if constexpr (R > 1)
        if (row < a->rows) score_rows_q8<R - 1>(a, row);
}

void attn_scores_q8_0(const kernels::AttnScoresArgs *a) noexcept { score_rows_q8<kRowsQ8>(a, 0); }

}  // namespace

void init_attention_q8(kernels::KernelTable &t) noexcept;
void init_attention_q8(kernels::KernelTable &t) noexcept { t.attn_scores_q8_0 = attn_scores_q8_0; }

}  // namespace inlay::INLAY_TIER
