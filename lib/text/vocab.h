// SPDX-License-Identifier: Apache-2.0
// The pieces of a vocabulary: text, score and type by id, and the id by text. Filled once by a builder, then
// immutable. Texts lie in one block; the lookup is an open-addressing table with a seeded hash, so that no file can
// aim its collisions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/containers.h"
#include "base/limits.h"

namespace inlay::text {

// The numbers are those of SentencePiece and GGUF.
enum class TokenType : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

constexpr int32_t kNoToken = -1;

class Vocab {
public:
    explicit Vocab(Memory &m);
    void reserve(size_t n_tokens, size_t text_bytes);
    // The next id. A text that is there already is FORMAT; an empty one is a hole that no lookup finds.
    int32_t add(std::string_view text, float score, TokenType type, const Limits &limits);

    int32_t size() const noexcept { return static_cast<int32_t>(types_.size()); }
    int32_t find(std::string_view text) const noexcept {
        if (slots_.empty()) return kNoToken;
        uint64_t h = hash(text);
        for (size_t i = h & mask_;; i = (i + 1) & mask_) {
            const Slot &s = slots_[i];
            if (s.id == kNoToken) return kNoToken;
            if (s.tag == static_cast<uint32_t>(h >> 32) && this->text(s.id) == text) return s.id;
        }
    }
    // As find(), for text that a user wrote: control and added tokens are not to be had by their name.
    int32_t find_plain(std::string_view text) const noexcept {
        int32_t id = find(text);
        return id != kNoToken && (type(id) == TokenType::control || only_added(id)) ? kNoToken : id;
    }
    std::string_view text(int32_t id) const noexcept {
        return std::string_view(text_).substr(begin_[static_cast<size_t>(id)],
                                              begin_[static_cast<size_t>(id) + 1] - begin_[static_cast<size_t>(id)]);
    }
    float score(int32_t id) const noexcept { return scores_[static_cast<size_t>(id)]; }
    TokenType type(int32_t id) const noexcept {
        return static_cast<TokenType>(static_cast<uint8_t>(types_[static_cast<size_t>(id)]) & 0x7f);
    }
    // Not a piece of the model: an added token, found in the text as a whole or not at all.
    bool only_added(int32_t id) const noexcept { return static_cast<uint8_t>(types_[static_cast<size_t>(id)]) & 0x80; }
    void set_only_added(int32_t id) noexcept {
        types_[static_cast<size_t>(id)] = static_cast<TokenType>(static_cast<uint8_t>(types_[static_cast<size_t>(id)]) | 0x80);
    }
    bool has(int32_t id) const noexcept { return id >= 0 && id < size(); }
    size_t max_text_bytes() const noexcept { return max_text_; }
    // The id of byte b as "<0xNN>", or kNoToken.
    int32_t find_byte(unsigned char b) const noexcept;

private:
    struct Slot {
        uint32_t tag;
        int32_t id;
    };
    static uint64_t hash(std::string_view s) noexcept { return hash_bytes(s.data(), s.size(), process_seed()); }
    void insert(uint64_t h, int32_t id) noexcept;
    void grow(size_t slots);

    String text_;
    Vector<uint32_t> begin_;
    Vector<float> scores_;
    Vector<TokenType> types_;
    Vector<Slot> slots_;
    size_t mask_ = 0, used_ = 0, max_text_ = 0;
};

// The byte that a "<0xNN>" piece stands for, or -1.
int byte_of_piece(std::string_view text) noexcept;

}  // namespace inlay::text
