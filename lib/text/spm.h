// SPDX-License-Identifier: Apache-2.0
// SentencePiece's BPE: neighbours whose joined text is a piece are joined, best score first, leftmost among equals.
// User-defined pieces are found first and never join; what ends up as no piece falls back to its bytes.
#pragma once

#include <cstring>

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
    void start(EncodeScratch &s, std::string_view word) const;
    void emit(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const;
    void emit_unused(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const;
    // The pieces by their text once more, for the merge loop: up to 7 bytes are the key themselves, so that most lookups
    // touch one cache line; longer ones go by a hash and are compared.
    struct Entry {
        uint64_t key;
        uint32_t rank;
        int32_t id;
    };
    static uint64_t key_of(std::string_view t) noexcept {
        const char *p = t.data();
        const size_t n = t.size();
        if (n > 7) return hash_bytes(p, n, 0x53504d) | 1ull << 63;
        if (n >= 4) {
            uint32_t a, b;
            std::memcpy(&a, p, 4);
            std::memcpy(&b, p + n - 4, 4);
            return a | static_cast<uint64_t>(b) << (8 * (n - 4)) | static_cast<uint64_t>(n) << 56;
        }
        auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i); };
        return byte(0) | byte(n / 2) | byte(n - 1) | static_cast<uint64_t>(n) << 56;
    }
    Merge find(std::string_view joined) const noexcept {
        if (joined.size() > max_piece_) return {};
        const uint64_t key = key_of(joined);
        for (size_t i = mix64(key, seed_) & mask_;; i = (i + 1) & mask_) {
            const Entry &e = table_[i];
            if (e.id == kNoToken) return {};
            if (e.key == key && (joined.size() <= 7 || vocab_.text(e.id) == joined)) return {e.rank, e.id};
        }
    }

    const Vocab &vocab_;
    SpmOptions options_;
    Vector<Entry> table_;  // rank: place of the score among all scores, best 0
    uint64_t seed_;
    size_t mask_ = 0;
    Matcher user_defined_;
    size_t max_piece_ = 0;
    int32_t byte_ids_[256];
};

}  // namespace inlay::text
