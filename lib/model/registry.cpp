// SPDX-License-Identifier: Apache-2.0
// The list of architectures, and how a file is matched to one of them. A new dense architecture is one file in arch/
// and one line here.
#include "base/error.h"
#include "model/arch/arch.h"
#include "thread/fp_env.h"

namespace inlay::model {

namespace {

constexpr const Architecture *kAll[] = {
    &llama, &qwen2,   &qwen3, &qwen3moe, &gemma2,    &gemma3, &phi3,       &smollm3,
    &olmo2, &granite, &gpt2,  &gpt_oss,  &deepseek2, &bert,   &modernbert, &nomic_bert,
};

constexpr TensorName kCommonHf[] = {
    {Role::token_embd, "embed_tokens"},
    {Role::final_norm, "norm"},
    {Role::head, "lm_head"},
    {Role::attn_norm, "layers.{}.input_layernorm"},
    {Role::q, "layers.{}.self_attn.q_proj"},
    {Role::k, "layers.{}.self_attn.k_proj"},
    {Role::v, "layers.{}.self_attn.v_proj"},
    {Role::o, "layers.{}.self_attn.o_proj"},
    {Role::q_norm, "layers.{}.self_attn.q_norm"},
    {Role::k_norm, "layers.{}.self_attn.k_norm"},
    {Role::sinks, "layers.{}.self_attn.sinks", Form::bare},
    {Role::ffn_norm, "layers.{}.post_attention_layernorm"},
    {Role::gate, "layers.{}.mlp.gate_proj"},
    {Role::up, "layers.{}.mlp.up_proj"},
    {Role::down, "layers.{}.mlp.down_proj"},
    {Role::router, "layers.{}.mlp.gate"},
    {Role::expert_gate, "layers.{}.mlp.experts.{}.gate_proj"},
    {Role::expert_up, "layers.{}.mlp.experts.{}.up_proj"},
    {Role::expert_down, "layers.{}.mlp.experts.{}.down_proj"},
};

constexpr TensorName kCommonGguf[] = {
    {Role::token_embd, "token_embd"},
    {Role::position_embd, "position_embd"},
    {Role::type_embd, "token_types"},
    {Role::embd_norm, "token_embd_norm"},
    {Role::final_norm, "output_norm"},
    {Role::head, "output"},
    {Role::attn_norm, "blk.{}.attn_norm"},
    {Role::q, "blk.{}.attn_q"},
    {Role::k, "blk.{}.attn_k"},
    {Role::v, "blk.{}.attn_v"},
    {Role::qkv, "blk.{}.attn_qkv"},
    {Role::o, "blk.{}.attn_output"},
    {Role::q_norm, "blk.{}.attn_q_norm"},
    {Role::k_norm, "blk.{}.attn_k_norm"},
    {Role::sinks, "blk.{}.attn_sinks"},
    {Role::post_attn_norm, "blk.{}.post_attention_norm"},
    {Role::ffn_norm, "blk.{}.ffn_norm"},
    {Role::gate, "blk.{}.ffn_gate"},
    {Role::up, "blk.{}.ffn_up"},
    {Role::down, "blk.{}.ffn_down"},
    {Role::post_ffn_norm, "blk.{}.post_ffw_norm"},
    {Role::router, "blk.{}.ffn_gate_inp"},
    {Role::selection_bias, "blk.{}.exp_probs_b"},
    {Role::expert_gate, "blk.{}.ffn_gate_exps"},
    {Role::expert_up, "blk.{}.ffn_up_exps"},
    {Role::expert_gate_up, "blk.{}.ffn_gate_up_exps"},
    {Role::expert_down, "blk.{}.ffn_down_exps"},
    {Role::shared_gate, "blk.{}.ffn_gate_shexp"},
    {Role::shared_up, "blk.{}.ffn_up_shexp"},
    {Role::shared_down, "blk.{}.ffn_down_shexp"},
    {Role::q_a, "blk.{}.attn_q_a"},
    {Role::q_a_norm, "blk.{}.attn_q_a_norm"},
    {Role::q_b, "blk.{}.attn_q_b"},
    {Role::kv_a, "blk.{}.attn_kv_a_mqa"},
    {Role::kv_a_norm, "blk.{}.attn_kv_a_norm"},
    {Role::kv_b, "blk.{}.attn_kv_b"},
    {Role::k_b, "blk.{}.attn_k_b"},
    {Role::v_b, "blk.{}.attn_v_b"},
};

bool listed(std::span<const std::string_view> list, std::string_view name) {
    for (std::string_view s : list)
        if (s == name) return true;
    return false;
}

const Architecture &find_hf(const io::Json &config) {
    std::string_view cls;
    if (const io::Json *a = config.get("architectures")) {
        if (!a->is_array() || a->items().empty() || !a->items()[0].is_string())
            fail(Code::unsupported, "config.json names no architecture");
        cls = a->items()[0].string();
        for (const Architecture *arch : kAll)
            if (listed(arch->hf_classes, cls)) return *arch;
    } else {
        cls = io::get_string(config, "model_type", "");
        for (const Architecture *arch : kAll)
            if (listed(arch->hf_types, cls)) return *arch;
    }
    fail(Code::unsupported, "architecture ", quoted{cls}, " is not supported");
}

bool bare_model(const io::Json &config) {
    const io::Json *a = config.get("architectures");
    if (!a || !a->is_array() || a->items().empty() || !a->items()[0].is_string()) return false;
    const std::string_view name = a->items()[0].string();
    return name.ends_with("Model") && !name.ends_with("LMHeadModel");
}

// Multi-modal files keep the language model's keys in a section of their own.
const io::Json &language_config(const io::Json &config) {
    const io::Json *text = config.get("text_config");
    return text && text->is_object() && !config.get("hidden_size") ? *text : config;
}

}  // namespace

std::span<const Architecture *const> architectures() noexcept { return kAll; }

const Architecture &find_architecture(const io::WeightsFile &f) {
    if (const io::Gguf *g = f.gguf()) {
        std::string_view name = g->need_string("general.architecture");
        for (const Architecture *arch : kAll)
            if (arch->name == name) return *arch;
        fail(Code::unsupported, "architecture ", quoted{name}, " is not supported");
    }
    if (!f.config()) fail(Code::format, "the folder holds no config.json");
    if (!f.config()->is_object()) fail(Code::format, "config.json is not an object");
    return find_hf(*f.config());
}

Config read_config(const io::WeightsFile &f, const Architecture &arch) {
    thread::FpGuard fp;
    Config c(f.memory());
    c.arch.assign(arch.name);
    if (const io::Gguf *g = f.gguf()) {
        GgufKeys k(*g, arch.name, f);
        if (!arch.from_gguf) fail(Code::unsupported, "architecture ", arch.name, " is not supported in GGUF files");
        arch.from_gguf(k, c);
    } else {
        if (const io::Json *q = f.config()->get("quantization_config"); q && q->is_object())
            fail(Code::unsupported, "weights quantised by ", quoted{io::get_string(*q, "quant_method", "?")},
                 " are not supported in folders");
        HfKeys k(language_config(*f.config()), f);
        if (!arch.from_hf) fail(Code::unsupported, "architecture ", arch.name, " is not supported in folders");
        arch.from_hf(k, c);
    }
    // A bare "…Model" that was saved without its head embeds and can't generate.
    if (f.config() && c.head && c.head_tensor == Presence::yes && bare_model(*f.config()) && !f.find("lm_head.weight")) {
        c.head = false;
        c.pooling = Pooling::last;
    }
    c.check(f.limits());
    return c;
}

TensorName tensor_name(const Architecture &arch, io::WeightsFile::Kind kind, Role role) noexcept {
    const bool hf = kind == io::WeightsFile::Kind::hf;
    for (const TensorName &n : hf ? arch.hf_names : arch.gguf_names)
        if (n.role == role) return n;
    for (const TensorName &n : hf ? std::span<const TensorName>(kCommonHf) : std::span<const TensorName>(kCommonGguf))
        if (n.role == role) return n;
    return {role, {}, Form::plain};
}

}  // namespace inlay::model
