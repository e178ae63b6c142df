// SPDX-License-Identifier: Apache-2.0
// The program: which phase follows which, how many slices each has, and what a slice does.
#include <algorithm>
#include <cmath>

#include "model/forward_state.h"

namespace inlay::model {

Phase Forward::State::next() noexcept {
    switch (phase) {
        case Phase::embed:
            layer = weights.range().begin;
            return Phase::attn_in;
        case Phase::attn_in:
            return Phase::qkv;
        case Phase::qkv:
            return config.mla.kv_rank ? Phase::latent_in : Phase::heads;
        case Phase::latent_in:
            return Phase::latent_up;
        case Phase::latent_up:
            return Phase::heads;
        case Phase::heads:
            if (layer + 1 < weights.range().end) return Phase::attend;
            if (n_out == 0) return Phase::idle;  // keys and values are written, and nobody asks for more
            narrow();
            return Phase::attend;
        case Phase::attend:
            attending = plan.next_round();
            return attending ? Phase::attend : Phase::attn_round;
        case Phase::attn_round:
            return Phase::o;
        case Phase::o:
            return Phase::ffn_in;
        case Phase::ffn_in:
            return layer_config().moe ? Phase::router : Phase::gate_up;
        case Phase::gate_up:
            return Phase::down;
        case Phase::router:
            return Phase::route;
        case Phase::route:
            return Phase::moe_in;
        case Phase::moe_in:
            return Phase::moe_gate_up;
        case Phase::moe_gate_up:
            return Phase::moe_down;
        case Phase::moe_down:
            return Phase::combine;
        case Phase::combine:
            if (config.moe.shared_ff) return Phase::shared_up;
            [[fallthrough]];
        case Phase::down:
        case Phase::shared_down:
            return ++layer == weights.range().end ? Phase::finish : Phase::attn_in;
        case Phase::shared_up:
            return Phase::shared_down;
        case Phase::head_in:
            return Phase::head;
        default:
            return Phase::idle;
    }
}

void Forward::State::prepare() {
    // A slice of a row phase: some 16 K values, a few microseconds, so that one token costs one slice.
    constexpr int64_t kRowValues = 16384;
    auto by_rows = [&](int64_t n, int64_t width) {
        row_step = std::max<int64_t>(1, kRowValues / std::max<int64_t>(width, 1));
        n_slices = (n + row_step - 1) / row_step;
    };
    auto by_tiles = [&](const Linear &l, int64_t n) {
        tiles = make_tiles(l, n);
        n_slices = tiles.total;
    };
    const bool in_layer = phase != Phase::embed && phase < Phase::finish;
    const LayerWeights *w = in_layer ? &layer_weights() : nullptr;
    const LayerConfig *c = in_layer ? &layer_config() : nullptr;
    const int64_t n_pairs = static_cast<int64_t>(n_live) * config.moe.n_used;
    switch (phase) {
        case Phase::embed:
            by_rows(n_live, 8 * static_cast<int64_t>(config.hidden));  // unpacking and sines: some 10 us a row
            break;
        case Phase::attn_in:
            make_room(w->qkv, act_q8, act_f32, n_live, config.hidden);
            by_rows(n_live, config.hidden);
            break;
        case Phase::qkv:
            by_tiles(w->qkv, n_live);
            break;
        case Phase::latent_in:
            if (config.mla.q_rank) make_room(w->q_b, act_q8, act_f32, n_live, config.mla.q_rank);
            make_room(w->kv_b, latent_q8, latent_f32, n_live, config.mla.kv_rank);
            by_rows(n_live, w->qkv.rows);
            break;
        case Phase::latent_up:
            tiles_kv = make_tiles(w->kv_b, n_live);
            n_slices = tiles_kv.total;
            if (config.mla.q_rank) {
                tiles = make_tiles(w->q_b, n_live);
                n_slices += tiles.total;
            }
            break;
        case Phase::heads:
            by_rows(n_live, w->qkv.rows);
            break;
        case Phase::attend:
            if (!attending) attention_plan();
            n_slices = plan.n_tasks();
            break;
        case Phase::attn_round:
            make_room(w->o, act_q8, act_f32, n_live, w->o.cols);
            by_rows(n_live, w->o.cols);
            break;
        case Phase::o:
            by_tiles(w->o, n_live);
            break;
        case Phase::ffn_in:
            make_room(c->moe ? w->router : w->gate_up, act_q8, act_f32, n_live, config.hidden);
            if (w->shared_gate_up) make_room(w->shared_gate_up, act_q8, act_f32, n_live, config.hidden);
            by_rows(n_live, config.hidden);
            break;
        case Phase::gate_up:
            prepare_ffn(w->gate_up, w->down, c->n_ff);
            break;
        case Phase::router:
            by_tiles(w->router, n_live);
            break;
        case Phase::down:
            by_tiles(w->down, n_live);
            break;
        case Phase::route:
            by_rows(n_live, config.moe.n_experts * static_cast<int64_t>(config.moe.n_used));
            break;
        case Phase::moe_in:
            bucket();
            make_room(w->experts[0].gate_up, pair_q8, pair_f32, n_pairs, config.hidden);
            by_rows(n_pairs, config.hidden);
            break;
        case Phase::moe_gate_up:
            make_room(w->experts[0].down, pair_mid_q8, pair_mid_f32, n_pairs, config.moe.n_ff);
            prepare_experts(false);
            break;
        case Phase::moe_down:
            prepare_experts(true);
            break;
        case Phase::combine:
            by_rows(n_live, config.hidden * static_cast<int64_t>(config.moe.n_used));
            break;
        case Phase::shared_up:
            prepare_ffn(w->shared_gate_up, w->shared_down, config.moe.shared_ff);
            break;
        case Phase::shared_down:
            by_tiles(w->shared_down, n_live);
            break;
        case Phase::finish:
            by_rows(n_out, config.hidden);
            break;
        case Phase::head_in:
            make_room(weights.head, act_q8, act_f32, head_n, config.hidden);
            by_rows(head_n, config.hidden);
            break;
        case Phase::head:
            tiles = make_tiles(weights.head, head_n, kTopBlock / kernels::kPanelRows);
            n_slices = tiles.total;
            break;
        case Phase::idle:
            break;
    }
}

void Forward::State::slice(int64_t i, int worker) noexcept {
    const LayerWeights *w = phase != Phase::embed && phase < Phase::finish ? &layer_weights() : nullptr;
    auto rows = [&](int64_t n) { return std::min(n, (i + 1) * row_step); };
    const int64_t a = i * row_step, b = rows(n_live);
    switch (phase) {
        case Phase::embed:
            embed_rows(a, b);
            break;
        case Phase::attn_in:
            attn_in_rows(a, b);
            break;
        case Phase::qkv: {
            Rows &y = config.mla.kv_rank ? latent : qkv;
            product(w->qkv, tiles, i, act_q8, act_f32, 0, n_live, y.row(0), y.ld, nullptr, worker);
            break;
        }
        case Phase::latent_in:
            latent_in_rows(a, b);
            break;
        case Phase::latent_up:
            if (i < tiles_kv.total)
                product(w->kv_b, tiles_kv, i, latent_q8, latent_f32, 0, n_live, latent_kv.row(0), latent_kv.ld, nullptr, worker);
            else
                product(w->q_b, tiles, i - tiles_kv.total, act_q8, act_f32, 0, n_live, qkv.row(0), qkv.ld, nullptr, worker);
            break;
        case Phase::heads:
            head_rows(a, b);
            break;
        case Phase::attend:
            plan.run(i, worker);
            break;
        case Phase::attn_round:
            round_attention(a, b);
            break;
        case Phase::o:
            product(w->o, tiles, i, act_q8, act_f32, 0, n_live, direct() ? stream().row(0) : t.row(0), t.ld,
                    direct() ? stream().row(0) : nullptr, worker);
            break;
        case Phase::ffn_in:
            ffn_in_rows(a, b);
            break;
        case Phase::gate_up:
            ffn_slice(w->gate_up, w->down, ffn_tiles, i, {0, n_live, &act_q8, &act_f32, &mid_q8, &mid_f32}, worker);
            break;
        case Phase::router:
            product(w->router, tiles, i, act_q8, act_f32, 0, n_live, router.row(0), router.ld, nullptr, worker);
            break;
        case Phase::down:
            product(w->down, tiles, i, mid_q8, mid_f32, 0, n_live, direct() ? stream().row(0) : t.row(0), t.ld,
                    direct() ? stream().row(0) : nullptr, worker);
            break;
        case Phase::route:
            route_rows(a, b, worker);
            break;
        case Phase::moe_in:
            moe_in_rows(a, rows(static_cast<int64_t>(n_live) * config.moe.n_used));
            break;
        case Phase::moe_gate_up:
            expert_slice(i, false, worker);
            break;
        case Phase::moe_down:
            expert_slice(i, true, worker);
            break;
        case Phase::combine:
            combine_rows(a, b);
            break;
        case Phase::shared_up:
            ffn_slice(w->shared_gate_up, w->shared_down, ffn_tiles, i, {0, n_live, &act_q8, &act_f32, &mid_q8, &mid_f32}, worker);
            break;
        case Phase::shared_down:
            product(w->shared_down, tiles, i, mid_q8, mid_f32, 0, n_live, t.row(0), t.ld, t.row(0), worker);
            break;
        case Phase::finish:
            finish_rows(a, rows(n_out));
            break;
        case Phase::head_in:
            round_rows(weights.head, outputs.row(head_first + a), outputs.ld, a, rows(head_n) - a, act_q8, act_f32);
            break;
        case Phase::head:
            head_slice(i, worker);
            break;
        case Phase::idle:
            break;
    }
}

void Forward::State::narrow() noexcept {
    for (size_t i = 0; i < segments.size(); ++i) {
        tensor::AttnSeq &s = attn_seqs[i];
        const int64_t skipped = std::clamp<int64_t>(segments[i].first_output, 0, s.n_rows);
        s.first_pos += skipped;
        s.row += skipped;
        s.n_rows -= skipped;
    }
    narrowed = true;
    n_live = n_out;
}

void Forward::State::attention_plan() {
    const LayerConfig &l = layer_config();
    double scale = config.attn_scale != 0.0 ? config.attn_scale : 1.0 / std::sqrt(static_cast<double>(config.head_k));
    if (config.attn_scale_by_layer) scale /= layer + 1;
    tensor::AttnShape shape;
    shape.n_head = l.n_head;
    shape.n_kv_head = l.n_head_kv;
    shape.k_dim = config.head_k;
    shape.v_dim = config.head_v;
    shape.scale = static_cast<float>(scale);
    shape.softcap = static_cast<float>(config.attn_softcap);
    shape.window = l.window;
    shape.causal = config.causal;
    shape.sinks = weights.f32(layer_weights().sinks);
    plan.build(k, shape, store->view(own_store ? 0 : layer - weights.range().begin), {qkv.row(0), attn.row(0), qkv.ld, attn.ld}, attn_seqs,
               executor.width(),
               bounded ? kSliceWork / 4 : 0);  // f32: a quarter of an integer product's speed
}

void Forward::State::head_slice(int64_t i, int worker) noexcept {
    product(weights.head, tiles, i, act_q8, act_f32, 0, head_n, logits.row(0), logits.ld, nullptr, worker);
    const float *bias = weights.f32(weights.head.bias);
    const Span s = span_of(weights.head, tiles, i, head_n);
    for (int64_t r = s.first; r < s.first + s.n; ++r) {
        float *y = logits.row(r) + s.column;
        if (bias) k.add(bias + s.column, y, s.width);
        if (config.logit_scale != 1.0) k.scale(y, static_cast<float>(config.logit_scale), y, s.width);
        if (config.final_softcap != 0.0) k.softcap(y, static_cast<float>(config.final_softcap), y, s.width);
        // What a draw asks first, while the slice is in the cache.
        float *top = tops.row(r) + s.column / kTopBlock;
        if (k.block_tops(y, s.width, 0.0f, top, nullptr).broken) *top = INFINITY;
    }
}

}  // namespace inlay::model
