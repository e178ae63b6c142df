// SPDX-License-Identifier: Apache-2.0
// What a rope turns by. Angles are products in double of a position and a frequency, rounded to f32 only as cos and sin
// (the kernel rope_table).
#pragma once

#include <cstdint>

namespace inlay::tensor {

// freqs[i] = base^(-2 i / n_rot) for i < n_rot / 2: what every rope starts from.
void rope_frequencies(double base, int64_t n_rot, double *freqs) noexcept;

}  // namespace inlay::tensor
