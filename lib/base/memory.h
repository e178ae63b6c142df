// SPDX-License-Identifier: Apache-2.0
// The memory of one runtime: the host's allocator (or malloc), counted by tag and held under a hard cap. Every
// container in lib/ allocates here through Alloc<T>, which has no default constructor, so a container that forgets
// its runtime does not compile.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace inlay {

enum class MemTag : uint8_t { general, weights, kv, scratch, text, count_ };

// The host's functions; `alloc` returns null on failure. Called from any thread.
struct MemoryHooks {
    void *user = nullptr;
    void *(*alloc)(void *user, size_t bytes, size_t align) = nullptr;
    void (*free)(void *user, void *ptr, size_t bytes, size_t align) = nullptr;
};

class Memory {
public:
    explicit Memory(MemoryHooks hooks = {}, uint64_t cap_bytes = 0);  // cap 0 = none
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    // Throws LIMIT (over the cap; the message has need, used and cap) or OUT_OF_MEMORY. `align` is a power of two.
    void *allocate(size_t bytes, size_t align, MemTag tag);
    void release(void *ptr, size_t bytes, size_t align, MemTag tag) noexcept;

    uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
    uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
    uint64_t used(MemTag tag) const noexcept { return by_tag_[static_cast<int>(tag)].load(std::memory_order_relaxed); }
    uint64_t cap() const noexcept { return cap_; }
    uint64_t allocations() const noexcept { return n_allocs_.load(std::memory_order_relaxed); }

private:
    MemoryHooks hooks_;
    uint64_t cap_;
    std::atomic<uint64_t> used_{0}, peak_{0}, n_allocs_{0};
    std::atomic<uint64_t> by_tag_[static_cast<int>(MemTag::count_)] = {};
};

template <class T>
class Alloc {
public:
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    Alloc(Memory &m, MemTag tag = MemTag::general) noexcept : memory_(&m), tag_(tag) {}
    template <class U>
    Alloc(const Alloc<U> &o) noexcept : memory_(&o.memory()), tag_(o.tag()) {}

    T *allocate(size_t n) {
        if (n > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T *>(memory_->allocate(n * sizeof(T), alignof(T), tag_));
    }
    void deallocate(T *p, size_t n) noexcept { memory_->release(p, n * sizeof(T), alignof(T), tag_); }
    Memory &memory() const noexcept { return *memory_; }
    MemTag tag() const noexcept { return tag_; }
    template <class U>
    bool operator==(const Alloc<U> &o) const noexcept {
        return memory_ == &o.memory() && tag_ == o.tag();
    }

private:
    Memory *memory_;
    MemTag tag_;
};

// unique_ptr over a Memory; Owned<Base> takes Owned<Derived> when Base has a virtual destructor.
struct OwnedDeleter {
    Memory *memory = nullptr;
    size_t bytes = 0, align = 0;
    template <class T>
    void operator()(T *p) const noexcept {
        void *raw;
        if constexpr (std::is_polymorphic_v<T>) raw = dynamic_cast<void *>(p);
        else raw = p;
        p->~T();
        memory->release(raw, bytes, align, MemTag::general);
    }
};
template <class T>
using Owned = std::unique_ptr<T, OwnedDeleter>;

template <class T, class... Args>
Owned<T> make_owned(Memory &m, Args &&...args) {
    void *raw = m.allocate(sizeof(T), alignof(T), MemTag::general);
    try {
        T *p = new (raw) T(std::forward<Args>(args)...);
        return Owned<T>(p, OwnedDeleter{&m, sizeof(T), alignof(T)});
    } catch (...) {
        m.release(raw, sizeof(T), alignof(T), MemTag::general);
        throw;
    }
}

template <class T, class... Args>
std::shared_ptr<T> make_shared_in(Memory &m, Args &&...args) {
    return std::allocate_shared<T>(Alloc<T>(m), std::forward<Args>(args)...);
}

// A plain aligned block: weights, KV pools, scratch. Contents are not initialised.
class Buffer {
public:
    Buffer() noexcept = default;
    Buffer(Memory &m, size_t bytes, size_t align, MemTag tag);
    Buffer(Buffer &&o) noexcept;
    Buffer &operator=(Buffer &&o) noexcept;
    ~Buffer();
    std::byte *data() noexcept { return data_; }
    const std::byte *data() const noexcept { return data_; }
    template <class T>
    T *as() noexcept { return reinterpret_cast<T *>(data_); }
    template <class T>
    const T *as() const noexcept { return reinterpret_cast<const T *>(data_); }
    size_t size() const noexcept { return bytes_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

private:
    Memory *memory_ = nullptr;
    std::byte *data_ = nullptr;
    size_t bytes_ = 0, align_ = 0;
    MemTag tag_ = MemTag::general;
};

}  // namespace inlay
