// SPDX-License-Identifier: Apache-2.0
// The parts of config.json that architectures share. Absent keys take the values that the reference implementation's
// configuration classes give them.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/architecture.h"
#include "tensor/scalar_math.h"

namespace inlay::model {

Activation activation_from_hf(std::string_view name) {
    if (name == "silu" || name == "swish") return Activation::silu;
    if (name == "gelu_pytorch_tanh" || name == "gelu_new" || name == "gelu_fast" || name == "gelu_python_tanh")
        return Activation::gelu_tanh;
    if (name == "gelu" || name == "gelu_python") return Activation::gelu_erf;
    if (name == "quick_gelu") return Activation::gelu_sigmoid;
    if (name == "relu") return Activation::relu;
    if (name == "relu2") return Activation::relu_squared;
    fail(Code::unsupported, "activation ", quoted{name}, " is not supported");
}

void llama_from_hf(const HfKeys &k, Config &c) {
    c.n_layers = k.need("num_hidden_layers");
    c.hidden = k.need("hidden_size");
    c.vocab = k.need("vocab_size");
    c.ctx = k.integer("max_position_embeddings", 2048);
    c.eps = k.real("rms_norm_eps", 1e-6);
    LayerConfig l;
    l.n_head = k.need("num_attention_heads");
    l.n_head_kv = k.integer("num_key_value_heads", l.n_head);
    l.n_ff = k.need("intermediate_size");
    if (l.n_head < 1) fail(Code::format, "key 'num_attention_heads' is ", l.n_head);
    if (!k.has("head_dim") && c.hidden % l.n_head)
        fail(Code::format, "hidden_size ", c.hidden, " is no multiple of the ", l.n_head, " heads, and no head_dim is given");
    c.head_k = c.head_v = k.integer("head_dim", c.hidden / l.n_head);
    c.fill_layers(l, k.limits());
    c.act = activation_from_hf(k.text("hidden_act", "silu"));
    bool bias = k.flag("attention_bias", false);
    c.bias_qkv = c.bias_o = bias ? Presence::yes : Presence::no;
    c.bias_mlp = k.flag("mlp_bias", false) ? Presence::yes : Presence::no;
    c.head_tensor = k.flag("tie_word_embeddings", false) ? Presence::no : Presence::yes;
}

namespace {

double number_in(const io::Json &o, std::string_view key, double fallback) { return io::get_double(o, key, fallback); }

void factors(const io::Json &o, std::string_view key, Vector<float> &out) {
    const io::Json *list = o.get(key);
    if (!list) fail(Code::format, "longrope scaling lacks ", quoted{key});
    if (!list->is_array()) fail(Code::format, "key ", quoted{key}, " must be a list");
    // A head has at most 4,096 values, so a longer list is refused here and not after copying.
    if (list->items().size() > 4096) fail(Code::limit, "key ", quoted{key}, " has ", list->items().size(), " items, limit 4096");
    for (const io::Json &v : list->items()) {
        if (!v.is_number()) fail(Code::format, "key ", quoted{key}, " must hold numbers");
        out.push_back(static_cast<float>(v.number()));
    }
}

double yarn_scale(double factor, double m) { return factor <= 1.0 ? 1.0 : 0.1 * m * tensor::det_log(factor) + 1.0; }

// One dictionary of rope parameters, old (`type`, theta beside it) or new (`rope_type`, theta inside).
RopeSpec read_spec(const HfKeys &k, const Config &c, const io::Json *o, double theta, double share) {
    RopeSpec r(k.memory());
    r.theta = o ? number_in(*o, "rope_theta", theta) : theta;
    if (o) share = share < 0 ? 1.0 : number_in(*o, "partial_rotary_factor", share);
    if (share < 0) share = 1.0;
    if (!(share > 0.0 && share <= 1.0)) fail(Code::format, "partial_rotary_factor ", share, " is not between 0 and 1");
    r.dims = static_cast<int32_t>(c.head_k * share);
    r.ctx = c.ctx;
    if (!o) return r;
    std::string_view type = io::get_string(*o, "rope_type", io::get_string(*o, "type", "default"));
    if (type == "default" || type == "none") return r;
    r.original_ctx =
        k.has("original_max_position_embeddings")
            ? k.integer("original_max_position_embeddings", 0)
            : static_cast<int32_t>(std::clamp<int64_t>(io::get_int(*o, "original_max_position_embeddings", c.ctx), 0, INT32_MAX));
    const bool has_factor = o->get("factor") != nullptr;
    r.factor = number_in(*o, "factor", r.original_ctx > 0 ? static_cast<double>(c.ctx) / r.original_ctx : 1.0);
    auto need_factor = [&] {
        if (!has_factor) fail(Code::format, "rope scaling ", quoted{type}, " lacks its factor");
    };
    const io::Json *attention = o->get("attention_factor");
    if (type == "linear") {
        need_factor();
        r.scaling = RopeScaling::linear;
    } else if (type == "dynamic") {
        need_factor();
        r.scaling = RopeScaling::dynamic;
    } else if (type == "llama3") {
        need_factor();
        r.scaling = RopeScaling::llama3;
        r.low_freq_factor = number_in(*o, "low_freq_factor", 1.0);
        r.high_freq_factor = number_in(*o, "high_freq_factor", 4.0);
    } else if (type == "yarn" && !o->get("short_factor")) {
        r.scaling = RopeScaling::yarn;
        double m = number_in(*o, "mscale", 0.0), all = number_in(*o, "mscale_all_dim", 0.0);
        r.attention_factor = m != 0.0 && all != 0.0 ? yarn_scale(r.factor, m) / yarn_scale(r.factor, all) : yarn_scale(r.factor, 1.0);
        if (attention) r.attention_factor = number_in(*o, "attention_factor", 1.0);
        if (double b = number_in(*o, "beta_fast", 0.0); b != 0.0) r.beta_fast = b;
        if (double b = number_in(*o, "beta_slow", 0.0); b != 0.0) r.beta_slow = b;
        r.truncate = io::get_bool(*o, "truncate", true);
    } else if (type == "longrope" || type == "su" || type == "yarn") {  // Phi-3 wrote its longrope under all three names
        r.scaling = RopeScaling::longrope;
        factors(*o, "short_factor", r.short_factor);
        factors(*o, "long_factor", r.long_factor);
        if (attention)
            r.attention_factor = number_in(*o, "attention_factor", 1.0);
        else if (r.factor > 1.0 && r.original_ctx > 1)
            r.attention_factor = std::sqrt(1.0 + tensor::det_log(r.factor) / tensor::det_log(static_cast<double>(r.original_ctx)));
    } else {
        fail(Code::unsupported, "rope scaling ", quoted{type}, " is not supported");
    }
    return r;
}

}  // namespace

void rope_from_hf(const HfKeys &k, Config &c, double default_theta, double default_local_theta, bool partial) {
    const double theta = k.real("rope_theta", default_theta);
    const double share = partial ? k.real("partial_rotary_factor", 1.0) : -1.0;
    const io::Json *old_form = k.get("rope_scaling"), *params = k.get("rope_parameters");
    for (const io::Json *o : {old_form, params})
        if (o && !o->is_object()) fail(Code::format, "rope parameters must be an object");
    auto nested = [](const io::Json *o, std::string_view key) -> const io::Json * {
        const io::Json *v = o ? o->get(key) : nullptr;
        return v && v->is_object() ? v : nullptr;
    };
    const io::Json *full = nested(params, "full_attention"), *local = nested(params, "sliding_attention");
    const bool by_type = full || local;
    // Two ways of turning only where the architecture has them; rope_scaling then belongs to the full layers alone.
    if (by_type || default_local_theta > 0) {
        const double local_theta =
            default_local_theta > 0 ? k.real("rope_local_base_freq", k.real("local_rope_theta", default_local_theta)) : theta;
        c.ropes.push_back(read_spec(k, c, old_form && !by_type ? old_form : full ? full : by_type ? nullptr : params, theta, share));
        c.ropes.push_back(read_spec(k, c, local, local_theta, share));
        for (LayerConfig &l : c.layers) l.rope = l.rope < 0 ? -1 : l.window > 0 ? 1 : 0;
        extend_context(c, k.limits());
        return;
    }
    c.ropes.push_back(read_spec(k, c, old_form && !old_form->members().empty() ? old_form : params, theta, share));
    extend_context(c, k.limits());
}

bool layer_types_from_hf(const HfKeys &k, Config &c, int32_t window) {
    const io::Json *types = k.get("layer_types");
    if (!types) return false;
    if (!types->is_array() || types->items().size() < c.layers.size())
        fail(Code::format, "key 'layer_types' must name ", c.layers.size(), " layers");
    for (size_t i = 0; i < c.layers.size(); ++i) {
        const io::Json &t = types->items()[i];
        if (!t.is_string()) fail(Code::format, "key 'layer_types' must hold strings");
        if (t.string() == "sliding_attention")
            c.layers[i].window = window;
        else if (t.string() == "full_attention")
            c.layers[i].window = 0;
        else
            fail(Code::unsupported, "layer type ", quoted{t.string()}, " is not supported");
    }
    return true;
}

void qwen_window_from_hf(const HfKeys &k, Config &c) {
    const int32_t window = k.flag("use_sliding_window", false) ? k.integer("sliding_window", k.find("sliding_window") ? 0 : 4096) : 0;
    if (layer_types_from_hf(k, c, window)) return;
    const int32_t first = k.integer("max_window_layers", 28);
    for (int32_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].window = i >= first ? window : 0;
}

void moe_from_hf(const HfKeys &k, Config &c, std::string_view count_key, std::string_view ff_key) {
    c.moe.n_experts = k.need(count_key);
    c.moe.n_used = k.need("num_experts_per_tok");
    c.moe.n_ff = k.need(ff_key);
    for (LayerConfig &l : c.layers) l.moe = true;
}

}  // namespace inlay::model
