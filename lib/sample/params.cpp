// SPDX-License-Identifier: Apache-2.0
#include "sample/params.h"

#include <algorithm>
#include <cfloat>

#include "base/error.h"

namespace inlay::sample {

namespace {

// Denormal values are refused with NaN and infinities: no one means 1e-45, and 1 / 1e-45 overflows.
void in_range(const char *field, float v, float lo, float hi) {
    bool normal = v == 0 || (v >= FLT_MIN && v <= FLT_MAX) || (v <= -FLT_MIN && v >= -FLT_MAX);
    if (!normal || v < lo || v > hi)
        fail(Code::invalid_argument, field, " is ", static_cast<double>(v), ", range ", static_cast<double>(lo), " to ",
             static_cast<double>(hi));
}
void int_range(const char *field, int64_t v, int64_t lo, int64_t hi) {
    if (v < lo || v > hi) fail(Code::invalid_argument, field, " is ", v, ", range ", lo, " to ", hi);
}
void ids_in_vocab(const char *field, const Vector<int32_t> &ids, int32_t n_vocab) {
    for (int32_t id : ids)
        if (id < 0 || id >= n_vocab) fail(Code::invalid_argument, field, " holds token ", id, ", the vocabulary has ", n_vocab);
}

// By number, from 1. Those that llama.cpp knows have its names.
constexpr std::string_view kNames[kStages] = {"penalties", "dry",         "top_n_sigma",    "top_k",     "typ_p", "top_p", "min_p",
                                              "xtc",       "temperature", "epsilon_cutoff", "eta_cutoff"};

}  // namespace

std::string_view stage_name(Stage s) noexcept { return kNames[static_cast<size_t>(s) - 1]; }

Stage stage_of(std::string_view name) {
    for (int32_t i = 0; i < kStages; ++i)
        if (kNames[i] == name) return static_cast<Stage>(i + 1);
    fail(Code::invalid_argument, "samplers: ", quoted{name},
         " is none of penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature, epsilon_cutoff, eta_cutoff");
}

const Stage *default_order() noexcept {
    static constexpr Stage order[kStages] = {Stage::penalties, Stage::dry, Stage::top_n_sigma, Stage::top_k,
                                             Stage::epsilon,   Stage::eta, Stage::typical,     Stage::top_p,
                                             Stage::min_p,     Stage::xtc, Stage::temperature};
    return order;
}

const Stage *temperature_first_order() noexcept {
    static constexpr Stage order[kStages] = {Stage::penalties, Stage::dry,     Stage::temperature, Stage::top_n_sigma,
                                             Stage::top_k,     Stage::epsilon, Stage::eta,         Stage::typical,
                                             Stage::top_p,     Stage::min_p,   Stage::xtc};
    return order;
}

void validate(const Params &p, int32_t n_vocab, const Limits &limits) {
    in_range("temperature", p.temperature, 0, 100);
    // Below 0.001 logits over 100 apart are already certain; smaller only risks overflow.
    if (p.temperature != 0) in_range("temperature", p.temperature, 0.001f, 100);
    in_range("dynatemp_range", p.dynatemp_range, 0, 100);
    in_range("dynatemp_exponent", p.dynatemp_exponent, 0, 100);
    int_range("top_k", p.top_k, -1, INT32_MAX);
    in_range("top_p", p.top_p, 1e-6f, 1);
    in_range("min_p", p.min_p, 0, 1);
    in_range("typical_p", p.typical_p, 1e-6f, 1);
    in_range("top_n_sigma", p.top_n_sigma, -1, 1000);
    in_range("epsilon_cutoff", p.epsilon_cutoff, 0, 1);
    in_range("eta_cutoff", p.eta_cutoff, 0, 1);
    in_range("xtc_probability", p.xtc_probability, 0, 1);
    in_range("xtc_threshold", p.xtc_threshold, 0, 1);
    in_range("repetition_penalty", p.repetition_penalty, 0.01f, 100);
    in_range("presence_penalty", p.presence_penalty, -2, 2);
    in_range("frequency_penalty", p.frequency_penalty, -2, 2);
    int_range("penalty_last_n", p.penalty_last_n, -1, INT32_MAX);
    in_range("dry_multiplier", p.dry_multiplier, 0, 100);
    in_range("dry_base", p.dry_base, 1, 100);
    int_range("dry_allowed_length", p.dry_allowed_length, 1, INT32_MAX);
    int_range("dry_last_n", p.dry_last_n, -1, INT32_MAX);
    int_range("mirostat", p.mirostat, 0, 2);
    in_range("mirostat_tau", p.mirostat_tau, 0.01f, 100);
    in_range("mirostat_eta", p.mirostat_eta, 0.0001f, 1);
    int_range("min_tokens", p.min_tokens, 0, INT32_MAX);
    int_range("logprobs", p.logprobs, -1, limits.logprobs);
    if (p.logit_bias.size() > limits.logit_bias)
        fail(Code::limit, "logit_bias has ", p.logit_bias.size(), " entries, limit ", limits.logit_bias);
    for (const Bias &b : p.logit_bias) {
        if (b.id < 0 || b.id >= n_vocab) fail(Code::invalid_argument, "logit_bias holds token ", b.id, ", the vocabulary has ", n_vocab);
        in_range("logit_bias", b.value, -100, 100);
    }
    ids_in_vocab("banned", p.banned, n_vocab);
    ids_in_vocab("allowed", p.allowed, n_vocab);
    ids_in_vocab("dry_breakers", p.dry_breakers, n_vocab);
    uint32_t seen = 0;
    for (Stage s : p.order) {
        int32_t v = static_cast<int32_t>(s);
        int_range("order", v, 1, kStages);
        if (seen >> v & 1) fail(Code::invalid_argument, "samplers: ", stage_name(s), " is named twice");
        seen |= 1u << v;
    }
}

}  // namespace inlay::sample
