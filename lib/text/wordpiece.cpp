// SPDX-License-Identifier: Apache-2.0
// Longest match first, from the left. Words are capped in characters, so the search is bounded for each.
#include "text/wordpiece.h"

#include <algorithm>

#include "text/unicode/unicode.h"

namespace inlay::text {

WordPieceModel::WordPieceModel(Memory &m, const Vocab &vocab, const WordPieceOptions &options)
    : vocab_(vocab), unk_(options.unk), beginning_(options.beginning, Alloc<char>(m)), continuing_(options.continuing, Alloc<char>(m)),
      max_chars_(options.max_chars), whole_words_(options.whole_words) {}

void WordPieceModel::encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const {
    auto unknown = [&] {
        if (unk_ != kNoToken) out.push_back({unk_, static_cast<uint32_t>(word.size())});
    };
    if (whole_words_) {
        int32_t id = vocab_.find_plain(word);
        return id != kNoToken ? out.push_back({id, static_cast<uint32_t>(word.size())}) : unknown();
    }
    uint32_t chars = 0;
    for (const char *p = word.data(), *end = p + word.size(); p != end && chars <= max_chars_; ++chars) p += utf8_at(p, end).size;
    if (chars > max_chars_) return unknown();
    size_t before = out.size();
    uint32_t pos = 0;
    String &key = s.word;
    while (pos < word.size()) {
        const String &prefix = pos == 0 ? beginning_ : continuing_;
        size_t most = vocab_.max_text_bytes() > prefix.size() ? vocab_.max_text_bytes() - prefix.size() : 0;
        size_t size = std::min<size_t>(word.size() - pos, most);
        int32_t id = kNoToken;
        key.assign(prefix).append(word.substr(pos, size));
        for (; size > 0; --size) {
            if (pos + size < word.size() && (static_cast<unsigned char>(word[pos + size]) & 0xC0) == 0x80) continue;  // inside a character
            if ((id = vocab_.find_plain(std::string_view(key).substr(0, prefix.size() + size))) != kNoToken) break;
        }
        if (id == kNoToken) {
            out.resize(before, Piece{});
            return unknown();
        }
        out.push_back({id, static_cast<uint32_t>(size)});
        pos += static_cast<uint32_t>(size);
    }
}

}  // namespace inlay::text
