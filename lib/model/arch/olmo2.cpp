// SPDX-License-Identifier: Apache-2.0
// OLMo 2: norms on the blocks' outputs alone, q and k normalised over the whole projection. OLMo 3 adds a window on
// three layers of four, whose rope is never scaled.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Olmo2ForCausalLM", "Olmo2Model", "Olmo3ForCausalLM", "Olmo3Model"};
constexpr std::string_view kTypes[] = {"olmo2", "olmo3"};

constexpr TensorName kHf[] = {
    {Role::ffn_norm, ""},
    {Role::post_attn_norm, "layers.{}.post_attention_layernorm"},
    {Role::post_ffn_norm, "layers.{}.post_feedforward_layernorm"},
};

void olmo(Config &c) {
    c.pre_norm = false;
    c.post_norm = true;
    c.qk_norm = QkNorm::whole;
}

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    olmo(c);
    c.eps = k.real("rms_norm_eps", 1e-5);
    c.bias_mlp = Presence::no;
    const bool third = k.text("model_type", "olmo2") == "olmo3";
    if (third) {
        const int32_t window = k.integer("sliding_window", k.find("sliding_window") ? 0 : 4096);
        if (!layer_types_from_hf(k, c, window))
            for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].window = (i + 1) % 4 ? window : 0;
    }
    rope_from_hf(k, c, third ? 500000.0 : 10000.0, third ? 500000.0 : 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    olmo(c);
    if (!k.has("attention.sliding_window")) return;
    window_from_gguf(k, c, 0, 4);
    RopeSpec local(k.memory());
    local.dims = c.ropes[0].dims;
    local.theta = c.ropes[0].theta;
    local.ctx = c.ctx;
    c.ropes.push_back(std::move(local));
    for (LayerConfig &l : c.layers) l.rope = l.window > 0 ? 1 : 0;
}

}  // namespace

const Architecture olmo2 = {"olmo2", kClasses, kTypes, from_hf, from_gguf, kHf, {}};

}  // namespace inlay::model
