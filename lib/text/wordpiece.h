// SPDX-License-Identifier: Apache-2.0
// WordPiece: a word is cut into the longest pieces from the left; a word that cannot be is one unknown token. The
// beginning of a word or its continuation is marked in the vocabulary ("##" in BERT's own files, U+2581 in front of
// words in GGUF). Also WordLevel, which knows whole words alone.
#pragma once

#include "text/token_model.h"

namespace inlay::text {

struct WordPieceOptions {
    int32_t unk = kNoToken;
    std::string_view beginning, continuing;  // prefixes; must outlive the model's making only
    uint32_t max_chars = 100;
    bool whole_words = false;  // WordLevel
};

class WordPieceModel final : public TokenModel {
public:
    WordPieceModel(Memory &m, const Vocab &vocab, const WordPieceOptions &options);
    void encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const override;

private:
    const Vocab &vocab_;
    int32_t unk_;
    String beginning_, continuing_;
    uint32_t max_chars_;
    bool whole_words_;
};

}  // namespace inlay::text
