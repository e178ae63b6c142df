// SPDX-License-Identifier: Apache-2.0
// The formulas of the scalings as published (NTK-aware, YaRN, Llama 3.1, LongRoPE), in double, with our own pow and log,
// so that the bits are the same with any C library.
#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/scalar_math.h"

namespace inlay::model {

namespace {

constexpr double kTwoPi = 6.283185307179586;

// The pair index at which a full turn happens `turns` times over the original context.
double yarn_border(const RopeSpec &r, double turns) {
    return r.dims * tensor::det_log(r.original_ctx / (turns * kTwoPi)) / (2.0 * tensor::det_log(r.theta));
}

double yarn(const RopeSpec &r, int32_t pair, double freq) {
    double low = yarn_border(r, r.beta_fast), high = yarn_border(r, r.beta_slow);
    if (r.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, r.dims - 1.0);
    if (low == high) high += 0.001;  // a step, not a division by zero
    double slow = std::clamp((pair - low) / (high - low), 0.0, 1.0);
    return freq / r.factor * slow + freq * (1.0 - slow);
}

double llama3(const RopeSpec &r, double freq) {
    double wave = kTwoPi / freq;
    if (wave < r.original_ctx / r.high_freq_factor) return freq;
    if (wave > r.original_ctx / r.low_freq_factor) return freq / r.factor;
    double smooth = (r.original_ctx / wave - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor);
    return (1.0 - smooth) * freq / r.factor + smooth * freq;
}

}  // namespace

int64_t rope_choice(const RopeSpec &r, int64_t declared) noexcept {
    if (r.scaling == RopeScaling::longrope) return declared > r.original_ctx ? 1 : 0;
    if (r.scaling == RopeScaling::dynamic) return declared > r.ctx ? declared : 0;
    return 0;
}

void rope_frequencies(const RopeSpec &r, int64_t declared, std::span<double> out) {
    require(out.size() == static_cast<size_t>(r.dims / 2), "rope table has ", out.size(), " pairs, ", r.dims / 2, " are needed");
    double theta = r.theta;
    if (r.scaling == RopeScaling::dynamic && declared > r.ctx)
        theta *= tensor::det_pow(r.factor * static_cast<double>(declared) / r.ctx - (r.factor - 1.0), r.dims / (r.dims - 2.0));
    const bool by_length = r.scaling == RopeScaling::longrope && declared > r.original_ctx;
    const Vector<float> &divisors = by_length ? r.long_factor : r.short_factor;
    for (int32_t i = 0; i < r.dims / 2; ++i) {
        double freq = tensor::det_pow(theta, -2.0 * i / r.dims);
        if (!divisors.empty()) freq /= static_cast<double>(divisors[static_cast<size_t>(i)]);
        switch (r.scaling) {
            case RopeScaling::linear:
                freq /= r.factor;
                break;
            case RopeScaling::yarn:
                freq = yarn(r, i, freq);
                break;
            case RopeScaling::llama3:
                freq = llama3(r, freq);
                break;
            default:
                break;
        }
        out[static_cast<size_t>(i)] = freq;
    }
}

}  // namespace inlay::model
