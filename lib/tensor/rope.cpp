// SPDX-License-Identifier: Apache-2.0
#include "tensor/rope.h"

#include "tensor/scalar_math.h"

namespace inlay::tensor {

void rope_frequencies(double base, int64_t n_rot, double *freqs) noexcept {
    for (int64_t i = 0; i < n_rot / 2; ++i) freqs[i] = det_pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(n_rot));
}

}  // namespace inlay::tensor
