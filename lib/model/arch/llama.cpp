// SPDX-License-Identifier: Apache-2.0
// Llama, and what GGUF files under its name: Mistral (a window on every layer) and Mixtral (experts). The converter
// to GGUF permutes rows of q and k so that pairs are neighbours; Hugging Face files turn halves.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"LlamaForCausalLM", "LlamaModel",         "MistralForCausalLM",
                                         "MistralModel",     "MixtralForCausalLM", "MixtralModel"};
constexpr std::string_view kTypes[] = {"llama", "mistral", "mixtral"};

constexpr TensorName kHf[] = {
    {Role::router, "layers.{}.block_sparse_moe.gate"},
    {Role::expert_gate, "layers.{}.block_sparse_moe.experts.{}.w1"},
    {Role::expert_up, "layers.{}.block_sparse_moe.experts.{}.w3"},
    {Role::expert_down, "layers.{}.block_sparse_moe.experts.{}.w2"},
};

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    const std::string_view type = k.text("model_type", "llama");
    const bool mistral = type == "mistral", mixtral = type == "mixtral";
    if (mistral || mixtral) {
        c.bias_qkv = c.bias_o = c.bias_mlp = Presence::no;
        LayerConfig &first = c.layers[0];
        const int32_t n_kv = k.find("num_key_value_heads") ? k.integer("num_key_value_heads", first.n_head) : 8;
        c.ctx = k.integer("max_position_embeddings", 4096 * 32);
        const int32_t window = k.find("sliding_window") || mixtral ? k.integer("sliding_window", 0) : 4096;
        for (LayerConfig &l : c.layers) l.n_head_kv = n_kv, l.window = window;
    }
    if (mixtral) {
        c.eps = k.real("rms_norm_eps", 1e-5);
        moe_from_hf(k, c, "num_local_experts", "intermediate_size");
        c.moe.norm_weights = true;
    }
    rope_from_hf(k, c, mixtral ? 1e6 : 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.rope_kind = RopeKind::neighbours;
    moe_from_gguf(k, c);
    if (k.has("attention.sliding_window")) window_from_gguf(k, c, 0, 0);
}

}  // namespace

const Architecture llama = {"llama", kClasses, kTypes, from_hf, from_gguf, kHf, {}};

}  // namespace inlay::model
