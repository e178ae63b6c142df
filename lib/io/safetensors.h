// SPDX-License-Identifier: Apache-2.0
// The directory of one safetensors file: 8 bytes of length, a JSON header, data that the tensors tile without gap or
// overlap. The header is a small fixed language, so it is read as a stream instead of a JSON tree: 100 MB of hostile
// header costs one window of memory, and refusing needs no second look.
#pragma once

#include "base/limits.h"
#include "io/arena.h"
#include "io/source.h"
#include "io/tensor_info.h"

namespace inlay::io {

// Appends the file's tensors in the order of their data; names are copied into `names`. `source_id` is what their
// TensorInfo::source shall be. Errors: FORMAT ("truncated: …"), UNSUPPORTED, LIMIT, IO.
void read_safetensors(Memory &m, const Source &source, uint32_t source_id, const Limits &limits, Arena &names, Vector<TensorInfo> &out);

}  // namespace inlay::io
