// SPDX-License-Identifier: Apache-2.0
// The scope analysis. All walks use heap stacks; they are charged to the fuel of parsing, as a hostile template can
// make them quadratic.
#include "text/jinja/symbols.h"

#include <initializer_list>

namespace inlay::text::jinja {

uint32_t Names::id(const Str *name) {
    auto it = ids_.find(name->view());
    if (it != ids_.end()) return it->second;
    uint32_t n = static_cast<uint32_t>(program_.names.size());
    if (n > UINT16_MAX) fail(Code::limit, "template uses ", n, " names, limit ", UINT16_MAX);
    count_and_cache(*name);
    program_.names.push_back(name);
    ids_.emplace(name->view(), n);
    return n;
}

namespace {
Variable variable(Rt &rt, Function *fn, uint32_t level, uint32_t name) {
    uint64_t key = static_cast<uint64_t>(level) << 32 | name;
    rt.charge(fn->slots.size() / 8);
    for (size_t i = 0; i < fn->slots.size(); ++i)
        if (fn->slots[i] == key) return {fn, static_cast<int32_t>(i)};
    fn->slots.push_back(key);
    return {fn, static_cast<int32_t>(fn->slots.size() - 1)};
}
}  // namespace

Symbols::Entry *Symbols::own(uint32_t name) {
    rt_->charge(entries_.size() / 8);
    for (Entry &e : entries_)
        if (e.name == name) return &e;
    return nullptr;
}

Variable Symbols::find(uint32_t name) const {
    for (const Symbols *s = this; s; s = s->parent_)
        if (const Entry *e = s->own(name); e && e->has_ref) return e->ref;
    return {};
}

Symbols::Entry &Symbols::define(uint32_t name, Load load) {
    Entry *e = own(name);
    if (!e) e = &entries_.emplace_back(Entry{name});
    e->has_ref = true;
    e->ref = variable(*rt_, fn_, level_, name);
    e->load = load;
    return *e;
}

void Symbols::store(uint32_t name) {
    Entry *e = own(name);
    if (!e) e = &entries_.emplace_back(Entry{name});
    e->stored = true;
    if (e->has_ref) return;
    Variable outer = parent_ ? parent_->find(name) : Variable{};
    Entry &d = define(name, outer.fn ? Load::alias : Load::undefined);
    d.alias = outer;
}

void Symbols::declare_parameter(uint32_t name) { define(name, Load::parameter).stored = true; }

void Symbols::load(uint32_t name) {
    if (!find(name).fn) define(name, Load::resolve);
}

void Symbols::branch_update(Symbols *const branches[3]) {
    Vector<uint32_t> stores(Alloc<uint32_t>(rt_->heap.memory(), MemTag::text));
    for (int i = 0; i < 3; ++i)
        for (const Entry &e : branches[i]->entries_) {
            if (!e.stored) continue;
            const Entry *mine = own(e.name);
            if (!mine || !mine->stored) stores.push_back(e.name);
        }
    for (int i = 0; i < 3; ++i)
        for (const Entry &e : branches[i]->entries_) {
            Entry *mine = own(e.name);
            if (!mine) mine = &entries_.emplace_back(Entry{e.name});
            if (e.has_ref) mine->has_ref = true, mine->ref = e.ref;
            if (e.load != Load::none) mine->load = e.load, mine->alias = e.alias;
            mine->stored = mine->stored || e.stored;
        }
    for (uint32_t name : stores) {
        Entry *e = own(name);
        Variable outer = parent_ ? parent_->find(name) : Variable{};
        e->load = outer.fn ? Load::alias : Load::resolve;
        e->alias = outer;
    }
}

struct SymbolScan::IfState {
    Symbols *original;
    Symbols *branch[3];
};
struct SymbolScan::Task {
    enum class Kind : uint8_t { visit, parameter, branch, merge } kind;
    Node *node = nullptr;
    IfState *state = nullptr;
    int which = 0;
};

void SymbolScan::visit(Symbols *into, const NodeList &nodes) {
    Vector<Task> tasks(Alloc<Task>(rt_.heap.memory(), MemTag::text));
    Vector<Node *> order(Alloc<Node *>(rt_.heap.memory(), MemTag::text));
    for (Node *n = nodes.first; n; n = n->next) order.push_back(n);
    for (size_t i = order.size(); i-- > 0;) tasks.push_back({Task::Kind::visit, order[i]});
    run(into, tasks);
}

void SymbolScan::visit(Symbols *into, Node *node, bool as_parameter) {
    if (!node) return;
    Vector<Task> tasks(Alloc<Task>(rt_.heap.memory(), MemTag::text));
    tasks.push_back({as_parameter ? Task::Kind::parameter : Task::Kind::visit, node});
    run(into, tasks);
}

void SymbolScan::run(Symbols *cur, Vector<Task> &tasks) {
    Vector<Node *> order(Alloc<Node *>(rt_.heap.memory(), MemTag::text));
    auto push = [&](Node *n, Task::Kind kind = Task::Kind::visit) {
        if (n) tasks.push_back({kind, n});
    };
    auto push_list = [&](const NodeList &l, Task::Kind kind = Task::Kind::visit) {  // so that the first is visited first
        order.clear();
        for (Node *n = l.first; n; n = n->next) order.push_back(n);
        for (size_t i = order.size(); i-- > 0;) tasks.push_back({kind, order[i]});
    };
    while (!tasks.empty()) {
        Task t = tasks.back();
        tasks.pop_back();
        rt_.charge(1);
        if (t.kind == Task::Kind::branch) {  // ends the branch before, begins branch `which`
            if (t.which > 0) t.state->branch[t.which - 1] = cur;
            rt_.charge(t.state->original->entries().size());
            cur = &pool_.emplace_back(*t.state->original);
            continue;
        }
        if (t.kind == Task::Kind::merge) {
            t.state->branch[2] = cur;
            cur = t.state->original;
            cur->branch_update(t.state->branch);
            continue;
        }
        Node *n = t.node;
        switch (n->kind) {
            case N::name:
                if (t.kind == Task::Kind::parameter || n->ctx == Ctx::param) cur->declare_parameter(names_.id(n->name));
                else if (n->ctx == Ctx::store) cur->store(names_.id(n->name));
                else cur->load(names_.id(n->name));
                break;
            case N::ns_ref: cur->load(names_.id(n->name)); break;
            case N::tuple: push_list(n->x, t.kind); break;
            case N::if_: {
                IfState *s = rt_.heap.make<IfState>();
                s->original = cur;
                // Read from the bottom: test, then three branches on copies, then the merge.
                tasks.push_back({Task::Kind::merge, nullptr, s});
                push_list(n->z);
                tasks.push_back({Task::Kind::branch, nullptr, s, 2});
                push_list(n->y);
                tasks.push_back({Task::Kind::branch, nullptr, s, 1});
                push_list(n->x);
                tasks.push_back({Task::Kind::branch, nullptr, s, 0});
                push(n->a);
                break;
            }
            case N::macro: cur->store(names_.id(n->name)); break;
            case N::assign:
                push(n->a);
                push(n->b);
                break;
            case N::for_: push(n->b); break;
            case N::call_block: push(n->a); break;
            case N::filter_block: push(n->a); break;
            case N::with: push_list(n->z); break;
            case N::assign_block: push(n->a); break;
            case N::data:
            case N::constant: break;
            default:
                push_list(n->z);
                push_list(n->y);
                push_list(n->x);
                push(n->c);
                push(n->b);
                push(n->a);
        }
    }
}

unsigned undeclared(Rt &rt, const NodeList &nodes, std::initializer_list<std::string_view> names) {
    unsigned open = (1u << names.size()) - 1, found = 0;
    Vector<Node *> tasks(Alloc<Node *>(rt.heap.memory(), MemTag::text)), order(Alloc<Node *>(rt.heap.memory(), MemTag::text));
    auto push_list = [&](const NodeList &l) {
        order.clear();
        for (Node *n = l.first; n; n = n->next) order.push_back(n);
        for (size_t i = order.size(); i-- > 0;) tasks.push_back(order[i]);
    };
    auto push = [&](Node *n) {
        if (n) tasks.push_back(n);
    };
    push_list(nodes);
    while (!tasks.empty()) {
        Node *n = tasks.back();
        tasks.pop_back();
        rt.charge(1);
        if (n->kind == N::name) {
            unsigned bit = 1;
            for (std::string_view w : names) {
                if (n->name->view() == w) {
                    if (n->ctx == Ctx::load) found |= bit & open;
                    else open &= ~bit;
                }
                bit <<= 1;
            }
            continue;
        }
        // The order of Jinja's fields, as a binding hides the loads after it.
        switch (n->kind) {
            case N::for_: push(n->c), push_list(n->y), push_list(n->x), push(n->b), push(n->a); break;
            case N::if_: push_list(n->z), push_list(n->y), push_list(n->x), push(n->a); break;
            case N::macro:
            case N::call_block: push_list(n->x), push_list(n->z), push_list(n->y), push(n->a); break;
            case N::filter_block: push(n->a), push_list(n->x); break;
            case N::with: push_list(n->x), push_list(n->z), push_list(n->y); break;
            case N::cond: push(n->c), push(n->a), push(n->b); break;
            default: push(n->c), push(n->b), push_list(n->z), push_list(n->y), push_list(n->x), push(n->a);
        }
    }
    return found;
}

Node *find_store(Rt &rt, Node *root, std::string_view word) {
    Vector<Node *> tasks(Alloc<Node *>(rt.heap.memory(), MemTag::text));
    tasks.push_back(root);
    while (!tasks.empty()) {
        Node *n = tasks.back();
        tasks.pop_back();
        rt.charge(1);
        if (n->kind == N::name && n->ctx == Ctx::store && n->name->view() == word) return n;
        for (Node *c : {n->a, n->b, n->c})
            if (c) tasks.push_back(c);
        for (const NodeList *l : {&n->x, &n->y, &n->z})
            for (Node *c = l->first; c; c = c->next) tasks.push_back(c);
    }
    return nullptr;
}

}  // namespace inlay::text::jinja
