// SPDX-License-Identifier: Apache-2.0
// The pool and the index together, and a sequence's table over them: the operations that the scheduler needs, each of
// which either happens whole or not at all. A page is written only by a table that holds it alone and while the index
// does not know it; otherwise the writer gets a copy (the Copy is for the store to carry out). A table gives a page back as
// soon as its group's window has left it behind.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kv/groups.h"
#include "kv/prefix_index.h"

namespace inlay::kv {

// What the store is to carry out, in order. `out` copies a page to a place of the swap, `in` back.
struct Copy {
    enum class Way : uint8_t { within, out, in };
    int32_t from, to;
    Way way = Way::within;
};

// What a sequence has in the cache: token i stands in slot i % 16 of block i / 16, and block b's page of group g is
// pages[b * groups + g]; -1 where the group's window has left it behind.
struct Table {
    explicit Table(Memory &m) : pages(Alloc<int32_t>(m)) {}
    Vector<int32_t> pages;
    std::array<int32_t, kMaxGroups> gone{};  // by group: how many leading blocks are -1
    int32_t n_tokens = 0;                    // computed
    int32_t n_indexed = 0;                   // leading blocks whose keys have been worked out
    PrefixKey tip;                           // key of block n_indexed - 1; of the salt when 0
};

// What the cache knows of a sequence's beginning, and what going on from there would save.
struct Hit {
    int32_t blocks = 0;
    int32_t n_free = 0;                        // pages of it that nobody holds: holding them costs a free page each
    std::array<int32_t, kMaxGroups> spared{};  // by group: blocks that need no free page: others hold it, or no token to come reads it
};

class Cache {
public:
    Cache(Memory &m, int32_t n_pages, bool share_prefixes, uint64_t secret, const Groups &groups = {});

    const BlockPool &pool() const noexcept { return pool_; }
    const PrefixIndex &index() const noexcept { return index_; }
    const Groups &groups() const noexcept { return groups_; }
    bool shares() const noexcept { return share_; }
    int32_t blocks(const Table &t) const noexcept { return static_cast<int32_t>(t.pages.size()) / groups_.n; }
    int32_t held(const Table &t) const noexcept;  // pages

    // The longest beginning of `tokens` that can be gone on from, at most `max_blocks`: every page that the token after it
    // and later ones read is known.
    Hit known(uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks) const noexcept;
    // Starts an empty table with what is known, or goes on where the last attach() ended. Returns the tokens that need no computing.
    int32_t attach(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t max_blocks);

    // Free pages that a sequence which begins with `hit` uses up at most at a time until n_tokens are computed, in chunks of
    // up to `chunk`.
    int32_t cost(const Hit &hit, int32_t n_tokens, int32_t chunk) const noexcept;
    // Those that a table which is to have n_blocks blocks soon takes beyond them.
    int32_t growth(const Table &t, int32_t n_blocks, int32_t n_tokens, int32_t chunk) const noexcept;
    // The longest sequence that the whole cache holds.
    int32_t holds(int32_t chunk) const noexcept;

    // Free pages that reserve() would use up.
    int32_t need(const Table &t, int32_t n_tokens) const noexcept;
    // Makes room to write tokens [t.n_tokens, n_tokens). False, and nothing changed, when pages are short. May append copies.
    bool reserve(Table &t, int32_t n_tokens, Vector<Copy> &copies);
    // Makes room for tokens [t.n_tokens, n_tokens) that are computed already and will be copied in; pages stay away where
    // `saved`, laid out as a table's, is -1. False, and nothing changed, when pages are short.
    bool restore(Table &t, int32_t n_tokens, std::span<const int32_t> saved);
    // Tokens up to n_tokens are computed; `tokens` are the sequence's. Makes full pages known, and gives back those that
    // windows have left behind.
    void commit(Table &t, uint64_t salt, std::span<const int32_t> tokens, int32_t n_tokens) noexcept;
    // Gives back pages beyond what n_tokens need: after an abort or rejected drafts. Tokens [0, n_tokens) stay; none does
    // when the next one would read what a window has left behind.
    void truncate(Table &t, int32_t n_tokens, uint64_t salt, std::span<const int32_t> tokens) noexcept;
    // A second table over the same tokens; the pages are shared until one of the two writes.
    void fork(const Table &from, Table &to);
    // Pages that tokens from t.n_tokens on do not read go back; commit() does this too.
    void drop_behind(Table &t) noexcept;
    void release(Table &t) noexcept;
    void forget_all() noexcept { index_.clear(); }
    void check() const;
    void check(const Table &t) const;

private:
    using Marks = std::array<int32_t, kMaxGroups>;
    int32_t longest(PrefixKey tip, int32_t from, Marks whole, std::span<const int32_t> tokens, int32_t max_blocks) const noexcept;
    int32_t take() noexcept;
    bool own(int32_t page) const noexcept { return pool_.refs(page) == 1 && !pool_.indexed(page); }
    void give_back(int32_t page) noexcept { pool_.release(page, !pool_.indexed(page)); }
    int32_t &page(Table &t, int32_t block, int32_t g) const noexcept { return t.pages[static_cast<size_t>(block * groups_.n + g)]; }
    int32_t page(const Table &t, int32_t block, int32_t g) const noexcept { return t.pages[static_cast<size_t>(block * groups_.n + g)]; }
    static std::span<const int32_t> part(std::span<const int32_t> tokens, int32_t block) noexcept {
        return tokens.subspan(static_cast<size_t>(block) * kBlockTokens, kBlockTokens);
    }

    BlockPool pool_;
    PrefixIndex index_;
    bool share_;
    Groups groups_;
};

}  // namespace inlay::kv
