// SPDX-License-Identifier: Apache-2.0
// SmolLM3: every fourth layer knows no positions.
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"SmolLM3ForCausalLM", "SmolLM3Model"};
constexpr std::string_view kTypes[] = {"smollm3"};

void drop_rope(Config &c, int32_t period) {
    if (period < 1) fail(Code::format, "interval of layers without rope is ", period);
    for (size_t i = 0; i < c.layers.size(); ++i)
        if ((i + 1) % static_cast<size_t>(period) == 0) c.layers[i].rope = -1;
}

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.ctx = k.integer("max_position_embeddings", 32768);
    if (!k.find("num_key_value_heads"))
        for (LayerConfig &l : c.layers) l.n_head_kv = 4;
    c.head_tensor = k.flag("tie_word_embeddings", true) ? Presence::no : Presence::yes;
    if (const io::Json *list = k.get("no_rope_layers")) {
        if (!list->is_array() || list->items().size() < c.layers.size())
            fail(Code::format, "key 'no_rope_layers' must tell ", c.layers.size(), " layers");
        for (size_t i = 0; i < c.layers.size(); ++i) {
            auto on = list->items()[i].is_number() ? list->items()[i].integer() : std::nullopt;
            if (!on) fail(Code::format, "key 'no_rope_layers' must hold integers");
            if (*on == 0) c.layers[i].rope = -1;
        }
    } else {
        drop_rope(c, k.integer("no_rope_layer_interval", 4));
    }
    const int32_t window = k.flag("use_sliding_window", false) ? k.integer("sliding_window", 0) : 0;
    if (!layer_types_from_hf(k, c, window))
        for (LayerConfig &l : c.layers) l.window = l.rope < 0 ? window : 0;
    rope_from_hf(k, c, 2e6, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.rope_kind = RopeKind::neighbours;
    drop_rope(c, 4);
}

}  // namespace

const Architecture smollm3 = {"smollm3", kClasses, kTypes, from_hf, from_gguf, {}, {}};

}  // namespace inlay::model
