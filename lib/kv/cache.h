// SPDX-License-Identifier: Apache-2.0
// The pool and the index together, and a sequence's table over them: the operations that the scheduler needs, each of
// which either happens whole or not at all. A block is written only by a table that holds it alone and while the index
// does not know it; otherwise the writer gets a copy (the Copy is for the store to carry out).
#pragma once

#include <cstdint>
#include <span>

#include "kv/prefix_index.h"

namespace inlay::kv {

// What the store is to carry out, in order. `out` copies a block to a place of the swap, `in` back.
struct Copy {
    enum class Way : uint8_t { within, out, in };
    int32_t from, to;
    Way way = Way::within;
};

// What a sequence has in the cache: token i stands in slot i % 16 of blocks[i / 16]. A block that a sliding window has
// left behind is -1.
struct Table {
    explicit Table(Memory &m) : blocks(Alloc<int32_t>(m)) {}
    Vector<int32_t> blocks;
    int32_t n_tokens = 0;   // computed
    int32_t n_indexed = 0;  // leading blocks whose keys have been worked out
    PrefixKey tip;          // key of block n_indexed - 1; of the salt when 0
};

class Cache {
public:
    Cache(Memory &m, int32_t n_blocks, bool share_prefixes, uint64_t secret);

    const BlockPool &pool() const noexcept { return pool_; }
    const PrefixIndex &index() const noexcept { return index_; }
    bool shares() const noexcept { return share_; }

    // Blocks of `tokens`' beginning that are known already, at most `max_blocks`; how many of them are free now (holding
    // them costs a free block each) comes back in `n_free`.
    int32_t known(uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks, int32_t *n_free) const noexcept;
    // Starts an empty table with what is known, or goes on where the last attach() ended. Returns the tokens that need no computing.
    int32_t attach(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks);

    // Free blocks that reserve() would use up.
    int32_t need(const Table &t, int32_t n_tokens) const noexcept;
    // Makes room to write tokens [t.n_tokens, n_tokens). False, and nothing changed, when blocks are short. May append a copy.
    bool reserve(Table &t, int32_t n_tokens, Vector<Copy> &copies);
    // Makes room for tokens [t.n_tokens, n_tokens) that are computed already and will be copied in; blocks before
    // `first_block` stay away (-1). False, and nothing changed, when blocks are short.
    bool restore(Table &t, int32_t n_tokens, int32_t first_block);
    // Tokens up to n_tokens are computed; `tokens` are the sequence's. Makes full blocks known.
    void commit(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t n_tokens) noexcept;
    // Gives back blocks beyond what n_tokens need: after an abort or rejected drafts. Tokens [0, n_tokens) stay.
    void truncate(Table &t, int32_t n_tokens, uint64_t salt, std::span<const int32_t> tokens) noexcept;
    // A second table over the same tokens; the blocks are shared until one of the two writes.
    void fork(const Table &from, Table &to);
    // Blocks wholly before `first_token` are no longer read (every layer has a window): they go back early.
    void drop_before(Table &t, int32_t first_token) noexcept;
    void release(Table &t) noexcept;
    void forget_all() noexcept { index_.clear(); }
    void check() const;

private:
    int32_t take() noexcept;
    bool own(int32_t block) const noexcept { return pool_.refs(block) == 1 && !pool_.indexed(block); }

    BlockPool pool_;
    PrefixIndex index_;
    bool share_;
};

}  // namespace inlay::kv
