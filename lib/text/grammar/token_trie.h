// SPDX-License-Identifier: Apache-2.0
// A vocabulary as a tree of bytes, laid out in depth-first order: a walk goes forward through arrays and skips what
// does not fit by jumping over a subtree. Built once a vocabulary, shared by all constraints.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/containers.h"

namespace inlay::text::grammar {

// A control token has no text. Where a grammar speaks of one (the marks of tool calls), it stands for five bytes that no
// UTF-8 text holds, so nothing else can be taken for it.
constexpr uint8_t kControlByte = 0xFF;
inline void append_control(String &out, int32_t id) {
    out.push_back(static_cast<char>(kControlByte));
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(static_cast<char>(0x80 | (id >> shift & 63)));
}

class TokenTrie {
public:
    struct Entry {
        std::string_view bytes;
        uint32_t id;
    };
    // Entries without bytes (special tokens) are left out. `n_ids`: the size of masks.
    TokenTrie(Memory &m, std::span<const Entry> entries, uint32_t n_ids);
    // tokens[id] are the bytes of token id; empty: not a text token.
    static std::shared_ptr<const TokenTrie> build(Memory &m, std::span<const std::string_view> tokens);

    uint32_t n_ids() const noexcept { return n_ids_; }
    uint32_t n_nodes() const noexcept { return static_cast<uint32_t>(byte_.size()); }
    uint8_t byte(uint32_t n) const noexcept { return byte_[n]; }
    uint32_t depth(uint32_t n) const noexcept { return depth_[n]; }
    uint32_t end(uint32_t n) const noexcept { return end_[n]; }  // the first node behind the subtree
    std::span<const uint32_t> tokens(uint32_t n) const noexcept { return {ids_.data() + first_[n], first_[n + 1] - first_[n]}; }
    std::span<const uint32_t> tokens_below(uint32_t n) const noexcept { return {ids_.data() + first_[n], first_[end_[n]] - first_[n]}; }
    // Every token of the subtree is plain (see below) and the node stands between two characters.
    bool pure(uint32_t n) const noexcept { return !pure_.empty() && pure_[n]; }
    // The groups of bytes that occur below a node, one bit each; group_of() is one partition for all vocabularies.
    uint64_t below(uint32_t n) const noexcept { return below_[n]; }
    static uint32_t group_of(uint8_t byte) noexcept;
    uint32_t max_bytes() const noexcept { return max_bytes_; }

    // Tokens that are whole characters without quotes, backslashes and controls: inside a JSON string nearly all of a
    // vocabulary, and all alike. plain(k): those of at most k characters. rest(): the tree of the others.
    std::span<const uint64_t> plain(uint32_t chars) const noexcept;
    static constexpr uint32_t kPlainLengths = 32;  // longer ones are left to the walk
    const TokenTrie *rest() const noexcept { return rest_.get(); }

private:
    void lay_out(std::span<const Entry> sorted);
    void find_pure(const Vector<uint8_t> &is_plain);
    Vector<uint8_t> byte_;
    Vector<uint16_t> depth_;
    Vector<uint32_t> end_, first_, ids_;
    uint32_t n_ids_ = 0, max_bytes_ = 0;
    Vector<uint8_t> pure_;
    Vector<uint64_t> below_;
    Vector<uint64_t> plain_;  // kPlainLengths masks
    std::shared_ptr<const TokenTrie> rest_;
};

}  // namespace inlay::text::grammar
