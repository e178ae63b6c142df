// SPDX-License-Identifier: Apache-2.0
#include "sample/logprobs.h"

#include <limits>

#include "sample/math.h"

namespace inlay::sample {

double log_sum(std::span<const float> logits) noexcept {
    Extremes e = extremes(logits);
    if (e.broken || !(e.max > -std::numeric_limits<float>::infinity())) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(e.max) + log64(exp_sum(logits, e.max, nullptr));
}

void top_logprobs(std::span<const float> logits, double log_sum, int32_t n, Candidate *scratch, Vector<LogProb> &out) {
    out.clear();
    if (n <= 0) return;
    size_t have = select_best(logits, n, scratch);
    for (const Candidate &c : std::span<const Candidate>(scratch, have)) out.push_back({c.id, static_cast<float>(static_cast<double>(c.logit) - log_sum)});
}

}  // namespace inlay::sample
