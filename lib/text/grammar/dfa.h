// SPDX-License-Identifier: Apache-2.0
// Deterministic automata over code points: the Boolean algebra of string and number keywords. Whatever a schema says
// of a string (pattern, length, format, enum, not, oneOf ...) becomes one of these, exactly.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "text/grammar/ast.h"

namespace inlay::text::grammar {

class Dfa {
public:
    struct Arc {
        uint32_t lo, hi, to;
        bool operator==(const Arc &) const = default;
    };
    static constexpr uint32_t kDead = ~0u;

    explicit Dfa(Memory &m) : at_(m), arcs_(m), accept_(m) { at_.push_back(0); }

    // Building by hand: states in order, each with its arcs sorted and disjoint.
    uint32_t begin_state(bool accept) {
        accept_.push_back(accept);
        at_.push_back(static_cast<uint32_t>(arcs_.size()));
        return n_states() - 1;
    }
    void arc(uint32_t lo, uint32_t hi, uint32_t to) {
        arcs_.push_back({lo, hi, to});
        at_.back() = static_cast<uint32_t>(arcs_.size());
    }

    uint32_t n_states() const noexcept { return static_cast<uint32_t>(accept_.size()); }
    std::span<const Arc> arcs(uint32_t s) const noexcept { return {arcs_.data() + at_[s], at_[s + 1] - at_[s]}; }
    bool accepts(uint32_t s) const noexcept { return accept_[s]; }
    uint32_t next(uint32_t s, uint32_t c) const noexcept;
    Memory &memory() const noexcept { return at_.get_allocator().memory(); }
    bool empty() const noexcept { return n_states() == 0; }  // after clean()
    bool all() const noexcept;                               // every text, after clean()
    bool matches(std::string_view utf8) const noexcept;

    // Removes what cannot be reached or cannot end, joins equal states. All functions below return clean automata.
    void clean();
    // Appends up to `max` of its texts (UTF-8); false when there are more.
    bool enumerate(size_t max, Vector<String> &out) const;
    bool finite() const;

    bool operator==(const Dfa &) const = default;

private:
    friend class DfaOps;
    Vector<uint32_t> at_;
    Vector<Arc> arcs_;
    Vector<uint8_t> accept_;
};

enum class SetOp : uint8_t { intersect, unite, subtract };

Dfa any_text(Memory &m);
Dfa no_text(Memory &m);
Dfa literal_text(Memory &m, std::string_view utf8);
Dfa texts_of_length(Memory &m, uint64_t min, uint64_t max, const Limits &limits);  // in code points; max ~0: none
// LIMIT beyond limits.regex_states.
Dfa combine(const Dfa &a, const Dfa &b, SetOp op, const Limits &limits);
Dfa complement(const Dfa &a);
// `search`: the expression matches somewhere in the text (JSON Schema's pattern), else all of it.
Dfa regex_dfa(Memory &m, std::string_view pattern, bool search, const Limits &limits);

// The automaton over bytes: as UTF-8, or as the inside of a JSON string with each character in its shortest form
// (`angles`: "<" escaped too).
ByteGraph to_utf8(Memory &m, const Dfa &d);
ByteGraph to_json_string(Memory &m, const Dfa &d, bool angles = false);

}  // namespace inlay::text::grammar
