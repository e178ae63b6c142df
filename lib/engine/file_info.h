// SPDX-License-Identifier: Apache-2.0
// A checkpoint described as JSON: what `inlay info` shows. Reads no weights.
#pragma once

#include "io/weights_file.h"

namespace inlay::engine {

void append_file_info(const io::WeightsFile &file, String &out);

}  // namespace inlay::engine
