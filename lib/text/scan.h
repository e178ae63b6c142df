// SPDX-License-Identifier: Apache-2.0
// The pieces that pre-tokenizers cut text into, as hand-written scanners. A scanner gives the end of the piece that
// begins at `p`: a match of its published pattern, or the gap up to the next match. No scanner backtracks further
// than a constant number of times over one run, so all are linear, and none keeps a stack.
#pragma once

#include <array>

#include "text/unicode/unicode.h"

namespace inlay::text {

// p < end; the result is in (p, end].
using Scan = const char *(*)(const char *p, const char *end);

namespace scan {

constexpr std::array<uint16_t, 128> ascii_classes() {
    std::array<uint16_t, 128> t{};
    for (int c = 0; c < 128; ++c) {
        if (c >= 'A' && c <= 'Z') t[c] = cls::Lu | cls::word;
        else if (c >= 'a' && c <= 'z') t[c] = cls::Ll | cls::word;
        else if (c >= '0' && c <= '9') t[c] = cls::N | cls::word;
        else if (c == '\n' || c == '\r') t[c] = cls::space | cls::newline;
        else if (c == ' ' || (c >= 9 && c <= 12)) t[c] = cls::space;
        else if (c < 32 || c == 127) t[c] = 0;
        else if (c == '$' || c == '+' || c == '<' || c == '=' || c == '>' || c == '^' || c == '`' || c == '|' || c == '~') t[c] = cls::S;
        else t[c] = c == '_' ? cls::P | cls::word : cls::P;
    }
    return t;
}
inline constexpr std::array<uint16_t, 128> kAscii = ascii_classes();

struct Class {
    uint16_t mask;
    uint8_t size;
    explicit operator bool() const { return size != 0; }
};
// The class of the character at p, of size 0 at the end.
inline Class at(const char *p, const char *end) noexcept {
    if (p == end) return {0, 0};
    unsigned char b = static_cast<unsigned char>(*p);
    if (b < 0x80) return {kAscii[b], 1};
    Utf8Char c = utf8_multi(p, end);
    return {class_of(c.cp), static_cast<uint8_t>(c.size)};
}
inline const char *run(const char *p, const char *end, uint16_t mask) noexcept {
    for (Class c; (c = at(p, end)) && (c.mask & mask);) p += c.size;
    return p;
}
inline const char *run_not(const char *p, const char *end, uint16_t mask) noexcept {
    for (Class c; (c = at(p, end)) && !(c.mask & mask);) p += c.size;
    return p;
}

// 's 't 're 've 'm 'll 'd at p: the end, or p. Fold::unicode is (?i:), where U+017F is an s.
enum class Fold : uint8_t { none, ascii, unicode };
const char *contraction(const char *p, const char *end, Fold fold) noexcept;
// `\s+(?!\S)|\s+`, before it `\s*[\r\n]+` where `newlines`. p stands on white space.
const char *white(const char *p, const char *end, bool newlines) noexcept;

// Whole patterns.
const char *gpt2(const char *p, const char *end) noexcept;
const char *llama3_ascii(const char *p, const char *end) noexcept;  // contractions fold ASCII case alone
const char *llama3(const char *p, const char *end) noexcept;
const char *qwen2(const char *p, const char *end) noexcept;
const char *qwen35(const char *p, const char *end) noexcept;
const char *bailing(const char *p, const char *end) noexcept;
const char *seed_coder(const char *p, const char *end) noexcept;
const char *gpt4o(const char *p, const char *end) noexcept;
const char *tekken(const char *p, const char *end) noexcept;
const char *deepseek3(const char *p, const char *end) noexcept;
const char *bloom(const char *p, const char *end) noexcept;

// Single steps of several.
const char *digit(const char *p, const char *end) noexcept;         // \p{N}
const char *digit_triples(const char *p, const char *end) noexcept; // \p{N}{1,3}
const char *digit_runs(const char *p, const char *end) noexcept;    // \p{N}+
// Digits of the byte-mapped text: Falcon looks for them after the byte map, where six bytes above ASCII become ² ³ ¹ ¼ ½ ¾.
const char *mapped_digit_runs(const char *p, const char *end) noexcept;
const char *ascii_triples(const char *p, const char *end) noexcept; // [0-9][0-9][0-9]
const char *mapped_digit(const char *p, const char *end) noexcept;
const char *newline(const char *p, const char *end) noexcept;       // [\r\n]
const char *lines(const char *p, const char *end) noexcept;         // [^\n]+|[\n]+
const char *space_letters(const char *p, const char *end) noexcept; // \s?\p{L}+
const char *space_punctuation(const char *p, const char *end) noexcept;  // \s?\p{P}+
const char *latin(const char *p, const char *end) noexcept;         // \s?[deepseek-llm's letters]+
const char *wide_punctuation(const char *p, const char *end) noexcept;   // \s?[!-/:-~！-／：-～‘-‟　-。]+
const char *trailing_space(const char *p, const char *end) noexcept;     // \s+$
const char *cjk_deepseek(const char *p, const char *end) noexcept;  // [一-龥ࠀ-一가-퟿]+
const char *cjk_deepseek3(const char *p, const char *end) noexcept; // [一-龥぀-ゟ゠-ヿ]+
const char *punctuation(const char *p, const char *end) noexcept;         // one by one, as Hugging Face's Punctuation has it
const char *punctuation_runs(const char *p, const char *end) noexcept;   // \p{P} or ASCII punctuation, in runs
const char *white_space(const char *p, const char *end) noexcept;   // \s+
const char *words(const char *p, const char *end) noexcept;         // \w+|[^\w\s]+
const char *metaspace(const char *p, const char *end) noexcept;     // before each U+2581
const char *before_blank(const char *p, const char *end) noexcept;  // before, behind and around each ' '
const char *after_blank(const char *p, const char *end) noexcept;
const char *single_blank(const char *p, const char *end) noexcept;
const char *bert(const char *p, const char *end) noexcept;          // white space runs, single punctuation, the rest
const char *punctuation_symbols(const char *p, const char *end) noexcept; // [\p{P}\$\+<=>\^~\|]+

}  // namespace scan
}  // namespace inlay::text
