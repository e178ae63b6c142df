// SPDX-License-Identifier: Apache-2.0
// The tree to code. Work waits on a stack of tasks instead of the C stack: a node pushes what must happen after it,
// last first. Function bodies (macros, call blocks, recursive loops, loop filters) queue up and are compiled in turn.
#include "text/jinja/compiler.h"

#include "text/jinja/lexer.h"

namespace inlay::text::jinja {

Function *Compiler::function(Function *parent, FunctionCode::Kind kind, const Str *name) {
    Function &fn = functions_.emplace_back(rt_.heap.memory());
    fn.index = static_cast<uint32_t>(p_.functions.size());
    if (fn.index >= UINT16_MAX) fail(Code::limit, "template defines ", fn.index, " functions, limit ", UINT16_MAX);
    fn.parent = parent;
    p_.functions.push_back(make_owned<FunctionCode>(rt_.heap.memory(), rt_.heap.memory()));
    fn.code = p_.functions.back().get();
    fn.code->kind = kind;
    fn.code->name = name;
    return &fn;
}

Variable Compiler::lookup(Frame *f, Node *n) {
    uint32_t id = names_.id(n->name);
    Variable v = f->sym->find(id);
    if (!v.fn) {
        // Only the filter of a set block can name what its scope has not seen; it is resolved like any other.
        f->sym->load(id);
        v = f->sym->find(id);
        emit({Op::resolve, 0, static_cast<uint16_t>(id), v.slot}, n);
    }
    return v;
}

void Compiler::do_enter(Frame *f) {
    for (const Symbols::Entry &e : f->sym->entries()) {
        if (!e.has_ref) continue;
        if (e.load == Symbols::Load::resolve) emit({Op::resolve, 0, static_cast<uint16_t>(e.name), e.ref.slot}, nullptr);
        else if (e.load == Symbols::Load::undefined) emit({Op::clear, 0, 0, e.ref.slot}, nullptr);
        else if (e.load == Symbols::Load::alias) {
            if (e.alias.slot > UINT16_MAX) fail(Code::limit, "template has more than ", UINT16_MAX, " variables");
            emit({Op::copy, hops(f, e.alias), static_cast<uint16_t>(e.alias.slot), e.ref.slot}, nullptr);
        }
    }
}

void Compiler::do_leave(Frame *f) {
    for (const Symbols::Entry &e : f->sym->entries())
        if (e.has_ref && e.load != Symbols::Load::none) emit({Op::clear, 0, 0, e.ref.slot}, nullptr);
}

void Compiler::do_store(Node *n, Frame *f) {
    if (n->kind == N::tuple) {
        list(n->x, f, Task::Kind::store);
        op(Op::unpack, n, static_cast<int32_t>(n->x.size));
        return;
    }
    Variable v = lookup(f, n);
    if (n->kind == N::ns_ref) emit({Op::set_space, hops(f, v), small_constant(Value::string(n->attr)), v.slot}, n);
    else emit({Op::store, hops(f, v), 0, v.slot}, n);
}

void Compiler::do_compare(Node *n, Frame *f) {
    if (n->x.size == 1) {
        op(Op::compare, n->x.first, 0, n->x.first->op);
        expr(n->x.first->a, f);
        expr(n->a, f);
        return;
    }
    int clean = label(), end = label();
    // a b DUP-and-swap, compare, leave with the false value under which one operand waits.
    bind(end);
    op(Op::pop, n);
    op(Op::rot2, n);
    bind(clean);
    op(Op::jump, n, end);
    size_t from = tasks_.size();
    expr(n->a, f);
    for (Node *o = n->x.first; o; o = o->next) {
        expr(o->a, f);
        if (o->next) {
            op(Op::dup, o);
            op(Op::rot3, o);
        }
        op(Op::compare, o, 0, o->op);
        if (o->next) op(Op::jump_false_keep, o, clean);
    }
    std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
}

void Compiler::do_call_args(Node *n, Frame *f, Op o, uint8_t x, uint16_t y, bool with_caller) {
    CallSig sig;
    sig.n_pos = n->x.size;
    sig.n_kw = n->y.size;
    sig.caller = with_caller;
    sig.star = n->b != nullptr;
    sig.star_star = n->c != nullptr;
    sig.kw_names = static_cast<uint32_t>(p_.kw_names.size());
    for (Node *k = n->y.first; k; k = k->next) p_.kw_names.push_back(k->name);
    p_.signatures.push_back(sig);
    op(o, n, static_cast<int32_t>(p_.signatures.size() - 1), x, y);
    // The call block's own macro was pushed before the callee; it moves to the top.
    if (with_caller) op(Op::roll, n, static_cast<int32_t>(1 + sig.n_pos + sig.n_kw + sig.star + sig.star_star));
    if (n->c) expr(n->c, f);
    if (n->b) expr(n->b, f);
    size_t from = tasks_.size();
    for (Node *a = n->x.first; a; a = a->next) expr(a, f);
    for (Node *k = n->y.first; k; k = k->next) expr(k->a, f);
    std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
}

void Compiler::do_expr(Node *n, Frame *f) {
    switch (n->kind) {
        case N::constant: return emit({Op::constant, 0, 0, constant(n->value)}, n);
        case N::name: {
            Variable v = lookup(f, n);
            return emit({Op::load, hops(f, v), name_id(n->name), v.slot}, n);
        }
        case N::tuple:
            op(Op::tuple, n, static_cast<int32_t>(n->x.size));
            return list(n->x, f, Task::Kind::expr);
        case N::list:
            op(Op::list, n, static_cast<int32_t>(n->x.size));
            return list(n->x, f, Task::Kind::expr);
        case N::dict:
            op(Op::dict, n, static_cast<int32_t>(n->x.size / 2));
            return list(n->x, f, Task::Kind::expr);
        case N::concat:
            op(Op::concat, n, static_cast<int32_t>(n->x.size));
            return list(n->x, f, Task::Kind::expr);
        case N::cond: {
            int other = label(), end = label();
            Frame *soft = frame(f->sym, f, true);
            bind(end);
            if (n->c) {
                expr(n->c, soft);
            } else {
                Message m;
                m << "the inline if-expression on line " << n->line << " evaluated to false and no else section was defined.";
                op(Op::constant, n, constant(undefined(rt_, m.view())));
            }
            bind(other);
            op(Op::jump, n, end);
            expr(n->a, soft);
            op(Op::jump_false, n, other);
            return expr(n->b, soft);
        }
        case N::binary:
            op(Op::binary, n, 0, n->op);
            expr(n->b, f);
            return expr(n->a, f);
        case N::and_:
        case N::or_: {
            int end = label();
            bind(end);
            expr(n->b, f);
            op(n->kind == N::and_ ? Op::jump_false_keep : Op::jump_true_keep, n, end);
            return expr(n->a, f);
        }
        case N::not_: op(Op::not_, n); return expr(n->a, f);
        case N::neg:
            if (n->a->kind == N::constant && n->a->value.is(Kind::integer) && n->a->value.i != 0)
                return emit({Op::constant, 0, 0, constant(Value::integer(-n->a->value.i))}, n);
            op(Op::neg, n);
            return expr(n->a, f);
        case N::pos: op(Op::pos, n); return expr(n->a, f);
        case N::compare: return do_compare(n, f);
        case N::getattr:
            op(Op::getattr, n, constant(Value::string(n->name)));
            return expr(n->a, f);
        case N::getitem:
            op(Op::getitem, n);
            expr(n->b, f);
            return expr(n->a, f);
        case N::slice: {
            op(Op::slice, n);
            for (Node *part : {n->c, n->b, n->a}) {
                if (part) expr(part, f);
                else op(Op::constant, n, constant(Value::none()));
            }
            return;
        }
        case N::call:
            do_call_args(n, f, Op::call, 0, 0, false);
            return expr(n->a, f);
        case N::filter:
        case N::test: {
            bool filter = n->kind == N::filter;
            int id = filter ? find_filter(n->name->view()) : find_test(n->name->view());
            if (filter && n->name->view() == "from_json") id = find_filter("from_json");
            if (id < 0) {
                if (!f->soft) {
                    Message m;
                    m << "No " << (filter ? "filter" : "test") << " named " << quoted{n->name->view()} << ".";
                    syntax_error(n->line, n->column, m);
                }
                do_call_args(n, f, Op::unknown, filter ? 0 : 1, name_id(n->name), false);
            } else {
                do_call_args(n, f, filter ? Op::filter : Op::test, 0, static_cast<uint16_t>(id), false);
            }
            return expr(n->a, f);
        }
        default: fail(Code::internal, "template compiler met node ", static_cast<int>(n->kind), " as an expression");
    }
}

void Compiler::drain() {
    while (!tasks_.empty()) {
        Task t = tasks_.back();
        tasks_.pop_back();
        rt_.charge(1);
        switch (t.kind) {
            case Task::Kind::expr: do_expr(t.node, t.frame); break;
            case Task::Kind::stmt: do_stmt(t.node, t.frame); break;
            case Task::Kind::emit: emit(t.instr, t.node); break;
            case Task::Kind::bind: labels_[static_cast<size_t>(t.label)] = static_cast<int32_t>(code_->code.size()); break;
            case Task::Kind::store: do_store(t.node, t.frame); break;
            case Task::Kind::enter: do_enter(t.frame); break;
            case Task::Kind::leave: do_leave(t.frame); break;
        }
    }
}

void Compiler::finish() {
    for (Instr &i : code_->code) switch (i.op) {
            case Op::jump:
            case Op::jump_false:
            case Op::jump_true:
            case Op::jump_false_keep:
            case Op::jump_true_keep:
            case Op::jump_set:
            case Op::for_next:
                i.a = labels_[static_cast<size_t>(i.a)];
                break;
            default: break;
        }
}

void Compiler::start(const Pending &p) {
    code_ = p.fn->code;
    labels_.clear();
    size_t from = tasks_.size();
    if (p.kind == FunctionCode::Kind::filter) {
        later(Task::Kind::store, p.node->a, p.frame);
        later(Task::Kind::enter, nullptr, p.frame);
        expr(p.node->c, p.frame);
        op(Op::return_value, p.node->c);
    } else if (p.kind == FunctionCode::Kind::loop) {
        op(Op::return_text, p.node);
        return loop_tasks(p.node, nullptr, p.frame, p.else_, p.filter, true);
    } else {
        later(Task::Kind::enter, nullptr, p.frame);
        int i = 0, first_default = static_cast<int>(p.node->y.size) - static_cast<int>(p.node->z.size);
        Node *def = p.node->z.first;
        for (Node *a = p.node->y.first; a; a = a->next, ++i) {
            int set = label();
            int32_t slot = p.fn->code->params[static_cast<size_t>(i)].slot;
            op(Op::jump_set, a, set, 0, static_cast<uint16_t>(slot));
            if (i >= first_default) {
                expr(def, p.frame);
                op(Op::store, a, slot);
                def = def->next;
            } else {
                op(Op::undefined_param, a, slot, 0, name_id(a->name));
            }
            bind(set);
        }
        for (Node *s = p.node->x.first; s; s = s->next) later(Task::Kind::stmt, s, p.frame);
        op(Op::return_text, p.node);
    }
    std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
}

void Compiler::run(const NodeList &body) {
    Function *root = function(nullptr, FunctionCode::Kind::root, nullptr);
    Frame *f = rt_.heap.make<Frame>();
    f->fn = root;
    f->sym = inner(nullptr, root);
    scan_.visit(f->sym, body);
    code_ = root->code;
    op(Op::return_text, nullptr);
    list(body, f, Task::Kind::stmt);
    later(Task::Kind::enter, nullptr, f);
    drain();
    finish();
    while (!pending_.empty()) {
        Pending p = pending_.front();
        pending_.pop_front();
        start(p);
        drain();
        finish();
    }
    for (Function &fn : functions_) fn.code->n_slots = static_cast<int32_t>(fn.slots.size());
}

void compile(Program &p, std::string_view source) {
    if (source.size() > p.limits.template_bytes)
        fail(Code::limit, "template has ", source.size(), " bytes, limit ", p.limits.template_bytes);
    Memory &m = p.rt.heap.memory();
    Vector<Token> tokens(Alloc<Token>(m, MemTag::text));
    lex(p.rt, source, tokens);
    NodeList body = parse_template(p.rt, tokens, p.limits.template_ast_depth);
    Compiler(p).run(body);
}

}  // namespace inlay::text::jinja
