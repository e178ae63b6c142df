// SPDX-License-Identifier: Apache-2.0
// Tokens to the tree. Statements and expressions are parsed with stacks on the heap, so neither `{{ ((((...` nor a
// thousand nested ifs can touch the C stack; how deep they may nest is Limits::template_ast_depth.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace inlay::text::jinja {

[[noreturn]] void syntax_error(int line, int column, const Message &m);

class TokenStream {
public:
    explicit TokenStream(const Vector<Token> &tokens) : tokens_(tokens) { check(); }
    const Token &current() const { return tokens_[at_]; }
    const Token &look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
    Token next() {
        Token t = tokens_[at_];
        if (at_ + 1 < tokens_.size()) ++at_;
        check();
        return t;
    }
    bool is(T type) const { return current().type == type; }
    bool is_name(std::string_view w) const { return current().type == T::name && current().text == w; }
    bool skip_if(T type) { return is(type) && (next(), true); }
    bool skip_if_name(std::string_view w) { return is_name(w) && (next(), true); }
    Token expect(T type);
    Token expect_name(std::string_view w);
    [[noreturn]] void fail_here(const Message &m) const { syntax_error(current().line, current().column, m); }

private:
    void check() const;
    const Vector<Token> &tokens_;
    size_t at_ = 0;
};

class ExprParser {
public:
    ExprParser(Rt &rt, TokenStream &ts, uint32_t max_depth);
    ~ExprParser();
    Node *expression(bool with_cond = true, uint32_t outer_depth = 0);
    Node *primary(uint32_t outer_depth = 0);
    Node *filter_chain(uint32_t outer_depth);  // `upper | trim(...)` of a filter block, or after `set x`: null when there is none
    Node *make(N kind, const Token &at);

private:
    struct Frame;
    enum class Goal : uint8_t { expr, unary, primary, value };
    Node *run(Goal goal, int level, uint32_t outer_depth);
    void push(const Frame &f);
    bool infix(const Frame &f, Node *left, int *level);
    bool postfix(const Frame &f, Node **value, Goal *goal);
    Node *arguments(Frame &f, Node *value, bool first, Goal *goal, int *level);
    Node *subscript(Frame &f, Node *value, bool first, Goal *goal, int *level);
    Node *sequence(Frame &f, Node *value, bool first, Goal *goal, int *level);
    Node *literal_or_open(Goal *goal, int *level, Node **out);

    Rt &rt_;
    TokenStream &ts_;
    uint32_t max_depth_;
    uint32_t depth_ = 0;
    Vector<Frame> stack_;
};

NodeList parse_template(Rt &rt, const Vector<Token> &tokens, uint32_t max_depth);

}  // namespace inlay::text::jinja
