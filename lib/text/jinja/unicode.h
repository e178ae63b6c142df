// SPDX-License-Identifier: Apache-2.0
// What Python's str knows of code points, and UTF-8 steps. Broken bytes count as one code point each, so that every
// position stays reachable; they print as they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace inlay::text::jinja {

enum CharFlag : uint16_t {
    kSpace = 1,
    kPrintable = 2,
    kAlpha = 4,
    kDecimal = 8,
    kDigit = 16,
    kNumeric = 32,
    kLowerCase = 64,
    kUpperCase = 128,
    kTitleCase = 256,
    kCased = 512,
    kCaseIgnorable = 1024,
    kIdStart = 2048,
    kIdContinue = 4096,
};

uint16_t char_flags(uint32_t cp) noexcept;
inline bool char_is(uint32_t cp, unsigned flags) noexcept { return (char_flags(cp) & flags) != 0; }
int decimal_value(uint32_t cp) noexcept;  // -1 when it is no decimal digit

// Full case mappings: up to three code points, returns how many.
int to_upper(uint32_t cp, uint32_t out[3]) noexcept;
int to_lower(uint32_t cp, uint32_t out[3]) noexcept;
int to_title(uint32_t cp, uint32_t out[3]) noexcept;

// Bytes of the code point at p (p < end); 1 for a broken byte, whose value is 0xDC00 + byte.
uint32_t decode_char(const char *p, const char *end, int *bytes) noexcept;
int encode_char(uint32_t cp, char out[4]) noexcept;
size_t count_chars(std::string_view s) noexcept;
size_t byte_of_char(std::string_view s, size_t n_chars) noexcept;  // bytes before code point n
inline int char_bytes(const char *p, const char *end) noexcept {
    if (static_cast<unsigned char>(*p) < 0x80) return 1;
    int n;
    decode_char(p, end, &n);
    return n;
}
const char *previous_char(const char *begin, const char *p) noexcept;  // start of the code point before p (p > begin)

}  // namespace inlay::text::jinja
