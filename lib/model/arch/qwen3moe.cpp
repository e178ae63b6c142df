// SPDX-License-Identifier: Apache-2.0
// Qwen3 with experts: softmax over all, the best few kept, their weights renormalised when the file says so.
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"Qwen3MoeForCausalLM", "Qwen3MoeModel"};
constexpr std::string_view kTypes[] = {"qwen3_moe"};

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.ctx = k.integer("max_position_embeddings", 32768);
    c.bias_mlp = Presence::no;
    c.qk_norm = QkNorm::head;
    moe_from_hf(k, c, k.has("num_local_experts") ? "num_local_experts" : "num_experts", "moe_intermediate_size");
    c.moe.norm_weights = k.flag("norm_topk_prob", false);
    const int32_t step = k.integer("decoder_sparse_step", 1);
    if (step < 1) fail(Code::format, "key 'decoder_sparse_step' is ", step);
    for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].moe = (i + 1) % static_cast<size_t>(step) == 0;
    if (const io::Json *dense = k.get("mlp_only_layers")) {
        if (!dense->is_array()) fail(Code::format, "key 'mlp_only_layers' must be a list");
        for (const io::Json &v : dense->items()) {
            auto i = v.is_number() ? v.integer() : std::nullopt;
            if (!i) fail(Code::format, "key 'mlp_only_layers' must hold integers");
            if (*i >= 0 && *i < c.n_layers) c.layers[static_cast<size_t>(*i)].moe = false;
        }
    }
    if (k.flag("use_sliding_window", false))
        for (LayerConfig &l : c.layers) l.window = k.integer("sliding_window", k.find("sliding_window") ? 0 : 4096);
    rope_from_hf(k, c, 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.qk_norm = QkNorm::head;
    moe_from_gguf(k, c);
}

}  // namespace

const Architecture qwen3moe = {"qwen3moe", kClasses, kTypes, from_hf, from_gguf, {}, {}};

}  // namespace inlay::model
