// SPDX-License-Identifier: Apache-2.0
// Who computes in the next step. plan() is a pure function of counters and gives a value; begin() carries it out on the
// cache; commit() or abort() closes it. Nothing here knows a weight or a logit.
//
// Order: a sequence's rank is fixed when it is submitted: the virtual start time of fair queueing over tenants, in tokens
// of work, shifted by priority or length as the policy says. As ranks do not change and new ones grow, nobody starves.
#pragma once

#include <cstdint>

#include "batch/sequence.h"

namespace inlay::batch {

enum class Policy : int32_t { fcfs = 0, priority = 1, shortest = 2 };

struct Limits {
    int32_t max_running = 16;
    int32_t max_tokens = 512;  // rows of a pass
    int32_t chunk = 512;       // rows of one sequence in a pass
    int32_t max_outputs = 64;  // output rows of a pass
    int32_t swap_pages = 0;    // pages that preempted sequences may put aside
    bool worst_case = false;   // admit only what can run to its end without preempting
    Policy policy = Policy::fcfs;
};

struct Part {
    Sequence *seq = nullptr;
    int32_t from = 0, n = 0;  // tokens [from, from + n), drafts included
    int32_t n_drafts = 0;
    bool last = false;        // ends with the newest known token: its row is sampled
};

struct StepPlan {
    explicit StepPlan(Memory &m) : parts(Alloc<Part>(m)), admit(Alloc<Sequence *>(m)), preempt(Alloc<Sequence *>(m)), copies(Alloc<kv::Copy>(m)) {}
    Vector<Part> parts;
    Vector<Sequence *> admit, preempt;
    Vector<kv::Copy> copies;  // filled by begin()
    int32_t n_tokens = 0, n_outputs = 0;
    bool empty() const noexcept { return parts.empty() && preempt.empty(); }
    void clear() noexcept;
};

class Scheduler {
public:
    Scheduler(Memory &m, kv::Cache &cache, const Limits &limits);

    // LIMIT when it could never run, with the need.
    void check_fits(int32_t max_tokens, int32_t n_sequences = 1) const;
    void add(Sequence &s);
    void remove(Sequence &s) noexcept;  // from wherever it is; its blocks go back
    // `child` (same tokens, nothing computed) begins where `parent` stands, when there is room to run; else it waits.
    void fork(const Sequence &parent, Sequence &child);
    void hold(Sequence &s) noexcept;    // its host has the word: not planned, though its blocks may be taken
    void unhold(Sequence &s) noexcept;
    // One that is held gives up its blocks, to be computed again; needs no memory.
    void yield(Sequence &s);

    // Nothing of it counts as computed any more; it keeps its place and its phase.
    void restart(Sequence &s) noexcept {
        cache_.release(s.table);
        drop_swap(s);
    }

    void plan(StepPlan &out) const;
    // After an empty plan: somebody wants to run and only blocks that are held from outside stand in the way.
    bool starved() const noexcept;
    void begin(StepPlan &p);
    // `accepted` of a part's drafts are already in seq.tokens; only their KV stays.
    void commit(const Part &p, int32_t accepted) noexcept;
    void abort(StepPlan &p) noexcept;

    int32_t n_waiting() const noexcept { return static_cast<int32_t>(waiting_.size()); }
    int32_t n_running() const noexcept { return static_cast<int32_t>(running_.size()); }
    uint64_t n_preempted() const noexcept { return n_preempted_; }
    const kv::BlockPool &swap() const noexcept { return swap_; }
    uint64_t n_swapped_out() const noexcept { return n_swapped_out_; }  // pages, as below
    uint64_t n_swapped_in() const noexcept { return n_swapped_in_; }
    const Limits &limits() const noexcept { return limits_; }
    const Vector<Sequence *> &running() const noexcept { return running_; }
    // Everything that must hold between steps; throws INTERNAL.
    void check() const;

private:
    struct Tenant {
        uint64_t salt;
        int64_t finish;
    };
    struct Budget;  // what plan() has left while it walks
    struct Start {  // where a waiting sequence would begin
        int32_t from;  // tokens that need no computing
        int32_t need;  // free pages for its known tokens and one more
        int32_t now;   // of them, those that hold what comes before `from`
    };

    void preempt(Sequence &s, Vector<kv::Copy> &copies);
    void swap_out(Sequence &s, Vector<kv::Copy> &copies) noexcept;
    void swap_in(Sequence &s, Vector<kv::Copy> &copies);
    void drop_swap(Sequence &s) noexcept;
    Start start_of(const Sequence &s) const noexcept;
    int32_t returned_by(const Sequence &s) const noexcept;
    bool plan_one(Sequence &s, Budget &b, StepPlan &out) const;
    void plan_admissions(Budget &b, StepPlan &out) const;
    void plan_priority(Budget &b, StepPlan &out) const;

    kv::Cache &cache_;
    kv::BlockPool swap_;  // places of the swap
    Limits limits_;
    Vector<Sequence *> waiting_, running_;  // each in order of rank
    Vector<Tenant> tenants_;
    int64_t now_ = 0;  // virtual time: the start of the last one admitted
    uint64_t serial_ = 0, step_ = 0, n_preempted_ = 0, n_swapped_out_ = 0, n_swapped_in_ = 0;
};

}  // namespace inlay::batch
