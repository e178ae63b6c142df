// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a GGUF file holds (tokenizer.ggml.*).
#pragma once

#include "base/log.h"
#include "io/gguf.h"
#include "text/tokenizer.h"

namespace inlay::text {

// UNSUPPORTED: a model or pre-tokenizer that we don't know. FORMAT, "mismatch: …", LIMIT: what does not fit together.
Owned<Tokenizer> tokenizer_from_gguf(Memory &m, const io::Gguf &file, const Limits &limits, const Log &log);

}  // namespace inlay::text
