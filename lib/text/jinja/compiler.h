// SPDX-License-Identifier: Apache-2.0
// The compiler's state: tasks that wait, functions that wait, the scope analysis they share.
#pragma once

#include <algorithm>

#include "text/jinja/code.h"
#include "text/jinja/parser.h"
#include "text/jinja/symbols.h"

namespace inlay::text::jinja {

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

}  // namespace inlay::text::jinja
