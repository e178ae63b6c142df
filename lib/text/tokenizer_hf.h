// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a Hugging Face folder: tokenizer.json, compiled into the one pipeline. What it asks for and we cannot
// do exactly is UNSUPPORTED, with the JSON pointer; nothing is skipped in silence.
#pragma once

#include "base/log.h"
#include "io/json.h"
#include "text/tokenizer.h"

namespace inlay::text {

// `config` is tokenizer_config.json or null: it names BOS, EOS and the like.
Owned<Tokenizer> tokenizer_from_hf(Memory &m, const io::Json &tokenizer, const io::Json *config, const Limits &limits, const Log &log);

// How tokenizer.json is to be parsed (depth, size, numbers).
io::JsonLimits tokenizer_json_limits(const Limits &limits);

}  // namespace inlay::text
