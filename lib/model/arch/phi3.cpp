// SPDX-License-Identifier: Apache-2.0
// Phi-3 and Phi-4-mini: q, k, v in one matrix, gate and up in another; longrope; a part of the head may stay unturned.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Phi3ForCausalLM", "Phi3Model"};
constexpr std::string_view kTypes[] = {"phi3"};

constexpr TensorName kHf[] = {
    {Role::qkv, "layers.{}.self_attn.qkv_proj"},
    {Role::gate_up, "layers.{}.mlp.gate_up_proj"},
};
constexpr TensorName kGguf[] = {
    {Role::gate_up, "blk.{}.ffn_up"},  // under the name of up, gate above it
    {Role::gate, ""},
    {Role::up, ""},
};

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.ctx = k.integer("max_position_embeddings", 4096);
    c.eps = k.real("rms_norm_eps", 1e-5);
    c.bias_qkv = c.bias_o = c.bias_mlp = Presence::no;
    for (LayerConfig &l : c.layers) l.window = k.integer("sliding_window", 0);
    rope_from_hf(k, c, 10000.0, 0.0, true);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    window_from_gguf(k, c, 0, 0);
}

}  // namespace

const Architecture phi3 = {"phi3", kClasses, kTypes, from_hf, from_gguf, kHf, kGguf};

}  // namespace inlay::model
