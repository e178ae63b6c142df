// SPDX-License-Identifier: Apache-2.0
// Nomic-BERT: BERT's norms on the residual sums, with rope in place of learned positions and a gated feed-forward.
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"NomicBertModel"};
constexpr std::string_view kTypes[] = {"nomic_bert"};

constexpr TensorName kHf[] = {
    {Role::token_embd, "embeddings.word_embeddings"},
    {Role::type_embd, "embeddings.token_type_embeddings"},
    {Role::embd_norm, "emb_ln"},
    {Role::qkv, "encoder.layers.{}.attn.Wqkv"},
    {Role::o, "encoder.layers.{}.attn.out_proj"},
    {Role::post_attn_norm, "encoder.layers.{}.norm1"},
    {Role::up, "encoder.layers.{}.mlp.fc11"},
    {Role::gate, "encoder.layers.{}.mlp.fc12"},
    {Role::down, "encoder.layers.{}.mlp.fc2"},
    {Role::post_ffn_norm, "encoder.layers.{}.norm2"},
};
constexpr TensorName kGguf[] = {
    {Role::post_attn_norm, "blk.{}.attn_output_norm"},
    {Role::post_ffn_norm, "blk.{}.layer_output_norm"},
};

void common(Config &c) {
    c.norm = NormKind::layer;
    c.norm_bias = true;
    c.embed_norm = true;
    c.pre_norm = c.final_norm = false;
    c.residual_norm = true;
    c.causal = false;
    c.head = false;
    c.pooling = Pooling::mean;
}

void from_hf(const HfKeys &k, Config &c) {
    common(c);
    // The published files keep GPT-2's key names.
    const bool old = k.has("n_embd");
    c.n_layers = k.need(old ? "n_layer" : "num_hidden_layers");
    c.hidden = k.need(old ? "n_embd" : "hidden_size");
    c.vocab = k.need("vocab_size");
    c.ctx = k.integer(old ? "n_positions" : "max_position_embeddings", 2048);
    c.n_token_types = k.integer("type_vocab_size", 2);
    c.eps = k.real(old ? "layer_norm_epsilon" : "layer_norm_eps", 1e-12);
    LayerConfig l;
    l.n_head = l.n_head_kv = k.need(old ? "n_head" : "num_attention_heads");
    l.n_ff = k.need(old ? "n_inner" : "intermediate_size");
    if (l.n_head < 1 || c.hidden % l.n_head) fail(Code::format, "hidden size ", c.hidden, " is no multiple of the ", l.n_head, " heads");
    c.head_k = c.head_v = k.integer("head_dim", c.hidden / l.n_head);
    c.fill_layers(l, k.limits());
    if (old && k.text("activation_function", "swiglu") != "swiglu")
        fail(Code::unsupported, "activation ", quoted{k.text("activation_function", "")}, " is not supported");
    if (!old) c.act = activation_from_hf(k.text("hidden_act", "silu"));
    rope_from_hf(k, c, k.real("rotary_emb_base", 1000.0), 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    c.norm = NormKind::layer;
    llama_from_gguf(k, c);
    common(c);
    if (const io::TensorInfo *t = k.file().find("token_types.weight"); t && t->n_dims == 2)
        c.n_token_types = static_cast<int32_t>(t->shape[0] < 65536 ? t->shape[0] : 0);
    if (k.integer("pooling_type", 1) == 2) c.pooling = Pooling::cls;
}

}  // namespace

const Architecture nomic_bert = {"nomic-bert", kClasses, kTypes, from_hf, from_gguf, kHf, kGguf};

}  // namespace inlay::model
