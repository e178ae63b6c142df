// SPDX-License-Identifier: Apache-2.0
// Which tokens may come next. A thread's answer splits in two: tokens that end inside its frame depend on nothing else
// and are kept for ever; for tokens that run past the frame's end, what is left of them behind the end is kept as a
// small tree, walked against the callers at hand. Shared by all matchers of a constraint.
#pragma once

#include <span>

#include "text/grammar/constraint.h"
#include "text/grammar/token_trie.h"

namespace inlay::text::grammar {

class Masks {
public:
    // By Constraint::masks_for(), which owns it.
    Masks(const Constraint &constraint, std::shared_ptr<const TokenTrie> trie);

    const TokenTrie &trie() const noexcept { return *trie_; }

    size_t words() const noexcept { return (trie_->n_ids() + 63) / 64; }
    // Bit i of `mask` (words() long): token i may come next. Special tokens are never set; the caller adds the
    // end-of-text tokens when matcher.can_end(). Returns 0, 1 or 2 for none, one, several; none and !can_end() is a dead end.
    int fill(Matcher &matcher, std::span<uint64_t> mask);

private:
    struct Entry {
        explicit Entry(Memory &m) : tokens(m), dense(m) {}
        uint32_t plain = 0;       // characters of plain tokens that fit (0: not that kind of place)
        Vector<uint32_t> tokens;  // accepted besides; many of them as a mask
        Vector<uint64_t> dense;
        std::shared_ptr<const TokenTrie> beyond;  // what is left of the others behind the frame's end
        bool whole = false;                       // too much beyond to keep: walk everything each time
    };
    struct Key {
        SetId set;
        Param param;
        bool rest;  // all plain tokens are allowed anyway
        bool operator==(const Key &) const = default;
    };
    struct KeyHash {
        size_t operator()(const Key &k) const noexcept {
            return mix64(mix64(k.set * 2ull + k.rest, k.param.bits), static_cast<uint64_t>(k.param.count) << 32 | k.param.hits);
        }
    };
    // One depth of a walk: the machine's levels, and its thread where it is alone. `fast`: that thread's set, or 0; further
    // down as long as sets only read, with the depth where it began.
    struct Depth {
        uint32_t frame, levels;
        Param param;
        bool ended;
    };
    struct Fast {
        SetId set;
        uint32_t root;
    };
    static constexpr uint64_t kLookedAt = 1ull << 63, kOnlyReads = 1ull << 62;  // of loops_

    const Entry &entry(Tables &t, const Thread &thread, bool rest);
    Param canonical(const Tables &t, const Thread &thread) const;
    uint32_t plain_room(Tables &t, const Thread &thread);
    SetId after_character(Tables &t, SetId s);
    bool continues(Tables &t, SetId s, int more, uint8_t lo, uint8_t hi, SetId &after);
    bool universal(Tables &t, SetId s);
    uint64_t loops(Tables &t, SetId s) { return s < loops_.size() && loops_[s] != 0 ? loops_[s] : find_loops(t, s); }
    uint64_t find_loops(Tables &t, SetId s);
    template <class Visit, class Whole>
    void walk(Tables &t, Machine &m, const TokenTrie &trie, Visit &&visit, Whole &&whole);

    const Constraint *constraint_;
    std::shared_ptr<const TokenTrie> trie_;
    std::shared_ptr<Tables> tables_;  // whose sets the keys name
    Machine scratch_;
    HashMap<Key, Entry, KeyHash> entries_;
    size_t kept_ = 0;  // bytes, roughly
    Vector<Depth> path_;
    Vector<Fast> fast_;
    Vector<uint64_t> accepted_;  // scratch
    Vector<uint64_t> loops_;     // by set: the groups of bytes that lead back to it, kLookedAt, kOnlyReads
    uint64_t class_groups_[256] = {};  // by class of bytes: its groups
    Vector<uint8_t> universal_;  // by set: 0 not looked at, 1 no, 2 yes
    // Plain text as an automaton: states of Plain, one byte of each class that leads on from them.
    enum Plain : uint8_t { between, one_more, two_more, three_more, after_e0, after_ed, after_f0, after_f4, n_plain };
    struct PlainByte {
        uint8_t byte;
        Plain to;
    };
    using Plains = Vector<PlainByte>;
    Plains plain_bytes_[n_plain];
    struct Reached {
        SetId set;
        Plain at;
    };
    Vector<Reached> reached_;  // scratch of universal()
    Vector<uint32_t> seen_;    // by set and Plain: the stamp of the search that saw it
    uint32_t stamp_ = 0;
};

}  // namespace inlay::text::grammar
