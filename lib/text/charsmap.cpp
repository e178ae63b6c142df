// SPDX-License-Identifier: Apache-2.0
// Reading and walking the precompiled character map.
#include "text/charsmap.h"

#include <cstring>

#include "base/reader.h"
#include "text/unicode/unicode.h"

namespace inlay::text {

CharsMap::CharsMap(Memory &m, std::string_view blob) : units_(Alloc<uint32_t>(m, MemTag::text)), replacements_(Alloc<char>(m, MemTag::text)) {
    Reader r({reinterpret_cast<const std::byte *>(blob.data()), blob.size()});
    uint32_t trie_bytes = r.read<uint32_t>("precompiled_charsmap size");
    if (trie_bytes > r.remaining())
        fail(Code::format, "precompiled_charsmap: trie of ", trie_bytes, " bytes, ", r.remaining(), " remain");
    if (trie_bytes % 4 != 0 || trie_bytes == 0) fail(Code::format, "precompiled_charsmap: trie of ", trie_bytes, " bytes is not of 4-byte units");
    std::string_view trie = r.bytes(trie_bytes, "precompiled_charsmap trie");
    units_.resize(trie_bytes / 4);
    std::memcpy(units_.data(), trie.data(), trie.size());
    std::string_view text = r.bytes(r.remaining(), "precompiled_charsmap text");
    if (text.empty() || text.back() != '\0') fail(Code::format, "precompiled_charsmap: replacements do not end with NUL");
    const char *p = text.data(), *end = p + text.size();
    while (p != end) {
        Utf8Char c = utf8_at(p, end);
        if (c.cp == kBadByte) fail(Code::format, "precompiled_charsmap: replacements are not UTF-8 at byte ", p - text.data());
        p += c.size;
    }
    replacements_.assign(text);
}

CharsMap::Match CharsMap::walk(std::string_view text, bool first) const noexcept {
    // Darts-clone: a unit holds its label (low 8 bits), the offset to its children, and whether a leaf hangs at offset 0.
    auto offset = [](uint32_t u) { return static_cast<size_t>((u >> 10) << ((u & (1u << 9)) >> 6)); };
    Match best;
    size_t node = 0;
    node ^= offset(units_[0]);
    for (size_t i = 0; i < text.size(); ++i) {
        unsigned char c = static_cast<unsigned char>(text[i]);
        node ^= c;
        if (node >= units_.size()) break;
        uint32_t u = units_[node];
        if ((u & (1u << 31 | 0xff)) != c) break;
        node ^= offset(u);
        if (node >= units_.size()) break;
        if (u >> 8 & 1) {
            uint32_t value = units_[node] & 0x7fffffff;
            if (value >= replacements_.size()) break;
            best.size = static_cast<uint32_t>(i + 1);
            best.replacement = std::string_view(replacements_.data() + value);
            if (first) break;
        }
    }
    return best;
}

CharsMap::Match CharsMap::longest(std::string_view text) const noexcept { return walk(text, false); }
CharsMap::Match CharsMap::shortest(std::string_view text) const noexcept { return walk(text, true); }

}  // namespace inlay::text
