// SPDX-License-Identifier: Apache-2.0
// Scores over q8_0 panels: exact integer dots of 32 dims, then one fma a block. The contract is AttnScoresArgs's.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

// R rows share each load of a panel; four of them keep their sums in registers on every tier.
template <int R>
INLAY_INLINE void score_tile_q8(const kernels::AttnScoresArgs *a, int64_t row, int64_t panel) {
    const kernels::ActView &x = a->act;
    const int64_t blocks = (a->k_dim + 31) / 32;
    const uint8_t *k = a->panels[panel];
    const uint16_t *scales = reinterpret_cast<const uint16_t *>(k + blocks * 32 * kLanes);
    V acc[R];
    for (int r = 0; r < R; ++r) acc[r] = zero();
    for (int64_t b = 0; b < blocks; ++b) {
        I dots[R];
        for (int r = 0; r < R; ++r) dots[r] = set1i(kOffsetDots ? x.n128[(row + r) * x.ldb + b] : 0);
        for (int g = 0; g < 8; ++g)
            for (int r = 0; r < R; ++r) dots[r] = dot4(dots[r], k + b * 512 + g * 64, x.q + (row + r) * x.ldq + b * 32 + g * 4);
        const V d = load_f16(scales + b * kLanes);
        for (int r = 0; r < R; ++r) acc[r] = fma(to_float(dots[r]), mul(set1(x.d[(row + r) * x.ldb + b]), d), acc[r]);
    }
    for (int r = 0; r < R; ++r) store(a->s + (row + r) * a->lds + panel * kLanes, acc[r]);
}

void attn_scores_q8_0(const kernels::AttnScoresArgs *a) noexcept {
    for (int64_t p = 0; p < a->n_panels; ++p) {
        int64_t row = 0;
        for (; row + 4 <= a->rows; row += 4) score_tile_q8<4>(a, row, p);
        for (; row < a->rows; ++row) score_tile_q8<1>(a, row, p);
    }
}

}  // namespace

void init_attention_q8(kernels::KernelTable &t) noexcept;
void init_attention_q8(kernels::KernelTable &t) noexcept { t.attn_scores_q8_0 = attn_scores_q8_0; }

}  // namespace inlay::INLAY_TIER
