// SPDX-License-Identifier: Apache-2.0
// Speculation by a smaller model: between two passes it proposes the next tokens of every sequence that decodes, drawn
// with the request's own counters, so that a good guess is exactly the token that will be drawn. It has a cache of its
// own; what it says never enters a result, only the number of passes.
#pragma once

#include "engine/choice.h"

namespace inlay::engine {

class Drafter {
public:
    Drafter(Memory &m, Owned<Backend> backend, int32_t n_pages, int32_t chunk, int32_t max_rows);

    // Rejected guesses go far back in its tables, so its backend has one group of layers whose past stays.
    // Who is to get proposals: at most `n` for c. Call for each, then advance() until true.
    void add(Choice &c, int32_t n);
    bool busy() const noexcept { return !jobs_.empty(); }
    // Fills seq.drafts. False when the steady clock passed deadline_ns.
    bool advance(uint64_t deadline_ns);
    void abandon() noexcept;
    void release(Choice &c) noexcept { cache_.release(c.draft_table); }

private:
    struct Job {
        Choice *choice;
        int32_t want, feed;  // feed: tokens in this pass
        bool last;           // they reach the newest token: a proposal follows
    };
    enum class Stage : uint8_t { idle, forward, head };
    bool begin_pass();
    static void forget(const Job &j) noexcept;
    void take_row(Job &j, std::span<const float> logits, std::span<const float> tops);

    Owned<Backend> backend_;
    kv::Cache cache_;
    sample::Workspace workspace_;
    int32_t chunk_, max_rows_;
    Stage stage_ = Stage::idle;
    Vector<Job> jobs_;
    Vector<int32_t> ids_, history_;
    Vector<Rows> rows_;
    Vector<kv::Copy> copies_;
    int32_t head_first_ = 0, head_n_ = 0;
    Vector<int32_t> output_job_;
};

}  // namespace inlay::engine
