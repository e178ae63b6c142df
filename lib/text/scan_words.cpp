// SPDX-License-Identifier: Apache-2.0
// The word patterns of GPT-2 and its descendants. Each function is one published regular expression, alternatives in
// their order; the comment above it is that expression. "Other" is what is neither space, letter nor number.
#include "text/scan.h"

namespace inlay::text::scan {

const char *contraction(const char *p, const char *end, Fold fold) noexcept {
    if (p == end || *p != '\'' || end - p < 2) return p;
    auto lower = [&](const char *q) {
        unsigned char c = static_cast<unsigned char>(*q);
        return fold != Fold::none && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : *q;
    };
    char a = lower(p + 1);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end - p < 3) return p;
    if (fold == Fold::unicode && p[1] == '\xC5' && p[2] == '\xBF') return p + 3;
    char b = lower(p + 2);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    return p;
}

const char *white(const char *p, const char *end, bool newlines) noexcept {
    const char *last = p, *after_newline = nullptr, *q = p;
    for (Class c; (c = at(q, end)) && (c.mask & cls::space);) {
        last = q;
        q += c.size;
        if (c.mask & cls::newline) after_newline = q;
    }
    if (newlines && after_newline) return after_newline;
    if (q == end || last == p) return q;
    return last;  // the last blank belongs to the word behind it
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char *gpt2(const char *p, const char *end) noexcept {
    if (*p == '\'')
        if (const char *q = contraction(p, end, Fold::none); q != p) return q;
    const char *q = *p == ' ' ? p + 1 : p;
    Class c = at(q, end);
    if (c.mask & cls::L) return run(q + c.size, end, cls::L);
    if (c.mask & cls::N) return run(q + c.size, end, cls::N);
    if (c && !(c.mask & cls::space)) return run_not(q + c.size, end, cls::space | cls::L | cls::N);
    return white(p, end, false);
}

namespace {

struct Llama3 {
    int digits = 3;                // \p{N}{1,digits}
    uint16_t letters = cls::L;     // what words are made of
    bool tail = true;             // [\r\n]* behind others
    Fold fold = Fold::unicode;
};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
template <Llama3 K>
const char *llama3_like(const char *p, const char *end) noexcept {
    if (*p == '\'')
        if (const char *q = contraction(p, end, K.fold); q != p) return q;
    Class c = at(p, end);
    if (c.mask & K.letters) return run(p + c.size, end, K.letters);
    if (c.mask & cls::N) {
        const char *q = p + c.size;
        for (int n = 1; n < K.digits && (c = at(q, end)).mask & cls::N; ++n) q += c.size;
        return q;
    }
    if (!(c.mask & cls::newline)) {
        const char *q = p + c.size;
        Class next = at(q, end);
        if (next.mask & K.letters) return run(q + next.size, end, K.letters);
        constexpr uint16_t stop = cls::space | cls::N | K.letters;
        const char *other = *p == ' ' ? q : p;
        if (Class o = at(other, end); o && !(o.mask & stop)) {
            q = run_not(other + o.size, end, stop);
            return K.tail ? run(q, end, cls::newline) : q;
        }
    }
    return white(p, end, true);
}

// The letters of gpt-4o: the first part of a word is upper case or without case, the second lower or without.
constexpr uint16_t kUpper = cls::Lu | cls::Lt | cls::Lm | cls::Lo | cls::M, kLower = cls::Ll | cls::Lm | cls::Lo | cls::M;

// [upper]*[lower]+ at p: the end or null. The upper run may have to give back characters until one is also a lower:
// the last such one.
const char *mixed(const char *p, const char *end) noexcept {
    const char *last_both = nullptr, *q = p;
    for (Class c; (c = at(q, end)) && (c.mask & kUpper);) {
        q += c.size;
        if (c.mask & kLower) last_both = q;
    }
    if (at(q, end).mask & kLower) return run(q, end, kLower);
    return last_both;
}
// [upper]+[lower]* at p: the end or null.
const char *upper_first(const char *p, const char *end) noexcept {
    const char *q = run(p, end, kUpper);
    return q == p ? nullptr : run(q, end, kLower);
}

// [^\r\n\p{L}\p{N}]?U*W+(?i:'s|…)?|[^\r\n\p{L}\p{N}]?U+W*(?i:'s|…)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
template <int kDigits, bool kContractions>
const char *cased(const char *p, const char *end) noexcept {
    Class c = at(p, end);
    if (!(c.mask & (cls::newline | cls::N))) {
        const char *behind = c.mask & cls::L ? nullptr : p + c.size;
        const char *q = nullptr;
        if (behind) q = mixed(behind, end);
        if (!q) q = mixed(p, end);
        if (!q && behind) q = upper_first(behind, end);
        if (!q) q = upper_first(p, end);
        if (q) return kContractions ? contraction(q, end, Fold::unicode) : q;
    }
    if (c.mask & cls::N) {
        const char *q = p + c.size;
        for (int n = 1; n < kDigits && (c = at(q, end)).mask & cls::N; ++n) q += c.size;
        return q;
    }
    constexpr uint16_t stop = cls::space | cls::L | cls::N;
    const char *other = *p == ' ' ? p + 1 : p;
    if (Class o = at(other, end); o && !(o.mask & stop)) {
        const char *q = run_not(other + o.size, end, stop);
        while (q != end && (*q == '\r' || *q == '\n' || *q == '/')) ++q;
        return q;
    }
    return white(p, end, true);
}

}  // namespace

const char *llama3(const char *p, const char *end) noexcept { return llama3_like<Llama3{}>(p, end); }
const char *llama3_ascii(const char *p, const char *end) noexcept { return llama3_like<Llama3{.fold = Fold::ascii}>(p, end); }
const char *qwen2(const char *p, const char *end) noexcept { return llama3_like<Llama3{.digits = 1}>(p, end); }
const char *qwen35(const char *p, const char *end) noexcept { return llama3_like<Llama3{.digits = 1, .letters = cls::L | cls::M}>(p, end); }
// As qwen2 without the line feeds behind others.
const char *seed_coder(const char *p, const char *end) noexcept { return llama3_like<Llama3{.digits = 1, .tail = false}>(p, end); }
const char *gpt4o(const char *p, const char *end) noexcept { return cased<3, true>(p, end); }
const char *tekken(const char *p, const char *end) noexcept { return cased<1, false>(p, end); }

namespace {

// One alternative at p of deepseek-v3's main pattern, or null where none matches.
const char *deepseek3_match(const char *p, const char *end) noexcept {
    Class c = at(p, end);
    unsigned char b = static_cast<unsigned char>(*p);
    auto ascii_letter = [](char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); };
    if (b < 0x80 && is_ascii_punctuation(b) && p + 1 != end && ascii_letter(p[1])) {
        const char *q = p + 2;
        while (q != end && ascii_letter(*q)) ++q;
        return q;
    }
    constexpr uint16_t word = cls::L | cls::M, mark = cls::P | cls::S;
    if (c.mask & word) return run(p + c.size, end, word);
    if (!(c.mask & (cls::newline | mark)))
        if (Class next = at(p + c.size, end); next.mask & word) return run(p + c.size + next.size, end, word);
    const char *q = *p == ' ' ? p + 1 : p;
    if (at(q, end).mask & mark) return run(run(q, end, mark), end, cls::newline);
    return c.mask & cls::space ? white(p, end, true) : nullptr;
}

}  // namespace

// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
const char *deepseek3(const char *p, const char *end) noexcept {
    if (const char *q = deepseek3_match(p, end)) return q;
    do p += at(p, end).size;
    while (p != end && !deepseek3_match(p, end));
    return p;
}

// '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+
// `\s*[\r\n]` also ends behind the last line end of a run: \s* takes the ones before it.
const char *bailing(const char *p, const char *end) noexcept { return qwen2(p, end); }

namespace {
bool bloom_stop(const char *p, const char *end) noexcept {
    Utf8Char c = utf8_at(p, end);
    if (class_of(c.cp) & cls::space) return true;
    for (char32_t s : U"(|.,!?…。，、।۔،)")
        if (s != 0 && s == c.cp) return true;
    return false;
}
}  // namespace

//  ?[^(\s|.,!?…。，、।۔،)]+
const char *bloom(const char *p, const char *end) noexcept {
    const char *q = *p == ' ' ? p + 1 : p;
    if (q != end && !bloom_stop(q, end)) {
        while (q != end && !bloom_stop(q, end)) q += utf8_at(q, end).size;
        return q;
    }
    // The gap: up to a blank before a word, or to a word.
    for (q = p; q != end; q += utf8_at(q, end).size) {
        const char *next = *q == ' ' ? q + 1 : q;
        if (next != end && !bloom_stop(next, end)) break;
    }
    return q;
}

}  // namespace inlay::text::scan
