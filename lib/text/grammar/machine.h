// SPDX-License-Identifier: Apache-2.0
// The running state of a constraint. Threads (set of states, frame, parameter) read bytes together; frames share their
// callers in a graph (one frame for a rule at a position, however many ways led there), so ambiguity costs little and
// stacks are never copied. Levels stack up byte by byte and can be taken back: frames and links only ever grow within
// a level, so going back is cutting three arrays.
#pragma once

#include <cstdint>

#include "text/grammar/tables.h"

namespace inlay::text::grammar {

struct Thread {
    SetId set = 0;
    uint32_t frame = 0;
    Param param;
    bool operator==(const Thread &) const = default;
};

struct Frame {
    uint32_t links;  // first of the list, or kNone
    uint32_t rule;
    uint64_t level;  // where it was made
};

struct Link {  // when the frame ends: go on at `ret` in `parent`
    SetId ret;
    uint32_t parent, next;
    Param param;
};

class Machine {
public:
    explicit Machine(Memory &m);

    // Level 0: `seed` threads with their closure. Frame 0 is the bottom: ending it sets `ended`.
    void reset(Tables &t, std::span<const Thread> seed);
    // Level 0 or a level on top: threads as they are, their closure being done already.
    void reset_raw(const Thread &t);
    void push_raw(const Thread &t);
    // Reads one byte on the top level; false (and no new level) when no thread can.
    bool advance(Tables &t, uint8_t byte);
    // A new level from given threads (closed first), at the same position in the text.
    bool push(Tables &t, std::span<const Thread> seeds);
    // What follows when `frame` ends now, as a new level.
    bool push_return(Tables &t, uint32_t frame);
    void pop(size_t levels = 1);
    // The top level replaces the `below` levels under it.
    void collapse(size_t below);

    size_t depth() const noexcept { return levels_.size(); }
    std::span<const Thread> threads() const noexcept { return {threads_.data() + top().first, top().n}; }
    bool ended() const noexcept { return top().ended; }
    uint64_t fuel = 0;  // thread steps left; at 0 the next step fails with LIMIT

    // For the tables' change of epoch and for dropping dead frames.
    template <class F>
    void map_sets(F &&f) {
        for (Thread &t : threads_) t.set = f(t.set);
        for (Link &l : links_) l.ret = f(l.ret);
    }
    size_t n_frames() const noexcept { return frames_.size(); }
    // Drops frames that no thread reaches. Only with a single level.
    void compact(std::span<Thread> also);

    struct Level {
        uint32_t first, n;       // of threads_
        uint32_t frames, links;  // sizes at its end
        bool ended;
    };
    const Level &top() const noexcept { return levels_.back(); }
    // Restores a single-level state that was saved earlier and whose frames still stand.
    void restore(const Level &level, std::span<const Thread> threads);

private:
    struct Work {
        Thread thread;
        bool gated;  // came through a gate at this position: takes no second one (empty iterations lead nowhere)
    };
    void add(const Thread &t, bool gated);
    void close(Tables &t);
    bool finish_level(Tables &t);
    uint32_t frame_for(uint32_t rule, bool &fresh);
    void spend(uint64_t n);

    Vector<Thread> threads_;
    Vector<Frame> frames_;
    Vector<Link> links_;
    Vector<Level> levels_;
    Vector<Work> work_;
    Vector<uint32_t> slots_;  // of work_, by hash; value + 1
    Vector<uint32_t> used_;   // slots to clear
    uint64_t position_ = 0;   // unique for each level ever made, so a frame knows its own
    uint32_t level_frames_ = 0;
    bool ended_ = false;
};

}  // namespace inlay::text::grammar
