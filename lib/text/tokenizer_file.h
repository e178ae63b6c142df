// SPDX-License-Identifier: Apache-2.0
// The tokenizer of whatever holds one: a GGUF file, a Hugging Face folder, or a tokenizer.json or .model file alone.
#pragma once

#include "base/log.h"
#include "io/weights_file.h"
#include "text/tokenizer.h"

namespace inlay::text {

// Null where the checkpoint has no tokenizer. A folder's tokenizer.json comes before its tokenizer.model, that before
// vocab.txt, that before vocab.json with merges.txt.
Owned<Tokenizer> tokenizer_from_checkpoint(Memory &m, const io::WeightsFile &file, const Limits &limits, const Log &log);

// Whether `path` names a tokenizer file by its ending (".json", ".model").
bool is_tokenizer_file(std::string_view path) noexcept;
Owned<Tokenizer> tokenizer_from_path(Memory &m, const io::FileSystem &files, std::string_view path, const Limits &limits, const Log &log);

}  // namespace inlay::text
