// SPDX-License-Identifier: Apache-2.0
// Which pages hold the KV of which beginning of a token sequence. A block's key is a keyed 128-bit hash over (the key
// of the block before it, its 16 tokens); the first block's predecessor is the tenant's salt, so tenants share nothing,
// not even the time a hit saves. A hit also compares the tokens: no collision, made or found, can swap answers. Each group
// of layers has its own page of a block and its own entry, which come and go without the other groups'.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kv/block_pool.h"

namespace inlay::kv {

struct PrefixKey {
    uint64_t lo = 0, hi = 0;
    bool operator==(const PrefixKey &) const = default;
};

class PrefixIndex {
public:
    // `secret` keys the hash; anything the clients can't know.
    PrefixIndex(Memory &m, BlockPool &pool, uint64_t secret);

    PrefixKey root(uint64_t salt) const noexcept;
    PrefixKey child(const PrefixKey &parent, std::span<const int32_t> tokens) const noexcept;  // kBlockTokens of them

    // The group's page with exactly these tokens after exactly that beginning, or -1. `key` is child(parent, tokens).
    int32_t find(const PrefixKey &key, const PrefixKey &parent, std::span<const int32_t> tokens, int32_t group) const noexcept;

    // Makes a full page known. False when the same content is known in another page already (which stays).
    bool insert(const PrefixKey &key, const PrefixKey &parent, std::span<const int32_t> tokens, int32_t group, int32_t page) noexcept;
    // The page is about to be reused or rewritten.
    void forget(int32_t page) noexcept;
    void clear() noexcept;
    int32_t size() const noexcept { return size_; }
    void check() const;

private:
    struct Entry {
        PrefixKey key, parent;
        std::array<int32_t, kBlockTokens> tokens;
        int32_t group;
    };

    size_t home_of(const PrefixKey &key, int32_t group) const noexcept;
    // The slot that holds the group's entry of `key`, or the empty one where it belongs.
    size_t slot_of(const PrefixKey &key, int32_t group) const noexcept;

    BlockPool &pool_;
    uint64_t k0_, k1_;
    // Open addressing over at least twice the pages: a step inserts without allocating.
    Vector<int32_t> slots_;  // page, or -1
    Vector<Entry> entries_;  // [pages]
    int32_t size_ = 0;
};

}  // namespace inlay::kv
