// SPDX-License-Identifier: Apache-2.0
// The cursor that the GBNF and regex readers share: bytes in, places out (line and column in code points).
#pragma once

#include <string_view>

#include "base/error.h"
#include "text/grammar/charset.h"

namespace inlay::text::grammar {

inline Place place_of(std::string_view text, size_t offset) {
    Place p{static_cast<int64_t>(offset), 1, 1};
    for (size_t i = 0; i < offset && i < text.size(); ++i) {
        uint8_t b = static_cast<uint8_t>(text[i]);
        if (b == '\n')
            ++p.line, p.column = 1;
        else if ((b & 0xC0) != 0x80)
            ++p.column;
    }
    return p;
}

inline int hex_digit(char c) noexcept {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace inlay::text::grammar
