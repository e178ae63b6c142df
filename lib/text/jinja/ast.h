// SPDX-License-Identifier: Apache-2.0
// The parsed template: one node shape for all kinds, children in lists linked through `next`. It lives in the
// program's heap and is not looked at again once the code is made.
#pragma once

#include "text/jinja/value.h"

namespace inlay::text::jinja {

enum class N : uint8_t {
    constant, name, ns_ref, tuple, list, dict, cond, binary, and_, or_, not_, neg, pos, compare, operand, concat, getattr, getitem,
    slice, call, filter, test, keyword,
    output, data, assign, assign_block, for_, if_, macro, call_block, filter_block, with, break_, continue_,
};
enum class Ctx : uint8_t { load, store, param };

struct Node;
struct NodeList {
    Node *first = nullptr, *last = nullptr;
    uint32_t size = 0;
    void add(Node *n);
};

// What the fields mean, by kind:
//   ns_ref: name.attr   cond: a if b else c   binary/compare/operand: op   getattr: a.name   getitem: a[b]   slice: a:b:c
//   call/filter/test: a(x..., y = keywords, *b, **c), name   keyword: name = a   dict: x = key, value, key, value, ...
//   assign: a = b   assign_block: a, filter b, body x   for: a in b if c, body x, else y, flag = recursive
//   if: a, body x, elifs y, else z   macro, call_block (call a; null for generation): body x, params y, defaults z
//   filter_block: filter a, body x   with: body x, targets y, values z
struct Node {
    N kind;
    uint8_t op = 0;
    Ctx ctx = Ctx::load;
    bool flag = false;
    int32_t line = 0, column = 0;
    const Str *name = nullptr, *attr = nullptr;
    Value value;
    Node *a = nullptr, *b = nullptr, *c = nullptr, *next = nullptr;
    NodeList x, y, z;
};

inline void NodeList::add(Node *n) {
    (last ? last->next : first) = n;
    last = n;
    ++size;
}

}  // namespace inlay::text::jinja
