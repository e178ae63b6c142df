// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding by ranked merges, over bytes (GPT-2's byte-to-character map) or over characters with byte
// fallback (tokenizer.json's BPE without ByteLevel). Merges are pairs of ids in a hash table; a pair's result must be a
// token, so that the loop never leaves the vocabulary.
#pragma once

#include "base/checked.h"
#include "base/limits.h"
#include "text/merge.h"

namespace inlay::text {

// GPT-2's map of the 256 bytes to printable characters: the character of a byte, the byte of a character (-1: none).
char32_t char_of_byte(unsigned char b) noexcept;
int byte_of_char(char32_t cp) noexcept;
// Appends the bytes that a mapped text stands for; a character outside the map stands for its own UTF-8.
void append_unmapped(String &out, std::string_view mapped);

struct BpeOptions {
    bool byte_level = true;
    bool ignore_merges = false;  // a word that is a token is that token
    bool byte_fallback = false;  // characters without a token become "<0xNN>" pieces
    bool fuse_unk = false;       // unknown characters in a row are one unknown
    int32_t unk = kNoToken;      // kNoToken: what has no token is left out
};

class BpeModel final : public TokenModel {
public:
    BpeModel(Memory &m, const Vocab &vocab, const BpeOptions &options);
    // In order of rank. Parts are token texts; FORMAT where a part or the result is no token, or the pair is there already.
    void reserve_merges(uint64_t n, const Limits &limits);
    void add_merge(std::string_view left, std::string_view right);
    // "left right", as files write it.
    void add_merge(std::string_view line);

    void encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const override;

private:
    struct Entry {
        uint64_t pair;
        uint32_t rank;
        int32_t id;
    };
    Merge find(int32_t a, int32_t b) const noexcept {
        uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b);
        for (size_t i = mix64(pair, seed_) & mask_;; i = (i + 1) & mask_) {
            const Entry &e = table_[i];
            if (e.rank == kNoRank) return {};
            if (e.pair == pair) return {e.rank, e.id};
        }
    }
    void start_bytes(EncodeScratch &s, std::string_view word) const;
    void start_chars(EncodeScratch &s, std::string_view word) const;
    void push(EncodeScratch &s, int32_t id, uint32_t begin, uint32_t end) const;

    const Vocab &vocab_;
    BpeOptions options_;
    uint64_t seed_;
    Vector<Entry> table_;
    size_t mask_ = 0;
    uint32_t n_merges_ = 0;
    int32_t byte_ids_[256];  // of the mapped characters, or of "<0xNN>" with byte_fallback
};

}  // namespace inlay::text
