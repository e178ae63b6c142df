// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <cstdlib>

#include "base/error.h"

namespace inlay {

namespace {

void *default_alloc(void *, size_t bytes, size_t align) {
    void *p = nullptr;
    if (align < sizeof(void *)) align = sizeof(void *);
    return posix_memalign(&p, align, bytes) == 0 ? p : nullptr;
}
void default_free(void *, void *ptr, size_t, size_t) { std::free(ptr); }

}  // namespace

Memory::Memory(MemoryHooks hooks, uint64_t cap_bytes) : hooks_(hooks), cap_(cap_bytes) {
    if (!hooks_.alloc) hooks_ = {nullptr, default_alloc, default_free};
}

void *Memory::allocate(size_t bytes, size_t align, MemTag tag) {
    if (bytes == 0) bytes = 1;  // a unique address, as operator new gives
    uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (cap_ && (bytes > cap_ || before > cap_ - bytes)) {
        used_.fetch_sub(bytes, std::memory_order_relaxed);
        fail(Code::limit, "memory cap: need ", bytes, " bytes, ", before, " of ", cap_, " in use");
    }
    void *p = hooks_.alloc(hooks_.user, bytes, align);
    if (!p) {
        used_.fetch_sub(bytes, std::memory_order_relaxed);
        fail(Code::out_of_memory, "allocation of ", bytes, " bytes failed, ", before, " in use");
    }
    n_allocs_.fetch_add(1, std::memory_order_relaxed);
    by_tag_[static_cast<int>(tag)].fetch_add(bytes, std::memory_order_relaxed);
    uint64_t now = before + bytes, top = peak_.load(std::memory_order_relaxed);
    while (now > top && !peak_.compare_exchange_weak(top, now, std::memory_order_relaxed)) {}
    return p;
}

void Memory::release(void *ptr, size_t bytes, size_t align, MemTag tag) noexcept {
    if (!ptr) return;
    if (bytes == 0) bytes = 1;
    hooks_.free(hooks_.user, ptr, bytes, align);
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    by_tag_[static_cast<int>(tag)].fetch_sub(bytes, std::memory_order_relaxed);
}

Buffer::Buffer(Memory &m, size_t bytes, size_t align, MemTag tag)
    : memory_(&m), data_(static_cast<std::byte *>(m.allocate(bytes, align, tag))), bytes_(bytes), align_(align), tag_(tag) {}

Buffer::Buffer(Buffer &&o) noexcept { *this = std::move(o); }

Buffer &Buffer::operator=(Buffer &&o) noexcept {
    std::swap(memory_, o.memory_);
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    std::swap(align_, o.align_);
    std::swap(tag_, o.tag_);
    return *this;
}

Buffer::~Buffer() {
    if (data_) memory_->release(data_, bytes_, align_, tag_);
}

}  // namespace inlay
