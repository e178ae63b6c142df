// SPDX-License-Identifier: Apache-2.0
// Brackets of expressions: arguments of calls, subscripts with slices, tuples, lists and dicts.
#include "text/jinja/expr_frame.h"

namespace inlay::text::jinja {

// Each bracket handler is called with the value just read (null and first = true at the opening). It returns the
// finished node, or null with *goal/*level set for the next part (its frame is pushed again).
Node *ExprParser::arguments(Frame &f, Node *value, bool first, Goal *goal, int *level) {
    Node *call = f.node;
    auto ensure = [&](bool ok) {
        if (ok) return;
        Message m;
        m << "invalid syntax for function call expression";
        syntax_error(f.token.line, f.token.column, m);
    };
    if (!first) {
        if (f.part == 0) call->x.add(value);
        else if (f.part == 2) call->b = value;
        else if (f.part == 3) call->c = value;
        else {
            Node *kw = make(N::keyword, f.token);
            kw->name = f.name;
            kw->a = value;
            call->y.add(kw);
        }
    }
    auto finish = [&]() -> Node * {
        ts_.expect(T::rparen);
        if (call->kind == N::test && call->flag) {
            Node *n = make(N::not_, f.token);
            n->a = call;
            return n;
        }
        return call;
    };
    if (ts_.is(T::rparen)) return finish();
    if (!first) {
        ts_.expect(T::comma);
        if (ts_.is(T::rparen)) return finish();
    }
    if (ts_.is(T::mul)) {
        ensure(!call->b && !call->c);
        ts_.next();
        f.part = 2;
    } else if (ts_.is(T::pow)) {
        ensure(!call->c);
        ts_.next();
        f.part = 3;
    } else if (ts_.is(T::name) && ts_.look().type == T::assign) {
        ensure(!call->c);
        f.name = new_str(rt_, ts_.next().text, false);
        count_and_cache(*f.name);
        ts_.next();
        f.part = 1;
    } else {
        ensure(!call->b && !call->c && !call->y.first);
        f.part = 0;
    }
    *goal = Goal::expr;
    *level = kCond;
    return nullptr;
}

// Items of a[...]: f.items collects them, f.other is the slice being read, f.part where in it we are.
Node *ExprParser::subscript(Frame &f, Node *value, bool first, Goal *goal, int *level) {
    auto want = [&](uint8_t part) {
        f.part = part;
        *goal = Goal::expr;
        *level = kCond;
        return nullptr;
    };
    auto at_end = [&] { return ts_.is(T::rbracket) || ts_.is(T::comma); };
    bool item_done = false;
    if (!first) {
        if (f.part == 0) {
            if (ts_.is(T::colon)) {
                f.other = make(N::slice, ts_.current());
                f.other->a = value;
            } else {
                f.items.add(value);
                item_done = true;
            }
        } else if (f.part == 1) {
            f.other->b = value;
        } else {
            f.other->c = value;
            f.items.add(f.other);
            item_done = true;
        }
    }
    for (;;) {
        if (f.other && !item_done) {  // inside a slice
            if (f.part == 0) {        // the colon after start
                ts_.next();
                f.part = 1;
                if (!ts_.is(T::colon) && !at_end()) return want(1);
            }
            if (f.part == 1) {
                if (ts_.skip_if(T::colon) && !at_end()) return want(2);
                f.items.add(f.other);
                item_done = true;
            }
        }
        f.other = nullptr;
        f.part = 0;
        if (ts_.is(T::rbracket)) {
            ts_.next();
            Node *n = f.node;
            if (f.items.size == 1) {
                n->b = f.items.first;
            } else {
                n->b = make(N::tuple, f.token);
                n->b->x = f.items;
            }
            return n;
        }
        if (f.items.size) ts_.expect(T::comma);
        item_done = false;
        if (!ts_.is(T::colon)) return want(0);
        f.other = make(N::slice, ts_.current());
    }
}

// ( tuple or group ), [ list ], { dict }: op is the closing token.
Node *ExprParser::sequence(Frame &f, Node *value, bool first, Goal *goal, int *level) {
    T close = static_cast<T>(f.op);
    auto next_item = [&]() -> Node * {
        *goal = Goal::expr;
        *level = kCond;
        return nullptr;
    };
    if (!first) f.items.add(value);
    if (close == T::rbrace && f.items.size % 2 == 1) {
        ts_.expect(T::colon);
        return next_item();
    }
    if (close == T::rparen) {
        if (!first) {
            if (ts_.is(T::comma)) {
                f.is_tuple = true;
                ts_.next();
            } else {
                ts_.expect(T::rparen);
                if (!f.is_tuple) return f.items.first;
                Node *n = make(N::tuple, f.token);
                n->x = f.items;
                return n;
            }
        }
        if (ts_.is(T::rparen) || ts_.is(T::variable_end) || ts_.is(T::block_end)) {
            ts_.expect(T::rparen);
            Node *n = make(N::tuple, f.token);
            n->x = f.items;
            return n;
        }
        return next_item();
    }
    if (!ts_.is(close)) {
        if (!first) {
            ts_.expect(T::comma);
        }
        if (!ts_.is(close)) return next_item();
    }
    ts_.expect(close);
    Node *n = make(close == T::rbrace ? N::dict : N::list, f.token);
    n->x = f.items;
    return n;
}

}  // namespace inlay::text::jinja
