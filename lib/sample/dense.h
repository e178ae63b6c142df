// SPDX-License-Identifier: Apache-2.0
// Passes over a whole row of logits (up to 262,144 of them): extremes, softmax sums, gathering of what is above a
// bound. Lanes and blocks have fixed sizes, so every sum has one order.
#pragma once

#include <cstdint>
#include <span>

#include "base/containers.h"
#include "kernels/signatures.h"

namespace inlay::sample {

struct Extremes {
    float max;   // -inf for a row of nothing but -inf
    bool broken;  // a NaN or +inf is among them
};
Extremes extremes(std::span<const float> x) noexcept;
// The lowest index that holds `value`; -1 when none does.
int32_t first_equal(std::span<const float> x, float value) noexcept;

constexpr int64_t kBlock = 256;
struct Candidate {
    float logit;
    int32_t id;
};
// Best first; the lower id among equals.
inline bool better(const Candidate &a, const Candidate &b) noexcept { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

// All with x >= bound (and above -inf), in order of id, to `out` (room for the whole row). Returns how many.
size_t gather(std::span<const float> x, float bound, Candidate *out) noexcept;
// The k best to `out` (room for the whole row), best first. Returns how many.
size_t select_best(std::span<const float> x, int64_t k, Candidate *out) noexcept;

// Sum of exp(x[i] - max); `blocks`, when given, gets the sum of each kBlock of them (their sum in order is the result).
double exp_sum(const kernels::KernelTable &k, std::span<const float> x, float max, double *blocks) noexcept;
// out[i] = exp(logit of list[i] - max)
void weights(const kernels::KernelTable &k, std::span<const Candidate> list, float max, float *out) noexcept;

// Where the nucleus of a row ends: its worst member. `histogram` has 2 * kDepths entries of scratch, `scratch` room for the row.
constexpr int kDepths = 2048;
Candidate nucleus_end(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, double *histogram, Candidate *scratch) noexcept;
// All that are `end` or better, in order of id.
size_t gather_better(std::span<const float> x, const Candidate &end, Candidate *out) noexcept;

}  // namespace inlay::sample
