// SPDX-License-Identifier: Apache-2.0
// Function types of the elementwise kernels, norms, rope, softmax and attention.
#pragma once

#include "kernels/types.h"

namespace inlay::kernels {}  // namespace inlay::kernels
