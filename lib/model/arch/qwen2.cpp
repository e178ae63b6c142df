// SPDX-License-Identifier: Apache-2.0
// Qwen2 and 2.5: biases on q, k and v, none on o.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Qwen2ForCausalLM", "Qwen2Model"};
constexpr std::string_view kTypes[] = {"qwen2"};

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.ctx = k.integer("max_position_embeddings", 32768);
    c.bias_qkv = Presence::yes;
    c.bias_o = c.bias_mlp = Presence::no;
    qwen_window_from_hf(k, c);
    rope_from_hf(k, c, 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) { llama_from_gguf(k, c); }

}  // namespace

const Architecture qwen2 = {"qwen2", kClasses, kTypes, from_hf, from_gguf, {}, {}};

}  // namespace inlay::model
