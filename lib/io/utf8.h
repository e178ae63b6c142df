// SPDX-License-Identifier: Apache-2.0
// Well-formedness of UTF-8 (Unicode table 3-7: no overlong forms, no surrogates, at most U+10FFFF). Decoding for
// tokenizers is text/'s business; io only asks whether names and documents are text at all.
#pragma once

#include <cstddef>
#include <string_view>

namespace inlay::io {

// Length of the well-formed sequence that starts at `pos`, or 0 when there is none.
inline size_t utf8_sequence(std::string_view s, size_t pos) noexcept {
    auto at = [&](size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
    auto tail = [&](size_t i) { return (at(i) & 0xC0u) == 0x80u; };
    unsigned c = at(pos), d = at(pos + 1);
    if (pos >= s.size()) return 0;
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) return tail(pos + 1) ? 2 : 0;
    if (c < 0xF0) {
        if (!tail(pos + 1) || !tail(pos + 2)) return 0;
        if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d >= 0xA0)) return 0;
        return 3;
    }
    if (c > 0xF4 || !tail(pos + 1) || !tail(pos + 2) || !tail(pos + 3)) return 0;
    if ((c == 0xF0 && d < 0x90) || (c == 0xF4 && d >= 0x90)) return 0;
    return 4;
}

// Offset of the first byte that is not part of well-formed text, or s.size().
inline size_t utf8_valid_prefix(std::string_view s) noexcept {
    size_t i = 0;
    while (i < s.size()) {
        size_t n = utf8_sequence(s, i);
        if (n == 0) return i;
        i += n;
    }
    return i;
}

}  // namespace inlay::io
