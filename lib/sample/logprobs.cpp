// SPDX-License-Identifier: Apache-2.0
#include "sample/logprobs.h"

#include <limits>

#include "sample/math.h"

namespace inlay::sample {

double log_sum(const kernels::KernelTable &k, std::span<const float> logits) noexcept {
    if (extremes(k, logits).broken) return std::numeric_limits<double>::quiet_NaN();
    kernels::ExpSum e = k.exp_sum(logits.data(), static_cast<int64_t>(logits.size()));
    return static_cast<double>(e.max) + log64(e.sum);
}

void top_logprobs(const kernels::KernelTable &k, std::span<const float> logits, double log_sum, int32_t n, Candidate *scratch, Vector<LogProb> &out) {
    out.clear();
    if (n <= 0) return;
    size_t have = select_best(k, logits, n, scratch);
    for (const Candidate &c : std::span<const Candidate>(scratch, have)) out.push_back({c.id, static_cast<float>(static_cast<double>(c.logit) - log_sum)});
}

}  // namespace inlay::sample
