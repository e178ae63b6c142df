// SPDX-License-Identifier: Apache-2.0
// What waits on the expression parser's stack.
#pragma once

#include "text/jinja/parser.h"

namespace inlay::text::jinja {

// Levels of binding: each operator's right side is parsed one level tighter, so all group from the left.
enum : int { kCond = 0, kOr = 1, kAnd = 2, kNot = 3, kCompare = 4, kMath1 = 5, kConcat = 6, kMath2 = 7, kPow = 8, kUnary = 9 };

struct ExprParser::Frame {
    enum class Kind : uint8_t {
        infix, not_, binary, logic, compare, concat, cond_test, cond_else, sign, postfix, test_argument, arguments, subscript, sequence,
    };
    Kind kind;
    uint8_t level = 0;      // infix: lowest level it takes; postfix: 0 = . [ ( then filters, 1 = filters only
    bool flag = false;      // sign: minus; postfix: filters allowed; test_argument: negated
    uint8_t part = 0;       // where a bracket stands: subscript 0 item, 1 stop, 2 step; arguments 0 positional, 1 keyword, 2 *, 3 **
    uint8_t op = 0;
    bool is_tuple = false;
    Token token;
    Node *node = nullptr, *other = nullptr;
    NodeList items;
    const Str *name = nullptr;
};

}  // namespace inlay::text::jinja
