// SPDX-License-Identifier: Apache-2.0
// The automata of one compilation, each language once: equal languages have equal ids, operations are remembered.
// Numbers are languages too: of the texts (without exponent) whose value belongs to the set, however written.
#pragma once

#include "text/grammar/dfa.h"

namespace inlay::text::grammar {

using Lang = uint32_t;

class Languages {
public:
    Languages(Memory &m, const Limits &limits);

    static constexpr Lang none = 0, any = 1, number = 2, integer = 3;
    const Dfa &operator[](Lang l) const noexcept { return dfas_[l]; }
    Lang add(Dfa d);
    Lang both(Lang a, Lang b) { return op(a, b, SetOp::intersect); }
    Lang either(Lang a, Lang b) { return op(a, b, SetOp::unite); }
    Lang without(Lang a, Lang b) { return op(a, b, SetOp::subtract); }
    Lang pattern(std::string_view regex);
    Lang text(std::string_view s);
    // `integers`: texts of whole numbers, which may also be written with a fraction of zeros.
    Lang texts(std::span<const std::string_view> list, bool integers = false);
    Lang integer_text() { return pattern("^(?:0|-?[1-9][0-9]*)$"); }  // integers as they are written
    Lang length(uint64_t min, uint64_t max);
    // The languages of formats; false where the format is not known.
    bool format(std::string_view name, Lang &out);

    // Numbers by their JSON token.
    Lang at_least(std::string_view bound, bool strictly);
    Lang at_most(std::string_view bound, bool strictly) { return without(number, at_least(bound, !strictly)); }
    Lang equal(std::string_view value);
    bool multiple_of(std::string_view divisor, Lang &out);  // false: too fine or too large to count

    Memory &memory() const noexcept { return memory_; }
    const Limits &limits() const noexcept { return limits_; }

private:
    Lang op(Lang a, Lang b, SetOp o);
    Memory &memory_;
    const Limits &limits_;
    Deque<Dfa> dfas_;
    HashMap<uint64_t, Lang> ops_;
    HashMap<String, Lang, SeededHash, TextEqual> patterns_;
    std::unordered_multimap<uint64_t, Lang, SeededHash, std::equal_to<>, Alloc<std::pair<const uint64_t, Lang>>> by_hash_;
    uint64_t states_ = 0;
};

// A decimal number taken apart: sign, digits before and after the point, without zeros that do not count.
struct Decimal {
    explicit Decimal(Memory &m) : whole(m), fraction(m) {}
    bool negative = false;
    String whole;     // "0" or no leading zero
    String fraction;  // no trailing zero
    bool is_zero() const noexcept { return whole == "0" && fraction.empty(); }
    bool is_integer() const noexcept { return fraction.empty(); }
};
Decimal parse_decimal(Memory &m, std::string_view token);

}  // namespace inlay::text::grammar
