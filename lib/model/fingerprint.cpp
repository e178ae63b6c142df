// SPDX-License-Identifier: Apache-2.0
// Two multiply-xor chains with different seeds over the tensor directory and every hyper-parameter. Not
// cryptographic: it tells models apart that differ by mistake, not by an enemy's care.
#include <bit>

#include "base/hash.h"
#include "model/weights.h"

namespace inlay::model {

namespace {

class Chain {
public:
    void add(uint64_t v) noexcept {
        f_.lo = mix64(f_.lo ^ v, 0xd6e8feb86659fd93u);
        f_.hi = mix64(f_.hi ^ v, 0xa0761d6478bd642fu);
    }
    void add(std::string_view s) noexcept {
        add(hash_bytes(s.data(), s.size(), 1));
        add(hash_bytes(s.data(), s.size(), 2));
    }
    template <class E>
    requires std::is_enum_v<E>
    void add(E e) noexcept { add(static_cast<uint64_t>(e)); }
    void add(int32_t v) noexcept { add(static_cast<uint64_t>(static_cast<int64_t>(v))); }
    void add(bool v) noexcept { add(static_cast<uint64_t>(v)); }
    void add(double v) noexcept { add(std::bit_cast<uint64_t>(v)); }
    void add(float v) noexcept { add(static_cast<uint64_t>(std::bit_cast<uint32_t>(v))); }
    template <class... T>
    void all(const T &...v) noexcept {
        (add(v), ...);
    }
    Fingerprint result() const noexcept { return f_; }

private:
    Fingerprint f_{0x243f6a8885a308d3u, 0x13198a2e03707344u};  // digits of pi
};

}  // namespace

Fingerprint fingerprint(const io::WeightsFile &file, const Config &c) noexcept {
    Chain h;
    for (const io::TensorInfo &t : file.tensors()) {
        h.all(t.name, t.dtype, static_cast<uint64_t>(t.n_dims));
        for (uint32_t i = 0; i < t.n_dims; ++i) h.add(t.shape[i]);
    }
    h.all(std::string_view(c.arch), c.n_layers, c.hidden, c.vocab, c.ctx, c.head_k, c.head_v, c.rope_kind, c.norm, c.eps, c.norm_plus_one,
          c.norm_bias);
    h.all(c.embed_norm, c.pre_norm, c.post_norm, c.residual_norm, c.final_norm, c.qk_norm, c.act, c.gated, c.act_limit, c.act_alpha,
          c.causal, c.sinks);
    h.all(c.attn_scale, c.attn_scale_by_layer, c.attn_softcap, c.final_softcap, c.embed_scale, c.residual_scale, c.logit_scale);
    h.all(c.n_positions, c.position_offset, c.n_token_types, c.head, c.pooling);
    h.all(c.moe.n_experts, c.moe.n_used, c.moe.n_ff, c.moe.shared_ff, c.moe.gating, c.moe.norm_weights, c.moe.weight_scale, c.moe.n_groups,
          c.moe.n_groups_used);
    h.all(c.mla.kv_rank, c.mla.q_rank, c.mla.qk_nope, c.mla.qk_rope, c.mla.v);
    for (const LayerConfig &l : c.layers) h.all(l.n_head, l.n_head_kv, l.n_ff, l.window, l.rope, l.moe, l.pre_attn_norm);
    for (const RopeSpec &r : c.ropes) {
        h.all(r.scaling, r.dims, r.theta, r.factor, r.low_freq_factor, r.high_freq_factor, r.beta_fast, r.beta_slow, r.truncate,
              r.attention_factor, r.original_ctx, r.ctx);
        for (float f : r.short_factor) h.add(f);
        for (float f : r.long_factor) h.add(f);
    }
    return h.result();
}

}  // namespace inlay::model
