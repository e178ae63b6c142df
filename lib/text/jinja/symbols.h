// SPDX-License-Identifier: Apache-2.0
// Which variable a name means. Jinja decides it for a whole scope before the scope runs, and templates depend on the
// details (what `set` in an if or a loop does to the name outside), so the same analysis is done here.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/code.h"

namespace inlay::text::jinja {

struct Function {  // a FunctionCode being made; variables are numbered by (scope level, name)
    Function(Memory &m) : slots(Alloc<uint64_t>(m, MemTag::text)) {}
    uint32_t index = 0;
    Function *parent = nullptr;
    FunctionCode *code = nullptr;
    Vector<uint64_t> slots;  // level << 32 | name id
};

struct Variable {
    Function *fn = nullptr;
    int32_t slot = -1;
};

class Names {
public:
    explicit Names(Program &p) : program_(p), ids_(Alloc<std::pair<const std::string_view, uint32_t>>(p.rt.heap.memory(), MemTag::text)) {}
    uint32_t id(const Str *name);

private:
    Program &program_;
    Map<std::string_view, uint32_t> ids_;
};

class Symbols {
public:
    enum class Load : uint8_t { none, parameter, resolve, alias, undefined };
    struct Entry {
        uint32_t name;
        bool stored = false, has_ref = false;
        Load load = Load::none;
        Variable ref, alias;
    };
    Symbols(Rt &rt, Symbols *parent, Function *fn)
        : rt_(&rt), parent_(parent), fn_(fn), level_(parent ? parent->level_ + 1 : 0), entries_(Alloc<Entry>(rt.heap.memory(), MemTag::text)) {}
    const Vector<Entry> &entries() const { return entries_; }
    Variable find(uint32_t name) const;  // slot -1: unknown to this scope and all around it
    void store(uint32_t name);
    void load(uint32_t name);
    void declare_parameter(uint32_t name);
    void branch_update(Symbols *const branches[3]);
    Function *function() const { return fn_; }
    Symbols *parent() const { return parent_; }

private:
    Entry *own(uint32_t name);
    const Entry *own(uint32_t name) const { return const_cast<Symbols *>(this)->own(name); }
    Entry &define(uint32_t name, Load load);
    Rt *rt_;
    Symbols *parent_;
    Function *fn_;
    uint32_t level_;
    Vector<Entry> entries_;
};

// Visits nodes of one scope: what is stored, loaded, given. `targets` are names the scope is given (a loop's target).
class SymbolScan {
public:
    SymbolScan(Rt &rt, Names &names, Deque<Symbols> &pool) : rt_(rt), names_(names), pool_(pool) {}
    void visit(Symbols *into, const NodeList &nodes);
    void visit(Symbols *into, Node *node, bool as_parameter = false);

private:
    struct IfState;
    struct Task;
    void run(Symbols *into, Vector<Task> &tasks);
    Rt &rt_;
    Names &names_;
    Deque<Symbols> &pool_;
};

// Which of the names (a bit each) are loaded in `nodes` before they are bound there.
unsigned undeclared(Rt &rt, const NodeList &nodes, std::initializer_list<std::string_view> names);
// The first name `word` that is stored anywhere under n.
Node *find_store(Rt &rt, Node *n, std::string_view word);

}  // namespace inlay::text::jinja
