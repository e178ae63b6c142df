// SPDX-License-Identifier: Apache-2.0
// The tree to code. Work waits on a stack of tasks instead of the C stack: a node pushes what must happen after it,
// last first. Function bodies (macros, call blocks, recursive loops, loop filters) queue up and are compiled in turn.
#include <algorithm>

#include "text/jinja/code.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"
#include "text/jinja/symbols.h"

namespace inlay::text::jinja {

namespace {

struct LoopLabels {
    int next, end, buffers;
};

struct Frame {  // where code stands: its scope, its function, the loop around it
    Symbols *sym = nullptr;
    Function *fn = nullptr;
    bool soft = false;  // in a branch: unknown filters fail only when reached
    LoopLabels *loop = nullptr;
    int buffers = 0;
};

struct Task {
    enum class Kind : uint8_t { expr, stmt, emit, bind, store, enter, leave } kind;
    Node *node = nullptr;
    Frame *frame = nullptr;
    Instr instr{};
    int label = 0;
};

struct Pending {
    Node *node;
    Frame *frame;  // of the body
    Function *fn;
    FunctionCode::Kind kind;
    Frame *else_ = nullptr;  // of a recursive loop
    int filter = 0;
};

class Compiler {
public:
    explicit Compiler(Program &p)
        : p_(p), rt_(p.rt), names_(p), symbols_(Alloc<Symbols>(p.rt.heap.memory(), MemTag::text)),
          functions_(Alloc<Function>(p.rt.heap.memory(), MemTag::text)), tasks_(Alloc<Task>(p.rt.heap.memory(), MemTag::text)),
          pending_(Alloc<Pending>(p.rt.heap.memory(), MemTag::text)), labels_(Alloc<int32_t>(p.rt.heap.memory(), MemTag::text)),
          scan_(p.rt, names_, symbols_) {}
    void run(const NodeList &body);

private:
    Frame *frame(Symbols *sym, const Frame *like, bool soft = false) {
        Frame *f = rt_.heap.make<Frame>();
        *f = *like;
        f->sym = sym;
        f->soft = soft;
        return f;
    }
    Symbols *inner(Symbols *parent, Function *fn) { return &symbols_.emplace_back(rt_, parent, fn); }
    Function *function(Function *parent, FunctionCode::Kind kind, const Str *name);
    void emit(const Instr &i, const Node *at) {
        if (code_->code.size() > (1u << 22)) fail(Code::limit, "template compiles to more than ", 1u << 22, " instructions");
        code_->code.push_back(i);
        code_->lines.push_back(at ? static_cast<uint64_t>(at->line) << 32 | static_cast<uint32_t>(at->column) : 0);
    }
    int label() {
        labels_.push_back(-1);
        return static_cast<int>(labels_.size() - 1);
    }
    uint16_t name_id(const Str *s) { return static_cast<uint16_t>(names_.id(s)); }
    int32_t constant(const Value &v) {
        p_.constants.push_back(v);
        return static_cast<int32_t>(p_.constants.size() - 1);
    }
    uint16_t small_constant(const Value &v) {
        int32_t i = constant(v);
        if (i > UINT16_MAX) fail(Code::limit, "template has more than ", UINT16_MAX, " constants");
        return static_cast<uint16_t>(i);
    }
    uint8_t hops(const Frame *f, const Variable &v) {
        int n = 0;
        for (Function *fn = f->fn; fn && fn != v.fn; fn = fn->parent) ++n;
        return static_cast<uint8_t>(n);
    }
    Variable lookup(Frame *f, Node *n);

    // Tasks, pushed last first.
    void later(Task::Kind kind, Node *n, Frame *f) { tasks_.push_back({kind, n, f}); }
    void expr(Node *n, Frame *f) {
        if (n) later(Task::Kind::expr, n, f);
    }
    void op(Op o, Node *at, int32_t a = 0, uint8_t x = 0, uint16_t y = 0) {
        Task t{Task::Kind::emit, at};
        t.instr = {o, x, y, a};
        tasks_.push_back(t);
    }
    void bind(int l) {
        Task t{Task::Kind::bind};
        t.label = l;
        tasks_.push_back(t);
    }
    void list(const NodeList &l, Frame *f, Task::Kind kind) {
        size_t from = tasks_.size();
        for (Node *n = l.first; n; n = n->next) later(kind, n, f);
        std::reverse(tasks_.begin() + static_cast<long>(from), tasks_.end());
    }
    void drain();
    void do_expr(Node *n, Frame *f);
    void do_call_args(Node *n, Frame *f, Op o, uint8_t x, uint16_t y, bool with_caller);
    void do_compare(Node *n, Frame *f);
    void do_store(Node *n, Frame *f);
    void do_stmt(Node *n, Frame *f);
    void do_for(Node *n, Frame *f);
    void loop_tasks(Node *n, Frame *outer, Frame *body, Frame *else_, int filter, bool recursive);
    void do_enter(Frame *f);
    void do_leave(Frame *f);
    int macro(Node *n, Frame *f);
    void start(const Pending &p);
    void finish();

    Program &p_;
    Rt &rt_;
    Names names_;
    Deque<Symbols> symbols_;
    Deque<Function> functions_;
    Vector<Task> tasks_;
    Deque<Pending> pending_;
    Vector<int32_t> labels_;
    SymbolScan scan_;
    FunctionCode *code_ = nullptr;
};

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
            case Op::jump: case Op::jump_false: case Op::jump_true: case Op::jump_false_keep: case Op::jump_true_keep: case Op::jump_set: case Op::for_next:
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

}  // namespace

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
