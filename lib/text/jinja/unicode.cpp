// SPDX-License-Identifier: Apache-2.0
// Look-ups in the generated tables, and UTF-8.
#include "text/jinja/unicode.h"

#include <algorithm>

#include "text/jinja/unicode_tables.h"

namespace inlay::text::jinja {

uint16_t char_flags(uint32_t cp) noexcept {
    const FlagRange *end = kFlagRanges + kFlagRangeCount;
    const FlagRange *it = std::upper_bound(kFlagRanges, end, cp, [](uint32_t c, const FlagRange &r) { return c < r.first; });
    return it == kFlagRanges ? 0 : it[-1].flags;
}

int decimal_value(uint32_t cp) noexcept {
    if (cp < 128) return cp >= '0' && cp <= '9' ? static_cast<int>(cp - '0') : -1;
    const FlagRange *end = kFlagRanges + kFlagRangeCount;
    const FlagRange *it = std::upper_bound(kFlagRanges, end, cp, [](uint32_t c, const FlagRange &r) { return c < r.first; });
    if (it == kFlagRanges || !(it[-1].flags & kDecimal)) return -1;
    return static_cast<int>((cp - it[-1].first) % 10);  // decimal digits come in whole tens
}

namespace {

int mapped(uint32_t cp, uint32_t out[3], const CaseRun *runs, size_t n_runs, const CaseExpansion *more, size_t n_more) noexcept {
    const CaseExpansion *m = std::lower_bound(more, more + n_more, cp, [](const CaseExpansion &e, uint32_t c) { return e.code < c; });
    if (m != more + n_more && m->code == cp) {
        int n = 0;
        while (n < 3 && m->to[n]) out[n] = m->to[n], ++n;
        return n;
    }
    // Runs of step 2 may interleave, so a few before the insertion point are looked at.
    const CaseRun *it = std::upper_bound(runs, runs + n_runs, cp, [](uint32_t c, const CaseRun &r) { return c < r.first; });
    for (int back = 0; it != runs && back < 4; ++back) {
        --it;
        uint32_t d = cp - it->first;
        if (d < static_cast<uint32_t>(it->count) * it->step && d % it->step == 0) {
            out[0] = static_cast<uint32_t>(static_cast<int32_t>(cp) + it->delta);
            return 1;
        }
    }
    out[0] = cp;
    return -1;
}

}  // namespace

int to_upper(uint32_t cp, uint32_t out[3]) noexcept {
    if (cp < 128) return out[0] = cp >= 'a' && cp <= 'z' ? cp - 32 : cp, 1;
    return std::abs(mapped(cp, out, kUpperRuns, kUpperRunCount, kUpperMore, kUpperMoreCount));
}
int to_lower(uint32_t cp, uint32_t out[3]) noexcept {
    if (cp < 128) return out[0] = cp >= 'A' && cp <= 'Z' ? cp + 32 : cp, 1;
    return std::abs(mapped(cp, out, kLowerRuns, kLowerRunCount, kLowerMore, kLowerMoreCount));
}
int to_title(uint32_t cp, uint32_t out[3]) noexcept {
    if (cp < 128) return to_upper(cp, out);
    int n = mapped(cp, out, kTitleRuns, kTitleRunCount, kTitleMore, kTitleMoreCount);
    return n > 0 ? n : to_upper(cp, out);
}

uint32_t decode_char(const char *p, const char *end, int *bytes) noexcept {
    auto at = [&](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
    auto tail = [&](int i) { return end - p > i && (at(i) & 0xC0) == 0x80; };
    uint32_t b = at(0);
    *bytes = 1;
    if (b < 0x80) return b;
    if (b >= 0xC2 && b < 0xE0 && tail(1)) {
        *bytes = 2;
        return (b & 31) << 6 | (at(1) & 63);
    }
    if (b >= 0xE0 && b < 0xF0 && tail(1) && tail(2)) {
        uint32_t c = (b & 15) << 12 | (at(1) & 63) << 6 | (at(2) & 63);
        if (c >= 0x800) {
            *bytes = 3;
            return c;
        }
    }
    if (b >= 0xF0 && b < 0xF5 && tail(1) && tail(2) && tail(3)) {
        uint32_t c = (b & 7) << 18 | (at(1) & 63) << 12 | (at(2) & 63) << 6 | (at(3) & 63);
        if (c >= 0x10000 && c < 0x110000) {
            *bytes = 4;
            return c;
        }
    }
    return 0xDC00 + b;
}

int encode_char(uint32_t cp, char out[4]) noexcept {
    auto put = [&](int i, uint32_t v) { out[i] = static_cast<char>(v); };
    if (cp < 0x80) return put(0, cp), 1;
    if (cp < 0x800) return put(0, 0xC0 | cp >> 6), put(1, 0x80 | (cp & 63)), 2;
    if (cp < 0x10000) return put(0, 0xE0 | cp >> 12), put(1, 0x80 | (cp >> 6 & 63)), put(2, 0x80 | (cp & 63)), 3;
    return put(0, 0xF0 | cp >> 18), put(1, 0x80 | (cp >> 12 & 63)), put(2, 0x80 | (cp >> 6 & 63)), put(3, 0x80 | (cp & 63)), 4;
}

size_t count_chars(std::string_view s) noexcept {
    size_t n = 0;
    const char *p = s.data(), *end = p + s.size();
    while (p < end) {
        if (static_cast<unsigned char>(*p) < 0x80) ++p;
        else p += char_bytes(p, end);
        ++n;
    }
    return n;
}

size_t byte_of_char(std::string_view s, size_t n_chars) noexcept {
    const char *p = s.data(), *end = p + s.size();
    while (n_chars > 0 && p < end) p += char_bytes(p, end), --n_chars;
    return static_cast<size_t>(p - s.data());
}

const char *previous_char(const char *begin, const char *p) noexcept {
    for (int back = 4; back >= 1; --back) {
        if (p - begin < back) continue;
        int n;
        decode_char(p - back, p, &n);
        if (n == back) return p - back;
    }
    return p - 1;
}

}  // namespace inlay::text::jinja
