// SPDX-License-Identifier: Apache-2.0
#include "tensor/matmul.h"

namespace inlay::tensor {

kernels::MatmulFn *matmul_fn(const kernels::KernelTable &t, DType w) noexcept {
    switch (w) {
    case DType::f32: return t.matmul_f32;
    case DType::f16: return t.matmul_f16;
    case DType::bf16: return t.matmul_bf16;
    case DType::q4_0: return t.matmul_q4_0;
    case DType::q4_1: return t.matmul_q4_1;
    case DType::q5_0: return t.matmul_q5_0;
    case DType::q5_1: return t.matmul_q5_1;
    case DType::q8_0: return t.matmul_q8_0;
    case DType::q2_k: return t.matmul_q2_k;
    case DType::q3_k: return t.matmul_q3_k;
    case DType::q4_k: return t.matmul_q4_k;
    case DType::q5_k: return t.matmul_q5_k;
    case DType::q6_k: return t.matmul_q6_k;
    case DType::iq4_nl: return t.matmul_iq4_nl;
    case DType::iq4_xs: return t.matmul_iq4_xs;
    case DType::mxfp4: return t.matmul_mxfp4;
    case DType::tq1_0:
    case DType::tq2_0: return t.matmul_tq2_0;
    case DType::iq1_s:
    case DType::iq1_m: return t.matmul_iq1_m;
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s: return t.matmul_iq2_s;
    case DType::iq3_xxs: return t.matmul_iq3_xxs;
    case DType::iq3_s: return t.matmul_iq3_s;
    default: return nullptr;
    }
}

int64_t panels_together(const kernels::KernelTable &t, DType w, int64_t n_tokens) noexcept {
    if (n_tokens < 2) return 1;
    return w == DType::q4_k && n_tokens >= kernels::kManyTokens ? t.panels_q4_k : 2;
}

void matmul_panels(const kernels::KernelTable &table, const PackedMatrix &w, const Activations &a, int64_t token0, int64_t n_tokens,
                   int64_t panel0, int64_t panel1, float *y, int64_t ldy, void *scratch, const float *add, int64_t ld_add) noexcept {
    if (panel1 <= panel0 || n_tokens <= 0) return;
    kernels::MatmulArgs m = {};
    const int64_t row0 = panel0 * kernels::kPanelRows, row1 = panel1 * kernels::kPanelRows;
    m.panels = w.panel(panel0);
    m.panel_bytes = w.panel_bytes();
    m.n_panels = panel1 - panel0;
    m.cols = w.cols();
    m.act = a.view(token0);
    m.n_tokens = n_tokens;
    m.y = y;
    m.ldy = ldy;
    m.n_rows = (row1 < w.rows() ? row1 : w.rows()) - row0;
    m.add = add;
    m.ld_add = ld_add;
    m.scratch = scratch;
    matmul_fn(table, w.dtype())(&m);
}

}  // namespace inlay::tensor
