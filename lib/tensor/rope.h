// SPDX-License-Identifier: Apache-2.0
// The cos and sin of a pass's positions, made once and used by all layers with the same rope. Angles are products in
// double of a position and a frequency, rounded to f32 only as cos and sin.
#pragma once

#include <cstdint>

namespace inlay::tensor {

// cos, sin [half] for one position: scale * cos(pos * freqs[i]). `scale` is yarn's and longrope's attention factor.
void rope_table(const double *freqs, int64_t half, int64_t position, double scale, float *cos, float *sin) noexcept;

// freqs[i] = base^(-2 i / n_rot) for i < n_rot / 2: what every rope starts from.
void rope_frequencies(double base, int64_t n_rot, double *freqs) noexcept;

}  // namespace inlay::tensor
