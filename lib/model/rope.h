// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies of a RopeSpec. Those whose frequencies depend on the length (dynamic, longrope) are chosen once
// a request from its declared length, so that chunks can't change bits.
#pragma once

#include <span>

#include "model/config.h"

namespace inlay::model {

// Angle per position of each pair, dims / 2 of them. `declared` = the most tokens the sequence will hold.
void rope_frequencies(const RopeSpec &r, int64_t declared, std::span<double> out);

// Lengths with equal keys get equal frequencies: a request's choice is this number.
int64_t rope_choice(const RopeSpec &r, int64_t declared) noexcept;

}  // namespace inlay::model
