// SPDX-License-Identifier: Apache-2.0
// Subset construction on demand.
#include "text/grammar/tables.h"

#include <algorithm>

#include "base/hash.h"

namespace inlay::text::grammar {

Tables::Tables(Memory &m, const Net &net)
    : net_(net),
      sets_(m),
      members_(m),
      calls_(m),
      gates_(m),
      rows_(m),
      slots_(m),
      closure_(net.n_states(), kUnknown, Alloc<SetId>(m)),
      mark_(net.n_states(), 0, Alloc<uint32_t>(m)),
      seeds_(m),
      closed_(m),
      unresolved_(m) {
    slots_.assign(64, 0);
    sets_.emplace_back();
    rows_.assign(net_.n_classes, 0);
}

size_t Tables::bytes() const noexcept {
    return sets_.capacity() * sizeof(StateSet) + members_.capacity() * 4 + calls_.capacity() * sizeof(SetCall) +
           gates_.capacity() * sizeof(SetGate) + rows_.capacity() * 4 + slots_.capacity() * 4 + closure_.capacity() * 8;
}

SetId Tables::close(Vector<uint32_t> &seeds) {
    if (++stamp_ == 0) {
        std::fill(mark_.begin(), mark_.end(), 0);
        stamp_ = 1;
    }
    closed_.clear();
    while (!seeds.empty()) {
        uint32_t s = seeds.back();
        seeds.pop_back();
        if (mark_[s] == stamp_) continue;
        mark_[s] = stamp_;
        // States that only pass through tell nothing apart and are left out of the set's name.
        if (net_.final[s] || !net_.edges.of(s).empty() || !net_.calls.of(s).empty() || !net_.gate_uses.of(s).empty()) closed_.push_back(s);
        for (uint32_t t : net_.eps.of(s))
            if (mark_[t] != stamp_) seeds.push_back(t);
    }
    std::sort(closed_.begin(), closed_.end());
    return intern(closed_);
}

SetId Tables::closure_of(uint32_t state) {
    if (closure_[state] != kUnknown) return closure_[state];
    seeds_.clear();
    seeds_.push_back(state);
    return closure_[state] = close(seeds_);
}

SetId Tables::intern(std::span<const uint32_t> closed) {
    if (closed.empty()) return 0;
    uint64_t h = hash_bytes(closed.data(), closed.size_bytes(), 7);
    size_t mask = slots_.size() - 1;
    for (size_t i = h & mask;; i = (i + 1) & mask) {
        SetId s = slots_[i];
        if (s == 0) break;
        auto have = members(s);
        if (have.size() == closed.size() && std::equal(have.begin(), have.end(), closed.begin())) return s;
    }
    SetId id = static_cast<SetId>(sets_.size());
    StateSet set;
    set.first = static_cast<uint32_t>(members_.size());
    set.n = static_cast<uint32_t>(closed.size());
    set.rule = net_.rule_of[closed[0]];
    members_.insert(members_.end(), closed.begin(), closed.end());
    rows_.resize(rows_.size() + net_.n_classes, kUnknown);
    sets_.push_back(set);
    if (sets_.size() * 2 > slots_.size())
        grow();
    else
        for (size_t i = h & mask;; i = (i + 1) & mask)
            if (slots_[i] == 0) {
                slots_[i] = id;
                break;
            }
    describe(id);
    return id;
}

void Tables::grow() {
    slots_.assign(slots_.size() * 2, 0);
    size_t mask = slots_.size() - 1;
    for (SetId s = 1; s < sets_.size(); ++s) {
        uint64_t h = hash_bytes(members(s).data(), members(s).size_bytes(), 7);
        size_t i = h & mask;
        while (slots_[i] != 0) i = (i + 1) & mask;
        slots_[i] = s;
    }
}

// Calls and gates of a set name other sets, which may have to be made first; those are start or return closures of
// single states, so the chain ends after one level: their own descriptions are made when their turn comes.
void Tables::describe(SetId id) {
    // Two passes because closure_of() may reallocate everything that is being read.
    StateSet d = sets_[id];
    Vector<NetCall> calls(members_.get_allocator());
    Vector<NetGate> gates(members_.get_allocator());
    for (uint32_t s : members(id)) {
        d.final |= net_.final[s] != 0;
        d.reads |= !net_.edges.of(s).empty();
        for (const NetCall &c : net_.calls.of(s)) calls.push_back(c);
        for (const NetGate &g : net_.gate_uses.of(s)) gates.push_back(g);
    }
    d.plain = d.reads && !d.final && calls.empty() && gates.empty();
    d.calls = static_cast<uint32_t>(calls_.size());
    d.n_calls = static_cast<uint32_t>(calls.size());
    for (const NetCall &c : calls) calls_.push_back({c.rule, c.ret, false});  // ret: a state until resolved
    d.gates = static_cast<uint32_t>(gates_.size());
    d.n_gates = static_cast<uint32_t>(gates.size());
    for (const NetGate &g : gates) gates_.push_back({g.to, g.gate});
    sets_[id] = d;
    unresolved_.push_back(id);
    if (resolving_) return;
    resolving_ = true;
    while (!unresolved_.empty()) {
        SetId s = unresolved_.back();
        unresolved_.pop_back();
        for (uint32_t i = 0; i < sets_[s].n_calls; ++i) {
            uint32_t at = sets_[s].calls + i;
            SetId ret = closure_of(calls_[at].ret);
            calls_[at].ret = ret;
            const StateSet &r = sets_[ret];
            calls_[at].tail = r.final && !r.reads && r.n_calls == 0 && r.n_gates == 0;
        }
        for (uint32_t i = 0; i < sets_[s].n_gates; ++i) {
            uint32_t at = sets_[s].gates + i;
            SetId to = closure_of(gates_[at].to);
            gates_[at].to = to;
        }
    }
    resolving_ = false;
}

SetId Tables::step(SetId s, uint32_t cls) {
    uint8_t b = net_.class_byte[cls];
    seeds_.clear();
    for (uint32_t m : members(s))
        for (const NetEdge &e : net_.edges.of(m))
            if (e.lo <= b && b <= e.hi) seeds_.push_back(e.to);
    SetId t = close(seeds_);
    row(s)[cls] = t;
    return t;
}

SetId Tables::join(SetId a, SetId b) {
    if (a == b || b == 0) return a;
    if (a == 0) return b;
    closed_.clear();
    std::set_union(members(a).begin(), members(a).end(), members(b).begin(), members(b).end(), std::back_inserter(closed_));
    return intern(closed_);
}

}  // namespace inlay::text::grammar
