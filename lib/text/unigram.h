// SPDX-License-Identifier: Apache-2.0
// SentencePiece's Unigram model: the segmentation of highest total score, by one pass over the text that keeps the
// best way to each position. Characters without a piece are unknown, at a penalty below every piece.
#pragma once

#include "text/piece_tree.h"
#include "text/token_model.h"

namespace inlay::text {

struct UnigramOptions {
    int32_t unk = kNoToken;
    bool byte_fallback = false;
    bool user_defined_first = true;  // user-defined pieces outscore every other way (SentencePiece); else they are found before
    // SentencePiece adds up in float, Hugging Face in double; ties and near ties follow.
    bool single_precision = false;
};

class UnigramModel final : public TokenModel {
public:
    // `scores`: one for each id; the vocabulary's own are floats, tokenizer.json's are doubles. May be empty.
    UnigramModel(Memory &m, const Vocab &vocab, Vector<double> scores, const UnigramOptions &options);
    const Matcher &user_defined() const noexcept { return user_defined_; }
    void encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const override;

private:
    template <class Real>
    void best_path(EncodeScratch &s, std::string_view word) const;

    const Vocab &vocab_;
    UnigramOptions options_;
    Vector<double> scores_;
    PieceTree tree_;
    Matcher user_defined_;
    double unk_score_ = 0;
    int32_t byte_ids_[256];
};

}  // namespace inlay::text
