// SPDX-License-Identifier: Apache-2.0
// Latent attention (DeepSeek): the row that qkv gives is [queries, or their low-rank form | latent vector | rotary key].
// Here it becomes the ordinary [q | k | v] of all heads, so that cache and attention need know nothing of it.
#include <algorithm>

#include "model/forward_state.h"

namespace inlay::model {

void Forward::State::latent_in_rows(int64_t a, int64_t b) noexcept {
    const MlaConfig &m = config.mla;
    const LayerWeights &w = layer_weights();
    const int64_t q = m.q_rank ? m.q_rank : w.qkv.rows - m.kv_rank - m.qk_rope;
    const float *bias = weights.f32(w.qkv.bias);
    // The reference's norms here have an epsilon of their own, whatever the model's is.
    constexpr float kEps = 1e-6f;
    for (int64_t r = a; r < b; ++r) {
        float *row = latent.row(r);
        if (bias) k.add(bias, row, w.qkv.rows);
        if (m.q_rank) {
            kernels::NormArgs args{row, weights.f32(w.q_a_norm.weight), nullptr, nullptr, row, q, 0, q, 1, q, kEps};
            k.rms_norm(&args);
            round_rows(w.q_b, row, latent.ld, r, 1, act_q8, act_f32);
        } else {
            std::copy_n(row, q, qkv.row(r));
        }
        kernels::NormArgs args{row + q, weights.f32(w.kv_a_norm.weight), nullptr, nullptr, row + q, m.kv_rank, 0, m.kv_rank, 1, m.kv_rank,
                               kEps};
        k.rms_norm(&args);
        round_rows(w.kv_b, row + q, latent.ld, r, 1, latent_q8, latent_f32);
    }
}

void Forward::State::latent_heads(const LayerConfig &l, int64_t r) noexcept {
    const MlaConfig &m = config.mla;
    const int64_t n = l.n_head, dim = config.head_k;
    float *q = qkv.row(r), *key = q + n * dim, *value = key + n * dim;
    float *shared = latent.row(r) + layer_weights().qkv.rows - m.qk_rope;
    if (l.rope >= 0 && !turns.empty()) {
        const Turn &turn = turns[static_cast<size_t>(l.rope)];
        auto rope = config.rope_kind == RopeKind::halves ? k.rope_halves : k.rope_neighbours;
        // The part that turns stands at the end of each head.
        kernels::RopeArgs queries{q + m.qk_nope, turn.cos.row(r), turn.sin.row(r), qkv.ld, turn.cos.ld, 1, n, dim, m.qk_rope};
        rope(&queries);
        kernels::RopeArgs one{shared, turn.cos.row(r), turn.sin.row(r), m.qk_rope, turn.cos.ld, 1, 1, m.qk_rope, m.qk_rope};
        rope(&one);
    }
    const float *up = latent_kv.row(r);
    for (int64_t h = 0; h < n; ++h, up += m.qk_nope + m.v) {
        std::copy_n(up, m.qk_nope, key + h * dim);
        std::copy_n(shared, m.qk_rope, key + h * dim + m.qk_nope);
        std::copy_n(up + m.qk_nope, m.v, value + h * m.v);
    }
}

}  // namespace inlay::model
