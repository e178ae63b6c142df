// SPDX-License-Identifier: Apache-2.0
// The one compiled form of every constraint: a recursive transition network over bytes. A state has byte edges, empty
// edges, calls of other rules (frames) and gates (param.h). Regular parts are melted into one rule, so that frames
// stand only where a grammar truly recurses, counts, or shares a large part.
#pragma once

#include <cstdint>
#include <span>

#include "base/limits.h"
#include "text/grammar/ast.h"

namespace inlay::text::grammar {

struct NetEdge {
    uint32_t to;
    uint8_t lo, hi;
};
struct NetCall {
    uint32_t rule, ret;  // go on at `ret` when the rule is done
};
struct NetGate {
    uint32_t to, gate;
};
struct NetRule {
    explicit NetRule(Memory &m) : params(m) {}
    uint32_t start = 0;
    bool nullable = false;
    FrameParams params;
};

// Lists of one kind for every state, packed.
template <class T>
struct Packed {
    explicit Packed(Memory &m) : at(m), items(m) {}
    Vector<uint32_t> at;
    Vector<T> items;
    std::span<const T> of(uint32_t s) const noexcept { return {items.data() + at[s], at[s + 1] - at[s]}; }
};

struct Net {
    explicit Net(Memory &m) : edges(m), eps(m), calls(m), gate_uses(m), final(m), rule_of(m), rules(m), gates(m), follow(m) {}
    Packed<NetEdge> edges;
    Packed<uint32_t> eps;
    Packed<NetCall> calls;
    Packed<NetGate> gate_uses;
    Vector<uint8_t> final;
    Vector<uint32_t> rule_of;  // state → its rule
    Vector<NetRule> rules;     // rule 0 is the root
    Vector<Gate> gates;
    // 256 bits a rule: bytes that may stand behind it. A longer text is never looked for behind another byte.
    Vector<uint64_t> follow;
    uint8_t class_of[256] = {};  // bytes that no edge tells apart share a class
    uint8_t class_byte[256] = {};
    uint32_t n_classes = 0;

    uint32_t n_states() const noexcept { return static_cast<uint32_t>(final.size()); }
    bool follows(uint32_t rule, uint8_t byte) const noexcept { return follow[rule * 4 + (byte >> 6)] >> (byte & 63) & 1; }
};

// Checks and compiles. FORMAT: left recursion (named, with its place); INVALID_ARGUMENT: no text is a sentence;
// LIMIT: larger than the caps.
Net lower(Memory &m, const Ast &ast, const Limits &limits);

}  // namespace inlay::text::grammar
