// SPDX-License-Identifier: Apache-2.0
// DeepSeek V2 and V3: keys and values of all heads come from one low-rank vector a token and one shared rotary key; the
// first layers are dense, the others have routed and shared experts. The cache holds the expanded keys and values.
#include <cmath>

#include "base/error.h"
#include "model/arch/arch.h"
#include "tensor/scalar_math.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"DeepseekV2ForCausalLM", "DeepseekV2Model", "DeepseekV3ForCausalLM", "DeepseekV3Model"};
constexpr std::string_view kTypes[] = {"deepseek_v2", "deepseek_v3"};

constexpr TensorName kHf[] = {
    {Role::q_a, "layers.{}.self_attn.q_a_proj"},
    {Role::q_a_norm, "layers.{}.self_attn.q_a_layernorm"},
    {Role::q_b, "layers.{}.self_attn.q_b_proj"},
    {Role::kv_a, "layers.{}.self_attn.kv_a_proj_with_mqa"},
    {Role::kv_a_norm, "layers.{}.self_attn.kv_a_layernorm"},
    {Role::kv_b, "layers.{}.self_attn.kv_b_proj"},
    {Role::selection_bias, "layers.{}.mlp.gate.e_score_correction_bias", Form::bare},
    {Role::shared_gate, "layers.{}.mlp.shared_experts.gate_proj"},
    {Role::shared_up, "layers.{}.mlp.shared_experts.up_proj"},
    {Role::shared_down, "layers.{}.mlp.shared_experts.down_proj"},
};

double yarn_scale(double factor, double m) { return factor <= 1.0 || m == 0.0 ? 1.0 : 0.1 * m * tensor::det_log(factor) + 1.0; }

void finish(Config &c, double mscale_all) {
    const double m = yarn_scale(c.ropes[0].factor, mscale_all);
    c.attn_scale = m * m / std::sqrt(static_cast<double>(c.mla.qk_nope + c.mla.qk_rope));
    c.head_k = c.mla.qk_nope + c.mla.qk_rope;
    c.head_v = c.mla.v;
    for (LayerConfig &l : c.layers) l.n_head_kv = l.n_head;
}

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    const bool third = k.text("model_type", "deepseek_v2") == "deepseek_v3";
    c.bias_mlp = Presence::no;
    c.bias_qkv = k.flag("attention_bias", false) ? Presence::if_there : Presence::no;
    c.mla.kv_rank = k.integer("kv_lora_rank", 512);
    c.mla.q_rank = k.integer("q_lora_rank", k.find("q_lora_rank") ? 0 : 1536);
    c.mla.qk_nope = k.integer("qk_nope_head_dim", 128);
    c.mla.qk_rope = k.integer("qk_rope_head_dim", 64);
    c.mla.v = k.integer("v_head_dim", 128);
    c.rope_kind = !third || k.flag("rope_interleave", true) ? RopeKind::neighbours : RopeKind::halves;
    c.head_k = c.mla.qk_rope;
    rope_from_hf(k, c, 10000.0, 0.0, false);
    const io::Json *scaling = k.get("rope_scaling") ? k.get("rope_scaling") : k.get("rope_parameters");
    finish(c, scaling && c.ropes[0].scaling != RopeScaling::none ? io::get_double(*scaling, "mscale_all_dim", 0.0) : 0.0);

    if (!k.has("n_routed_experts") && !k.has("num_local_experts")) return;
    moe_from_hf(k, c, k.has("n_routed_experts") ? "n_routed_experts" : "num_local_experts", "moe_intermediate_size");
    const int32_t dense = k.integer("first_k_dense_replace", third ? 3 : 0), shared = k.integer("n_shared_experts", third ? 1 : 0);
    for (int32_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].moe = i >= dense;
    if (shared < 0 || shared > 1024) fail(Code::format, "key 'n_shared_experts' is ", shared);
    if (c.moe.n_ff < 0 || c.moe.n_ff > (1 << 20)) fail(Code::limit, "key 'moe_intermediate_size' is ", c.moe.n_ff);
    c.moe.shared_ff = shared * c.moe.n_ff;
    c.moe.weight_scale = k.real("routed_scaling_factor", third ? 2.5 : 1.0);
    const std::string_view method = k.text("topk_method", third ? "noaux_tc" : "greedy");
    if (method != "greedy") {
        c.moe.n_groups = k.integer("n_group", third ? 8 : 1);
        c.moe.n_groups_used = k.integer("topk_group", third ? 4 : 1);
    }
    if (third) {
        c.moe.gating = Gating::sigmoid;
        c.moe.selection_bias = Presence::yes;
        c.moe.norm_weights = k.flag("norm_topk_prob", true);
    }
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.rope_kind = RopeKind::neighbours;
    c.mla.kv_rank = k.need("attention.kv_lora_rank");
    c.mla.q_rank = k.integer("attention.q_lora_rank", 0);
    c.mla.qk_rope = c.ropes[0].dims;
    const int32_t key = k.integer("attention.key_length_mla", c.head_k);
    c.mla.qk_nope = key - c.mla.qk_rope;
    c.mla.v = k.integer("attention.value_length_mla", c.head_v);
    // The files write 0.1 * mscale_all_dim; our attention factor has YaRN's own, which DeepSeek divides out again.
    const double log_mul = k.real("rope.scaling.yarn_log_multiplier", 0.0);
    if (c.ropes[0].scaling == RopeScaling::yarn && log_mul != 0.0) c.ropes[0].attention_factor = 1.0;
    finish(c, 10.0 * log_mul);
    moe_from_gguf(k, c);
    if (!c.moe.n_experts) return;
    const int32_t shared = k.integer("expert_shared_count", 0);
    if (shared < 0 || shared > 1024) fail(Code::format, "key 'expert_shared_count' is ", shared);
    if (c.moe.n_ff < 0 || c.moe.n_ff > (1 << 20)) fail(Code::limit, "key 'expert_feed_forward_length' is ", c.moe.n_ff);
    c.moe.shared_ff = shared * c.moe.n_ff;
    c.moe.norm_weights = k.flag("expert_weights_norm", false);
    if (k.integer("expert_gating_func", 1) == 2) c.moe.gating = Gating::sigmoid;
    c.moe.n_groups = k.integer("expert_group_count", 1);
    c.moe.n_groups_used = k.integer("expert_group_used_count", c.moe.n_groups);
    c.moe.selection_bias = Presence::if_there;
}

}  // namespace

const Architecture deepseek2 = {"deepseek2", kClasses, kTypes, from_hf, from_gguf, kHf, {}};

}  // namespace inlay::model
