// SPDX-License-Identifier: Apache-2.0
// Passes over a whole row of logits (up to 262,144 of them): extremes, softmax sums, gathering of what is above a
// bound. Lanes and blocks have fixed sizes, so every sum has one order.
#pragma once

#include <cstdint>
#include <span>

#include "base/containers.h"
#include "kernels/table.h"

namespace inlay::sample {

using kernels::Extremes;
inline Extremes extremes(const kernels::KernelTable &k, std::span<const float> x) noexcept {
    return k.extremes(x.data(), static_cast<int64_t>(x.size()));
}
constexpr int64_t kBlock = 256;
// `tops`, where a pass takes it, holds the greatest of each kBlock of the row, or is null: blocks that can't matter are left out.

// The lowest index that holds `value`; -1 when none does.
int32_t first_equal(std::span<const float> x, float value, const float *tops = nullptr) noexcept;

struct Candidate {
    float logit;
    int32_t id;
};
// Best first; the lower id among equals.
inline bool better(const Candidate &a, const Candidate &b) noexcept { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

// All with x >= bound (and above -inf), in order of id, to `out` (room for the whole row). Returns how many.
size_t gather(const kernels::KernelTable &k, std::span<const float> x, float bound, Candidate *out, const float *tops = nullptr) noexcept;
// The n best to `out` (room for the whole row), best first. Returns how many.
size_t select_best(const kernels::KernelTable &k, std::span<const float> x, int64_t n, Candidate *out, const float *tops = nullptr) noexcept;

// Sum of exp((x[i] - shift) / scale); `blocks` gets the sum of each kBlock of them (their sum in order is the result).
double exp_sum(const kernels::KernelTable &k, std::span<const float> x, float shift, float scale, double *blocks) noexcept;
// out[i] = exp(logit of list[i] - max)
void weights(const kernels::KernelTable &k, std::span<const Candidate> list, float max, float *out) noexcept;

// The nucleus of a row: the best that hold top_p of its mass, the lower id first among equals; in order of id to `out`
// (room for the whole row). Returns how many.
constexpr int kDepths = 2048;
struct NucleusScratch {
    double *histogram;  // [2 * kDepths]
    double *blocks;     // one a kBlock of the row
    Candidate *list;    // [row]
};
// `mass`, where given, holds between two bounds what exp_sum() would say.
struct Mass {
    double low, high;
};
size_t nucleus(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, const NucleusScratch &scratch,
               Candidate *out, const Mass *mass = nullptr, const float *tops = nullptr) noexcept;
// The same, always by all of the row: what the other must equal.
size_t nucleus_plain(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, const NucleusScratch &scratch,
                     Candidate *out) noexcept;

}  // namespace inlay::sample
