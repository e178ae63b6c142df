// SPDX-License-Identifier: Apache-2.0
// Expressions by precedence, as a pushdown machine: a goal (parse an expression of a level, a unary, a primary) runs
// until it has a value, and the frame on top of the stack says what to do with it.
#include "text/jinja/expr_frame.h"

namespace inlay::text::jinja {

void TokenStream::check() const {
    const Token &t = current();
    if (t.type == T::error) {
        Message m;
        m << t.text;
        syntax_error(t.line, t.column, m);
    }
}

void syntax_error(int line, int column, const Message &m) { throw_error(Code::format, m, Place{-1, line, column}); }

Token TokenStream::expect(T type) {
    if (!is(type)) {
        Token want{type, 0, 0, type == T::name ? "name" : type == T::string ? "string" : "", {}};
        Message m;
        if (current().type == T::eof) m << "unexpected end of template, expected '" << token_name(want) << "'.";
        else m << "expected token '" << token_name(want) << "', got " << quoted{token_name(current())};
        fail_here(m);
    }
    return next();
}

Token TokenStream::expect_name(std::string_view w) {
    if (!is_name(w)) {
        Message m;
        if (current().type == T::eof) m << "unexpected end of template, expected " << quoted{w} << ".";
        else m << "expected token " << quoted{w} << ", got " << quoted{token_name(current())};
        fail_here(m);
    }
    return next();
}

ExprParser::ExprParser(Rt &rt, TokenStream &ts, uint32_t max_depth)
    : rt_(rt), ts_(ts), max_depth_(max_depth), stack_(Alloc<Frame>(rt.heap.memory(), MemTag::text)) {}

ExprParser::~ExprParser() = default;

Node *ExprParser::make(N kind, const Token &at) {
    Node *n = rt_.heap.make<Node>();
    n->kind = kind;
    n->line = at.line;
    n->column = at.column;
    return n;
}

void ExprParser::push(const Frame &f) {
    // Frames of operators that only wait (infix, postfix) come with another frame; the limit counts the real nesting.
    if (f.kind != Frame::Kind::infix && f.kind != Frame::Kind::postfix && ++depth_ > max_depth_) {
        const Token &t = ts_.current();
        fail_at(Code::limit, Place{-1, t.line, t.column}, "template nests expressions ", depth_, " deep, limit ", max_depth_);
    }
    stack_.push_back(f);
}

Node *ExprParser::expression(bool with_cond, uint32_t outer) { return run(Goal::expr, with_cond ? kCond : kOr, outer); }
Node *ExprParser::primary(uint32_t outer) { return run(Goal::primary, 0, outer); }

namespace {

int compare_op(const TokenStream &ts) {
    switch (ts.current().type) {
        case T::eq: return static_cast<int>(Cmp::eq);
        case T::ne: return static_cast<int>(Cmp::ne);
        case T::lt: return static_cast<int>(Cmp::lt);
        case T::le: return static_cast<int>(Cmp::le);
        case T::gt: return static_cast<int>(Cmp::gt);
        case T::ge: return static_cast<int>(Cmp::ge);
        case T::name:
            if (ts.current().text == "in") return static_cast<int>(Cmp::in);
            if (ts.current().text == "not" && ts.look().type == T::name && ts.look().text == "in") return static_cast<int>(Cmp::not_in);
            return -1;
        default: return -1;
    }
}

int math_op(T t, int *level) {
    switch (t) {
        case T::add: return *level = kMath1, static_cast<int>(BinOp::add);
        case T::sub: return *level = kMath1, static_cast<int>(BinOp::sub);
        case T::mul: return *level = kMath2, static_cast<int>(BinOp::mul);
        case T::div: return *level = kMath2, static_cast<int>(BinOp::div);
        case T::floordiv: return *level = kMath2, static_cast<int>(BinOp::floordiv);
        case T::mod: return *level = kMath2, static_cast<int>(BinOp::mod);
        case T::pow: return *level = kPow, static_cast<int>(BinOp::pow);
        default: return -1;
    }
}

}  // namespace

// With `left` read, looks for an operator of at least f.level. True: its frame is pushed, *level is the right side's.
bool ExprParser::infix(const Frame &f, Node *left, int *level) {
    const Token at = ts_.current();
    auto start = [&](Frame::Kind kind, int right_level, uint8_t op) {
        stack_.push_back(f);
        Frame n{kind};
        n.op = op;
        n.node = left;
        n.token = at;
        push(n);
        *level = right_level;
        return true;
    };
    int op_level = 0;
    if (int op = math_op(at.type, &op_level); op >= 0 && op_level >= f.level) {
        ts_.next();
        return start(Frame::Kind::binary, op_level + 1, static_cast<uint8_t>(op));
    }
    if (at.type == T::tilde && kConcat >= f.level) {
        ts_.next();
        Node *n = make(N::concat, at);
        n->x.add(left);
        left = n;
        return start(Frame::Kind::concat, kMath2, 0);
    }
    if (int op = compare_op(ts_); op >= 0 && kCompare >= f.level) {
        if (op == static_cast<int>(Cmp::not_in)) ts_.next();
        ts_.next();
        Node *n = make(N::compare, at);
        n->a = left;
        left = n;
        return start(Frame::Kind::compare, kMath1, static_cast<uint8_t>(op));
    }
    if (at.type != T::name) return false;
    if (at.text == "and" && kAnd >= f.level) return ts_.next(), start(Frame::Kind::logic, kNot, static_cast<uint8_t>(N::and_));
    if (at.text == "or" && kOr >= f.level) return ts_.next(), start(Frame::Kind::logic, kAnd, static_cast<uint8_t>(N::or_));
    if (at.text == "if" && kCond >= f.level) return ts_.next(), start(Frame::Kind::cond_test, kOr, 0);
    return false;
}

// Attributes, items, calls; then filters, tests, calls. True: the goal goes on (a frame waits), false: *value is done.
bool ExprParser::postfix(const Frame &frame, Node **value, Goal *goal) {
    Frame f = frame;
    for (;;) {
        const Token at = ts_.current();
        auto open = [&](Frame::Kind kind, Node *node) {
            stack_.push_back(f);
            Frame n{kind};
            n.node = node;
            n.token = at;
            push(n);
            *value = nullptr;  // the bracket starts without a value
            *goal = Goal::value;
            return true;
        };
        if (f.level == 0 && at.type == T::dot) {
            ts_.next();
            Token attr = ts_.next();
            Node *n;
            if (attr.type == T::name) {
                n = make(N::getattr, at);
                n->name = new_str(rt_, attr.text, false);
                count_and_cache(*n->name);
            } else if (attr.type == T::integer) {
                n = make(N::getitem, at);
                n->b = make(N::constant, attr);
                n->b->value = attr.value;
            } else {
                Message m;
                m << "expected name or number";
                syntax_error(attr.line, attr.column, m);
            }
            n->a = *value;
            *value = n;
        } else if (f.level == 0 && at.type == T::lbracket) {
            ts_.next();
            Node *n = make(N::getitem, at);
            n->a = *value;
            return open(Frame::Kind::subscript, n);
        } else if (at.type == T::lparen) {
            ts_.next();
            Node *n = make(N::call, at);
            n->a = *value;
            return open(Frame::Kind::arguments, n);
        } else if (f.flag && at.type == T::pipe) {
            ts_.next();
            f.level = 1;
            Token name = ts_.expect(T::name);
            Node *n = make(N::filter, name);
            Text full(rt_);
            full.add(name.text);
            while (ts_.skip_if(T::dot)) full.add("."), full.add(ts_.expect(T::name).text);
            n->name = full.done();
            n->a = *value;
            if (ts_.skip_if(T::lparen)) return open(Frame::Kind::arguments, n);
            *value = n;
        } else if (f.flag && at.type == T::name && at.text == "is") {
            f.level = 1;
            ts_.next();
            bool negated = ts_.skip_if_name("not");
            Token name = ts_.expect(T::name);
            Node *n = make(N::test, at);
            Text full(rt_);
            full.add(name.text);
            while (ts_.skip_if(T::dot)) full.add("."), full.add(ts_.expect(T::name).text);
            n->name = full.done();
            n->a = *value;
            n->flag = negated;
            if (ts_.skip_if(T::lparen)) return open(Frame::Kind::arguments, n);
            const Token &arg = ts_.current();
            bool has = arg.type == T::name || arg.type == T::string || arg.type == T::integer || arg.type == T::floating ||
                       arg.type == T::lparen || arg.type == T::lbracket || arg.type == T::lbrace;
            if (has && arg.type == T::name && (arg.text == "else" || arg.text == "or" || arg.text == "and")) has = false;
            if (has) {
                if (arg.type == T::name && arg.text == "is") {
                    Message m;
                    m << "You cannot chain multiple tests with is";
                    ts_.fail_here(m);
                }
                stack_.push_back(f);
                Frame t{Frame::Kind::test_argument};
                t.node = n;
                t.token = at;
                push(t);
                Frame p{Frame::Kind::postfix};
                stack_.push_back(p);
                *goal = Goal::primary;
                return true;
            }
            *value = n;
            if (negated) {
                Node *not_ = make(N::not_, at);
                not_->a = n;
                *value = not_;
            }
        } else if (f.flag && f.level == 0) {
            f.level = 1;  // nothing of the first kind is left; a filter or test may follow
            if (at.type != T::pipe && !(at.type == T::name && at.text == "is")) return false;
        } else {
            return false;
        }
    }
}

// A literal or name gives its node in *out; a bracket opens a frame.
Node *ExprParser::literal_or_open(Goal *goal, int *level, Node **out) {
    const Token t = ts_.current();
    (void)level;
    Node *n = nullptr;
    switch (t.type) {
        case T::name:
            ts_.next();
            if (t.text == "true" || t.text == "false" || t.text == "True" || t.text == "False") {
                n = make(N::constant, t);
                n->value = Value::boolean(t.text == "true" || t.text == "True");
            } else if (t.text == "none" || t.text == "None") {
                n = make(N::constant, t);
                n->value = Value::none();
            } else {
                n = make(N::name, t);
                n->name = new_str(rt_, t.text, false);
            }
            break;
        case T::string: {
            ts_.next();
            n = make(N::constant, t);
            n->value = t.value;
            if (ts_.is(T::string)) {
                Text all(rt_);
                all.add(t.value.s);
                while (ts_.is(T::string)) all.add(ts_.next().value.s);
                n->value = Value::string(all.done());
            }
            count_and_cache(*n->value.s);
            break;
        }
        case T::integer:
        case T::floating:
            ts_.next();
            n = make(N::constant, t);
            n->value = t.value;
            break;
        case T::lparen:
        case T::lbracket:
        case T::lbrace: {
            ts_.next();
            Frame f{Frame::Kind::sequence};
            f.op = static_cast<uint8_t>(t.type == T::lparen ? T::rparen : t.type == T::lbracket ? T::rbracket : T::rbrace);
            f.token = t;
            push(f);
            break;
        }
        default: {
            Message m;
            m << "unexpected " << quoted{token_name(t)};
            ts_.fail_here(m);
        }
    }
    *out = n;
    *goal = Goal::value;
    return n;
}

Node *ExprParser::run(Goal goal, int level, uint32_t outer_depth) {
    size_t base = stack_.size();
    depth_ = outer_depth;
    Node *value = nullptr;
    bool fresh = false;  // a bracket was opened and has read nothing yet
    for (;;) {
        rt_.charge(1);
        if (goal == Goal::expr) {
            Frame f{Frame::Kind::infix};
            f.level = static_cast<uint8_t>(level);
            if (level <= kNot && ts_.is_name("not")) {
                Frame n{Frame::Kind::not_};
                n.token = ts_.next();
                stack_.push_back(f);
                push(n);
                level = kNot;
                continue;
            }
            stack_.push_back(f);
            Frame p{Frame::Kind::postfix};
            p.flag = true;
            stack_.push_back(p);
            goal = Goal::unary;
            continue;
        }
        if (goal == Goal::unary) {
            if (ts_.is(T::add) || ts_.is(T::sub)) {
                Frame s{Frame::Kind::sign};
                s.token = ts_.next();
                s.flag = s.token.type == T::sub;
                push(s);
                Frame p{Frame::Kind::postfix};  // postfix of the operand, without filters
                stack_.push_back(p);
                continue;
            }
            goal = Goal::primary;
        }
        if (goal == Goal::primary) {
            fresh = literal_or_open(&goal, &level, &value) == nullptr;
        }
        // A value (or, when fresh, nothing yet) for the frame on top.
        if (stack_.size() == base) return value;
        Frame f = stack_.back();
        stack_.pop_back();
        if (f.kind != Frame::Kind::infix && f.kind != Frame::Kind::postfix) --depth_;
        auto again = [&] {
            stack_.push_back(f);
            ++depth_;
        };
        switch (f.kind) {
            case Frame::Kind::infix:
                if (infix(f, value, &level)) goal = Goal::expr;
                break;
            case Frame::Kind::not_: {
                Node *n = make(N::not_, f.token);
                n->a = value;
                value = n;
                break;
            }
            case Frame::Kind::binary:
            case Frame::Kind::logic: {
                Node *n = make(f.kind == Frame::Kind::binary ? N::binary : static_cast<N>(f.op), f.token);
                n->op = f.op;
                n->a = f.node;
                n->b = value;
                value = n;
                break;
            }
            case Frame::Kind::concat:
                f.node->x.add(value);
                value = f.node;
                if (ts_.skip_if(T::tilde)) {
                    again();
                    goal = Goal::expr;
                    level = kMath2;
                }
                break;
            case Frame::Kind::compare: {
                Node *o = make(N::operand, f.token);
                o->op = f.op;
                o->a = value;
                f.node->x.add(o);
                value = f.node;
                if (int op = compare_op(ts_); op >= 0) {
                    f.token = ts_.current();
                    if (op == static_cast<int>(Cmp::not_in)) ts_.next();
                    ts_.next();
                    f.op = static_cast<uint8_t>(op);
                    again();
                    goal = Goal::expr;
                    level = kMath1;
                }
                break;
            }
            case Frame::Kind::cond_test:
                if (ts_.skip_if_name("else")) {
                    f.kind = Frame::Kind::cond_else;
                    f.other = value;
                    again();
                    goal = Goal::expr;
                    level = kCond;
                    break;
                }
                [[fallthrough]];
            case Frame::Kind::cond_else: {
                Node *n = make(N::cond, f.token);
                n->a = f.node;
                n->b = f.kind == Frame::Kind::cond_else ? f.other : value;
                n->c = f.kind == Frame::Kind::cond_else ? value : nullptr;
                value = n;
                break;
            }
            case Frame::Kind::sign: {
                Node *n = make(f.flag ? N::neg : N::pos, f.token);
                n->a = value;
                value = n;
                break;
            }
            case Frame::Kind::postfix:
                if (postfix(f, &value, &goal)) fresh = value == nullptr;
                break;
            case Frame::Kind::test_argument:
                f.node->x.add(value);
                value = f.node;
                if (f.node->flag) {
                    Node *n = make(N::not_, f.token);
                    n->a = value;
                    value = n;
                }
                break;
            case Frame::Kind::arguments:
            case Frame::Kind::subscript:
            case Frame::Kind::sequence: {
                bool first = fresh;
                fresh = false;
                Node *n = f.kind == Frame::Kind::arguments ? arguments(f, value, first, &goal, &level)
                          : f.kind == Frame::Kind::subscript ? subscript(f, value, first, &goal, &level)
                                                             : sequence(f, value, first, &goal, &level);
                if (n) {
                    value = n;
                    goal = Goal::value;
                } else {
                    again();
                }
                break;
            }
        }
    }
}

Node *ExprParser::filter_chain(uint32_t outer_depth) {
    // Reads `name(args) | name ...` as filters over nothing: a marker constant stands for the text of the block.
    depth_ = outer_depth;
    Node *value = nullptr;
    bool start = true;
    while (start || ts_.is(T::pipe)) {
        if (!start) ts_.next();
        start = false;
        Token name = ts_.expect(T::name);
        Node *n = make(N::filter, name);
        Text full(rt_);
        full.add(name.text);
        while (ts_.skip_if(T::dot)) full.add("."), full.add(ts_.expect(T::name).text);
        n->name = full.done();
        n->a = value;
        if (ts_.is(T::lparen)) {
            Token at = ts_.next();
            // The arguments are read by the machine through a frame of their own.
            size_t base = stack_.size();
            Frame f{Frame::Kind::arguments};
            f.node = n;
            f.token = at;
            Goal goal = Goal::value;
            int level = 0;
            Node *done = arguments(f, nullptr, true, &goal, &level);
            while (!done) {
                Node *v = run(goal, level, outer_depth + 1);
                done = arguments(f, v, false, &goal, &level);
            }
            (void)base;
        }
        value = n;
    }
    return value;
}

}  // namespace inlay::text::jinja
