// SPDX-License-Identifier: Apache-2.0
// F32, F16 and BF16 weights with f32 activations: one fma a weight, k in order (docs/numerics.md section 4).
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/signatures.h"

namespace inlay::ref {

namespace {

using kernels::kPanelRows;
using kernels::MatmulArgs;

struct F32 {
    static float at(const uint8_t *panel, int64_t k, int r) {
        float f;
        std::memcpy(&f, panel + 64 * k + 4 * r, 4);
        return f;
    }
};
struct F16 {
    static float at(const uint8_t *panel, int64_t k, int r) {
        uint16_t h;
        std::memcpy(&h, panel + 32 * k + 2 * r, 2);
        return f32_from_f16(h);
    }
};
struct BF16 {
    static float at(const uint8_t *panel, int64_t k, int r) {
        uint16_t h;
        std::memcpy(&h, panel + 64 * (k / 2) + 4 * r + 2 * (k % 2), 2);
        return f32_from_bf16(h);
    }
};

template <class W>
void matmul(const MatmulArgs *m) noexcept {
    constexpr int kTokens = 16;  // sums of a stretch of tokens live in 1 KiB while a panel passes by once
    for (int64_t p = 0; p < m->n_panels; ++p) {
        const uint8_t *panel = m->panels + p * m->panel_bytes;
        const int64_t left = m->n_rows - p * kPanelRows;
        const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
        for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kTokens) {
            const int n = m->n_tokens - t0 < kTokens ? static_cast<int>(m->n_tokens - t0) : kTokens;
            float acc[kTokens][kPanelRows] = {};
            for (int64_t k = 0; k < m->cols; ++k) {
                float w[kPanelRows];
                for (int r = 0; r < kPanelRows; ++r) w[r] = W::at(panel, k, r);
                for (int t = 0; t < n; ++t) {
                    const float x = m->act.x[(t0 + t) * m->act.ldx + k];
                    for (int r = 0; r < kPanelRows; ++r) acc[t][r] = std::fma(w[r], x, acc[t][r]);
                }
            }
            for (int t = 0; t < n; ++t)
                for (int r = 0; r < rows; ++r) {
                    const float *add = m->add ? m->add + (t0 + t) * m->ld_add + p * kPanelRows + r : nullptr;
                    m->y[(t0 + t) * m->ldy + p * kPanelRows + r] = add ? *add + acc[t][r] : acc[t][r];
                }
        }
    }
}

}  // namespace

void init_matmul_float(kernels::KernelTable &t) noexcept;
void init_matmul_float(kernels::KernelTable &t) noexcept {
    t.matmul_f32 = matmul<F32>;
    t.matmul_f16 = matmul<F16>;
    t.matmul_bf16 = matmul<BF16>;
}

}  // namespace inlay::ref
