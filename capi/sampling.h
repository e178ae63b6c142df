// SPDX-License-Identifier: Apache-2.0
// Public sampling params into the library's own.
#pragma once

#include "inlay/sampling.h"
#include "sample/params.h"

namespace inlay::capi {

void read_sampling(const inlay_sampling_params *given, sample::Params &out);

}  // namespace inlay::capi
