// SPDX-License-Identifier: Apache-2.0
// Qwen3: q and k are normalised head by head before they turn; the head size is told apart from hidden / heads.
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Qwen3ForCausalLM", "Qwen3Model"};
constexpr std::string_view kTypes[] = {"qwen3"};

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.ctx = k.integer("max_position_embeddings", 32768);
    if (!k.find("head_dim")) c.head_k = c.head_v = 128;
    c.bias_mlp = Presence::no;
    c.qk_norm = QkNorm::head;
    qwen_window_from_hf(k, c);
    rope_from_hf(k, c, 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.qk_norm = QkNorm::head;
}

}  // namespace

const Architecture qwen3 = {"qwen3", kClasses, kTypes, from_hf, from_gguf, {}, {}};

}  // namespace inlay::model
