// SPDX-License-Identifier: Apache-2.0
// Building the tree: sort, then one pass over neighbours.
#include "text/grammar/token_trie.h"

#include <algorithm>

#include "base/error.h"
#include "text/grammar/charset.h"

namespace inlay::text::grammar {

TokenTrie::TokenTrie(Memory &m, std::span<const Entry> entries, uint32_t n_ids)
    : byte_(m), depth_(m), end_(m), first_(m), ids_(m), n_ids_(n_ids), pure_(m), below_(m), plain_(m) {
    struct Keyed {
        uint64_t head;  // the first eight bytes, so that most comparisons are of integers
        const Entry *entry;
    };
    Vector<Keyed> keyed(m);
    keyed.reserve(entries.size());
    for (const Entry &e : entries) {
        if (e.bytes.empty()) continue;
        if (e.id >= n_ids) fail(Code::invalid_argument, "token ", e.id, " is not below ", n_ids);
        if (e.bytes.size() > UINT16_MAX) continue;  // nobody writes 64 KiB in one token
        uint64_t head = 0;
        for (size_t i = 0; i < 8; ++i) head = head << 8 | (i < e.bytes.size() ? static_cast<uint8_t>(e.bytes[i]) : 0);
        keyed.push_back({head, &e});
        max_bytes_ = std::max(max_bytes_, static_cast<uint32_t>(e.bytes.size()));
    }
    std::sort(keyed.begin(), keyed.end(), [](const Keyed &a, const Keyed &b) {
        if (a.head != b.head) return a.head < b.head;
        int c = a.entry->bytes.compare(b.entry->bytes);
        return c != 0 ? c < 0 : a.entry->id < b.entry->id;
    });
    Vector<Entry> sorted(m);
    sorted.reserve(keyed.size());
    for (const Keyed &k : keyed) sorted.push_back(*k.entry);
    lay_out(sorted);
}

void TokenTrie::lay_out(std::span<const Entry> sorted) {
    Vector<uint32_t> path(end_.get_allocator());  // open nodes, by depth
    auto open = [&](uint8_t b, size_t depth) {
        path.push_back(n_nodes());
        byte_.push_back(b);
        depth_.push_back(static_cast<uint16_t>(depth));
        end_.push_back(0);
        first_.push_back(static_cast<uint32_t>(ids_.size()));
    };
    open(0, 0);
    std::string_view last;
    for (const Entry &e : sorted) {
        size_t common = 0;
        while (common < last.size() && common < e.bytes.size() && last[common] == e.bytes[common]) ++common;
        while (path.size() > common + 1) end_[path.back()] = n_nodes(), path.pop_back();
        for (size_t i = common; i < e.bytes.size(); ++i) open(static_cast<uint8_t>(e.bytes[i]), i + 1);
        ids_.push_back(e.id);
        last = e.bytes;
    }
    while (!path.empty()) end_[path.back()] = n_nodes(), path.pop_back();
    first_.push_back(static_cast<uint32_t>(ids_.size()));
    below_.assign(n_nodes(), 0);
    for (uint32_t i = n_nodes(); i-- > 0;)
        for (uint32_t c = i + 1; c < end_[i]; c = end_[c]) below_[i] |= below_[c] | 1ull << group_of(byte_[c]);
}

// Letters alone, since patterns and keys are made of them; so are the signs that JSON, numbers, times and addresses are made of.
uint32_t TokenTrie::group_of(uint8_t b) noexcept {
    static constexpr char signs[] = " \"\\,:[]{}-+./_@";  // 15 of them
    if (b >= 'a' && b <= 'z') return b - 'a';
    if (b >= 'A' && b <= 'Z') return b <= 'F' ? 26 : 27;  // hexadecimal digits apart
    if (b >= '0' && b <= '9') return b == '0' ? 28 : 29;
    if (b >= 0x80) return b < 0xC0 ? 30 : b < 0xE0 ? 31 : b < 0xF0 ? 32 : 33;
    if (b < 0x20 || b == 0x7F) return b == '\n' ? 34 : b == '\t' ? 35 : b == '\r' ? 36 : 37;
    for (uint32_t i = 0; i < 15; ++i)
        if (b == static_cast<uint8_t>(signs[i])) return 38 + i;
    return b == '!' || b == '?' || b == ';' ? 53 : b == '\'' || b == '`' ? 54 : b == '(' || b == ')' ? 55 : b < '\'' ? 56 : b < 'A' ? 57 : 58;
}

void TokenTrie::find_pure(const Vector<uint8_t> &is_plain) {
    pure_.assign(n_nodes(), 1);
    // Backwards, children are done before their parents; a node's children are found by jumping over subtrees.
    for (uint32_t i = n_nodes(); i-- > 0;) {
        bool ok = true;
        for (uint32_t id : tokens(i)) ok &= is_plain[id] != 0;
        for (uint32_t c = i + 1; c < end_[i] && ok; c = end_[c]) ok = pure_[c] & 1;
        // Bit 0: all tokens below are plain. Bit 1: between two characters.
        bool inside = end_[i] > i + 1 && (byte_[i + 1] & 0xC0) == 0x80;
        pure_[i] = static_cast<uint8_t>(ok ? inside ? 1 : 3 : 0);
    }
    for (uint8_t &p : pure_) p = p == 3;
}

namespace {

// The number of characters of a plain token, or 0.
uint32_t plain_length(std::string_view s) noexcept {
    uint32_t n = 0, c;
    for (size_t i = 0; i < s.size(); ++n) {
        int k = decode_utf8(s, i, c);
        if (k == 0 || c < 0x20 || c == '"' || c == '\\') return 0;
        i += static_cast<size_t>(k);
    }
    return n;
}

}  // namespace

std::shared_ptr<const TokenTrie> TokenTrie::build(Memory &m, std::span<const std::string_view> tokens) {
    Vector<Entry> all(m), rest(m);
    uint32_t n = static_cast<uint32_t>(tokens.size());
    size_t words = (n + 63) / 64;
    Vector<uint8_t> is_plain(n, 0, Alloc<uint8_t>(m));
    Vector<uint64_t> plain(words * kPlainLengths, 0, Alloc<uint64_t>(m));
    for (uint32_t id = 0; id < n; ++id) {
        if (tokens[id].empty()) continue;
        all.push_back({tokens[id], id});
        uint32_t length = plain_length(tokens[id]);
        is_plain[id] = length > 0;
        if (length == 0 || length > kPlainLengths)
            rest.push_back({tokens[id], id});
        else
            plain[(length - 1) * words + id / 64] |= 1ull << (id & 63);
    }
    for (size_t i = words; i < plain.size(); ++i) plain[i] |= plain[i - words];
    auto trie = make_shared_in<TokenTrie>(m, m, all, n);
    trie->find_pure(is_plain);
    trie->rest_ = make_shared_in<TokenTrie>(m, m, rest, n);
    trie->plain_ = std::move(plain);
    return trie;
}

std::span<const uint64_t> TokenTrie::plain(uint32_t chars) const noexcept {
    size_t words = (n_ids_ + 63) / 64;
    return {plain_.data() + (std::min(chars, kPlainLengths) - 1) * words, words};
}

}  // namespace inlay::text::grammar
