// SPDX-License-Identifier: Apache-2.0
// What a decoder or encoder is, in numbers. Every architecture says through these fields how it differs from
// the others; the forward pass and the loader look at nothing else. An arch/<name>.cpp fills one from config.json or
// from GGUF metadata, then check() holds it to the limits.
#pragma once

#include <cstdint>

#include "base/containers.h"
#include "base/limits.h"

namespace inlay::model {

enum class NormKind : uint8_t { rms, layer };
enum class Activation : uint8_t { silu, gelu_tanh, gelu_erf, gelu_sigmoid, relu, relu_squared, swiglu_clamped };
enum class RopeKind : uint8_t { neighbours, halves };  // pairs (2i, 2i+1), or (i, i + dims/2)
enum class RopeScaling : uint8_t { none, linear, dynamic, yarn, llama3, longrope };
enum class QkNorm : uint8_t { none, head, whole };  // over each head, or over the whole projection
enum class Gating : uint8_t { softmax, sigmoid, softmax_of_chosen };
enum class Pooling : uint8_t { none, mean, cls, last };
enum class Presence : uint8_t { no, yes, if_there };  // of an optional tensor

// One way of turning; a model has one, or two when its windowed layers turn otherwise.
struct RopeSpec {
    explicit RopeSpec(Memory &m) : short_factor(m), long_factor(m) {}
    RopeScaling scaling = RopeScaling::none;
    int32_t dims = 0;  // values of a head that turn (even); the rest passes
    double theta = 10000.0;
    double factor = 1.0;
    double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
    double beta_fast = 32.0, beta_slow = 1.0;              // yarn
    bool truncate = true;                                  // yarn: ramp borders at whole dimensions
    double attention_factor = 1.0;                         // multiplies cos and sin
    int32_t original_ctx = 0;                              // llama3, yarn, longrope
    int32_t ctx = 0;                                       // dynamic: lengths above it stretch the base
    // longrope: divisors of the frequencies, dims / 2 each, by declared length. A GGUF file's rope_freqs.weight is
    // read into short_factor, whatever the scaling.
    Vector<float> short_factor, long_factor;
};

struct LayerConfig {
    int32_t n_head = 0, n_head_kv = 0;
    int32_t n_ff = 0;
    int32_t window = 0;  // keys a query sees, itself included; 0 = all
    int32_t rope = 0;    // index into Config::ropes; -1 = no positions here
    bool moe = false;
    bool pre_attn_norm = true;
};

struct MoeConfig {
    int32_t n_experts = 0, n_used = 0;
    int32_t n_ff = 0;       // of one expert
    int32_t shared_ff = 0;  // of all shared experts together; 0 = none
    Gating gating = Gating::softmax;
    bool norm_weights = false;  // chosen weights divided by their sum
    double weight_scale = 1.0;
    int32_t n_groups = 1, n_groups_used = 1;
    Presence selection_bias = Presence::no;  // added for the choice only
    Presence bias = Presence::no;            // of router and experts
};

// Multi-head latent attention (DeepSeek): keys and values come from one low-rank vector a token.
struct MlaConfig {
    int32_t kv_rank = 0;  // 0 = ordinary attention
    int32_t q_rank = 0;   // 0 = queries straight from the hidden state
    int32_t qk_nope = 0, qk_rope = 0, v = 0;
};

struct Config {
    explicit Config(Memory &m) : arch(m), layers(m), ropes(m) {}

    String arch;  // GGUF's name of the architecture
    int32_t n_layers = 0, hidden = 0, vocab = 0, ctx = 0;
    int32_t head_k = 0, head_v = 0;  // values of a key and a value head
    Vector<LayerConfig> layers;
    Vector<RopeSpec> ropes;  // empty: no rotary positions at all
    RopeKind rope_kind = RopeKind::halves;

    NormKind norm = NormKind::rms;
    double eps = 1e-6;
    bool norm_plus_one = false;  // the file's norm weights lack their +1 (Gemma in Hugging Face form)
    bool norm_bias = false;
    bool embed_norm = false;     // after the embedding
    bool pre_norm = true;        // before attention and feed-forward
    bool post_norm = false;      // on their outputs, before the residual sum
    bool residual_norm = false;  // on the residual sum itself (BERT)
    bool final_norm = true;
    QkNorm qk_norm = QkNorm::none;

    Presence bias_qkv = Presence::no, bias_o = Presence::no, bias_mlp = Presence::no, bias_head = Presence::no;
    Activation act = Activation::silu;
    bool gated = true;
    double act_limit = 0.0;  // swiglu_clamped: 7
    double act_alpha = 0.0;  // swiglu_clamped: 1.702

    bool causal = true;
    bool sinks = false;                              // a learned logit a head that takes part in the softmax
    double attn_scale = 0.0;                         // multiplies q k; 0 = 1 / sqrt(head_k)
    bool attn_scale_by_layer = false;                // and divided by layer + 1 (GPT-2's option)
    double attn_softcap = 0.0, final_softcap = 0.0;  // 0 = none
    double embed_scale = 1.0, residual_scale = 1.0, logit_scale = 1.0;

    int32_t n_positions = 0;      // rows of learned positions; 0 = none
    int32_t position_offset = 0;  // first row used (RoBERTa: pad + 1)
    int32_t n_token_types = 0;
    bool head = true;                           // has an output head: generates
    Presence head_tensor = Presence::if_there;  // no: the embedding is the head; if_there: tied when absent
    Pooling pooling = Pooling::none;
    MoeConfig moe;
    MlaConfig mla;

    bool encoder() const noexcept { return !causal; }
    int32_t max_head() const noexcept;  // largest n_head of a layer
    int32_t max_head_kv() const noexcept;
    int32_t max_ff() const noexcept;      // dense layers; experts are moe.n_ff
    int32_t max_window() const noexcept;  // 0 = none has one

    // Sets n_layers layers alike; call after n_layers is known and checked.
    void fill_layers(const LayerConfig &all, const Limits &limits);
    // Holds all of it to sense and to the limits (BAD_INPUTS.md rows H): FORMAT or LIMIT.
    void check(const Limits &limits) const;
};

// The positions that a scaled rope reaches beyond the trained ones: YaRN its factor; dynamic scaling, which has no end of
// its own, four times its factor (as far as its published uses went). Call once, after the ropes are read.
void extend_context(Config &c, const Limits &limits) noexcept;

}  // namespace inlay::model
