// SPDX-License-Identifier: Apache-2.0
// What a request asks of the sampler. The defaults are neutral: with temperature 1 and nothing else, a token is drawn
// from the model's own distribution. validate() is the one place that knows the ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/containers.h"
#include "base/limits.h"

namespace inlay::sample {

// The truncating and reshaping steps, in the numbers that the C ABI shows. Mask, bans and bias always come first.
enum class Stage : int32_t {
    penalties = 1, dry, top_n_sigma, top_k, typical, top_p, min_p, xtc, temperature, epsilon, eta,
};
constexpr int kStages = 11;

struct Bias {
    int32_t id;
    float value;  // added to the logit; -100 bans
};

struct Params {
    explicit Params(Memory &m)
        : logit_bias(Alloc<Bias>(m)), banned(Alloc<int32_t>(m)), allowed(Alloc<int32_t>(m)), dry_breakers(Alloc<int32_t>(m)), order(Alloc<Stage>(m)) {}

    float temperature = 1;  // 0 = greedy: the arg max, the lowest id among equals
    float dynatemp_range = 0, dynatemp_exponent = 1;
    int32_t top_k = 0;  // 0 and -1 = off
    float top_p = 1, min_p = 0, typical_p = 1;
    float top_n_sigma = -1;                       // <= 0 = off
    float epsilon_cutoff = 0, eta_cutoff = 0;     // 0 = off
    float xtc_probability = 0, xtc_threshold = 0.1f;  // a threshold over 0.5 is off: two tokens cannot both pass it
    // All three look back penalty_last_n tokens (-1 = all). Repetition sees prompt and output; presence and frequency
    // see the output alone, as OpenAI's do, unless penalize_prompt.
    float repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
    int32_t penalty_last_n = 64;
    bool penalize_prompt = false;
    float dry_multiplier = 0, dry_base = 1.75f;
    int32_t dry_allowed_length = 2, dry_last_n = -1;
    int32_t mirostat = 0;  // 0, 1, 2: replaces every truncating step
    float mirostat_tau = 5, mirostat_eta = 0.1f;
    uint64_t seed = 0;  // choice i of n samples with seed + i: nothing else enters the random numbers but the position
    int32_t min_tokens = 0;  // no end-of-generation token before this many output tokens
    int32_t logprobs = -1;   // -1 = none, 0 = of the drawn token, n = and the n best
    Vector<Bias> logit_bias;
    Vector<int32_t> banned, allowed;  // allowed empty = all
    Vector<int32_t> dry_breakers;
    Vector<Stage> order;  // empty = default_order(); a stage left out is off

    bool runs(Stage s) const noexcept { return order.empty() || std::find(order.begin(), order.end(), s) != order.end(); }
    bool greedy() const noexcept { return temperature == 0 && runs(Stage::temperature); }
};

// The name that hosts give a stage in an order; INVALID_ARGUMENT with all names for any other.
Stage stage_of(std::string_view name);
std::string_view stage_name(Stage s) noexcept;

// Temperature before the truncating stages, as some peers do.
const Stage *temperature_first_order() noexcept;
// penalties, dry, top-n-sigma, top-k, epsilon, eta, typical, top-p, min-p, xtc, temperature
const Stage *default_order() noexcept;

// INVALID_ARGUMENT or LIMIT, naming the field, its value and the range.
void validate(const Params &p, int32_t n_vocab, const Limits &limits);

}  // namespace inlay::sample
