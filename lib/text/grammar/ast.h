// SPDX-License-Identifier: Apache-2.0
// What the GBNF and regex readers (and the schema compiler) build: rules over a small expression tree. Children come
// before their parents in `nodes`, so every pass is a loop or a heap stack, never recursion.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "text/grammar/charset.h"
#include "text/grammar/param.h"

namespace inlay::text::grammar {

constexpr uint32_t kNone = ~0u;
constexpr uint32_t kInfinite = ~0u;

enum class ExprKind : uint8_t {
    empty,   // the empty text
    never,   // no text at all
    bytes,   // text[a, a+b)
    chars,   // sets[a]
    seq,     // kids[a, a+b)
    alt,     // kids[a, a+b)
    repeat,  // kid a, b to c times (c may be kInfinite)
    ref,     // rule a; place b of places (kNone: none)
    begin,   // ^ (regex)
    end,     // $ (regex)
    gate,    // action a of the rule's frame, then nothing: the parameter is tested and changed (schemas)
    graph,   // automaton a of `graphs`
};

struct Expr {
    ExprKind kind = ExprKind::empty;
    uint32_t a = 0, b = 0, c = 0;
};

// A ready automaton over bytes; state 0 begins.
struct ByteGraph {
    explicit ByteGraph(Memory &m) : edges(m), finals(m) {}
    struct Edge {
        uint32_t from, to;
        uint8_t lo, hi;
    };
    uint32_t n_states = 0;
    Vector<Edge> edges;
    Vector<uint32_t> finals;
    bool empty() const noexcept { return !finals.empty() && finals.front() == 0; }  // finals are sorted
};

struct Rule {
    explicit Rule(Memory &m) : name(m), params(m) {}
    String name;
    uint32_t body = kNone;  // expr
    Place place;
    bool frame = false;  // keep as a frame of its own (it has parameters, or many callers share its masks)
    FrameParams params;
};

struct Ast {
    explicit Ast(Memory &m) : memory(&m), nodes(m), kids(m), sets(m), text(m), rules(m), places(m), gates(m), graphs(m) {}
    Memory *memory;
    Vector<Expr> nodes;
    Vector<uint32_t> kids;
    Vector<CharSet> sets;
    String text;
    Vector<Rule> rules;
    Vector<Place> places;
    Vector<Gate> gates;
    Vector<ByteGraph> graphs;
    uint32_t root = 0;

    uint32_t add(Expr e) {
        nodes.push_back(e);
        return static_cast<uint32_t>(nodes.size() - 1);
    }
    uint32_t empty() { return add({ExprKind::empty}); }
    uint32_t literal(std::string_view s) {
        if (s.empty()) return empty();
        uint32_t at = static_cast<uint32_t>(text.size());
        text.append(s);
        return add({ExprKind::bytes, at, static_cast<uint32_t>(s.size())});
    }
    uint32_t chars(CharSet set) {
        sets.push_back(std::move(set));
        return add({ExprKind::chars, static_cast<uint32_t>(sets.size() - 1)});
    }
    template <class Range>
    uint32_t list(ExprKind kind, const Range &items) {
        if (items.size() == 0) return add({kind == ExprKind::seq ? ExprKind::empty : ExprKind::never});
        if (items.size() == 1) return *items.begin();
        uint32_t at = static_cast<uint32_t>(kids.size());
        for (uint32_t k : items) kids.push_back(k);
        return add({kind, at, static_cast<uint32_t>(items.size())});
    }
    uint32_t seq(std::initializer_list<uint32_t> items) { return list(ExprKind::seq, items); }
    uint32_t alt(std::initializer_list<uint32_t> items) { return list(ExprKind::alt, items); }
    uint32_t repeat(uint32_t kid, uint32_t lo, uint32_t hi) { return add({ExprKind::repeat, kid, lo, hi}); }
    uint32_t ref(uint32_t rule, uint32_t place = kNone) { return add({ExprKind::ref, rule, place}); }
    uint32_t rule(std::string_view name) {
        rules.emplace_back(*memory);
        rules.back().name = name;
        return static_cast<uint32_t>(rules.size() - 1);
    }
};

}  // namespace inlay::text::grammar
