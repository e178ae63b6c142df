// SPDX-License-Identifier: Apache-2.0
// BERT and RoBERTa as embedders: every token sees every other, norms stand on the residual sums, learned positions
// (RoBERTa's begin after the padding id) and token types.
#include "base/checked.h"
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"BertModel",       "BertForMaskedLM", "BertForSequenceClassification",
                                         "XLMRobertaModel", "RobertaModel",    "XLMRobertaForSequenceClassification",
                                         "CamembertModel"};
constexpr std::string_view kTypes[] = {"bert", "xlm-roberta", "roberta", "camembert"};

constexpr TensorName kHf[] = {
    {Role::token_embd, "embeddings.word_embeddings"},
    {Role::position_embd, "embeddings.position_embeddings"},
    {Role::type_embd, "embeddings.token_type_embeddings"},
    {Role::embd_norm, "embeddings.LayerNorm"},
    {Role::q, "encoder.layer.{}.attention.self.query"},
    {Role::k, "encoder.layer.{}.attention.self.key"},
    {Role::v, "encoder.layer.{}.attention.self.value"},
    {Role::o, "encoder.layer.{}.attention.output.dense"},
    {Role::post_attn_norm, "encoder.layer.{}.attention.output.LayerNorm"},
    {Role::up, "encoder.layer.{}.intermediate.dense"},
    {Role::down, "encoder.layer.{}.output.dense"},
    {Role::post_ffn_norm, "encoder.layer.{}.output.LayerNorm"},
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
    c.gated = false;
    c.causal = false;
    c.head = false;
    c.pooling = Pooling::mean;
}

void from_hf(const HfKeys &k, Config &c) {
    common(c);
    c.n_layers = k.need("num_hidden_layers");
    c.hidden = k.need("hidden_size");
    c.vocab = k.need("vocab_size");
    c.n_positions = k.integer("max_position_embeddings", 512);
    const std::string_view type = k.text("model_type", "bert");
    if (type != "bert") c.position_offset = k.integer("pad_token_id", 1) + 1;
    c.ctx = c.n_positions - c.position_offset;
    c.n_token_types = k.integer("type_vocab_size", 2);
    c.eps = k.real("layer_norm_eps", 1e-12);
    LayerConfig l;
    l.n_head = l.n_head_kv = k.need("num_attention_heads");
    if (l.n_head < 1 || c.hidden % l.n_head) fail(Code::format, "hidden_size ", c.hidden, " is no multiple of the ", l.n_head, " heads");
    if (k.text("position_embedding_type", "absolute") != "absolute")
        fail(Code::unsupported, "position_embedding_type ", quoted{k.text("position_embedding_type", "")}, " is not supported");
    l.n_ff = k.need("intermediate_size");
    l.rope = -1;
    c.head_k = c.head_v = c.hidden / l.n_head;
    c.fill_layers(l, k.limits());
    c.act = activation_from_hf(k.text("hidden_act", "gelu"));
    c.bias_qkv = c.bias_o = c.bias_mlp = Presence::yes;
}

void from_gguf(const GgufKeys &k, Config &c) {
    c.norm = NormKind::layer;
    llama_from_gguf(k, c);
    common(c);
    c.act = Activation::gelu_erf;
    c.ropes.clear();
    for (LayerConfig &l : c.layers) l.rope = -1;
    c.n_token_types =
        k.file().gguf()->find("tokenizer.ggml.token_type_count")
            ? Checked(static_cast<uint64_t>(k.file().gguf()->get_int("tokenizer.ggml.token_type_count", 0))).to<int32_t>("token types")
            : 0;
    if (const io::TensorInfo *t = k.file().find("token_types.weight"); t && t->n_dims == 2)
        c.n_token_types = Checked(t->shape[0]).to<int32_t>("token types");
    c.n_positions = c.ctx;
    if (const io::TensorInfo *t = k.file().find("position_embd.weight"); t && t->n_dims == 2)
        c.n_positions = Checked(t->shape[0]).to<int32_t>("learned positions");
    if (k.integer("pooling_type", 1) == 2) c.pooling = Pooling::cls;
    if (k.integer("pooling_type", 1) == 3) c.pooling = Pooling::last;
    if (k.integer("pooling_type", 1) == 0) c.pooling = Pooling::none;
}

}  // namespace

const Architecture bert = {"bert", kClasses, kTypes, from_hf, from_gguf, kHf, kGguf};

}  // namespace inlay::model
