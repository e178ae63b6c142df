// SPDX-License-Identifier: Apache-2.0
// How a product is cut: tiles of panels x tokens. The cut changes no bits, so it follows time alone.
#include <algorithm>

#include "model/forward_state.h"
#include "tensor/matmul_blas.h"

namespace inlay::model {

namespace {

// Where a kernel takes many panels together and rows are long, tokens give way, down to kLeastTile: a slice is some 0.5 ms at most.
constexpr int64_t kMostWork = 7 * kSliceWork, kLeastTile = 64;

}  // namespace

Tiles Forward::State::make_tiles(const Linear &l, int64_t n_tokens, int64_t unit) const noexcept {
    Tiles t;
    int64_t panels = 0, most_tokens = kTokenTile;
    for (int32_t p = 0; p < l.n_parts; ++p) {
        const tensor::PackedMatrix &m = weights.matrix(l.parts[p].matrix);
        panels += m.n_panels();
        const int64_t work = kernels::kPanelRows * m.cols() * tensor::panels_together(k, m.dtype(), kTokenTile);
        while (work * most_tokens > kMostWork && most_tokens > kLeastTile) most_tokens /= 2;
    }
    // Tiles of like size, in twelves as kernels like them: a short last one would cost more a token.
    t.token_tiles = std::max<int64_t>(1, (n_tokens + most_tokens - 1) / most_tokens);
    t.token_step = std::max<int64_t>(1, (n_tokens + t.token_tiles - 1) / t.token_tiles);
    if (t.token_tiles > 1) t.token_step = std::min(most_tokens, (t.token_step + 11) / 12 * 12);
    t.token_tiles = std::max<int64_t>(1, (n_tokens + t.token_step - 1) / t.token_step);
    const int64_t wanted = std::max<int64_t>(1, wanted_slices() / std::max<int64_t>(t.token_tiles, 1));
    for (int32_t p = 0; p < l.n_parts; ++p) {
        const tensor::PackedMatrix &m = weights.matrix(l.parts[p].matrix);
        const int64_t work = kernels::kPanelRows * m.cols() * t.token_step;
        // Float products run at a third of the integer ones' speed.
        const int64_t most = tensor::act_kind(m.dtype()) == tensor::ActKind::q8 ? kSliceWork : kSliceWork / 3;
        int64_t step = std::min(most / work, kSliceBytes / m.panel_bytes());
        step = std::clamp<int64_t>(std::min(step, panels / wanted), 1, m.n_panels());
        const int64_t together = tensor::panels_together(k, m.dtype(), t.token_step);
        step = (step + together - 1) / together * together;
        step = std::max(step / unit * unit, unit);
        // An odd rest, which would be computed panel by panel, goes with the slice before.
        const int64_t rest = m.n_panels() % step, more = rest > 0 && (unit > 1 || rest >= together || rest % 2 == 0 || m.n_panels() < step);
        t.part[p] = {m.n_panels(), step, m.n_panels() / step + more};
        t.total += t.part[p].count * t.token_tiles;
    }
    return t;
}

void Forward::State::product(const Linear &l, const Tiles &tiles, int64_t slice, tensor::Activations &q8, tensor::Activations &f32,
                             int64_t token0, int64_t n_tokens, float *y, int64_t ldy, const float *add, int worker) noexcept {
    int32_t p = 0;
    while (slice >= tiles.part[p].count * tiles.token_tiles) slice -= tiles.part[p].count * tiles.token_tiles, ++p;
    const Tiles::Part &part = tiles.part[p];
    // Neighbouring slices share their panels, which then come from the cache.
    const int64_t i = slice / tiles.token_tiles, panel0 = i * part.step, panel1 = part.end(i);
    const int64_t first = slice % tiles.token_tiles * tiles.token_step, n = std::min(tiles.token_step, n_tokens - first);
    const int64_t at = first * ldy + l.parts[p].column + panel0 * kernels::kPanelRows;
    multiply(weights.matrix(l.parts[p].matrix), q8, f32, token0 + first, n, panel0, panel1, y + at, ldy, add ? add + at : nullptr, worker);
}

float *Forward::State::columns(const Linear &l, int64_t row, int64_t n_rows, tensor::Activations &q8, tensor::Activations &f32,
                               int64_t token, int64_t n, float *y, int64_t ldy, int worker) noexcept {
    int32_t p = l.n_parts - 1;
    while (l.parts[p].column > row) --p;
    row -= l.parts[p].column;
    const int64_t panel0 = row / kernels::kPanelRows, panel1 = (row + n_rows + kernels::kPanelRows - 1) / kernels::kPanelRows;
    multiply(weights.matrix(l.parts[p].matrix), q8, f32, token, n, panel0, panel1, y, ldy, nullptr, worker);
    return y + (row - panel0 * kernels::kPanelRows);
}

void Forward::State::multiply(const tensor::PackedMatrix &m, tensor::Activations &q8, tensor::Activations &f32, int64_t token, int64_t n,
                              int64_t panel0, int64_t panel1, float *y, int64_t ldy, const float *add, int worker) noexcept {
    tensor::Activations &a = tensor::act_kind(m.dtype()) == tensor::ActKind::q8 ? q8 : f32;
    if (blas && tensor::blas_takes(m.dtype(), n))
        tensor::blas_matmul_panels(m, a, token, n, panel0, panel1, y, ldy, scratch(worker), add, ldy);
    else
        tensor::matmul_panels(k, m, a, token, n, panel0, panel1, y, ldy, scratch(worker), add, ldy);
}

Forward::State::Span Forward::State::span_of(const Linear &l, const Tiles &tiles, int64_t slice, int64_t n_tokens) const noexcept {
    int32_t p = 0;
    while (slice >= tiles.part[p].count * tiles.token_tiles) slice -= tiles.part[p].count * tiles.token_tiles, ++p;
    const Tiles::Part &part = tiles.part[p];
    const int64_t i = slice / tiles.token_tiles, first = slice % tiles.token_tiles * tiles.token_step;
    const int64_t row0 = i * part.step * kernels::kPanelRows, row1 = part.end(i) * kernels::kPanelRows;
    return {first, std::min(tiles.token_step, n_tokens - first), l.parts[p].column + row0,
            std::min(row1, weights.matrix(l.parts[p].matrix).rows()) - row0};
}

void Forward::State::make_room(const Linear &l, tensor::Activations &q8, tensor::Activations &f32, int64_t n, int64_t cols) {
    if (l.q8) q8.reshape(tensor::ActKind::q8, n, cols);
    if (l.f32) f32.reshape(tensor::ActKind::f32, n, cols);
}

void Forward::State::round_rows(const Linear &l, const float *src, int64_t ld, int64_t row, int64_t n, tensor::Activations &q8,
                                tensor::Activations &f32) noexcept {
    if (l.q8) tensor::quantize_rows(k, src, ld, row, n, q8);
    if (l.f32) tensor::quantize_rows(k, src, ld, row, n, f32);
}

}  // namespace inlay::model
