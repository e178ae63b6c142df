// SPDX-License-Identifier: Apache-2.0
// Natural logarithms of probabilities from the raw logits, before any sampler: what `logprobs` reports.
#pragma once

#include <cstdint>
#include <span>

#include "sample/dense.h"

namespace inlay::sample {

// ln of the sum of exp over the row: logprob(i) = logits[i] - log_sum(row). NaN for a row with NaN or +inf.
double log_sum(const kernels::KernelTable &k, std::span<const float> logits) noexcept;

struct LogProb {
    int32_t id;
    float logprob;
};
// The n best of the row, best first; `scratch` has room for the row.
void top_logprobs(const kernels::KernelTable &k, std::span<const float> logits, double log_sum, int32_t n, Candidate *scratch, Vector<LogProb> &out);

}  // namespace inlay::sample
