// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <charconv>
#include <cstring>

namespace inlay {

Message &Message::operator<<(std::string_view s) noexcept {
    size_t room = capacity - 1 - size_;
    size_t n = s.size() < room ? s.size() : room;
    // Cut before a continuation byte, so that the text stays valid UTF-8.
    if (n < s.size())
        while (n > 0 && (static_cast<unsigned char>(s[n]) & 0xC0) == 0x80) --n;
    if (n) std::memcpy(text_ + size_, s.data(), n);
    size_ += n;
    text_[size_] = 0;
    return *this;
}

Message &Message::operator<<(char c) noexcept {
    if (size_ < capacity - 1) {
        text_[size_++] = c;
        text_[size_] = 0;
    }
    return *this;
}

Message &Message::operator<<(double v) noexcept {
    char buf[32];  // the shortest form of a double has at most 24 characters
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    return *this << std::string_view(buf, static_cast<size_t>(r.ptr - buf));
}

Message &Message::signed_number(int64_t v) noexcept {
    char buf[24];
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    return *this << std::string_view(buf, static_cast<size_t>(r.ptr - buf));
}

Message &Message::unsigned_number(uint64_t v) noexcept {
    char buf[24];
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    return *this << std::string_view(buf, static_cast<size_t>(r.ptr - buf));
}

Message &operator<<(Message &m, quoted q) noexcept {
    static constexpr size_t max_bytes = 64;  // BAD_INPUTS I2: at most 64 escaped bytes of input in a message
    static const char hex[] = "0123456789abcdef";
    m << '\'';
    size_t n = q.text.size() < max_bytes ? q.text.size() : max_bytes;
    for (size_t i = 0; i < n; ++i) {
        unsigned char c = static_cast<unsigned char>(q.text[i]);
        // Bytes beyond ASCII are escaped too: they may be broken UTF-8.
        if (c >= 0x20 && c < 0x7f && c != '\'' && c != '\\') {
            m << static_cast<char>(c);
        } else {
            char esc[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            m << std::string_view(esc, 4);
        }
    }
    m << '\'';
    if (n < q.text.size()) m << " (" << q.text.size() << " bytes)";
    return m;
}

Place Place::at_pointer(std::string_view json_pointer) noexcept {
    Place p;
    size_t n = json_pointer.size() < sizeof p.pointer - 1 ? json_pointer.size() : sizeof p.pointer - 1;
    if (n) std::memcpy(p.pointer, json_pointer.data(), n);
    return p;
}

void throw_error(Code code, const Message &text, Place place) { throw Error(code, text, place); }

}  // namespace inlay
