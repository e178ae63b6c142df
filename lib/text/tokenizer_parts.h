// SPDX-License-Identifier: Apache-2.0
// Tokenizers of folders from before tokenizer.json: vocab.txt (BERT's WordPiece), or vocab.json with merges.txt (GPT-2's
// byte-level BPE and its kin). They are written as the tokenizer.json that the transformers library makes of them, and
// read as that: one set of rules.
#pragma once

#include <optional>
#include <string_view>

#include "base/limits.h"
#include "io/json.h"

namespace inlay::text {

// `config`: tokenizer_config.json, or null. FORMAT for text that is no vocabulary; UNSUPPORTED for a tokenizer_class that is
// none of BertTokenizer and its kin, or GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer.
String wordpiece_parts_json(Memory &m, std::string_view vocab_txt, const io::Json *config);
String bpe_parts_json(Memory &m, const io::Json &vocab_json, std::string_view merges_txt, const io::Json *config);

}  // namespace inlay::text
