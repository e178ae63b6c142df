// SPDX-License-Identifier: Apache-2.0
// Code points for the tokenizers: UTF-8 in and out, classes, case and normal forms. Bytes that are no UTF-8 come out
// one by one as kBadByte, a code point of no class, so that every scanner walks over any input.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/containers.h"
#include "text/unicode/tables.h"

namespace inlay::text {

constexpr char32_t kBadByte = 0x110000;

struct Utf8Char {
    char32_t cp;
    uint32_t size;  // bytes; 1 for a bad byte
};

// Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF. `p` < `end`.
Utf8Char utf8_multi(const char *p, const char *end) noexcept;
inline Utf8Char utf8_at(const char *p, const char *end) noexcept {
    unsigned char b = static_cast<unsigned char>(*p);
    if (b < 0x80) return {b, 1};
    return utf8_multi(p, end);
}
// The size of the first character by its lead byte alone (1 for a byte that cannot lead).
inline uint32_t utf8_lead_size(char c) noexcept {
    unsigned char b = static_cast<unsigned char>(c);
    return b < 0xC2 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : b < 0xF5 ? 4 : 1;
}
// Writes up to 4 bytes and gives their number.
uint32_t utf8_write(char32_t cp, char *out) noexcept;
inline void utf8_append(String &out, char32_t cp) {
    char b[4];
    out.append(b, utf8_write(cp, b));
}

// Classes: Unicode general categories and White_Space, as bits.
namespace cls {
enum : uint16_t {
    Lu = 1, Ll = 2, Lt = 4, Lm = 8, Lo = 16, M = 32, N = 64, P = 128, S = 256,
    space = 512,     // \s: White_Space
    newline = 1024,  // CR, LF
    word = 8192,     // \w as Rust's regex crate has it
    // As Hugging Face's BERT parts see them: dropped by clean_text, by strip_accents; punctuation; dropped by StripAccents.
    bert_control = 2048, bert_accent = 4096, bert_punctuation = 16384, accent = 32768,
    L = Lu | Ll | Lt | Lm | Lo,
};
}
inline uint16_t class_of(char32_t cp) noexcept {
    if (cp >= kBadByte) return 0;
    return tables::class_masks[tables::class_data[tables::class_index[cp >> 7] * 128u + (cp & 127u)]];
}

char32_t lower_of(char32_t cp) noexcept;  // U+0130 excepted: lower case of it is "i" U+0307
bool is_cjk(char32_t cp) noexcept;        // the ideographs that BERT sets apart
inline bool is_ascii_punctuation(char32_t cp) noexcept {
    return (cp >= 33 && cp <= 47) || (cp >= 58 && cp <= 64) || (cp >= 91 && cp <= 96) || (cp >= 123 && cp <= 126);
}

enum class NormalForm : uint8_t { nfc, nfd, nfkc, nfkd };

}  // namespace inlay::text
