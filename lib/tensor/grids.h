// SPDX-License-Identifier: Apache-2.0
// The points of ggml's IQ1, IQ2 and IQ3 lattices, as the codes that packed panels hold.
#pragma once

#include <cstdint>

namespace inlay::tensor {

extern const uint16_t kGridIq2Xxs[256], kGridIq2Xs[512], kGridIq2S[1024], kGridIq1[2048];  // 8 weights of two bits, k ascending
extern const uint16_t kGridIq3Xxs[256], kGridIq3S[512];                                    // 4 weights of four bits

}  // namespace inlay::tensor
