// SPDX-License-Identifier: Apache-2.0
#include "capi/sampling.h"

#include "capi/guard.h"

using namespace inlay;
using namespace inlay::capi;

namespace {

inlay_sampling_params defaults() {
    inlay_sampling_params d{};
    d.temperature = 1;
    d.top_p = 1;
    d.typical_p = 1;
    d.repetition_penalty = 1;
    d.penalty_last_n = 64;
    d.xtc_threshold = 0.1f;
    d.dry_base = 1.75f;
    d.dry_allowed_length = 2;
    d.dry_last_n = -1;
    d.dynatemp_exponent = 1;
    d.mirostat_tau = 5;
    d.mirostat_eta = 0.1f;
    return d;
}

}  // namespace

void inlay::capi::read_sampling(const inlay_sampling_params *given, sample::Params &out) {
    inlay_sampling_params p = defaults();
    copy_in(given, &p, "sampling");
    constexpr uint32_t known = INLAY_SAMPLING_TEMPERATURE_FIRST | INLAY_SAMPLING_PENALIZE_PROMPT;
    if (p.flags & ~known) fail(Code::unsupported, "sampling: flags ", p.flags, " has unknown bits");
    out.temperature = p.temperature;
    out.top_k = p.top_k;
    out.top_p = p.top_p;
    out.min_p = p.min_p;
    out.typical_p = p.typical_p;
    out.repetition_penalty = p.repetition_penalty;
    out.presence_penalty = p.presence_penalty;
    out.frequency_penalty = p.frequency_penalty;
    out.penalty_last_n = p.penalty_last_n;
    out.penalize_prompt = p.flags & INLAY_SAMPLING_PENALIZE_PROMPT;
    out.top_n_sigma = p.top_n_sigma > 0 ? p.top_n_sigma : (p.top_n_sigma == 0 ? -1 : p.top_n_sigma);
    out.xtc_probability = p.xtc_probability;
    out.xtc_threshold = p.xtc_threshold;
    out.dry_multiplier = p.dry_multiplier;
    out.dry_base = p.dry_base;
    out.dry_allowed_length = p.dry_allowed_length;
    out.dry_last_n = p.dry_last_n;
    out.dynatemp_range = p.dynatemp_range;
    out.dynatemp_exponent = p.dynatemp_exponent;
    out.epsilon_cutoff = p.epsilon_cutoff;
    out.eta_cutoff = p.eta_cutoff;
    out.mirostat = p.mirostat;
    out.mirostat_tau = p.mirostat_tau;
    out.mirostat_eta = p.mirostat_eta;
    out.seed = p.seed;
    if (p.n_logit_bias > 1024) fail(Code::limit, "n_logit_bias ", p.n_logit_bias, " exceeds 1024");
    if (p.n_logit_bias) need_pointer(p.logit_bias, "logit_bias");
    for (uint32_t i = 0; i < p.n_logit_bias; ++i) out.logit_bias.push_back({p.logit_bias[i].token, p.logit_bias[i].bias});
    if (p.n_dry_breakers > 1024) fail(Code::limit, "n_dry_breakers ", p.n_dry_breakers, " exceeds 1024");
    if (p.n_dry_breakers) need_pointer(p.dry_breakers, "dry_breakers");
    out.dry_breakers.assign(p.dry_breakers, p.dry_breakers + p.n_dry_breakers);
    if (p.reserved0) fail(Code::unsupported, "sampling: reserved0 is ", p.reserved0, ", not 0");
    if (p.n_samplers > sample::kStages) fail(Code::invalid_argument, "n_samplers ", p.n_samplers, " exceeds ", sample::kStages);
    if (p.n_samplers) need_pointer(p.samplers, "samplers");
    for (uint32_t i = 0; i < p.n_samplers; ++i) {
        const inlay_string &s = p.samplers[i];
        if (s.size) need_pointer(s.data, "samplers");
        out.order.push_back(sample::stage_of({s.data, s.size}));
    }
    if (p.flags & INLAY_SAMPLING_TEMPERATURE_FIRST) {
        if (p.n_samplers) fail(Code::invalid_argument, "samplers beside INLAY_SAMPLING_TEMPERATURE_FIRST: only one may say the order");
        const sample::Stage *order = sample::temperature_first_order();
        out.order.assign(order, order + sample::kStages);
    }
}

extern "C" void inlay_sampling_params_init(inlay_sampling_params *params, size_t struct_size) { init_params(params, struct_size, defaults()); }
