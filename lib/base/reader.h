// SPDX-License-Identifier: Apache-2.0
// A bounded little-endian reader over bytes in memory. Every read checks what remains and fails as
// "truncated: …" with the offset; there is no way to read past the end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/checked.h"

namespace inlay {

class Reader {
public:
    // `base` is the offset of the first byte in the file, for messages.
    explicit Reader(std::span<const std::byte> bytes, uint64_t base = 0) : bytes_(bytes), base_(base) {}

    uint64_t offset() const { return base_ + pos_; }
    uint64_t remaining() const { return bytes_.size() - pos_; }

    template <class T>
        requires std::is_arithmetic_v<T>
    T read(const char *what) {
        static_assert(std::endian::native == std::endian::little, "big-endian hosts need a byte swap here");
        T v;
        std::memcpy(&v, take(sizeof(T), what), sizeof(T));
        return v;
    }
    std::string_view bytes(Checked n, const char *what) {
        return {reinterpret_cast<const char *>(take(n.value(), what)), static_cast<size_t>(n.value())};
    }
    void skip(Checked n, const char *what) { take(n.value(), what); }

private:
    const std::byte *take(uint64_t n, const char *what) {
        if (n > remaining())
            fail(Code::format, "truncated: ", what, " at offset ", offset(), " needs ", n, " bytes, ", remaining(), " remain");
        const std::byte *p = bytes_.data() + pos_;
        pos_ += static_cast<size_t>(n);
        return p;
    }

    std::span<const std::byte> bytes_;
    uint64_t base_;
    size_t pos_ = 0;
};

}  // namespace inlay
