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
        bool operator==(const Key &) const = default;
    };
    struct KeyHash {
        size_t operator()(const Key &k) const noexcept {
            return mix64(mix64(k.set, k.param.bits), static_cast<uint64_t>(k.param.count) << 32 | k.param.hits);
        }
    };
    // One depth of a walk: either a lone thread with nothing to close (no level of the machine), or the machine's top.
    struct Depth {
        SetId fast;
        uint32_t frame, levels;
        Param param;
        bool ended;
    };

    const Entry &entry(Tables &t, const Thread &thread);
    Param canonical(const Tables &t, const Thread &thread) const;
    uint32_t plain_room(Tables &t, const Thread &thread);
    SetId after_character(Tables &t, SetId s);
    bool continues(Tables &t, SetId s, int more, uint8_t lo, uint8_t hi, SetId &after);
    bool absorbs(Tables &t, SetId s);
    uint64_t loops(Tables &t, SetId s);
    template <class Visit, class Whole>
    void walk(Tables &t, Machine &m, const TokenTrie &trie, Visit &&visit, Whole &&whole);

    const Constraint *constraint_;
    std::shared_ptr<const TokenTrie> trie_;
    std::shared_ptr<Tables> tables_;  // whose sets the keys name
    Machine scratch_;
    HashMap<Key, Entry, KeyHash> entries_;
    size_t kept_ = 0;  // bytes, roughly
    Vector<Depth> path_;
    Vector<uint64_t> accepted_;  // scratch
    Vector<uint64_t> loops_;     // by set: the groups of bytes that lead back to it; top bit: known
    Vector<uint8_t> absorbs_;    // by set: 0 not looked at, 1 no, 2 yes
};

}  // namespace inlay::text::grammar
