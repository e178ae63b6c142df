// SPDX-License-Identifier: Apache-2.0
// Strict UTF-8 and the lookups that are not a plain table access.
#include "text/unicode/unicode.h"

#include <algorithm>

namespace inlay::text {

Utf8Char utf8_multi(const char *p, const char *end) noexcept {
    auto byte = [&](int i) { return static_cast<unsigned char>(p[i]); };
    auto tail = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
    unsigned char b = byte(0);
    size_t left = static_cast<size_t>(end - p);
    if (b >= 0xC2 && b < 0xE0) {
        if (left >= 2 && tail(1)) return {static_cast<char32_t>((b & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
    } else if (b >= 0xE0 && b < 0xF0) {
        if (left >= 3 && tail(1) && tail(2)) {
            char32_t cp = static_cast<char32_t>((b & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F));
            if (cp >= 0x800 && (cp < 0xD800 || cp >= 0xE000)) return {cp, 3};
        }
    } else if (b >= 0xF0 && b < 0xF5) {
        if (left >= 4 && tail(1) && tail(2) && tail(3)) {
            char32_t cp = static_cast<char32_t>((b & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F));
            if (cp >= 0x10000 && cp < 0x110000) return {cp, 4};
        }
    }
    return {kBadByte, 1};
}

uint32_t utf8_write(char32_t cp, char *out) noexcept {
    auto put = [&](int i, uint32_t v) { out[i] = static_cast<char>(v); };
    if (cp < 0x80) {
        put(0, cp);
        return 1;
    }
    if (cp < 0x800) {
        put(0, 0xC0 | cp >> 6);
        put(1, 0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        put(0, 0xE0 | cp >> 12);
        put(1, 0x80 | (cp >> 6 & 0x3F));
        put(2, 0x80 | (cp & 0x3F));
        return 3;
    }
    put(0, 0xF0 | cp >> 18);
    put(1, 0x80 | (cp >> 12 & 0x3F));
    put(2, 0x80 | (cp >> 6 & 0x3F));
    put(3, 0x80 | (cp & 0x3F));
    return 4;
}

char32_t lower_of(char32_t cp) noexcept {
    if (cp < 0x80) return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    if (cp >= kBadByte) return cp;
    const uint32_t *end = tables::lower_from + tables::n_lower, *it = std::lower_bound(tables::lower_from, end, cp);
    return it != end && *it == cp ? tables::lower_to[it - tables::lower_from] : cp;
}

bool is_cjk(char32_t cp) noexcept {
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) || (cp >= 0x20000 && cp <= 0x2A6DF) ||
           (cp >= 0x2A700 && cp <= 0x2B73F) || (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF) ||
           (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

}  // namespace inlay::text
