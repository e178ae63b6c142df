// SPDX-License-Identifier: Apache-2.0
// What a token costs, from the shapes alone: the figures a host plans with and a benchmark measures against.
#pragma once

#include <cstdint>

#include "model/config.h"
#include "model/weights.h"

namespace inlay::model {

struct TokenCost {
    uint64_t layer_weights = 0;  // multiplied with a token in the layers; of the experts, those that a token goes through
    uint64_t step_bytes = 0;     // packed bytes that a decode step of one token reads: those weights and the head
};

// Of loaded weights. The embedding is looked up, not multiplied, and counts only where it is the head too.
TokenCost token_cost(const Weights &w, const Config &c) noexcept;

}  // namespace inlay::model
