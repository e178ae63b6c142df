// SPDX-License-Identifier: Apache-2.0
// io/validate.h looks at bytes; here the same file is asked whether it makes sense: does its tokenizer build, does its
// configuration hold, are the tensors of its architecture there in the right shapes. No weight is packed for it.
#pragma once

#include "engine/runtime.h"
#include "io/validate.h"

namespace inlay::engine {

// All problems found, in bytes and in meaning. What inlay merely does not support is no problem of the file: it is logged.
// Throws as validate_checkpoint() does.
Vector<io::Problem> validate_file(Runtime &rt, std::string_view path);

}  // namespace inlay::engine
