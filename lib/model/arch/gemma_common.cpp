// SPDX-License-Identifier: Apache-2.0
// What the Gemma generations share.
#include <cmath>

#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

void gemma(Config &c) {
    c.post_norm = true;
    c.embed_scale = std::sqrt(static_cast<double>(c.hidden));
    c.act = Activation::gelu_tanh;
}

}  // namespace

void gemma_from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    gemma(c);
    c.norm_plus_one = true;
    c.ctx = k.integer("max_position_embeddings", 8192);
    c.bias_mlp = Presence::no;
    if (!k.find("head_dim")) c.head_k = c.head_v = 256;
    if (!k.find("num_key_value_heads"))
        for (LayerConfig &l : c.layers) l.n_head_kv = 4;
    c.act = activation_from_hf(k.text("hidden_activation", "gelu_pytorch_tanh"));
    const double scalar = k.real("query_pre_attn_scalar", 256.0);
    if (!(scalar > 0.0)) fail(Code::format, "key 'query_pre_attn_scalar' is ", scalar);
    c.attn_scale = 1.0 / std::sqrt(scalar);
    c.head_tensor = k.flag("tie_word_embeddings", true) ? Presence::no : Presence::yes;
}

void gemma_from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    gemma(c);
}

}  // namespace inlay::model
