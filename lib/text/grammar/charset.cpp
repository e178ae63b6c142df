// SPDX-License-Identifier: Apache-2.0
// Interval sets over code points and their UTF-8 byte ranges.
#include "text/grammar/charset.h"

#include <algorithm>

namespace inlay::text::grammar {

void CharSet::normalise() {
    std::sort(items_.begin(), items_.end(), [](const Interval &a, const Interval &b) { return a.lo < b.lo; });
    Vector<Interval> out(items_.get_allocator());
    auto push = [&](uint32_t lo, uint32_t hi) {
        if (lo > hi) return;
        if (!out.empty() && lo <= out.back().hi + 1)
            out.back().hi = std::max(out.back().hi, hi);
        else
            out.push_back({lo, hi});
    };
    for (Interval i : items_) {
        i.hi = std::min(i.hi, kMaxCodePoint);
        if (i.lo > i.hi) continue;
        if (i.hi < 0xD800 || i.lo > 0xDFFF)
            push(i.lo, i.hi);
        else {
            if (i.lo < 0xD800) push(i.lo, 0xD7FF);
            if (i.hi > 0xDFFF) push(0xE000, i.hi);
        }
    }
    items_ = std::move(out);
}

void CharSet::negate() {
    Vector<Interval> out(items_.get_allocator());
    uint32_t next = 0;
    for (const Interval &i : items_) {
        if (next < i.lo) out.push_back({next, i.lo - 1});
        next = i.hi + 1;
    }
    if (next <= kMaxCodePoint) out.push_back({next, kMaxCodePoint});
    items_ = std::move(out);
    normalise();
}

bool CharSet::contains(uint32_t c) const noexcept {
    auto it = std::upper_bound(items_.begin(), items_.end(), c, [](uint32_t v, const Interval &i) { return v < i.lo; });
    return it != items_.begin() && c <= std::prev(it)->hi;
}

int encode_utf8(uint32_t c, char out[4]) noexcept {
    if (c < 0x80) return out[0] = static_cast<char>(c), 1;
    if (c < 0x800) return out[0] = static_cast<char>(0xC0 | c >> 6), out[1] = static_cast<char>(0x80 | (c & 63)), 2;
    if (c < 0x10000) {
        out[0] = static_cast<char>(0xE0 | c >> 12);
        out[1] = static_cast<char>(0x80 | (c >> 6 & 63));
        out[2] = static_cast<char>(0x80 | (c & 63));
        return 3;
    }
    out[0] = static_cast<char>(0xF0 | c >> 18);
    out[1] = static_cast<char>(0x80 | (c >> 12 & 63));
    out[2] = static_cast<char>(0x80 | (c >> 6 & 63));
    out[3] = static_cast<char>(0x80 | (c & 63));
    return 4;
}

int decode_utf8(std::string_view s, size_t at, uint32_t &c) noexcept {
    if (at >= s.size()) return 0;
    auto byte = [&](size_t i) { return at + i < s.size() ? static_cast<uint8_t>(s[at + i]) : 0u; };
    uint32_t b = byte(0);
    if (b < 0x80) return c = b, 1;
    auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
    if (b >= 0xC2 && b <= 0xDF && tail(1)) return c = (b & 31) << 6 | (byte(1) & 63), 2;
    if (b >= 0xE0 && b <= 0xEF && tail(1) && tail(2)) {
        c = (b & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
        return c >= 0x800 && (c < 0xD800 || c > 0xDFFF) ? 3 : 0;
    }
    if (b >= 0xF0 && b <= 0xF4 && tail(1) && tail(2) && tail(3)) {
        c = (b & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63);
        return c >= 0x10000 && c <= kMaxCodePoint ? 4 : 0;
    }
    return 0;
}

void utf8_runs(uint32_t lo, uint32_t hi, Vector<ByteRun> &out) {
    // Cut at the borders of encoded length, then wherever a run would not be a full cross product of byte ranges.
    static constexpr uint32_t ends[] = {0x7F, 0x7FF, 0xFFFF, kMaxCodePoint};
    while (lo <= hi) {
        int n = lo < 0x80 ? 1 : lo < 0x800 ? 2 : lo < 0x10000 ? 3 : 4;
        uint32_t top = std::min(hi, ends[n - 1]);
        for (int k = n - 1; k >= 1; --k) {
            uint32_t mask = (1u << (6 * k)) - 1;
            if ((lo & ~mask) == (top & ~mask)) continue;
            // lo and top differ above the last k bytes: first finish lo's block, else stop before top's open block
            if ((lo & mask) != 0)
                top = lo | mask;
            else if ((top & mask) != mask)
                top = (top & ~mask) - 1;
        }
        char a[4], b[4];
        encode_utf8(lo, a);
        encode_utf8(top, b);
        ByteRun r{static_cast<uint8_t>(n), {}, {}};
        for (int i = 0; i < n; ++i) r.lo[i] = static_cast<uint8_t>(a[i]), r.hi[i] = static_cast<uint8_t>(b[i]);
        out.push_back(r);
        if (top == hi) break;
        lo = top + 1;
    }
}

}  // namespace inlay::text::grammar
