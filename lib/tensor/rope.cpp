// SPDX-License-Identifier: Apache-2.0
#include "tensor/rope.h"

#include "tensor/scalar_math.h"

namespace inlay::tensor {

void rope_table(const double *freqs, int64_t half, int64_t position, double scale, float *cos, float *sin) noexcept {
    for (int64_t i = 0; i < half; ++i) {
        double s, c;
        det_sincos(static_cast<double>(position) * freqs[i], &s, &c);
        cos[i] = static_cast<float>(c * scale);
        sin[i] = static_cast<float>(s * scale);
    }
}

void rope_frequencies(double base, int64_t n_rot, double *freqs) noexcept {
    for (int64_t i = 0; i < n_rot / 2; ++i) freqs[i] = det_pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(n_rot));
}

}  // namespace inlay::tensor
