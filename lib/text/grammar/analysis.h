// SPDX-License-Identifier: Apache-2.0
// What lowering must know of rules beforehand: which may be empty, which begin with themselves, how large they are
// when melted into their callers, and which therefore stay frames.
#pragma once

#include "base/limits.h"
#include "text/grammar/ast.h"

namespace inlay::text::grammar {

struct Analysis {
    explicit Analysis(Memory &m) : nullable(m), rule_nullable(m), size(m), frame(m) {}
    Vector<uint8_t> nullable;       // per expr
    Vector<uint8_t> rule_nullable;  // per rule
    Vector<uint64_t> size;          // per expr: states when lowered
    Vector<uint8_t> frame;          // per rule
};

// A repeat larger than this many states becomes a counted frame. 256: a hostname label {0,61} stays an automaton.
constexpr uint64_t kUnrollStates = 256;

bool unrolled(const Ast &ast, const Analysis &a, const Expr &repeat) noexcept;
Analysis analyse(Memory &m, const Ast &ast, const Limits &limits);

}  // namespace inlay::text::grammar
