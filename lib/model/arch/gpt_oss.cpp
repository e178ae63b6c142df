// SPDX-License-Identifier: Apache-2.0
// gpt-oss: a learned sink a head, a window on every other layer, biases everywhere, experts whose softmax runs over the
// chosen alone and whose gate is clamped; YaRN with unrounded borders.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"GptOssForCausalLM", "GptOssModel"};
constexpr std::string_view kTypes[] = {"gpt_oss"};

constexpr TensorName kHf[] = {
    {Role::router, "layers.{}.mlp.router"},
    {Role::expert_gate_up, "layers.{}.mlp.experts.gate_up_proj", Form::bare_in_out_pairs},
    {Role::expert_down, "layers.{}.mlp.experts.down_proj", Form::bare_in_out},
};
constexpr TensorName kGguf[] = {
    {Role::ffn_norm, "blk.{}.post_attention_norm"},
};

void common(Config &c) {
    c.sinks = true;
    c.act = Activation::swiglu_clamped;
    c.act_limit = 7.0;
    c.act_alpha = 1.702;
    c.bias_qkv = c.bias_o = Presence::yes;
    c.moe.gating = Gating::softmax_of_chosen;
    c.moe.bias = Presence::yes;
    c.moe.norm_weights = false;
}

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    common(c);
    c.ctx = k.integer("max_position_embeddings", 131072);
    c.eps = k.real("rms_norm_eps", 1e-5);
    if (!k.find("head_dim")) c.head_k = c.head_v = 64;
    if (!k.flag("attention_bias", true)) c.bias_qkv = c.bias_o = Presence::no;
    c.act_limit = k.real("swiglu_limit", 7.0);
    c.act_alpha = k.real("swiglu_alpha", 1.702);
    moe_from_hf(k, c, "num_local_experts", "intermediate_size");
    const int32_t window = k.integer("sliding_window", k.find("sliding_window") ? 0 : 128);
    if (!layer_types_from_hf(k, c, window))
        for (size_t i = 0; i < c.layers.size(); i += 2) c.layers[i].window = window;
    rope_from_hf(k, c, 150000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    moe_from_gguf(k, c);
    common(c);
    c.ropes[0].truncate = false;
    window_from_gguf(k, c, 128, 2);
}

}  // namespace

const Architecture gpt_oss = {"gpt-oss", kClasses, kTypes, from_hf, from_gguf, kHf, kGguf};

}  // namespace inlay::model
