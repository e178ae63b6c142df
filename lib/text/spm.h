// SPDX-License-Identifier: Apache-2.0
// SentencePiece's BPE: neighbours whose joined text is a piece are joined, best score first, leftmost among equals.
// User-defined pieces are found first and never join; what ends up as no piece falls back to its bytes.
#pragma once

#include "text/blank.h"
#include "text/matcher.h"
#include "text/merge.h"

namespace inlay::text {

struct SpmOptions {
    int32_t unk = kNoToken;
    bool byte_fallback = true;
    bool split_user_defined = true;  // find user-defined pieces in the text here, as sentencepiece does
};

class SpmModel final : public TokenModel {
public:
    SpmModel(Memory &m, const Vocab &vocab, const SpmOptions &options);
    // `word` has blanks escaped to U+2581.
    void encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const override;
    const Matcher &user_defined() const noexcept { return user_defined_; }

private:
    void emit(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const;
    void emit_unused(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const;
    Merge find(std::string_view joined) const noexcept {
        if (joined.size() > max_piece_) return {};
        int32_t id = vocab_.find(joined);
        return id == kNoToken ? Merge{} : Merge{rank_[static_cast<size_t>(id)], id};
    }

    const Vocab &vocab_;
    SpmOptions options_;
    Vector<uint32_t> rank_;  // by id: place of its score among all scores, best 0; kNoRank where merging must not make it
    Matcher user_defined_;
    size_t max_piece_ = 0;
    int32_t byte_ids_[256];
};

}  // namespace inlay::text
