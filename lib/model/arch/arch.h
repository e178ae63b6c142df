// SPDX-License-Identifier: Apache-2.0
// The architectures, one a file.
#pragma once

#include "model/architecture.h"

namespace inlay::model {

extern const Architecture llama, qwen2, qwen3, qwen3moe, gemma2, gemma3, phi3, smollm3, olmo2, granite, gpt2, gpt_oss, deepseek2, bert, modernbert,
    nomic_bert;

// Gemma generations (gemma_common.cpp).
void gemma_from_hf(const HfKeys &k, Config &c);
void gemma_from_gguf(const GgufKeys &k, Config &c);
inline constexpr TensorName kGemmaHfNames[] = {
    {Role::ffn_norm, "layers.{}.pre_feedforward_layernorm"},
    {Role::post_attn_norm, "layers.{}.post_attention_layernorm"},
    {Role::post_ffn_norm, "layers.{}.post_feedforward_layernorm"},
};

}  // namespace inlay::model
