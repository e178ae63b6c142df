// SPDX-License-Identifier: Apache-2.0
// Ranks from scores, first symbols, and what becomes of the symbols that are left.
#include "text/spm.h"

#include <algorithm>
#include <bit>

#include "text/unicode/unicode.h"

namespace inlay::text {

SpmModel::SpmModel(Memory &m, const Vocab &vocab, const SpmOptions &options)
    : vocab_(vocab), options_(options), table_(Alloc<Entry>(m, MemTag::text)), seed_(process_seed()), user_defined_(m) {
    Vector<float> scores{Alloc<float>(m)};
    String escaped{Alloc<char>(m)};
    auto mergeable = [&](int32_t id) {
        TokenType t = vocab.type(id);
        return (t == TokenType::normal || t == TokenType::user_defined || t == TokenType::unused) && !vocab.text(id).empty();
    };
    for (int32_t id = 0; id < vocab.size(); ++id)
        if (mergeable(id)) scores.push_back(vocab.score(id));
    table_.assign(std::bit_ceil(2 * scores.size() + 2), Entry{0, kNoRank, kNoToken});
    mask_ = table_.size() - 1;
    std::sort(scores.begin(), scores.end(), std::greater<>());
    scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
    for (int32_t id = 0; id < vocab.size(); ++id) {
        if (vocab.type(id) == TokenType::user_defined && !vocab.text(id).empty() && options.split_user_defined) {
            // GGUF files write the blanks of these pieces as blanks, .model files as U+2581.
            escaped.clear();
            for (char c : vocab.text(id)) c == ' ' ? (void)escaped.append(kBlank) : escaped.push_back(c);
            user_defined_.add(escaped, id);
        }
        if (!mergeable(id)) continue;
        std::string_view text = vocab.text(id);
        auto it = std::lower_bound(scores.begin(), scores.end(), vocab.score(id), std::greater<>());
        const uint64_t key = key_of(text);
        size_t slot = mix64(key, seed_) & mask_;
        while (table_[slot].id != kNoToken) slot = (slot + 1) & mask_;
        table_[slot] = {key, static_cast<uint32_t>(it - scores.begin()), id};
        max_piece_ = std::max(max_piece_, text.size());
    }
    user_defined_.build();
    for (int b = 0; b < 256; ++b) byte_ids_[b] = options.byte_fallback ? vocab.find_byte(static_cast<unsigned char>(b)) : kNoToken;
}

void SpmModel::emit(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const {
    uint32_t size = symbol.end - symbol.begin;
    std::string_view text = word.substr(symbol.begin, size);
    int32_t id = symbol.id != kNoToken ? symbol.id : vocab_.find_plain(text);
    if (id != kNoToken && vocab_.type(id) != TokenType::unused) {
        out.push_back({id, size});
        return;
    }
    if (id != kNoToken && !symbol.frozen) return emit_unused(s, word, symbol, out);
    bool bytes = options_.byte_fallback;
    for (char c : text) bytes = bytes && byte_ids_[static_cast<unsigned char>(c)] != kNoToken;
    if (bytes) {
        for (char c : text) out.push_back({byte_ids_[static_cast<unsigned char>(c)], 1});
    } else if (options_.unk != kNoToken) {
        // Unknown pieces in a row are one.
        if (!out.empty() && out.back().id == options_.unk && !options_.byte_fallback) out.back().bytes += size;
        else out.push_back({options_.unk, size});
    }
}

void SpmModel::emit_unused(EncodeScratch &s, std::string_view word, const Symbol &symbol, Vector<Piece> &out) const {
    // An unused piece is taken apart into what it was made of, again and again.
    Vector<Symbol> stack(1, symbol, s.symbols.get_allocator());
    while (!stack.empty()) {
        Symbol a = stack.back();
        stack.pop_back();
        std::string_view text = word.substr(a.begin, a.end - a.begin);
        int32_t id = vocab_.find(text);
        if (id != kNoToken && vocab_.type(id) != TokenType::unused) {
            out.push_back({id, a.end - a.begin});
            continue;
        }
        uint32_t best = kNoRank, cut = 0;
        uint32_t first = utf8_lead_size(text[0]);
        // The split that the merges would have taken last: the pair of parts that exist, the worse of the two ranked best.
        for (uint32_t i = first; i < text.size(); i += utf8_lead_size(text[i])) {
            auto part_rank = [&](std::string_view part) -> uint32_t {
                if (part.size() == utf8_lead_size(part[0])) return 0;
                return find(part).rank;
            };
            uint32_t l = part_rank(text.substr(0, i)), r = part_rank(text.substr(i));
            if (l == kNoRank || r == kNoRank) continue;
            if (std::max(l, r) < best) {
                best = std::max(l, r);
                cut = i;
            }
        }
        if (cut == 0) {
            a.id = kNoToken;
            a.frozen = true;  // bytes or unknown
            emit(s, word, a, out);
            continue;
        }
        Symbol l = a, r = a;
        l.end = r.begin = a.begin + cut;
        stack.push_back(r);
        stack.push_back(l);
    }
}

void SpmModel::encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const {
    merge_symbols(
        s, [&] { start(s, word); },
        [&](const Symbol &a, const Symbol &b) {
            if (a.frozen || b.frozen) return Merge{};
            return find(word.substr(a.begin, b.end - a.begin));
        });
    if (s.symbols.empty()) return;
    for (uint32_t i = 0; i != kNoSymbol; i = s.symbols[i].next) emit(s, word, s.symbols[i], out);
}

void SpmModel::start(EncodeScratch &s, std::string_view word) const {
    s.symbols.clear();
    user_defined_.find(word, s.hits);
    const char *data = word.data(), *end = data + word.size();
    auto push = [&](int32_t id, uint32_t begin, uint32_t stop, bool frozen) {
        uint32_t n = static_cast<uint32_t>(s.symbols.size());
        s.symbols.push_back({id, begin, stop, n == 0 ? kNoSymbol : n - 1, n + 1, frozen});
    };
    size_t hit = 0;
    for (uint32_t i = 0; i < word.size();) {
        if (hit < s.hits.size() && s.hits[hit].begin == i) {
            push(s.hits[hit].value, i, i + s.hits[hit].size, true);
            i += s.hits[hit++].size;
            continue;
        }
        uint32_t size = utf8_at(data + i, end).size;
        push(kNoToken, i, i + size, false);
        i += size;
    }
}

}  // namespace inlay::text
