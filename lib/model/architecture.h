// SPDX-License-Identifier: Apache-2.0
// What an arch/<name>.cpp declares: which names it goes by, how to fill a Config from either format, and where its
// tensors' names differ from the common ones. registry.cpp lists them all.
#pragma once

#include <span>
#include <string_view>

#include "io/weights_file.h"
#include "model/config.h"
#include "model/keys.h"

namespace inlay::model {

// What a tensor is to the model. Layer tensors' names hold one "{}" for the layer, an expert's own a second.
enum class Role : uint8_t {
    token_embd,
    position_embd,
    type_embd,
    embd_norm,
    final_norm,
    head,
    attn_norm,
    q,
    k,
    v,
    qkv,
    o,
    q_norm,
    k_norm,
    sinks,
    post_attn_norm,
    ffn_norm,
    gate,
    up,
    gate_up,
    down,
    post_ffn_norm,
    router,
    selection_bias,
    expert_gate,
    expert_up,
    expert_gate_up,
    expert_down,
    shared_gate,
    shared_up,
    shared_down,
    q_a,
    q_a_norm,
    q_b,
    kv_a,
    kv_a_norm,
    kv_b,
    k_b,
    v_b,
    rope_short,
    rope_long,
    count_,
};

enum class Form : uint8_t {
    plain,              // stem + ".weight" [out, in], stem + ".bias"
    transposed,         // the file holds [in, out] (GPT-2's Conv1D)
    bare,               // the stem is the whole name; its bias ends in "_bias"
    bare_in_out,        // bare, experts stacked as [expert, in, out]
    bare_in_out_pairs,  // so, and columns of gate and up alternate
};

struct TensorName {
    Role role;
    std::string_view stem;
    Form form = Form::plain;
};

struct Architecture {
    std::string_view name;                         // GGUF's general.architecture
    std::span<const std::string_view> hf_classes;  // config.json "architectures"
    std::span<const std::string_view> hf_types;    // config.json "model_type", when the class is not told
    void (*from_hf)(const HfKeys &, Config &);     // n_layers .. tokens are not yet checked
    void (*from_gguf)(const GgufKeys &, Config &);
    std::span<const TensorName> hf_names, gguf_names;  // before the common ones
};

std::span<const Architecture *const> architectures() noexcept;

// The architecture of an opened file, or UNSUPPORTED naming what the file says it is.
const Architecture &find_architecture(const io::WeightsFile &f);
// Fills and checks a Config; `arch` is find_architecture's answer.
Config read_config(const io::WeightsFile &f, const Architecture &arch);

// The stem of a role in this format; empty when the format has none.
TensorName tensor_name(const Architecture &arch, io::WeightsFile::Kind kind, Role role) noexcept;

// Shared between architectures (common_hf.cpp, common_gguf.cpp).
// config.json of the llama family: sizes, heads, activation, rope, ties, biases by flag.
void llama_from_hf(const HfKeys &k, Config &c);
// rope_theta + rope_scaling, or rope_parameters (also by layer type: ropes[0] full, ropes[1] sliding attention).
void rope_from_hf(const HfKeys &k, Config &c, double default_theta, double default_local_theta, bool partial);
// "sliding_attention" / "full_attention" by layer; false when the key is absent.
bool layer_types_from_hf(const HfKeys &k, Config &c, int32_t window);
// layer_types, or use_sliding_window + max_window_layers.
void qwen_window_from_hf(const HfKeys &k, Config &c);
Activation activation_from_hf(std::string_view name);
// Experts' common keys.
void moe_from_hf(const HfKeys &k, Config &c, std::string_view count_key, std::string_view ff_key);

// Sizes, heads (arrays by layer), norm epsilon, rope.
void llama_from_gguf(const GgufKeys &k, Config &c);
void moe_from_gguf(const GgufKeys &k, Config &c);
// Window and which layers have one: every layer, or all but each `period`-th (0 = all have it).
void window_from_gguf(const GgufKeys &k, Config &c, int32_t fallback, int32_t period);

}  // namespace inlay::model
