// SPDX-License-Identifier: Apache-2.0
// ModernBERT: an encoder with LayerNorm before its blocks (none before the first), a gate in the feed-forward, rope,
// and a window on two layers of three, which turn with another base.
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification"};
constexpr std::string_view kTypes[] = {"modernbert"};

constexpr TensorName kHf[] = {
    {Role::token_embd, "embeddings.tok_embeddings"},
    {Role::embd_norm, "embeddings.norm"},
    {Role::attn_norm, "layers.{}.attn_norm"},
    {Role::qkv, "layers.{}.attn.Wqkv"},
    {Role::o, "layers.{}.attn.Wo"},
    {Role::ffn_norm, "layers.{}.mlp_norm"},
    {Role::gate_up, "layers.{}.mlp.Wi"},
    {Role::down, "layers.{}.mlp.Wo"},
    {Role::final_norm, "final_norm"},
};
constexpr TensorName kGguf[] = {
    {Role::gate_up, "blk.{}.ffn_up"},
    {Role::gate, ""},
    {Role::up, ""},
};

void common(Config &c) {
    c.norm = NormKind::layer;
    c.embed_norm = true;
    c.causal = false;
    c.head = false;
    c.act = Activation::gelu_erf;
    c.pooling = Pooling::cls;
}

void from_hf(const HfKeys &k, Config &c) {
    common(c);
    c.n_layers = k.need("num_hidden_layers");
    c.hidden = k.need("hidden_size");
    c.vocab = k.need("vocab_size");
    c.ctx = k.integer("max_position_embeddings", 8192);
    c.eps = k.real("norm_eps", 1e-5);
    c.norm_bias = k.flag("norm_bias", false);
    LayerConfig l;
    l.n_head = l.n_head_kv = k.need("num_attention_heads");
    if (l.n_head < 1 || c.hidden % l.n_head) fail(Code::format, "hidden_size ", c.hidden, " is no multiple of the ", l.n_head, " heads");
    l.n_ff = k.need("intermediate_size");
    c.head_k = c.head_v = c.hidden / l.n_head;
    c.fill_layers(l, k.limits());
    c.layers[0].pre_attn_norm = false;
    c.act = activation_from_hf(k.text("hidden_activation", "gelu"));
    c.bias_qkv = c.bias_o = k.flag("attention_bias", false) ? Presence::yes : Presence::no;
    c.bias_mlp = k.flag("mlp_bias", false) ? Presence::yes : Presence::no;
    c.pooling = k.text("classifier_pooling", "cls") == "mean" ? Pooling::mean : Pooling::cls;
    const int32_t window = k.integer("local_attention", 128), period = k.integer("global_attn_every_n_layers", 3);
    if (!layer_types_from_hf(k, c, window))
        for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].window = period > 0 && i % static_cast<size_t>(period) ? window : 0;
    rope_from_hf(k, c, k.real("global_rope_theta", 160000.0), 10000.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    c.norm = NormKind::layer;
    llama_from_gguf(k, c);
    common(c);
    c.layers[0].pre_attn_norm = false;
    const int32_t window = k.integer("attention.sliding_window", 128), period = k.integer("attention.sliding_window_pattern", 3);
    for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].window = period > 0 && i % static_cast<size_t>(period) ? window : 0;
    RopeSpec local(k.memory());
    local.dims = c.ropes[0].dims;
    local.theta = k.real("rope.freq_base_swa", 10000.0);
    local.ctx = c.ctx;
    c.ropes.push_back(std::move(local));
    for (LayerConfig &l : c.layers) l.rope = l.window > 0 ? 1 : 0;
    if (k.integer("pooling_type", 2) == 1) c.pooling = Pooling::mean;
}

}  // namespace

const Architecture modernbert = {"modern-bert", kClasses, kTypes, from_hf, from_gguf, kHf, kGguf};

}  // namespace inlay::model
