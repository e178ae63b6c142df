// SPDX-License-Identifier: Apache-2.0
// base/reader.h over a Source: a forward reader through one small window, for heads of files whose size nobody has
// checked yet. What it returns by view lives until the next call.
#pragma once

#include <bit>
#include <cstring>

#include "base/checked.h"
#include "io/source.h"

namespace inlay::io {

class SourceReader {
public:
    // Holds any key or name in one piece (their cap is 65,535 bytes) and keeps reads large enough for a disk.
    static constexpr size_t window_bytes = 128u << 10;

    SourceReader(Memory &m, const Source &source) : source_(source), end_(source.size()), all_(source.in_memory()) {
        if (all_.empty() && end_) window_ = Buffer(m, end_ < window_bytes ? static_cast<size_t>(end_) : window_bytes, 64, MemTag::scratch);
    }

    uint64_t offset() const noexcept { return at_; }
    // raw: at_ never passes end_: need() stands before every move
    uint64_t remaining() const noexcept { return end_ - at_; }

    template <class T>
    requires std::is_arithmetic_v<T> T read(const char *what) {
        static_assert(std::endian::native == std::endian::little, "big-endian hosts need a byte swap here");
        T v;
        std::memcpy(&v, peek(sizeof(T), what), sizeof(T));
        // raw: need() asked
        at_ += sizeof(T);
        return v;
    }
    // n is at most window_bytes; the caller has held it to a cap below that.
    std::string_view text(Checked n, const char *what) {
        require(n <= Checked(window_bytes), "a view of ", n, " bytes is larger than the window");
        const std::byte *p = peek(n.value(), what);
        // raw: need() asked
        at_ += n.value();
        return {reinterpret_cast<const char *>(p), n.size()};
    }
    void skip(Checked n, const char *what) {
        need(n.value(), what);
        // raw: need() asked
        at_ += n.value();
    }
    void read_into(std::span<std::byte> out, const char *what) {
        need(out.size(), what);
        if (out.size() <= window_bytes / 2) {
            if (!out.empty()) std::memcpy(out.data(), peek(out.size(), what), out.size());
        } else {
            source_.read_at(at_, out);
        }
        // raw: need() asked
        at_ += out.size();
    }

private:
    void need(uint64_t n, const char *what) const {
        if (n > remaining())
            fail_at(Code::format, {static_cast<int64_t>(at_), 0, 0}, "truncated: ", what, " at offset ", at_, " needs ", n, " bytes, ",
                    remaining(), " remain");
    }
    const std::byte *peek(uint64_t n, const char *what) {
        need(n, what);
        // raw: need() asked
        if (!all_.empty()) return all_.data() + at_;
        // raw: each difference follows the comparison that keeps it from being negative
        if (at_ < from_ || at_ - from_ > filled_ || filled_ - (at_ - from_) < n) {
            from_ = at_;
            filled_ = window_.size() < remaining() ? window_.size() : static_cast<size_t>(remaining());
            size_t want = filled_;
            filled_ = 0;  // nothing valid while the read may throw
            source_.read_at(from_, {window_.data(), want});
            filled_ = want;
        }
        // raw: inside the window, as just compared or just filled
        return window_.data() + (at_ - from_);
    }

    const Source &source_;
    uint64_t end_, at_ = 0;
    std::span<const std::byte> all_;
    Buffer window_;
    uint64_t from_ = 0;
    size_t filled_ = 0;
};

}  // namespace inlay::io
