// SPDX-License-Identifier: Apache-2.0
// A sequence as the scheduler sees it: tokens that are known, tokens whose KV is computed, and its place in the order.
// Prefill, decode and the recomputation after a preemption are one thing: known tokens that are not computed yet.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kv/cache.h"

namespace inlay::batch {

enum class Phase : uint8_t {
    outside,  // not in the scheduler
    waiting,  // in the queue: new, or preempted
    running,  // holds blocks, is planned
    held,     // holds blocks, waits for its host
};

struct Sequence {
    explicit Sequence(Memory &m) : tokens(Alloc<int32_t>(m)), drafts(Alloc<int32_t>(m)), table(m), swap(Alloc<int32_t>(m)) {}

    Vector<int32_t> tokens;  // prompt, then what was accepted
    Vector<int32_t> drafts;  // proposed to follow, to be checked in the next pass
    kv::Table table;
    Vector<int32_t> swap;         // preempted: where its pages lie in the swap, -1 for those a window left behind
    int32_t n_prompt = 0;
    int32_t max_tokens = 0;       // prompt and answer at most
    int32_t priority = 0;
    uint64_t salt = 0;            // tenant
    bool all_outputs = false;     // every row has outputs (prompt logprobs)
    bool parked = false;          // waits for its host: not planned, and not admitted again when preempted meanwhile
    bool no_attach = false;       // computes its whole prompt: its rows are wanted, not only their KV

    void *owner = nullptr;        // whose it is; never looked at here

    // The scheduler's own.
    Phase phase = Phase::outside;
    int64_t start = 0;            // virtual time of submission, in tokens of work
    int64_t rank = 0;             // lower goes first
    uint64_t serial = 0;
    uint64_t last_step = 0;       // when it was last planned
    int32_t n_cached = 0;         // prompt tokens that the first admission found in the cache
    int32_t preemptions = 0;
    int32_t swap_tokens = 0;      // computed tokens that `swap` holds
    bool admitted_before = false;

    bool cut() const noexcept {  // of what lies in the swap, a window has left the beginning behind
        return std::any_of(swap.begin(), swap.end(), [](int32_t i) { return i < 0; });
    }
    int32_t known() const noexcept { return static_cast<int32_t>(tokens.size()); }
    int32_t remaining() const noexcept { return known() - table.n_tokens; }
    bool decoding() const noexcept { return remaining() == 1 && table.n_tokens >= n_prompt; }
};

// Who goes first; a total order, so a plan has one answer.
inline bool before(const Sequence *a, const Sequence *b) noexcept { return a->rank != b->rank ? a->rank < b->rank : a->serial < b->serial; }

}  // namespace inlay::batch
