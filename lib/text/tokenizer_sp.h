// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a SentencePiece .model file, read by our own bounded protobuf reader. (The sentencepiece library is
// the oracle of the tests; docs/decisions/ says why it is not linked.)
#pragma once

#include <string_view>

#include "base/log.h"
#include "io/json.h"
#include "text/tokenizer.h"

namespace inlay::text {

// `config` is tokenizer_config.json or null: it may say add_bos_token and add_eos_token. Without it BPE models get BOS
// in front (as Llama's do) and Unigram models EOS behind (as T5's do), where the file has them.
// FORMAT ("truncated: …"), LIMIT, UNSUPPORTED (word and character models).
Owned<Tokenizer> tokenizer_from_sp(Memory &m, std::string_view file, const io::Json *config, const Limits &limits, const Log &log);

}  // namespace inlay::text
