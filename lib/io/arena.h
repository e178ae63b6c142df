// SPDX-License-Identifier: Apache-2.0
// Bump allocation over a Memory for parsed, immutable things that die together. Nothing is ever given back alone,
// so a million small strings cost their bytes and no more.
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/containers.h"

namespace inlay::io {

class Arena {
public:
    explicit Arena(Memory &m, MemTag tag = MemTag::general) : memory_(&m), tag_(tag), chunks_(Alloc<Buffer>(m, tag)) {}
    Arena(Arena &&) noexcept = default;
    Arena &operator=(Arena &&) noexcept = default;

    void *take(size_t bytes, size_t align) {
        size_t start = (at_ + align - 1) & ~(align - 1);
        if (start > end_ || end_ - start < bytes) return take_slow(bytes, align);
        at_ = start + bytes;
        return reinterpret_cast<void *>(start);
    }
    // Uninitialised room for n objects that need no destructor.
    template <class T>
    T *array(size_t n) {
        static_assert(std::is_trivially_destructible_v<T>);
        if (n > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T *>(take(n * sizeof(T), alignof(T)));
    }
    std::string_view copy(std::string_view s) {
        if (s.empty()) return {};
        char *p = static_cast<char *>(take(s.size(), 1));
        std::memcpy(p, s.data(), s.size());
        return {p, s.size()};
    }

private:
    void *take_slow(size_t bytes, size_t align) {
        // A large block stands alone, so that the current chunk's rest is not lost for the small ones.
        bool alone = bytes > next_ / 4;
        size_t size = alone ? bytes : next_;
        if (!alone && next_ < max_chunk) next_ *= 2;
        chunks_.emplace_back(*memory_, size, align < 16 ? size_t{16} : align, tag_);
        std::byte *p = chunks_.back().data();
        if (!alone) {
            at_ = reinterpret_cast<uintptr_t>(p) + bytes;
            end_ = reinterpret_cast<uintptr_t>(p) + size;
        }
        return p;
    }

    // From 4 KiB (a config file) doubling to 1 MiB: the unused tail is at most half of what is used, or 1 MiB.
    static constexpr size_t max_chunk = 1u << 20;
    Memory *memory_;
    MemTag tag_;
    Vector<Buffer> chunks_;
    uintptr_t at_ = 0, end_ = 0;
    size_t next_ = 4096;
};

}  // namespace inlay::io
