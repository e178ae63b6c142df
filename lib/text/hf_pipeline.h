// SPDX-License-Identifier: Apache-2.0
// The parts of tokenizer.json around the model, compiled one by one.
#pragma once

#include "io/json.h"
#include "text/tokenizer_builder.h"

namespace inlay::text {

// What the pre-tokenizers and decoders say about the model's input and the tokens' bytes.
struct HfPipeline {
    bool byte_level = false;
};

// Each takes the JSON of its part (may be null) and names `pointer` in what it refuses.
void hf_normalizer(TokenizerBuilder &b, const io::Json *j);
void hf_pre_tokenizer(TokenizerBuilder &b, const io::Json *j, HfPipeline &p);
void hf_post_processor(TokenizerBuilder &b, const io::Json *j);
void hf_decoder(TokenizerBuilder &b, const io::Json *j, const HfPipeline &p);

[[noreturn]] void hf_refuse(std::string_view pointer, std::string_view what, std::string_view value);

}  // namespace inlay::text
