// SPDX-License-Identifier: Apache-2.0
// How anything inside lib/ fails: it throws an Error with a status and one line of text. The guard in capi/ turns
// it into inlay_status + inlay_error; nothing else catches it to hide it. The text lives inside the exception (no
// heap), names the value and the limit, and never holds raw file bytes: those go through quoted().
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace inlay {

// The numbers are those of include/inlay/common.h; a test holds them equal.
enum class Code : int32_t {
    ok = 0,
    again = 1,
    done = 2,
    invalid_argument = -1,
    format = -2,
    unsupported = -3,
    limit = -4,
    out_of_memory = -5,
    io = -6,
    not_found = -7,
    cancelled = -8,
    busy = -9,
    state = -10,
    internal = -11,
};

// One line of text in a fixed buffer; what does not fit is cut at a UTF-8 border.
class Message {
public:
    static constexpr size_t capacity = 512;

    Message &operator<<(std::string_view s) noexcept;
    Message &operator<<(const char *s) noexcept { return *this << std::string_view(s); }
    Message &operator<<(char c) noexcept;
    Message &operator<<(double v) noexcept;
    template <std::integral T>
        requires(!std::same_as<T, char> && !std::same_as<T, bool>)
    Message &operator<<(T v) noexcept {
        if constexpr (std::is_signed_v<T>) return signed_number(v);
        else return unsigned_number(v);
    }
    std::string_view view() const noexcept { return {text_, size_}; }
    const char *c_str() const noexcept { return text_; }

private:
    Message &signed_number(int64_t v) noexcept;
    Message &unsigned_number(uint64_t v) noexcept;

    char text_[capacity] = {};
    size_t size_ = 0;
};

// Text from a file or a caller, made safe for one line: 'abc\x00…', at most 64 bytes of it.
struct quoted {
    std::string_view text;
};
Message &operator<<(Message &m, quoted q) noexcept;

// Extra facts an error may carry: where in the input it stands. -1 / 0 / empty = not known.
struct Place {
    int64_t offset = -1;     // bytes from the start
    int32_t line = 0;        // from 1
    int32_t column = 0;      // from 1, in code points
    char pointer[232] = {};  // JSON pointer, NUL-terminated, cut when longer

    static Place at_pointer(std::string_view json_pointer) noexcept;
};

class Error {
public:
    Error(Code code, const Message &text, Place place = {}) noexcept : code_(code), place_(place), text_(text) {}
    Code code() const noexcept { return code_; }
    const Place &place() const noexcept { return place_; }
    std::string_view text() const noexcept { return text_.view(); }

private:
    Code code_;
    Place place_;
    Message text_;
};

[[noreturn]] void throw_error(Code code, const Message &text, Place place = {});

// fail(Code::format, "tensor ", quoted{name}, " has ", n, " dimensions, limit 4");
template <class... Parts>
[[noreturn]] void fail(Code code, const Parts &...parts) {
    Message m;
    (void)(m << ... << parts);
    throw_error(code, m);
}
template <class... Parts>
[[noreturn]] void fail_at(Code code, Place place, const Parts &...parts) {
    Message m;
    (void)(m << ... << parts);
    throw_error(code, m, place);
}

// A broken promise between our own functions: INTERNAL, never an abort.
template <class... Parts>
void require(bool holds, const Parts &...parts) {
    if (!holds) fail(Code::internal, parts...);
}

}  // namespace inlay
