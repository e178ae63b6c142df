// SPDX-License-Identifier: Apache-2.0
// SentencePiece's precompiled_charsmap: a double-array trie (Darts-clone units) from character sequences to offsets
// into a block of NUL-terminated replacements. Every step of the walk is checked against the blob, so that no map can
// lead outside of it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/containers.h"

namespace inlay::text {

class CharsMap {
public:
    // FORMAT where the blob is cut, its trie is no multiple of 4 bytes, or its text is not NUL-terminated UTF-8.
    CharsMap(Memory &m, std::string_view blob);

    struct Match {
        uint32_t size = 0;  // bytes of the text; 0 = none
        std::string_view replacement;
    };
    // The longest sequence at the beginning of `text` that the map knows.
    Match longest(std::string_view text) const noexcept;
    // The shortest one; Hugging Face's reader takes that.
    Match shortest(std::string_view text) const noexcept;

private:
    Match walk(std::string_view text, bool first) const noexcept;
    Vector<uint32_t> units_;
    String replacements_;
};

}  // namespace inlay::text
