// SPDX-License-Identifier: Apache-2.0
// Statements: a stack of open blocks, each knowing which tags may continue or close it.
#include "text/jinja/parser.h"

#include <initializer_list>

namespace inlay::text::jinja {

namespace {

enum class Block : uint8_t { if_, for_, macro, call, filter, set, with, generation };
struct Open {
    Block block;
    bool in_else = false;
    Node *node;
    Node *branch;  // the if or elif whose body is read
};

struct BlockTags {
    std::string_view name, end;
};
constexpr BlockTags kBlocks[] = {{"if", "endif"}, {"for", "endfor"}, {"macro", "endmacro"}, {"call", "endcall"}, {"filter", "endfilter"},
                                 {"set", "endset"}, {"with", "endwith"}, {"generation", "endgeneration"}};

class StatementParser {
public:
    StatementParser(Rt &rt, const Vector<Token> &tokens, uint32_t max_depth)
        : rt_(rt), ts_(tokens), ex_(rt, ts_, max_depth), max_depth_(max_depth), open_(Alloc<Open>(rt.heap.memory(), MemTag::text)) {}
    NodeList run();

private:
    uint32_t depth() const { return static_cast<uint32_t>(open_.size()); }
    NodeList &body() {
        if (open_.empty()) return root_;
        Open &o = open_.back();
        if (o.block == Block::if_) return o.in_else ? o.node->z : o.branch->x;
        return o.in_else ? o.node->y : o.node->x;
    }
    void add(Node *n) {
        output_ = nullptr;
        body().add(n);
    }
    void add_output(Node *n) {
        if (!output_) {
            Node *o = ex_.make(N::output, ts_.current());
            body().add(o);
            output_ = o;
        }
        output_->x.add(n);
    }
    void open(Block block, Node *node);
    bool end_tag();
    void statement();
    Node *expression(bool with_cond = true) { return ex_.expression(with_cond, depth()); }
    Node *tuple(bool with_cond, std::string_view end_name = {});
    Node *target(std::string_view end_name, bool name_space);
    Node *target_item(bool name_space);
    Node *name_target(Ctx ctx);
    void check_target(Node *n, Ctx ctx);
    void signature(Node *n);
    bool tuple_end(std::string_view end_name) const {
        return ts_.is(T::variable_end) || ts_.is(T::block_end) || ts_.is(T::rparen) || (!end_name.empty() && ts_.is_name(end_name));
    }
    [[noreturn]] void fail(const Token &at, std::string_view a, std::string_view b = {}, std::string_view c = {}) {
        Message m;
        m << a << b << c;
        syntax_error(at.line, at.column, m);
    }

    Rt &rt_;
    TokenStream ts_;
    ExprParser ex_;
    uint32_t max_depth_;
    NodeList root_;
    Vector<Open> open_;
    Node *output_ = nullptr;
};

Node *StatementParser::tuple(bool with_cond, std::string_view end_name) {
    Token at = ts_.current();
    NodeList items;
    bool is_tuple = false;
    while (true) {
        if (items.size) ts_.expect(T::comma);
        if (tuple_end(end_name)) break;
        items.add(expression(with_cond));
        if (!ts_.is(T::comma)) break;
        is_tuple = true;
        at = ts_.current();
    }
    if (!is_tuple) {
        if (items.size) return items.first;
        fail(ts_.current(), "Expected an expression, got '", token_name(ts_.current()), "'");
    }
    Node *n = ex_.make(N::tuple, at);
    n->x = items;
    return n;
}

Node *StatementParser::name_target(Ctx ctx) {
    Token t = ts_.expect(T::name);
    if (t.text == "true" || t.text == "false" || t.text == "none" || t.text == "True" || t.text == "False" || t.text == "None")
        fail(t, "can't assign to 'name'");
    Node *n = ex_.make(N::name, t);
    n->name = new_str(rt_, t.text, false);
    n->ctx = ctx;
    return n;
}

Node *StatementParser::target_item(bool name_space) {
    if (name_space && ts_.is(T::name) && ts_.look().type == T::dot) {
        Token t = ts_.next();
        ts_.next();
        Node *n = ex_.make(N::ns_ref, t);
        n->name = new_str(rt_, t.text, false);
        n->attr = new_str(rt_, ts_.expect(T::name).text, false);
        count_and_cache(*n->attr);
        return n;
    }
    return ex_.primary(depth());
}

// Makes names in a target stores; anything but names, namespace attributes and tuples of them is refused.
void StatementParser::check_target(Node *root, Ctx ctx) {
    Vector<Node *> stack(Alloc<Node *>(rt_.heap.memory(), MemTag::text));
    stack.push_back(root);
    while (!stack.empty()) {
        Node *n = stack.back();
        stack.pop_back();
        if (n->kind == N::name) n->ctx = ctx;
        else if (n->kind == N::tuple)
            for (Node *c = n->x.first; c; c = c->next) stack.push_back(c);
        else if (n->kind != N::ns_ref) {
            Message m;
            m << "can't assign to '" << (n->kind == N::constant ? "const" : n->kind == N::list ? "list" : "expression") << "'";
            syntax_error(n->line, n->column, m);
        }
    }
}

Node *StatementParser::target(std::string_view end_name, bool name_space) {
    Token at = ts_.current();
    NodeList items;
    bool is_tuple = false;
    while (true) {
        if (items.size) ts_.expect(T::comma);
        if (tuple_end(end_name)) break;
        items.add(target_item(name_space));
        if (!ts_.is(T::comma)) break;
        is_tuple = true;
    }
    Node *n = items.first;
    if (!is_tuple && !n) fail(ts_.current(), "Expected an expression, got '", token_name(ts_.current()), "'");
    if (is_tuple) {
        n = ex_.make(N::tuple, at);
        n->x = items;
    }
    check_target(n, Ctx::store);
    return n;
}

void StatementParser::signature(Node *n) {
    ts_.expect(T::lparen);
    while (!ts_.is(T::rparen)) {
        if (n->y.size) ts_.expect(T::comma);
        Node *arg = name_target(Ctx::param);
        if (ts_.skip_if(T::assign)) n->z.add(expression());
        else if (n->z.size) fail(ts_.current(), "non-default argument follows default argument");
        n->y.add(arg);
    }
    ts_.expect(T::rparen);
}

void StatementParser::open(Block block, Node *node) {
    ts_.skip_if(T::colon);
    ts_.expect(T::block_end);
    add(node);
    open_.push_back({block, false, node, node});
    if (open_.size() > max_depth_)
        fail_at(Code::limit, Place{-1, node->line, node->column}, "template nests blocks ", open_.size(), " deep, limit ", max_depth_);
    output_ = nullptr;
}

// True when the tag continued or closed the innermost block.
bool StatementParser::end_tag() {
    if (open_.empty() || !ts_.is(T::name)) return false;
    Open &o = open_.back();
    const Token t = ts_.current();
    if (t.text == kBlocks[static_cast<int>(o.block)].end) {
        ts_.next();
        open_.pop_back();
        output_ = nullptr;
        ts_.expect(T::block_end);
        return true;
    }
    if (o.in_else || (o.block != Block::if_ && o.block != Block::for_)) return false;
    if (t.text == "else") {
        ts_.next();
        ts_.skip_if(T::colon);
        ts_.expect(T::block_end);
        o.in_else = true;
        output_ = nullptr;
        return true;
    }
    if (o.block == Block::if_ && t.text == "elif") {
        Node *n = ex_.make(N::if_, ts_.next());
        n->a = tuple(false);
        o.node->y.add(n);
        o.branch = n;
        ts_.skip_if(T::colon);
        ts_.expect(T::block_end);
        output_ = nullptr;
        return true;
    }
    return false;
}

void StatementParser::statement() {
    if (!ts_.is(T::name)) fail(ts_.current(), "tag name expected");
    const Token tag = ts_.next();
    std::string_view w = tag.text;
    if (w == "if") {
        Node *n = ex_.make(N::if_, tag);
        n->a = tuple(false);
        return open(Block::if_, n);
    }
    if (w == "for") {
        Node *n = ex_.make(N::for_, tag);
        n->a = target("in", false);
        ts_.expect_name("in");
        n->b = tuple(false, "recursive");
        if (ts_.skip_if_name("if")) n->c = expression();
        n->flag = ts_.skip_if_name("recursive");
        return open(Block::for_, n);
    }
    if (w == "set") {
        Node *to = target({}, true);
        if (ts_.skip_if(T::assign)) {
            Node *n = ex_.make(N::assign, tag);
            n->a = to;
            n->b = tuple(true);
            add(n);
            ts_.expect(T::block_end);
            return;
        }
        Node *n = ex_.make(N::assign_block, tag);
        n->a = to;
        if (ts_.skip_if(T::pipe)) n->b = ex_.filter_chain(depth());
        return open(Block::set, n);
    }
    if (w == "macro") {
        Node *n = ex_.make(N::macro, tag);
        n->name = name_target(Ctx::store)->name;
        signature(n);
        return open(Block::macro, n);
    }
    if (w == "call") {
        Node *n = ex_.make(N::call_block, tag);
        if (ts_.is(T::lparen)) signature(n);
        n->a = expression();
        if (n->a->kind != N::call) fail(tag, "expected call");
        return open(Block::call, n);
    }
    if (w == "filter") {
        Node *n = ex_.make(N::filter_block, tag);
        n->a = ex_.filter_chain(depth());
        return open(Block::filter, n);
    }
    if (w == "with") {
        Node *n = ex_.make(N::with, tag);
        while (!ts_.is(T::block_end)) {
            if (n->y.size) ts_.expect(T::comma);
            Node *to = target({}, false);
            check_target(to, Ctx::param);
            n->y.add(to);
            ts_.expect(T::assign);
            n->z.add(expression());
        }
        return open(Block::with, n);
    }
    if (w == "generation") return open(Block::generation, ex_.make(N::call_block, tag));
    if (w == "print") {
        while (!ts_.is(T::block_end)) {
            if (output_ && output_->flag) ts_.expect(T::comma);
            add_output(expression());
            output_->flag = true;
        }
        output_ = nullptr;
        ts_.expect(T::block_end);
        return;
    }
    if (w == "break" || w == "continue") {
        Node *n = ex_.make(w == "break" ? N::break_ : N::continue_, tag);
        add(n);
        ts_.expect(T::block_end);
        return;
    }
    for (std::string_view other : {"include", "import", "from", "extends", "block", "autoescape"})
        if (w == other)
            fail_at(Code::unsupported, Place{-1, tag.line, tag.column}, "template tag '", w, "' is not supported: a template stands alone");
    Message m;
    m << "Encountered unknown tag " << quoted{w} << ".";
    if (!open_.empty()) {
        const BlockTags &b = kBlocks[static_cast<int>(open_.back().block)];
        m << " Jinja was looking for '" << b.end << "'. The innermost block that needs to be closed is '" << b.name << "'.";
    }
    syntax_error(tag.line, tag.column, m);
}

NodeList StatementParser::run() {
    for (;;) {
        const Token t = ts_.current();
        rt_.charge(1);
        if (t.type == T::eof) break;
        if (t.type == T::data) {
            Node *n = ex_.make(N::data, t);
            Str *s = const_cast<Str *>(new_str(rt_, t.text, false));
            count_and_cache(*s);
            n->value = Value::string(s);
            add_output(n);
            ts_.next();
        } else if (t.type == T::variable_begin) {
            ts_.next();
            Node *n = tuple(true);
            add_output(n);
            ts_.expect(T::variable_end);
        } else {
            ts_.expect(T::block_begin);
            if (!end_tag()) statement();
        }
    }
    if (!open_.empty()) {
        const Open &o = open_.back();
        const BlockTags &b = kBlocks[static_cast<int>(o.block)];
        std::string_view more = o.in_else ? "" : o.block == Block::if_ ? "'elif' or 'else' or " : o.block == Block::for_ ? "'else' or " : "";
        Message m;
        m << "Unexpected end of template. Jinja was looking for the following tags: " << more << "'" << b.end
          << "'. The innermost block that needs to be closed is '" << b.name << "'.";
        ts_.fail_here(m);
    }
    return root_;
}

}  // namespace

NodeList parse_template(Rt &rt, const Vector<Token> &tokens, uint32_t max_depth) { return StatementParser(rt, tokens, max_depth).run(); }

}  // namespace inlay::text::jinja
