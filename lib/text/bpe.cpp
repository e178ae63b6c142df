// SPDX-License-Identifier: Apache-2.0
// The byte map, the merge table, and the two ways to cut a word into first symbols.
#include "text/bpe.h"

#include "text/unicode/unicode.h"

namespace inlay::text {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes follow from U+0100 on, in order.
struct ByteMap {
    uint16_t of_byte[256];
    int16_t of_char[324];
};
constexpr int kMapped = 256 + 68;
const ByteMap &byte_map() noexcept {
    static constexpr ByteMap map = [] {
        ByteMap m{};
        for (auto &c : m.of_char) c = -1;
        int next = 256;
        for (int b = 0; b < 256; ++b) {
            bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
            int c = printable ? b : next++;
            m.of_byte[b] = static_cast<uint16_t>(c);
            m.of_char[c] = static_cast<int16_t>(b);
        }
        return m;
    }();
    return map;
}

}  // namespace

char32_t char_of_byte(unsigned char b) noexcept { return byte_map().of_byte[b]; }
int byte_of_char(char32_t cp) noexcept { return cp < kMapped ? byte_map().of_char[cp] : -1; }

void append_unmapped(String &out, std::string_view mapped) {
    const char *p = mapped.data(), *end = p + mapped.size();
    while (p != end) {
        Utf8Char c = utf8_at(p, end);
        int b = byte_of_char(c.cp);
        if (b >= 0) out.push_back(static_cast<char>(b));
        else out.append(p, c.size);
        p += c.size;
    }
}

BpeModel::BpeModel(Memory &m, const Vocab &vocab, const BpeOptions &options)
    : vocab_(vocab), options_(options), seed_(process_seed()), table_(16, Entry{0, kNoRank, kNoToken}, Alloc<Entry>(m, MemTag::text)), mask_(15) {
    for (int b = 0; b < 256; ++b) {
        char name[4];
        uint32_t n = utf8_write(char_of_byte(static_cast<unsigned char>(b)), name);
        byte_ids_[b] = options.byte_level ? vocab.find({name, n}) : options.byte_fallback ? vocab.find_byte(static_cast<unsigned char>(b)) : kNoToken;
    }
}

void BpeModel::reserve_merges(uint64_t n, const Limits &limits) {
    if (n > limits.merges) fail(Code::limit, "vocabulary has ", n, " merges, limit ", limits.merges);
    size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    table_.assign(slots, Entry{0, kNoRank, kNoToken});
    mask_ = slots - 1;
    n_merges_ = 0;
}

void BpeModel::add_merge(std::string_view line) {
    // A part may itself begin with a blank only where vocabularies are not byte-level: the first blank behind the first byte parts them.
    size_t at = line.find(' ', 1);
    if (line.empty() || at == std::string_view::npos || at + 1 == line.size())
        fail(Code::format, "merge ", n_merges_, " ", quoted{line}, " is not two parts with a blank between");
    if (line.find(' ', at + 1) != std::string_view::npos) fail(Code::format, "merge ", n_merges_, " ", quoted{line}, " has more than two parts");
    add_merge(line.substr(0, at), line.substr(at + 1));
}

void BpeModel::add_merge(std::string_view left, std::string_view right) {
    if (2 * (static_cast<size_t>(n_merges_) + 1) > table_.size()) fail(Code::internal, "more merges than reserved");
    int32_t a = vocab_.find(left), b = vocab_.find(right);
    if (a == kNoToken || b == kNoToken)
        fail(Code::format, "merge ", n_merges_, ": part ", quoted{a == kNoToken ? left : right}, " is not in the vocabulary");
    char small[256];
    std::string_view joined;
    String large(table_.get_allocator());
    if (left.size() + right.size() <= sizeof small) {
        left.copy(small, left.size());
        right.copy(small + left.size(), right.size());
        joined = {small, left.size() + right.size()};
    } else {
        large.append(left).append(right);
        joined = large;
    }
    int32_t id = vocab_.find(joined);
    if (id == kNoToken) fail(Code::format, "merge ", n_merges_, ": result ", quoted{joined}, " is not in the vocabulary");
    uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b);
    size_t i = mix64(pair, seed_) & mask_;
    for (; table_[i].rank != kNoRank; i = (i + 1) & mask_)
        if (table_[i].pair == pair) fail(Code::format, "merge ", n_merges_, " ", quoted{left}, " + ", quoted{right}, " repeats merge ", table_[i].rank);
    // A merge that makes a control token would let a user's text say it.
    if (vocab_.type(id) != TokenType::control) table_[i] = {pair, n_merges_, id};
    ++n_merges_;
}

void BpeModel::push(EncodeScratch &s, int32_t id, uint32_t begin, uint32_t end) const {
    uint32_t n = static_cast<uint32_t>(s.symbols.size());
    s.symbols.push_back({id, begin, end, n == 0 ? kNoSymbol : n - 1, n + 1, false});
}

void BpeModel::start_bytes(EncodeScratch &s, std::string_view word) const {
    uint32_t begin = 0;
    for (uint32_t i = 0; i < word.size(); ++i) {
        int32_t id = byte_ids_[static_cast<unsigned char>(word[i])];
        if (id == kNoToken) id = options_.unk;
        if (id == kNoToken) continue;  // left out: its byte counts to the next piece
        push(s, id, begin, i + 1);
        begin = i + 1;
    }
}

void BpeModel::start_chars(EncodeScratch &s, std::string_view word) const {
    const char *p = word.data(), *end = p + word.size();
    uint32_t begin = 0;
    bool after_unk = false;
    while (p != end) {
        uint32_t size = utf8_at(p, end).size, at = static_cast<uint32_t>(p - word.data());
        int32_t id = vocab_.find_plain({p, size});
        if (id != kNoToken) {
            push(s, id, begin, at + size);
            begin = at + size;
            after_unk = false;
        } else {
            bool bytes = options_.byte_fallback;
            for (uint32_t i = 0; i < size && bytes; ++i) bytes = byte_ids_[static_cast<unsigned char>(p[i])] != kNoToken;
            if (bytes) {
                for (uint32_t i = 0; i < size; ++i) {
                    push(s, byte_ids_[static_cast<unsigned char>(p[i])], begin, at + i + 1);
                    begin = at + i + 1;
                }
                after_unk = false;
            } else if (options_.unk != kNoToken) {
                if (after_unk && options_.fuse_unk) {
                    s.symbols.back().end = at + size;
                } else {
                    push(s, options_.unk, begin, at + size);
                }
                begin = at + size;
                after_unk = true;
            }
        }
        p += size;
    }
}

void BpeModel::encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const {
    if (options_.ignore_merges) {
        std::string_view text = word;
        if (options_.byte_level && word.size() <= vocab_.max_text_bytes()) {
            s.word.clear();
            for (char c : word) utf8_append(s.word, char_of_byte(static_cast<unsigned char>(c)));
            text = s.word;
        }
        if (int32_t id = vocab_.find_plain(text); id != kNoToken) {
            out.push_back({id, static_cast<uint32_t>(word.size())});
            return;
        }
    }
    auto start = [&] {
        s.symbols.clear();
        if (options_.byte_level) start_bytes(s, word);
        else start_chars(s, word);
    };
    merge_symbols(s, start, [this](const Symbol &a, const Symbol &b) { return find(a.id, b.id); });
    if (s.symbols.empty()) return;
    for (uint32_t i = 0; i != kNoSymbol; i = s.symbols[i].next) out.push_back({s.symbols[i].id, s.symbols[i].end - s.symbols[i].begin});
}

}  // namespace inlay::text
