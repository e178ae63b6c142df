// SPDX-License-Identifier: Apache-2.0
// NFC, NFD, NFKC, NFKD (Unicode annex 15). Text is copied up to the first character that could change, and from the
// starter before it to the next character that cannot join is decomposed, ordered and composed. Runs of marks of any
// length are ordered by counting, so that a megabyte of U+0301 stays linear.
#include <algorithm>

#include "text/normalizer.h"

namespace inlay::text {
namespace {

constexpr char32_t kHangulS = 0xAC00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11A7;
constexpr char32_t kHangulCount = 11172, kVCount = 21, kTCount = 28;

uint8_t quick_bit(NormalForm f) noexcept {
    switch (f) {
        case NormalForm::nfd: return 1;
        case NormalForm::nfkd: return 2;
        case NormalForm::nfc: return 4;
        default: return 8;
    }
}
uint8_t norm_bits(char32_t cp) noexcept {
    if (cp >= kBadByte) return 0;
    return tables::norm_data[tables::norm_index[cp >> 7] * 128u + (cp & 127u)];
}
uint8_t ccc_of(char32_t cp) noexcept {
    if (cp >= kBadByte) return 0;
    return tables::ccc_data[tables::ccc_index[cp >> 7] * 128u + (cp & 127u)];
}

// A decomposed code point in the scratch: class in the high bits.
constexpr uint32_t kCpMask = 0x1fffff;
void push(Vector<char32_t> &out, char32_t cp) { out.push_back(cp | static_cast<char32_t>(ccc_of(cp)) << 24); }

void decompose(Vector<char32_t> &out, char32_t cp, bool compat) {
    if (cp < 0xC0 && !(compat && cp >= 0xA0)) return push(out, cp);
    if (cp - kHangulS < kHangulCount) {
        char32_t i = cp - kHangulS, t = i % kTCount;
        push(out, kHangulL + i / (kVCount * kTCount));
        push(out, kHangulV + i % (kVCount * kTCount) / kTCount);
        if (t) push(out, kHangulT + t);
        return;
    }
    if (cp < kBadByte && (norm_bits(cp) & (compat ? 2 : 1))) {
        const uint32_t *end = tables::decomp_from + tables::n_decomp, *it = std::lower_bound(tables::decomp_from, end, cp);
        if (it != end && *it == cp) {
            uint32_t at = tables::decomp_at[it - tables::decomp_from];
            uint32_t canonical = at >> 16 & 255, wide = at >> 24, from = at & 0xffff;
            bool use_wide = compat && wide != 0;
            const uint32_t *p = tables::decomp_pool + from + (use_wide ? canonical : 0);
            for (uint32_t i = 0; i < (use_wide ? wide : canonical); ++i) push(out, p[i]);
            return;
        }
    }
    push(out, cp);
}

char32_t compose(char32_t a, char32_t b) noexcept {
    if (a - kHangulL < 19 && b - kHangulV < kVCount) return kHangulS + ((a - kHangulL) * kVCount + (b - kHangulV)) * kTCount;
    if (a - kHangulS < kHangulCount && (a - kHangulS) % kTCount == 0 && b - (kHangulT + 1) < kTCount - 1) return a + (b - kHangulT);
    const uint32_t *lo = std::lower_bound(tables::compose_first, tables::compose_first + tables::n_compose, a);
    for (size_t i = static_cast<size_t>(lo - tables::compose_first); i < tables::n_compose && tables::compose_first[i] == a; ++i)
        if (tables::compose_second[i] == b) return tables::compose_to[i];
    return 0;
}

// Canonical order: each run of non-starters by class, stable.
void order(Vector<char32_t> &v) {
    size_t i = 0;
    while (i < v.size()) {
        if (v[i] >> 24 == 0) {
            ++i;
            continue;
        }
        size_t j = i;
        bool sorted = true;
        for (; j < v.size() && v[j] >> 24 != 0; ++j) sorted = sorted && (j == i || v[j - 1] >> 24 <= v[j] >> 24);
        if (!sorted && j - i <= 16) {
            for (size_t a = i + 1; a < j; ++a)
                for (size_t b = a; b > i && v[b - 1] >> 24 > v[b] >> 24; --b) std::swap(v[b - 1], v[b]);
        } else if (!sorted) {
            size_t count[257] = {};
            Vector<char32_t> copy(v.begin() + static_cast<ptrdiff_t>(i), v.begin() + static_cast<ptrdiff_t>(j), v.get_allocator());
            for (char32_t c : copy) ++count[(c >> 24) + 1];
            for (int k = 1; k < 257; ++k) count[k] += count[k - 1];
            for (char32_t c : copy) v[i + count[c >> 24]++] = c;
        }
        i = j;
    }
}

void compose_all(Vector<char32_t> &v) {
    size_t out = 0, starter = SIZE_MAX;
    int last_class = -1;  // of what stands between the starter and here; -1 = nothing
    for (size_t i = 0; i < v.size(); ++i) {
        char32_t c = v[i] & kCpMask;
        int k = static_cast<int>(v[i] >> 24);
        if (starter != SIZE_MAX && (last_class == -1 || (last_class < k && last_class != 0))) {
            if (char32_t joined = compose(v[starter] & kCpMask, c)) {
                v[starter] = joined;
                continue;
            }
        }
        if (k == 0) {
            starter = out;
            last_class = -1;
        } else {
            last_class = k;
        }
        v[out++] = v[i];
    }
    v.resize(out);
}

}  // namespace

bool is_inert(std::string_view in, NormalForm form) noexcept {
    uint8_t bit = quick_bit(form);
    const char *p = in.data(), *end = p + in.size();
    while (p != end) {
        if (static_cast<unsigned char>(*p) < 0x80) {
            ++p;
            continue;
        }
        Utf8Char c = utf8_multi(p, end);
        if (norm_bits(c.cp) & bit) return false;
        p += c.size;
    }
    return true;
}

void to_normal_form(EncodeScratch &s, std::string_view in, NormalForm form, NormSink &out) {
    const uint8_t bit = quick_bit(form);
    const bool compat = form == NormalForm::nfkc || form == NormalForm::nfkd, composed = form == NormalForm::nfc || form == NormalForm::nfkc;
    const char *base = in.data(), *end = base + in.size(), *p = base;
    const char *copied = p;  // up to here all is written
    const char *last = p;    // the last inert character before p
    auto offset = [&](const char *q) { return static_cast<uint32_t>(q - base); };
    while (p != end) {
        Utf8Char c = utf8_at(p, end);
        if (!(norm_bits(c.cp) & bit)) {
            last = p;
            p += c.size;
            continue;
        }
        // The segment: from the inert character before (a bad byte joins nothing) up to the next inert one.
        const char *from = last < p && utf8_at(last, end).cp != kBadByte && last >= copied ? last : p;
        out.copy({copied, static_cast<size_t>(from - copied)}, offset(copied));
        s.code_points.clear();
        const char *q = from;
        while (q != end) {
            c = utf8_at(q, end);
            if (q > p && !(norm_bits(c.cp) & bit)) break;
            decompose(s.code_points, c.cp, compat);
            q += c.size;
        }
        order(s.code_points);
        if (composed) compose_all(s.code_points);
        for (char32_t cp : s.code_points) out.put(static_cast<char32_t>(cp & kCpMask), offset(from));
        copied = last = p = q;
    }
    out.copy({copied, static_cast<size_t>(end - copied)}, offset(copied));
}

}  // namespace inlay::text
