// SPDX-License-Identifier: Apache-2.0
// Panels side by side become a piece of the transposed matrix, [k, rows] with rows of consecutive k apart by its width: that
// is what sgemm takes as it stands. The piece lies in the worker's scratch; longer sums are added up piece by piece.
#include "tensor/matmul_blas.h"

#include "base/error.h"

#if defined(INLAY_HAVE_OPENBLAS)

#include <cblas.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace inlay::tensor {

namespace {

constexpr int64_t kLeastTokens = 32;   // below, laying out costs more than a fifth of the product
constexpr int64_t kPanelsAPiece = 16;  // 256 rows: with the scratch's 64 Ki floats also 256 of k, about OpenBLAS's own blocks

}  // namespace

void need_blas() { openblas_set_num_threads(1); }

bool blas_takes(DType weights, int64_t n_tokens) noexcept {
    return weights == DType::f32 && n_tokens >= kLeastTokens && n_tokens <= INT_MAX;
}

void blas_matmul_panels(const PackedMatrix &w, const Activations &a, int64_t token0, int64_t n_tokens, int64_t panel0, int64_t panel1,
                        float *y, int64_t ldy, void *scratch, const float *add, int64_t ld_add) noexcept {
    const kernels::ActView x = a.view(token0);
    float *piece = static_cast<float *>(scratch);
    for (int64_t p = panel0; p < panel1; p += kPanelsAPiece) {
        const int64_t n_panels = std::min(kPanelsAPiece, panel1 - p), width = n_panels * kernels::kPanelRows;
        const int64_t row0 = p * kernels::kPanelRows, rows = std::min(width, w.rows() - row0);
        const int64_t step = static_cast<int64_t>(kMatmulScratch / sizeof(float)) / width;
        const int64_t column = row0 - panel0 * kernels::kPanelRows;
        float *out = y + column;
        if (add && add != y)
            for (int64_t t = 0; t < n_tokens; ++t) std::copy_n(add + t * ld_add + column, rows, out + t * ldy);
        for (int64_t k0 = 0; k0 < w.cols(); k0 += step) {
            const int64_t k = std::min(step, w.cols() - k0);
            for (int64_t q = 0; q < n_panels; ++q) {
                const uint8_t *from = w.panel(p + q) + 64 * k0;
                for (int64_t i = 0; i < k; ++i) std::memcpy(piece + i * width + kernels::kPanelRows * q, from + 64 * i, 64);
            }
            // Leading dimensions are row lengths of matrices in memory; those of models are far below 2^31.
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<blasint>(n_tokens), static_cast<blasint>(rows),
                        static_cast<blasint>(k), 1.0f, x.x + k0, static_cast<blasint>(x.ldx), piece, static_cast<blasint>(width),
                        add || k0 ? 1.0f : 0.0f, out, static_cast<blasint>(ldy));
        }
    }
}

}  // namespace inlay::tensor

#else

namespace inlay::tensor {
void need_blas() { fail(Code::unsupported, "this build has no OpenBLAS (meson option openblas)"); }
bool blas_takes(DType, int64_t) noexcept { return false; }
void blas_matmul_panels(const PackedMatrix &, const Activations &, int64_t, int64_t, int64_t, int64_t, float *, int64_t, void *, const float *,
                        int64_t) noexcept {}
}  // namespace inlay::tensor

#endif
