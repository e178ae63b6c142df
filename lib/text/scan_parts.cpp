// SPDX-License-Identifier: Apache-2.0
// The single steps that some pre-tokenizers take one after the other, each inside the pieces of the one before:
// a step isolates the matches of a small pattern and leaves the gaps between as pieces of their own.
#include <cstring>

#include "text/blank.h"
#include "text/scan.h"

namespace inlay::text::scan {
namespace {

// Isolates runs of what `in` accepts, at most `most` at a time.
template <class In>
const char *isolate(const char *p, const char *end, In in, int most) noexcept {
    Utf8Char c = utf8_at(p, end);
    bool inside = in(c.cp);
    p += c.size;
    for (int n = 1; p != end && (!inside || n < most); ++n) {
        c = utf8_at(p, end);
        if (in(c.cp) != inside) break;
        p += c.size;
    }
    return p;
}
template <class In>
const char *isolate_runs(const char *p, const char *end, In in) noexcept {
    return isolate(p, end, in, 0x7fffffff);
}

// Isolates `\s?[in]+`. No character that `in` accepts may be a space.
template <class In>
const char *space_then(const char *p, const char *end, In in) noexcept {
    auto starts = [&](const char *q) -> const char * {  // where the run begins if a match begins at q, else null
        Utf8Char c = utf8_at(q, end);
        if (in(c.cp)) return q;
        if (!(class_of(c.cp) & cls::space) || q + c.size == end) return nullptr;
        return in(utf8_at(q + c.size, end).cp) ? q + c.size : nullptr;
    };
    if (const char *q = starts(p)) {
        while (q != end) {
            Utf8Char c = utf8_at(q, end);
            if (!in(c.cp)) break;
            q += c.size;
        }
        return q;
    }
    do p += utf8_at(p, end).size;
    while (p != end && !starts(p));
    return p;
}

struct Range {
    char32_t first, last;
};
template <size_t n>
bool in_ranges(const Range (&ranges)[n], char32_t cp) noexcept {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (cp > ranges[mid].last) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && cp >= ranges[lo].first;
}

auto is_number = [](char32_t cp) { return (class_of(cp) & cls::N) != 0; };
auto is_newline = [](char32_t cp) { return cp == '\n' || cp == '\r'; };

// The letters that deepseek-llm's tokenizer.json spells out: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, Deseret, …
constexpr Range kLatin[] = {
    {'A', 'Z'}, {'a', 'z'}, {0xB5, 0xB5}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x1BA}, {0x1BC, 0x1BF}, {0x1C4, 0x293}, {0x295, 0x2AF},
    {0x370, 0x373}, {0x376, 0x377}, {0x37B, 0x37D}, {0x37F, 0x37F}, {0x386, 0x386}, {0x388, 0x38A}, {0x38C, 0x38C}, {0x38E, 0x3A1},
    {0x3A3, 0x3F5}, {0x3F7, 0x481}, {0x48A, 0x52F}, {0x531, 0x556}, {0x10A0, 0x10C5}, {0x13A0, 0x13F5}, {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA}, {0x1CBD, 0x1CBF}, {0x1D00, 0x1D2B}, {0x1D6B, 0x1D77}, {0x1D79, 0x1D9A}, {0x1E00, 0x1F15}, {0x1F18, 0x1F1D},
    {0x1F20, 0x1F45}, {0x1F48, 0x1F4D}, {0x1F50, 0x1F57}, {0x1F59, 0x1F59}, {0x1F5B, 0x1F5B}, {0x1F5D, 0x1F5D}, {0x1F5F, 0x1F7D},
    {0x1F80, 0x1FB4}, {0x1FB6, 0x1FBC}, {0x1FBE, 0x1FBE}, {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FCC}, {0x1FD0, 0x1FD3}, {0x1FD6, 0x1FDB},
    {0x1FE0, 0x1FEC}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FFC}, {0x2102, 0x2102}, {0x2107, 0x2107}, {0x210A, 0x2113}, {0x2115, 0x2115},
    {0x2119, 0x211D}, {0x2124, 0x2124}, {0x2126, 0x2126}, {0x2128, 0x2128}, {0x212A, 0x212D}, {0x212F, 0x2134}, {0x2139, 0x2139},
    {0x213C, 0x213F}, {0x2145, 0x2149}, {0x214E, 0x214E}, {0x2183, 0x2184}, {0x2C00, 0x2C7B}, {0x2C7E, 0x2CE4}, {0x2CEB, 0x2CEE},
    {0x2CF2, 0x2CF3}, {0xA640, 0xA66D}, {0xA680, 0xA69B}, {0xA722, 0xA76F}, {0xA771, 0xA787}, {0xA78B, 0xA78E}, {0xAB70, 0xABBF},
    {0xFB00, 0xFB06}, {0xFB13, 0xFB17}, {0xFF21, 0xFF3A}, {0xFF41, 0xFF5A}, {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};

}  // namespace

const char *digit(const char *p, const char *end) noexcept { return isolate(p, end, is_number, 1); }
const char *digit_triples(const char *p, const char *end) noexcept { return isolate(p, end, is_number, 3); }
const char *digit_runs(const char *p, const char *end) noexcept { return isolate_runs(p, end, is_number); }
const char *mapped_digit_runs(const char *p, const char *end) noexcept {
    auto in = [](char c) {
        unsigned char b = static_cast<unsigned char>(c);
        return (b >= '0' && b <= '9') || b == 0xB2 || b == 0xB3 || b == 0xB9 || (b >= 0xBC && b <= 0xBE);
    };
    bool inside = in(*p);
    do ++p;
    while (p != end && in(*p) == inside);
    return p;
}
const char *mapped_digit(const char *p, const char *end) noexcept {
    const char *q = mapped_digit_runs(p, end);
    unsigned char b = static_cast<unsigned char>(*p);
    return (b >= '0' && b <= '9') || b == 0xB2 || b == 0xB3 || b == 0xB9 || (b >= 0xBC && b <= 0xBE) ? p + 1 : q;
}
const char *newline(const char *p, const char *end) noexcept { return isolate(p, end, is_newline, 1); }
const char *lines(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return cp == '\n'; });
}

const char *ascii_triples(const char *p, const char *end) noexcept {
    auto digits = [&](const char *q) {  // up to 3
        int n = 0;
        while (n < 3 && q + n != end && q[n] >= '0' && q[n] <= '9') ++n;
        return n;
    };
    if (digits(p) == 3) return p + 3;
    do ++p;
    while (p != end && digits(p) < 3);
    return p;
}

const char *space_letters(const char *p, const char *end) noexcept {
    return space_then(p, end, [](char32_t cp) { return (class_of(cp) & cls::L) != 0; });
}
const char *space_punctuation(const char *p, const char *end) noexcept {
    return space_then(p, end, [](char32_t cp) { return (class_of(cp) & cls::P) != 0; });
}
const char *latin(const char *p, const char *end) noexcept {
    return space_then(p, end, [](char32_t cp) { return in_ranges(kLatin, cp); });
}

const char *wide_punctuation(const char *p, const char *end) noexcept {
    // U+3000 is in the last range and a space as well: as the \s? it is taken first, and the run goes on behind it or
    // starts with it, which ends at the same place.
    return space_then(p, end, [](char32_t cp) {
        return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '~') || (cp >= 0xFF01 && cp <= 0xFF0F) || (cp >= 0xFF1A && cp <= 0xFF5E) ||
               (cp >= 0x2018 && cp <= 0x201F) || (cp >= 0x3000 && cp <= 0x3002);
    });
}

const char *trailing_space(const char *p, const char *end) noexcept {
    // Backwards by characters; a stray tail byte is no space, so stepping over tail bytes finds every one.
    const char *first = end;
    while (first != p) {
        const char *q = first - 1;
        while (q != p && (static_cast<unsigned char>(*q) & 0xC0) == 0x80 && first - q < 4) --q;
        Utf8Char c = utf8_at(q, end);
        if (q + c.size != first || !(class_of(c.cp) & cls::space)) break;
        first = q;
    }
    return first == p ? end : first;
}

const char *cjk_deepseek(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return (cp >= 0x800 && cp <= 0x9FA5) || (cp >= 0xAC00 && cp <= 0xD7FF); });
}
const char *cjk_deepseek3(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return (cp >= 0x4E00 && cp <= 0x9FA5) || (cp >= 0x3040 && cp <= 0x30FF); });
}

const char *punctuation_runs(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return (class_of(cp) & cls::bert_punctuation) != 0; });
}
const char *punctuation(const char *p, const char *end) noexcept {
    return isolate(p, end, [](char32_t cp) { return (class_of(cp) & cls::bert_punctuation) != 0; }, 1);
}
const char *white_space(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return (class_of(cp) & cls::space) != 0; });
}
const char *words(const char *p, const char *end) noexcept {
    auto kind = [&](const char *q) { return at(q, end).mask & (cls::space | cls::word); };
    int first = kind(p);
    do p += at(p, end).size;
    while (p != end && kind(p) == first);
    return p;
}
const char *metaspace(const char *p, const char *end) noexcept {
    size_t at = std::string_view(p, static_cast<size_t>(end - p)).find(kBlank, 1);
    return at == std::string_view::npos ? end : p + at;
}
const char *before_blank(const char *p, const char *end) noexcept {
    const void *q = p + 1 == end ? nullptr : std::memchr(p + 1, ' ', static_cast<size_t>(end - p - 1));
    return q ? static_cast<const char *>(q) : end;
}
const char *after_blank(const char *p, const char *end) noexcept {
    const void *q = std::memchr(p, ' ', static_cast<size_t>(end - p));
    return q ? static_cast<const char *>(q) + 1 : end;
}
const char *single_blank(const char *p, const char *end) noexcept { return *p == ' ' ? p + 1 : before_blank(p, end); }
const char *bert(const char *p, const char *end) noexcept {
    auto kind = [&](const char *q, uint32_t &size) {
        Utf8Char c = utf8_at(q, end);
        size = c.size;
        uint16_t k = class_of(c.cp);
        return k & cls::space ? 0 : k & cls::bert_punctuation ? 1 : 2;
    };
    uint32_t size;
    int first = kind(p, size);
    p += size;
    if (first == 1) return p;
    while (p != end && kind(p, size) == first) p += size;
    return p;
}
const char *punctuation_symbols(const char *p, const char *end) noexcept {
    return isolate_runs(p, end, [](char32_t cp) { return (is_ascii_punctuation(cp) && cp != '`') || (class_of(cp) & cls::P); });
}

}  // namespace inlay::text::scan
