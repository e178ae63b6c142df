// SPDX-License-Identifier: Apache-2.0
// Filling a vocabulary, with its caps.
#include "text/vocab.h"

#include "base/checked.h"

namespace inlay::text {

Vocab::Vocab(Memory &m)
    : text_(Alloc<char>(m, MemTag::text)), begin_(Alloc<uint32_t>(m, MemTag::text)), scores_(Alloc<float>(m, MemTag::text)),
      types_(Alloc<TokenType>(m, MemTag::text)), slots_(Alloc<Slot>(m, MemTag::text)) {
    begin_.push_back(0);
}

void Vocab::reserve(size_t n_tokens, size_t text_bytes) {
    text_.reserve(text_bytes);
    begin_.reserve(n_tokens + 1);
    scores_.reserve(n_tokens);
    types_.reserve(n_tokens);
    size_t slots = 16;
    while (slots < n_tokens * 2) slots *= 2;
    if (slots > slots_.size()) grow(slots);
}

int32_t Vocab::add(std::string_view text, float score, TokenType type, const Limits &limits) {
    int32_t id = size();
    if (static_cast<uint64_t>(id) >= limits.vocab) fail(Code::limit, "vocabulary has more than ", limits.vocab, " tokens");
    if (text.size() > limits.token_bytes)
        fail(Code::limit, "token ", id, " has ", text.size(), " bytes, limit ", limits.token_bytes);
    if (!(score == score)) fail(Code::format, "token ", id, " has the score NaN");
    uint32_t end = (Checked(text_.size()) + text.size()).to<uint32_t>("vocabulary text");
    if (!text.empty()) {
        if (int32_t other = find(text); other != kNoToken)
            fail(Code::format, "duplicate token ", quoted{text}, " with ids ", other, " and ", id);
        if ((used_ + 1) * 2 > slots_.size()) grow(slots_.empty() ? 16 : slots_.size() * 2);
    }
    text_.append(text);
    begin_.push_back(end);
    scores_.push_back(score);
    types_.push_back(type);
    if (text.size() > max_text_) max_text_ = text.size();
    if (!text.empty()) insert(hash(text), id);
    return id;
}

void Vocab::insert(uint64_t h, int32_t id) noexcept {
    size_t i = h & mask_;
    while (slots_[i].id != kNoToken) i = (i + 1) & mask_;
    slots_[i] = {static_cast<uint32_t>(h >> 32), id};
    ++used_;
}

void Vocab::grow(size_t slots) {
    Vector<Slot> fresh(slots, Slot{0, kNoToken}, slots_.get_allocator());
    slots_.swap(fresh);
    mask_ = slots - 1;
    used_ = 0;
    for (int32_t id = 0; id < size(); ++id)
        if (!text(id).empty()) insert(hash(text(id)), id);
}

int32_t Vocab::find_byte(unsigned char b) const noexcept {
    const char *hex = "0123456789ABCDEF";
    char name[6] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
    return find({name, 6});
}

int byte_of_piece(std::string_view t) noexcept {
    auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    if (t.size() != 6 || t.substr(0, 3) != "<0x" || t[5] != '>') return -1;
    int hi = digit(t[3]), lo = digit(t[4]);
    return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

}  // namespace inlay::text
