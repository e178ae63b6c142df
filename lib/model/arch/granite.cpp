// SPDX-License-Identifier: Apache-2.0
// Granite: four multipliers, on the embedding, the attention scores, the residual sums and the logits.
#include "base/error.h"
#include "model/arch/arch.h"

namespace inlay::model {

namespace {

constexpr std::string_view kClasses[] = {"GraniteForCausalLM", "GraniteModel"};
constexpr std::string_view kTypes[] = {"granite"};

double inverse(double scaling) {
    if (scaling == 0.0) fail(Code::format, "logits scaling is 0");
    return 1.0 / scaling;
}

void from_hf(const HfKeys &k, Config &c) {
    llama_from_hf(k, c);
    c.embed_scale = k.real("embedding_multiplier", 1.0);
    c.residual_scale = k.real("residual_multiplier", 1.0);
    c.attn_scale = k.real("attention_multiplier", 1.0);
    c.logit_scale = inverse(k.real("logits_scaling", 1.0));
    rope_from_hf(k, c, 10000.0, 0.0, false);
}

void from_gguf(const GgufKeys &k, Config &c) {
    llama_from_gguf(k, c);
    c.rope_kind = RopeKind::neighbours;
    c.embed_scale = k.real("embedding_scale", 1.0);
    c.residual_scale = k.real("residual_scale", 1.0);
    c.logit_scale = inverse(k.real("logit_scale", 1.0));
    if (c.embed_scale == 0.0) c.embed_scale = 1.0;
    if (c.residual_scale == 0.0) c.residual_scale = 1.0;
}

}  // namespace

const Architecture granite = {"granite", kClasses, kTypes, from_hf, from_gguf, {}, {}};

}  // namespace inlay::model
