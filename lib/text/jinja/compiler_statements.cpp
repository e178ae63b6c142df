// SPDX-License-Identifier: Apache-2.0
// Statements to code: scopes, loops, macros and blocks.
#include "text/jinja/compiler.h"

namespace inlay::text::jinja {

// Declares a macro or call block; its body is compiled later. Returns the function's index.
int Compiler::macro(Node *n, Frame *f) {
    Function *fn = function(f->fn, n->kind == N::macro ? FunctionCode::Kind::macro : FunctionCode::Kind::caller, n->name);
    Symbols *sym = inner(f->sym, fn);
    scan_.visit(sym, n->y);
    scan_.visit(sym, n->z);
    scan_.visit(sym, n->x);
    int explicit_caller = -1, i = 0;
    bool own_kwargs = false, own_varargs = false;
    for (Node *a = n->y.first; a; a = a->next, ++i) {
        std::string_view w = a->name->view();
        if (w == "caller") explicit_caller = i;
        own_kwargs |= w == "kwargs";
        own_varargs |= w == "varargs";
        fn->code->params.push_back({a->name, sym->find(names_.id(a->name)).slot});
    }
    fn->code->explicit_caller = explicit_caller >= 0;
    unsigned used = undeclared(rt_, n->x, {"caller", "kwargs", "varargs"});
    auto special = [&](std::string_view w, int32_t *slot) {
        const Str *s = wrap_str(rt_, w, false);
        sym->declare_parameter(names_.id(s));
        *slot = sym->find(names_.id(s)).slot;
    };
    if (used & 1) {
        if (explicit_caller < 0) special("caller", &fn->code->caller_slot);
        else if (static_cast<uint32_t>(static_cast<int>(n->y.size) - explicit_caller) > n->z.size) {
            Message m;
            m << "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.";
            syntax_error(n->line, n->column, m);
        }
    }
    if ((used & 2) && !own_kwargs) special("kwargs", &fn->code->kwargs_slot);
    if ((used & 4) && !own_varargs) special("varargs", &fn->code->varargs_slot);
    Frame *body = rt_.heap.make<Frame>();
    body->sym = sym;
    body->fn = fn;
    pending_.push_back({n, body, fn, fn->code->kind});
    return static_cast<int>(fn->index);
}

void Compiler::do_for(Node *n, Frame *f) {
    if (Node *bad = find_store(rt_, n, "loop")) {
        Message m;
        m << "Can't assign to special loop variable in for-loop target";
        syntax_error(bad->line, bad->column, m);
    }
    Function *fn = n->flag ? function(f->fn, FunctionCode::Kind::loop, nullptr) : f->fn;
    bool extended = n->flag || undeclared(rt_, n->x, {"loop"}) != 0;
    Symbols *body_sym = inner(f->sym, fn);
    const Str *loop_name = wrap_str(rt_, "loop", false);
    if (extended) body_sym->declare_parameter(names_.id(loop_name));
    scan_.visit(body_sym, n->a, true);
    scan_.visit(body_sym, n->x);
    Frame *body = frame(body_sym, f);
    Frame *else_ = nullptr;
    if (n->y.first) {
        Symbols *else_sym = inner(f->sym, fn);
        scan_.visit(else_sym, n->y);
        else_ = frame(else_sym, f);
    }
    int filter = 0;
    if (n->c) {
        Function *test_fn = function(f->fn, FunctionCode::Kind::filter, nullptr);
        Symbols *test_sym = inner(f->sym, test_fn);
        scan_.visit(test_sym, n->a, true);
        scan_.visit(test_sym, n->c);
        Frame *test = frame(test_sym, f);
        test->fn = test_fn;
        test->loop = nullptr;
        pending_.push_back({n, test, test_fn, FunctionCode::Kind::filter});
        filter = static_cast<int>(test_fn->index) + 1;
    }
    if (n->flag) {
        body->fn = fn;
        body->buffers = 0;
        body->loop = nullptr;
        if (else_) else_->fn = fn, else_->buffers = 0, else_->loop = nullptr;
        pending_.push_back({n, body, fn, FunctionCode::Kind::loop, else_, filter});
        op(Op::output, n);
        op(Op::call_loop, n, static_cast<int32_t>(fn->index));
        expr(n->b, f);
        return;
    }
    loop_tasks(n, f, body, else_, filter, false);
}

void Compiler::loop_tasks(Node *n, Frame *outer, Frame *body, Frame *else_, int filter, bool recursive) {
    LoopLabels *labels = rt_.heap.make<LoopLabels>();
    *labels = {label(), label(), body->buffers};
    body->loop = labels;
    const Str *loop_name = wrap_str(rt_, "loop", false);
    int32_t loop_slot = -1;
    for (const Symbols::Entry &e : body->sym->entries())
        if (e.name == names_.id(loop_name) && e.load == Symbols::Load::parameter) loop_slot = e.ref.slot;
    size_t from = tasks_.size();
    if (!recursive) expr(n->b, outer);
    op(Op::for_setup, n, loop_slot, recursive ? 1 : 0, static_cast<uint16_t>(filter));
    bind(labels->next);
    op(Op::for_next, n, labels->end);
    later(Task::Kind::store, n->a, body);
    later(Task::Kind::enter, nullptr, body);
    for (Node *s = n->x.first; s; s = s->next) later(Task::Kind::stmt, s, body);
    op(Op::loop_done, n);
    op(Op::jump, n, labels->next);
    bind(labels->end);
    op(Op::for_end, n, 0, else_ ? 1 : 0);
    later(Task::Kind::leave, nullptr, body);
    if (else_) {
        int after = label();
        op(Op::jump_true, n, after);
        later(Task::Kind::enter, nullptr, else_);
        for (Node *s = n->y.first; s; s = s->next) later(Task::Kind::stmt, s, else_);
        later(Task::Kind::leave, nullptr, else_);
        bind(after);
    }
    std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
}

void Compiler::do_stmt(Node *n, Frame *f) {
    switch (n->kind) {
        case N::output: {
            size_t from = tasks_.size();
            for (Node *c = n->x.first; c; c = c->next) {
                if (c->kind == N::data) {
                    op(Op::output_constant, c, constant(c->value));
                } else {
                    expr(c, f);
                    op(Op::output, c);
                }
            }
            std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
            return;
        }
        case N::assign: {
            later(Task::Kind::store, n->a, f);
            expr(n->b, f);
            Vector<Node *> refs(Alloc<Node *>(rt_.heap.memory(), MemTag::text));
            refs.push_back(n->a);
            while (!refs.empty()) {
                Node *t = refs.back();
                refs.pop_back();
                if (t->kind == N::ns_ref) {
                    Variable v = lookup(f, t);
                    emit({Op::check_space, hops(f, v), 0, v.slot}, t);
                }
                for (Node *c = t->kind == N::tuple ? t->x.first : nullptr; c; c = c->next) refs.push_back(c);
            }
            return;
        }
        case N::assign_block: {
            Symbols *sym = inner(f->sym, f->fn);
            scan_.visit(sym, n->x);
            if (n->b) scan_.visit(sym, n->b);
            Frame *in = frame(sym, f);
            ++in->buffers;
            later(Task::Kind::leave, nullptr, in);
            later(Task::Kind::store, n->a, f);
            expr(n->b, in);
            op(Op::pop_buffer, n);
            list(n->x, in, Task::Kind::stmt);
            op(Op::push_buffer, n);
            return later(Task::Kind::enter, nullptr, in);
        }
        case N::filter_block: {
            Symbols *sym = inner(f->sym, f->fn);
            scan_.visit(sym, n->x);
            scan_.visit(sym, n->a);
            Frame *in = frame(sym, f);
            ++in->buffers;
            later(Task::Kind::leave, nullptr, in);
            op(Op::output, n);
            expr(n->a, in);
            op(Op::pop_buffer, n);
            list(n->x, in, Task::Kind::stmt);
            op(Op::push_buffer, n);
            return later(Task::Kind::enter, nullptr, in);
        }
        case N::if_: {
            Frame *soft = frame(f->sym, f, true);
            int end = label();
            size_t from = tasks_.size();
            auto branch = [&](Node *b) {
                int next = label();
                expr(b->a, soft);
                op(Op::jump_false, b, next);
                for (Node *s = b->x.first; s; s = s->next) later(Task::Kind::stmt, s, soft);
                op(Op::jump, b, end);
                bind(next);
            };
            branch(n);
            for (Node *e = n->y.first; e; e = e->next) branch(e);
            for (Node *s = n->z.first; s; s = s->next) later(Task::Kind::stmt, s, soft);
            bind(end);
            std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
            return;
        }
        case N::for_: return do_for(n, f);
        case N::macro: {
            int index = macro(n, f);
            emit({Op::make_macro, 0, 0, index}, n);
            Variable v = lookup(f, n);
            return emit({Op::store, hops(f, v), 0, v.slot}, n);
        }
        case N::call_block: {
            int index = macro(n, f);
            emit({Op::make_macro, 0, 0, index}, n);
            op(Op::output, n);
            if (!n->a) {  // {% generation %}: calls its own body
                CallSig sig;
                p_.signatures.push_back(sig);
                return op(Op::call, n, static_cast<int32_t>(p_.signatures.size() - 1));
            }
            do_call_args(n->a, f, Op::call, 0, 0, true);
            return expr(n->a->a, f);
        }
        case N::with: {
            Symbols *sym = inner(f->sym, f->fn);
            scan_.visit(sym, n->y);
            scan_.visit(sym, n->x);
            Frame *in = frame(sym, f);
            size_t from = tasks_.size();
            later(Task::Kind::enter, nullptr, in);
            for (Node *to = n->y.first, *v = n->z.first; to && v; to = to->next, v = v->next) {
                expr(v, f);
                later(Task::Kind::store, to, in);
            }
            for (Node *s = n->x.first; s; s = s->next) later(Task::Kind::stmt, s, in);
            later(Task::Kind::leave, nullptr, in);
            std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
            return;
        }
        case N::break_:
        case N::continue_: {
            if (!f->loop) {
                Message m;
                m << "'" << (n->kind == N::break_ ? "break" : "continue") << "' outside loop";
                syntax_error(n->line, n->column, m);
            }
            if (f->buffers > f->loop->buffers) emit({Op::drop_buffers, 0, 0, f->buffers - f->loop->buffers}, n);
            return emit({Op::jump, 0, 0, n->kind == N::break_ ? f->loop->end : f->loop->next}, n);
        }
        default: fail(Code::internal, "template compiler met node ", static_cast<int>(n->kind), " as a statement");
    }
}

}  // namespace inlay::text::jinja
