// SPDX-License-Identifier: Apache-2.0
// Parameters: the small memory of one frame of the matcher (how many times round a counted loop, which keys of an
// object were written). A gate tests and changes it without reading a byte. Counted repeats and free key order need
// no copies of grammar states because of it.
#pragma once

#include <cstdint>

#include "base/containers.h"

namespace inlay::text::grammar {

struct Param {
    uint64_t bits = 0;   // keys seen, obligations met
    uint32_t count = 0;  // iterations, items, keys
    uint32_t hits = 0;   // items that matched `contains`
    bool operator==(const Param &) const = default;
};

// What a whole frame must reach before it may end; a gate that would make that impossible is closed, so that no
// parameter value is a dead end.
struct Duty {
    uint64_t bit;   // set once some member met it
    uint64_t keys;  // bits of the members that can still meet it while unset
    bool open;      // members without a bit can, too
};
struct FrameParams {
    explicit FrameParams(Memory &m) : thresholds(m), duties(m) {}
    uint64_t need_bits = 0;
    uint32_t min_hits = 0;
    uint32_t max_count = ~0u;
    bool counted = false;         // any gate looks at `count`
    Vector<uint32_t> thresholds;  // the values of `count` at which some gate changes its mind, sorted
    Vector<Duty> duties;
};

struct Gate {
    uint64_t clear = 0;                     // bits that must not be set
    uint64_t need = 0;                      // bits that must be set
    uint64_t set = 0;                       // bits set on passing
    uint32_t count_lo = 0, count_hi = ~0u;  // count before
    uint32_t hits_lo = 0, hits_hi = ~0u;    // hits before
    uint32_t add_count = 0, add_hits = 0;
    uint32_t count_cap = ~0u, hits_cap = ~0u;  // counters stop here: beyond it nothing changes any more
    uint32_t count_to = ~0u;                   // instead of adding: the new count (fixed key order)
};

inline bool passes(const Gate &g, const FrameParams &f, const Param &p, Param &out) noexcept {
    if ((p.bits & g.clear) || (p.bits & g.need) != g.need) return false;
    if (p.count < g.count_lo || p.count > g.count_hi || p.hits < g.hits_lo || p.hits > g.hits_hi) return false;
    out.bits = p.bits | g.set;
    out.count = g.count_to != ~0u ? g.count_to : p.count + g.add_count < g.count_cap ? p.count + g.add_count : g.count_cap;
    out.hits = p.hits + g.add_hits < g.hits_cap ? p.hits + g.add_hits : g.hits_cap;
    uint64_t extra = 0;  // members that unmet duties take beyond the needed ones
    for (const Duty &d : f.duties) {
        if (out.bits & d.bit) continue;
        if (!d.open && !(d.keys & ~out.bits)) return false;
        if (!(d.keys & f.need_bits & ~out.bits)) extra = 1;
    }
    if (f.max_count != ~0u) {
        uint64_t missing = static_cast<uint64_t>(__builtin_popcountll(f.need_bits & ~out.bits)) +
                           (f.min_hits > out.hits ? f.min_hits - out.hits : 0) + extra;
        if (out.count > f.max_count || missing > f.max_count - out.count) return false;
    }
    return true;
}

}  // namespace inlay::text::grammar
