// SPDX-License-Identifier: Apache-2.0
// Gemma 3: as Gemma 2, with q and k normalised by head in place of softcaps; five windowed layers to a global one,
// and the two kinds turn with different bases.
#include <cmath>

#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3ForConditionalGeneration"};
constexpr std::string_view kTypes[] = {"gemma3_text", "gemma3"};

void from_hf(const HfKeys &k, Config &c) {
    gemma_from_hf(k, c);
    c.qk_norm = QkNorm::head;
    c.ctx = k.integer("max_position_embeddings", 131072);
    c.final_softcap = k.real("final_logit_softcapping", 0.0);  // the key for attention is there, and unused
    const int32_t window = k.integer("sliding_window", k.find("sliding_window") ? 0 : 4096);
    const int32_t period = k.integer("sliding_window_pattern", 6);
    if (!layer_types_from_hf(k, c, window))
        for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].window = period > 0 && (i + 1) % static_cast<size_t>(period) ? window : 0;
    rope_from_hf(k, c, 1e6, 10000.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    gemma_from_gguf(k, c);
    c.qk_norm = QkNorm::head;
    c.attn_softcap = k.real("attn_logit_softcapping", 0.0);
    c.final_softcap = k.real("final_logit_softcapping", 0.0);
    if (c.n_layers == 62 && c.attn_scale == 0.0) c.attn_scale = 1.0 / std::sqrt(static_cast<double>(c.hidden) / c.layers[0].n_head);
    window_from_gguf(k, c, 0, 6);
    RopeSpec local(k.memory());
    local.dims = k.integer("rope.dimension_count_swa", c.ropes[0].dims);
    local.theta = k.real("rope.freq_base_swa", 10000.0);
    local.ctx = c.ctx;
    c.ropes.push_back(std::move(local));
    for (LayerConfig &l : c.layers) l.rope = l.window > 0 ? 1 : 0;
}

}  // namespace

const Architecture gemma3 = {"gemma3", kClasses, kTypes, from_hf, from_gguf, kGemmaHfNames, {}};

}  // namespace inlay::model
