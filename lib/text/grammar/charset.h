// SPDX-License-Identifier: Apache-2.0
// Sets of Unicode scalar values as sorted, disjoint, non-adjacent intervals, and the walk that turns an interval into
// runs of UTF-8 byte ranges. Surrogates are never members: they cannot be written in UTF-8.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"

namespace inlay::text::grammar {

constexpr uint32_t kMaxCodePoint = 0x10FFFF;

struct Interval {
    uint32_t lo, hi;  // both inside
    bool operator==(const Interval &) const = default;
};

class CharSet {
public:
    explicit CharSet(Memory &m) : items_(m) {}
    void add(uint32_t lo, uint32_t hi) { items_.push_back({lo, hi}); }
    void add(const CharSet &o) { items_.insert(items_.end(), o.items_.begin(), o.items_.end()); }
    void normalise();  // sort, merge, drop surrogates; call after the last add()
    void negate();     // needs a normalised set
    bool contains(uint32_t c) const noexcept;
    bool empty() const noexcept { return items_.empty(); }
    const Vector<Interval> &items() const noexcept { return items_; }

private:
    Vector<Interval> items_;
};

// One to four byte ranges that a code point is written with.
struct ByteRun {
    uint8_t n;
    uint8_t lo[4], hi[4];
};
// The runs that together write exactly the scalar values lo..hi.
void utf8_runs(uint32_t lo, uint32_t hi, Vector<ByteRun> &out);

int encode_utf8(uint32_t c, char out[4]) noexcept;
// Decodes one scalar value at `at`; returns its length or 0 where the bytes are not UTF-8.
int decode_utf8(std::string_view s, size_t at, uint32_t &c) noexcept;

}  // namespace inlay::text::grammar
