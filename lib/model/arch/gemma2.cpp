// SPDX-License-Identifier: Apache-2.0
// Gemma 2: norms before and after attention and feed-forward, weights stored without their +1 in Hugging Face files,
// a window on every other layer, both softcaps, its own query scale, the embedding scaled by sqrt(hidden).
#include <cmath>

#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Gemma2ForCausalLM", "Gemma2Model"};
constexpr std::string_view kTypes[] = {"gemma2"};

void from_hf(const HfKeys &k, Config &c) {
    gemma_from_hf(k, c);
    c.attn_softcap = k.find("attn_logit_softcapping") ? k.real("attn_logit_softcapping", 0.0) : 50.0;
    c.final_softcap = k.find("final_logit_softcapping") ? k.real("final_logit_softcapping", 0.0) : 30.0;
    const int32_t window = k.integer("sliding_window", k.find("sliding_window") ? 0 : 4096);
    if (!layer_types_from_hf(k, c, window))
        for (size_t i = 0; i < c.layers.size(); i += 2) c.layers[i].window = window;
    rope_from_hf(k, c, 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    gemma_from_gguf(k, c);
    c.attn_softcap = k.real("attn_logit_softcapping", 50.0);
    c.final_softcap = k.real("final_logit_softcapping", 30.0);
    // The 27B model, told by its depth, scales queries by hidden / heads.
    if (c.n_layers == 46 && c.attn_scale == 0.0) c.attn_scale = 1.0 / std::sqrt(static_cast<double>(c.hidden) / c.layers[0].n_head);
    window_from_gguf(k, c, 4096, 2);
}

}  // namespace

const Architecture gemma2 = {"gemma2", kClasses, kTypes, from_hf, from_gguf, kGemmaHfNames, {}};

}  // namespace inlay::model
