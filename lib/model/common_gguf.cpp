// SPDX-License-Identifier: Apache-2.0
// The GGUF metadata keys that architectures share (FEATURES.md section 1).
#include <cmath>

#include "base/checked.h"
#include "base/error.h"
#include "model/architecture.h"
#include "tensor/scalar_math.h"

namespace inlay::model {

namespace {

int32_t vocabulary(const GgufKeys &k) {
    // The embedding's rows are the truth; a file for text alone has only its token list.
    if (const io::TensorInfo *t = k.file().find("token_embd.weight"); t && t->n_dims == 2)
        return Checked(t->shape[0]).to<int32_t>("vocabulary size");
    if (const io::GgufValue *v = k.file().gguf()->find("tokenizer.ggml.tokens")) return Checked(v->count()).to<int32_t>("vocabulary size");
    return k.need("vocab_size");
}

void read_factors(const GgufKeys &k, std::string_view name, Vector<float> &out) {
    const io::TensorInfo *t = k.file().find(name);
    if (!t) return;
    if (t->dtype != DType::f32 || t->n_dims != 1) fail(Code::format, "mismatch: tensor ", quoted{name}, " must be a row of f32");
    if (t->elements > 4096) fail(Code::limit, "tensor ", quoted{name}, " has ", t->elements, " factors, limit 4096");
    out.resize(static_cast<size_t>(t->elements));
    k.file().read(*t, 0, std::as_writable_bytes(std::span(out)));
}

void rope_from_gguf(const GgufKeys &k, Config &c) {
    RopeSpec r(k.memory());
    r.dims = k.integer("rope.dimension_count", c.head_k);
    r.theta = k.real("rope.freq_base", 10000.0);
    r.ctx = c.ctx;
    r.original_ctx = k.integer("rope.scaling.original_context_length", c.ctx);
    std::string_view type = k.text("rope.scaling.type", "none");
    r.factor = k.real("rope.scaling.factor", k.real("rope.scale_linear", 1.0));
    if (type == "none" && k.has("rope.scale_linear")) type = "linear";
    if (r.factor == 0.0) r.factor = 1.0;
    r.attention_factor = k.real("rope.scaling.attn_factor", 1.0);
    if (type == "linear") {
        r.scaling = RopeScaling::linear;
    } else if (type == "yarn") {
        r.scaling = RopeScaling::yarn;
        r.beta_fast = k.real("rope.scaling.yarn_beta_fast", 32.0);
        r.beta_slow = k.real("rope.scaling.yarn_beta_slow", 1.0);
        r.attention_factor *= k.real("rope.scaling.yarn_attn_factor", 1.0) * (r.factor > 1.0 ? 1.0 + 0.1 * tensor::det_log(r.factor) : 1.0);
    } else if (type != "none" && type != "longrope") {
        fail(Code::unsupported, "rope scaling ", quoted{type}, " is not supported");
    }
    read_factors(k, "rope_freqs.weight", r.short_factor);
    if (k.file().find("rope_factors_long.weight") && k.file().find("rope_factors_short.weight")) {
        r.scaling = RopeScaling::longrope;
        r.short_factor.clear();
        read_factors(k, "rope_factors_short.weight", r.short_factor);
        read_factors(k, "rope_factors_long.weight", r.long_factor);
    }
    c.ropes.push_back(std::move(r));
    extend_context(c, k.limits());
}

}  // namespace

void llama_from_gguf(const GgufKeys &k, Config &c) {
    c.n_layers = k.need("block_count");
    c.hidden = k.need("embedding_length");
    c.ctx = k.need("context_length");
    c.vocab = vocabulary(k);
    c.fill_layers({}, k.limits());
    for (int32_t i = 0; i < c.n_layers; ++i) {
        LayerConfig &l = c.layers[static_cast<size_t>(i)];
        l.n_head = k.by_layer("attention.head_count", i, c.n_layers, 0);
        l.n_head_kv = k.by_layer("attention.head_count_kv", i, c.n_layers, l.n_head);
        l.n_ff = k.by_layer("feed_forward_length", i, c.n_layers, 0);
    }
    int32_t heads = c.layers[0].n_head;
    if (heads < 1) fail(Code::format, "key 'attention.head_count' is ", heads);
    const bool sized = k.has("attention.key_length");
    if (!sized && c.hidden % heads)
        fail(Code::format, "embedding length ", c.hidden, " is no multiple of the ", heads, " heads, and no key length is given");
    c.head_k = k.integer("attention.key_length", c.hidden / heads);
    c.head_v = k.integer("attention.value_length", c.head_k);
    c.eps = c.norm == NormKind::layer ? k.need_real("attention.layer_norm_epsilon") : k.need_real("attention.layer_norm_rms_epsilon");
    c.attn_scale = k.real("attention.scale", 0.0);
    rope_from_gguf(k, c);
    // Converters write a bias where the model has one, and no key tells; so the tensors do.
    c.bias_qkv = c.bias_o = c.bias_mlp = Presence::if_there;
    c.head_tensor = Presence::if_there;
}

void moe_from_gguf(const GgufKeys &k, Config &c) {
    c.moe.n_experts = k.integer("expert_count", 0);
    if (c.moe.n_experts == 0) return;
    c.moe.n_used = k.need("expert_used_count");
    c.moe.n_ff = k.integer("expert_feed_forward_length", c.layers[0].n_ff);
    c.moe.norm_weights = k.flag("expert_weights_norm", true);
    c.moe.weight_scale = k.real("expert_weights_scale", 1.0);
    if (c.moe.weight_scale == 0.0) c.moe.weight_scale = 1.0;
    int32_t dense = k.integer("leading_dense_block_count", 0);
    for (int32_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].moe = i >= dense;
}

void window_from_gguf(const GgufKeys &k, Config &c, int32_t fallback, int32_t period) {
    int32_t window = k.integer("attention.sliding_window", fallback);
    const io::GgufValue *pattern = k.find("attention.sliding_window_pattern");
    if (pattern && pattern->is_array() && pattern->count() != c.layers.size())
        fail(Code::format, "sliding window pattern has ", pattern->count(), " items for ", c.n_layers, " layers");
    if (pattern && !pattern->is_array()) period = k.integer("attention.sliding_window_pattern", period);
    for (size_t i = 0; i < c.layers.size(); ++i) {
        bool slides = period <= 0 || (i + 1) % static_cast<size_t>(period) != 0;
        if (pattern && pattern->is_array()) slides = pattern->is_integer() ? pattern->integer(i).value_or(0) != 0 : pattern->boolean(i);
        c.layers[i].window = slides ? window : 0;
    }
}

}  // namespace inlay::model
