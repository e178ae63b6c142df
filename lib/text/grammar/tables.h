// SPDX-License-Identifier: Apache-2.0
// The network made deterministic as it is used: sets of states that are reached together (closed over empty edges),
// interned, with their byte transitions filled in on demand. Shared by all matchers of a constraint under its lock.
// When the tables grow past their cap the constraint begins new ones; matchers carry their sets over (Matcher::move_to).
#pragma once

#include <cstdint>

#include "text/grammar/net.h"

namespace inlay::text::grammar {

// 0 is the empty set: nothing can follow.
using SetId = uint32_t;

struct SetCall {
    uint32_t rule;
    SetId ret;
    bool tail;  // nothing but the end stands behind the call: the callee takes over the frame
};
struct SetGate {
    SetId to;
    uint32_t gate;
};

struct StateSet {
    uint32_t first = 0, n = 0;  // members
    uint32_t calls = 0, n_calls = 0;
    uint32_t gates = 0, n_gates = 0;
    uint32_t rule = 0;
    bool final = false;  // its frame may end here
    bool reads = false;  // has byte edges
    bool plain = false;  // reads only: no calls, no gates, not final
};

class Tables {
public:
    Tables(Memory &m, const Net &net);

    const Net &net() const noexcept { return net_; }
    const StateSet &set(SetId s) const noexcept { return sets_[s]; }
    std::span<const uint32_t> members(SetId s) const noexcept { return {members_.data() + sets_[s].first, sets_[s].n}; }
    std::span<const SetCall> calls(SetId s) const noexcept { return {calls_.data() + sets_[s].calls, sets_[s].n_calls}; }
    std::span<const SetGate> gates(SetId s) const noexcept { return {gates_.data() + sets_[s].gates, sets_[s].n_gates}; }
    SetId start(uint32_t rule) { return closure_of(net_.rules[rule].start); }
    SetId next(SetId s, uint8_t byte) {
        SetId t = row(s)[net_.class_of[byte]];
        return t != kUnknown ? t : step(s, net_.class_of[byte]);
    }
    SetId join(SetId a, SetId b);
    SetId intern(std::span<const uint32_t> closed);  // sorted members, already closed
    // Memory in use, for the cap.
    size_t bytes() const noexcept;
    size_t n_sets() const noexcept { return sets_.size(); }

private:
    static constexpr SetId kUnknown = ~0u;
    SetId *row(SetId s) noexcept { return rows_.data() + static_cast<size_t>(s) * net_.n_classes; }
    SetId step(SetId s, uint32_t cls);
    SetId closure_of(uint32_t state);
    SetId close(Vector<uint32_t> &seeds);
    void describe(SetId s);
    void grow();

    const Net &net_;
    Vector<StateSet> sets_;
    Vector<uint32_t> members_;
    Vector<SetCall> calls_;
    Vector<SetGate> gates_;
    Vector<SetId> rows_;
    Vector<SetId> slots_;    // open addressing, power of two
    Vector<SetId> closure_;  // by state, or kUnknown
    Vector<uint32_t> mark_;  // visit stamp by state
    Vector<uint32_t> seeds_, closed_;
    Vector<SetId> unresolved_;
    bool resolving_ = false;
    uint32_t stamp_ = 0;
};

}  // namespace inlay::text::grammar
