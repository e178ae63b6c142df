// SPDX-License-Identifier: Apache-2.0
// gate and up, the activation and its rounding for `down` as one phase. A slice computes the same columns of gate and of up
// for its tokens, and what comes of them is rounded while it is in the cache; a row of gate and up never goes to memory.
//
// Rounding wants whole groups of 256 columns. Slices that end on groups keep their columns to themselves (in the worker's
// tile). For few tokens on several workers such slices would be too few: there a slice has any panels, columns lie in
// `ffn`, and who brings a group's last columns rounds it.
#include <algorithm>
#include <atomic>

#include "model/forward_state.h"

namespace inlay::model {

using kernels::kPanelRows;
using tensor::kActGroup;

FfnCut Forward::State::ffn_cut(const Linear &gate_up, int64_t n_ff, int64_t n_tokens, int64_t wanted, bool may_share) const noexcept {
    FfnCut c;
    const int64_t halves = config.gated ? 2 : 1;
    int64_t line = 0;  // bytes of a column's weights
    bool floats = false;
    for (int32_t p = 0; p < gate_up.n_parts; ++p) {
        const tensor::PackedMatrix &m = weights.matrix(gate_up.parts[p].matrix);
        line += m.panel_bytes() / kPanelRows * (gate_up.n_parts == 1 ? halves : 1);
        floats |= tensor::act_kind(m.dtype()) == tensor::ActKind::f32;
    }
    const int64_t work = halves * gate_up.cols;  // of a column and a token
    // With a deadline a slice must stay short; else only the workers ask for several.
    const int64_t most = !bounded ? INT64_MAX : floats ? kSliceWork / 3 : kSliceWork, most_columns = bounded ? kSliceBytes / line : n_ff;
    c.n_ff = n_ff;
    // Up must start with a panel: two slices would write into what they share else.
    c.shared = may_share && executor.width() > 1 && n_tokens <= kFewTokens && n_ff % kPanelRows == 0;
    if (c.shared) {
        const int64_t unit = n_tokens > 1 ? 2 * kPanelRows : kPanelRows;  // kernels for many tokens take panels in pairs
        const int64_t columns = std::min({most / (work * n_tokens), most_columns, n_ff / wanted});
        c.step = std::max(columns / unit * unit, unit);
        c.token_step = n_tokens;
    } else {
        // A short slice has few tokens, and panels are unpacked more often.
        c.token_step = std::min(n_tokens, std::clamp<int64_t>(most / (work * kActGroup) / 8 * 8, 16, kTokenTile));
        // Two groups are 32 panels, of which a kernel that takes five together leaves two; of one group's sixteen it would leave six.
        if (tensor::panels_together(k, weights.matrix(gate_up.parts[0].matrix).dtype(), c.token_step) > 2)
            c.token_step = std::min(c.token_step, kTokenTile / 2);
        const int64_t groups = (n_ff + kActGroup - 1) / kActGroup;
        auto tiles = [&] { return (n_tokens + c.token_step - 1) / c.token_step; };
        while (groups * tiles() < wanted && c.token_step > 32) c.token_step = (c.token_step + 1) / 2;
        const int64_t columns = std::min({most / (work * c.token_step), most_columns, n_ff * tiles() / wanted,
                                          (kFfnTile / c.token_step - 3 * kPanelRows) / 2});
        c.step = std::max(columns / kActGroup * kActGroup, kActGroup);
    }
    c.token_tiles = (n_tokens + c.token_step - 1) / c.token_step;
    c.total = (n_ff + c.step - 1) / c.step * c.token_tiles;
    return c;
}

void Forward::State::prepare_ffn(const Linear &gate_up, const Linear &down, int64_t n_ff) {
    make_room(down, mid_q8, mid_f32, n_live, n_ff);
    ffn_tiles = ffn_cut(gate_up, n_ff, n_live, wanted_slices(), true);
    n_slices = ffn_tiles.total;
    if (ffn_tiles.shared) std::fill(group_columns.begin(), group_columns.end(), 0);
}

void Forward::State::ffn_slice(const Linear &gate_up, const Linear &down, const FfnCut &cut, int64_t slice, const FfnRows &rows,
                               int worker) noexcept {
    // Neighbouring slices share their panels, which then come from the cache.
    const int64_t c0 = slice / cut.token_tiles * cut.step, width = std::min(cut.step, cut.n_ff - c0);
    const int64_t first = slice % cut.token_tiles * cut.token_step, n = std::min(cut.token_step, rows.n - first);
    const int64_t token = rows.first + first;
    float *base, *g, *u = nullptr;
    int64_t ld, up;  // up: from gate's columns to up's
    if (cut.shared)
        base = ffn.row(first) + c0, ld = ffn.ld, up = cut.n_ff;
    else
        base = ffn_tile.as<float>() + worker * kFfnTile, up = cut.step + kPanelRows, ld = 2 * up + kPanelRows;
    g = columns(gate_up, c0, width, *rows.in_q8, *rows.in_f32, token, n, base, ld, worker);
    if (config.gated) u = columns(gate_up, cut.n_ff + c0, width, *rows.in_q8, *rows.in_f32, token, n, base + up, ld, worker);
    if (const float *bias = weights.f32(gate_up.bias))
        for (int64_t r = 0; r < n; ++r) {
            k.add(bias + c0, g + r * ld, width);
            if (u) k.add(bias + cut.n_ff + c0, u + r * ld, width);
        }
    activate(g, u, ld, n, width);

    auto round = [&](int64_t from, int64_t to) {  // columns
        const float *src = g + (from - c0);
        if (down.q8) tensor::quantize_columns(k, src, ld, token, n, from, to - from, *rows.out_q8);
        if (down.f32) tensor::quantize_columns(k, src, ld, token, n, from, to - from, *rows.out_f32);
    };
    if (!cut.shared) {
        round(c0, c0 + width);
        return;
    }
    int64_t whole0 = 0, whole1 = 0;  // whole groups of its own, side by side
    for (int64_t a = c0; a < c0 + width;) {
        const int64_t group = a / kActGroup, begin = group * kActGroup, end = std::min(begin + kActGroup, cut.n_ff);
        const int64_t b = std::min(end, c0 + width);
        if (a == begin && b == end) {
            if (whole1 == 0) whole0 = begin;
            whole1 = end;
        } else {
            std::atomic_ref<int32_t> ready(group_columns[static_cast<size_t>(group)]);
            if (ready.fetch_add(static_cast<int32_t>(b - a), std::memory_order_acq_rel) + (b - a) == end - begin) round(begin, end);
        }
        a = b;
    }
    if (whole1) round(whole0, whole1);
}

namespace {

kernels::ActFn *activation(const kernels::KernelTable &k, Activation a) noexcept {
    switch (a) {
        case Activation::silu:
            return k.act_silu;
        case Activation::gelu_tanh:
            return k.act_gelu_tanh;
        case Activation::gelu_erf:
            return k.act_gelu_erf;
        case Activation::gelu_sigmoid:
            return k.act_quick_gelu;
        default:
            return k.act_relu;
    }
}

}  // namespace

// n rows of gate and up (or of up alone, as g) become act(gate) * up in place of gate.
void Forward::State::activate(float *g, float *u, int64_t ld, int64_t n, int64_t width) const noexcept {
    kernels::ActArgs args{g, u, g, ld, ld, ld, n, width};
    if (config.act == Activation::swiglu_clamped) {
        for (int64_t r = 0; r < n; ++r) clamped(g + r * ld, u + r * ld, width);
        return;
    }
    if (config.act == Activation::relu_squared) {
        args.u = nullptr;
        k.act_relu(&args);
        for (int64_t r = 0; r < n; ++r) {
            float *row = g + r * ld;
            for (int64_t i = 0; i < width; ++i) row[i] = row[i] * row[i];
            if (u)
                for (int64_t i = 0; i < width; ++i) row[i] = row[i] * u[r * ld + i];
        }
        return;
    }
    activation(k, config.act)(&args);
}

// gpt-oss: gate up to the limit, up within it; gate * sigmoid(alpha * gate) * (up + 1).
void Forward::State::clamped(float *g, const float *u, int64_t width) const noexcept {
    const float limit = static_cast<float>(config.act_limit), alpha = static_cast<float>(config.act_alpha);
    constexpr int64_t kStep = 256;
    float e[kStep];
    for (int64_t i = 0; i < width; i += kStep) {
        const int64_t n = std::min(kStep, width - i);
        for (int64_t j = 0; j < n; ++j) {
            g[i + j] = std::min(g[i + j], limit);
            e[j] = -alpha * g[i + j];
        }
        k.map_exp(e, e, n);
        for (int64_t j = 0; j < n; ++j) g[i + j] = (std::clamp(u[i + j], -limit, limit) + 1.0f) * (g[i + j] / (1.0f + e[j]));
    }
}

}  // namespace inlay::model
