// SPDX-License-Identifier: Apache-2.0
// GPT-2: LayerNorm and biases everywhere, learned positions, one transposed matrix for q, k and v, no gate.
#include "base/checked.h"
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"GPT2LMHeadModel", "GPT2Model"};
constexpr std::string_view kTypes[] = {"gpt2"};

constexpr TensorName kHf[] = {
    {Role::token_embd, "wte"},
    {Role::position_embd, "wpe"},
    {Role::final_norm, "ln_f"},
    {Role::attn_norm, "h.{}.ln_1"},
    {Role::qkv, "h.{}.attn.c_attn", Form::transposed},
    {Role::o, "h.{}.attn.c_proj", Form::transposed},
    {Role::ffn_norm, "h.{}.ln_2"},
    {Role::up, "h.{}.mlp.c_fc", Form::transposed},
    {Role::down, "h.{}.mlp.c_proj", Form::transposed},
};

void common(Config &c) {
    c.norm = NormKind::layer;
    c.norm_bias = true;
    c.gated = false;
    c.bias_qkv = c.bias_o = c.bias_mlp = Presence::yes;
}

void from_hf(const HfKeys &k, Config &c) {
    common(c);
    c.n_layers = k.integer("n_layer", 12);
    c.hidden = k.integer("n_embd", 768);
    c.vocab = k.integer("vocab_size", 50257);
    c.ctx = c.n_positions = k.integer("n_positions", 1024);
    c.eps = k.real("layer_norm_epsilon", 1e-5);
    LayerConfig l;
    l.n_head = l.n_head_kv = k.integer("n_head", 12);
    if (l.n_head < 1 || c.hidden % l.n_head) fail(Code::format, "n_embd ", c.hidden, " is no multiple of n_head ", l.n_head);
    // 4 x hidden, checked: n_embd is the file's.
    l.n_ff = k.integer("n_inner", (Checked(static_cast<uint64_t>(c.hidden < 0 ? 0 : c.hidden)) * 4).to<int32_t>("feed-forward length"));
    l.rope = -1;
    c.head_k = c.head_v = c.hidden / l.n_head;
    c.fill_layers(l, k.limits());
    c.act = activation_from_hf(k.text("activation_function", "gelu_new"));
    if (!k.flag("scale_attn_weights", true)) c.attn_scale = 1.0;
    c.attn_scale_by_layer = k.flag("scale_attn_by_inverse_layer_idx", false);
    c.head_tensor = k.flag("tie_word_embeddings", true) ? Presence::no : Presence::yes;
}

void from_gguf(const GgufKeys &k, Config &c) {
    c.norm = NormKind::layer;
    llama_from_gguf(k, c);
    common(c);
    c.act = Activation::gelu_tanh;
    c.ropes.clear();
    for (LayerConfig &l : c.layers) l.rope = -1;
    c.n_positions = c.ctx;
}

}  // namespace

const Architecture gpt2 = {"gpt2", kClasses, kTypes, from_hf, from_gguf, kHf, {}};

}  // namespace inlay::model
