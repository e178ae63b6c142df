// SPDX-License-Identifier: Apache-2.0
// The phases that go row by row: embedding, norms, rope, residual sums.
#include <algorithm>

#include "model/forward_state.h"
#include "thread/fp_env.h"

namespace inlay::model {

void Forward::State::norm_rows(const Norm &n, const float *src, int64_t ld, const float *add, int64_t ld_add, float *dst, int64_t ld_dst,
                               int64_t rows) noexcept {
    kernels::NormArgs a{src,  weights.f32(n.weight), weights.f32(n.bias),           add, dst, ld, ld_add, ld_dst,
                        rows, config.hidden,         static_cast<float>(config.eps)};
    (config.norm == NormKind::rms ? k.rms_norm : k.layer_norm)(&a);
}

void Forward::State::embed_rows(int64_t a, int64_t b) noexcept {
    const int64_t h = config.hidden;
    for (int64_t r = a; r < b; ++r) {
        const int32_t si = segment_of[static_cast<size_t>(r)];
        const Segment &s = segments[static_cast<size_t>(si)];
        const int64_t i = r - attn_seqs[static_cast<size_t>(si)].row;
        const int32_t position = s.position + static_cast<int32_t>(i);
        float *out = x.row(r);
        if (s.hidden) {
            std::copy_n(s.hidden + i * h, h, out);
        } else {
            tensor::unpack_row(weights.matrix(weights.embedding), s.tokens[i], out);
            if (config.embed_scale != 1.0) k.scale(out, static_cast<float>(config.embed_scale), out, h);
            // Token types are all 0: one text at a time.
            if (weights.token_types) k.add(weights.f32(weights.token_types), out, h);
            if (weights.positions) k.add(weights.f32(weights.positions) + (position + config.position_offset) * h, out, h);
            if (weights.embed_norm.weight) norm_rows(weights.embed_norm, out, h, nullptr, 0, out, h, 1);
        }
        for (size_t t = 0; t < turns.size(); ++t) {
            const RopeSpec &spec = config.ropes[t];
            const double *freqs = turns[t].freqs.data() + turn_of[static_cast<size_t>(si) * turns.size() + t];
            k.rope_table(freqs, spec.dims / 2, position, spec.attention_factor, turns[t].cos.row(r), turns[t].sin.row(r));
        }
    }
}

// Adds what a product left in t (or, direct, in the stream itself but for its bias) to the residual stream.
void Forward::State::settle(const Linear &last, const Norm &post, bool was_direct, int64_t a, int64_t b) noexcept {
    const int64_t h = config.hidden;
    const float *bias = weights.f32(last.bias);
    for (int64_t r = a; r < b; ++r) {
        float *row = stream().row(r);
        if (was_direct) {
            if (bias) k.add(bias, row, h);
            continue;
        }
        float *y = t.row(r);
        if (bias) k.add(bias, y, h);
        if (config.residual_norm) {
            k.add(y, row, h);
            norm_rows(post, row, h, nullptr, 0, row, h, 1);
        } else if (config.post_norm && config.residual_scale == 1.0) {
            norm_rows(post, y, h, row, h, row, h, 1);
        } else {
            if (config.post_norm) norm_rows(post, y, h, nullptr, 0, y, h, 1);
            k.axpy(y, static_cast<float>(config.residual_scale), row, h);
        }
    }
}

void Forward::State::attn_in_rows(int64_t a, int64_t b) noexcept {
    if (layer > weights.range().begin) {
        const LayerWeights &before = weights.layer(layer - 1);
        const bool moe = config.layers[static_cast<size_t>(layer - 1)].moe;
        settle(before.down, before.post_ffn_norm, direct() && !moe, a, b);
    }
    const LayerWeights &w = layer_weights();
    const int64_t h = config.hidden;
    const float *src = x.row(a);
    if (w.attn_norm.weight) {
        norm_rows(w.attn_norm, src, h, nullptr, 0, t.row(a), h, b - a);
        src = t.row(a);
    }
    round_rows(w.qkv, src, h, a, b - a, act_q8, act_f32);
}

void Forward::State::head_rows(int64_t a, int64_t b) noexcept {
    const LayerConfig &l = layer_config();
    const LayerWeights &w = layer_weights();
    const int64_t q = static_cast<int64_t>(l.n_head) * config.head_k;
    const float *bias = weights.f32(w.qkv.bias), *q_norm = weights.f32(w.q_norm), *k_norm = weights.f32(w.k_norm);
    for (int64_t r = a; r < b; ++r) {
        float *row = qkv.row(r);
        if (config.mla.kv_rank) {
            latent_heads(l, r);
            write_kv(l, r);
            continue;
        }
        if (bias) k.add(bias, row, w.qkv.rows);
        if (q_norm) {
            const bool whole = config.qk_norm == QkNorm::whole;
            auto normalise = [&](float *v, const float *weight, int64_t heads, int64_t n) {
                const int64_t width = whole ? heads * n : n;
                kernels::NormArgs args{
                    v, weight, nullptr, nullptr, v, width, 0, width, whole ? 1 : heads, width, static_cast<float>(config.eps)};
                k.rms_norm(&args);
            };
            normalise(row, q_norm, l.n_head, config.head_k);
            normalise(row + q, k_norm, l.n_head_kv, config.head_k);
        }
        if (l.rope >= 0 && !turns.empty()) {
            const Turn &turn = turns[static_cast<size_t>(l.rope)];
            const int64_t dims = config.ropes[static_cast<size_t>(l.rope)].dims;
            // q and k lie side by side: one call turns the heads of both.
            kernels::RopeArgs args{row, turn.cos.row(r),        turn.sin.row(r), qkv.ld, turn.cos.ld,
                                   1,   l.n_head + l.n_head_kv, config.head_k,   dims};
            (config.rope_kind == RopeKind::halves ? k.rope_halves : k.rope_neighbours)(&args);
        }
        write_kv(l, r);
    }
}

void Forward::State::write_kv(const LayerConfig &l, int64_t r) noexcept {
    const tensor::AttnSeq &s = attn_seqs[static_cast<size_t>(segment_of[static_cast<size_t>(r)])];
    const int32_t at = own_store ? 0 : layer - weights.range().begin;
    const float *key = qkv.row(r) + static_cast<int64_t>(l.n_head) * config.head_k,
                *value = key + static_cast<int64_t>(l.n_head_kv) * config.head_k;
    store->write(k, at, s.pages, s.first_pos + r - s.row, 1, key, qkv.ld, value, qkv.ld);
}

void Forward::State::ffn_in_rows(int64_t a, int64_t b) noexcept {
    const LayerWeights &w = layer_weights();
    settle(w.o, w.post_attn_norm, direct(), a, b);
    const int64_t h = config.hidden;
    const float *src = stream().row(a);
    if (w.ffn_norm.weight) {
        norm_rows(w.ffn_norm, src, h, nullptr, 0, t.row(a), h, b - a);
        src = t.row(a);
    } else if (layer_config().moe) {
        std::copy_n(src, (b - a) * h, t.row(a));  // experts round their rows from t
    }
    round_rows(layer_config().moe ? w.router : w.gate_up, src, h, a, b - a, act_q8, act_f32);
    if (w.shared_gate_up) round_rows(w.shared_gate_up, src, h, a, b - a, act_q8, act_f32);
}

void Forward::State::finish_rows(int64_t a, int64_t b) noexcept {
    const int32_t last = weights.range().end - 1;
    const LayerWeights &w = weights.layer(last);
    const bool moe = config.layers[static_cast<size_t>(last)].moe;
    const int64_t h = config.hidden;
    settle(w.down, w.post_ffn_norm, direct() && !moe, a, b);
    if (weights.final_norm.weight) norm_rows(weights.final_norm, outputs.row(a), h, nullptr, 0, outputs.row(a), h, b - a);
}

void Forward::State::round_attention(int64_t a, int64_t b) noexcept {
    const Linear &o = layer_weights().o;
    if (!narrowed) {
        round_rows(o, attn.row(a), attn.ld, a, b - a, act_q8, act_f32);
        return;
    }
    for (int64_t i = a; i < b; ++i) {
        const int64_t r = output_row[static_cast<size_t>(i)];
        std::copy_n(x.row(r), config.hidden, outputs.row(i));
        round_rows(o, attn.row(r), attn.ld, i, 1, act_q8, act_f32);
    }
}

void pool(Pooling p, const float *hidden, int64_t n, int64_t width, float *out) noexcept {
    thread::FpGuard fp;
    if (p == Pooling::cls || p == Pooling::last) {
        std::copy_n(hidden + (p == Pooling::last ? n - 1 : 0) * width, width, out);
    } else if (p == Pooling::mean) {
        for (int64_t i = 0; i < width; ++i) {
            double sum = 0.0;
            for (int64_t r = 0; r < n; ++r) sum += static_cast<double>(hidden[r * width + i]);
            out[i] = static_cast<float>(sum / static_cast<double>(n));
        }
    } else {
        std::copy_n(hidden, n * width, out);
    }
}

}  // namespace inlay::model
