// SPDX-License-Identifier: Apache-2.0
#include "tensor/huge_pages.h"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace inlay::tensor {

void advise_huge_pages(void *p, size_t bytes) noexcept {
#if defined(__linux__)
    // Whole huge pages only; a host allocator may have given less alignment than asked.
    auto a = reinterpret_cast<uintptr_t>(p);
    uintptr_t lo = (a + kHugePage - 1) & ~(uintptr_t{kHugePage} - 1), hi = (a + bytes) & ~(uintptr_t{kHugePage} - 1);
    if (hi > lo) (void)madvise(reinterpret_cast<void *>(lo), hi - lo, MADV_HUGEPAGE);
#else
    (void)p;
    (void)bytes;
#endif
}

Buffer large_buffer(Memory &m, size_t bytes, MemTag tag) {
    Buffer b(m, bytes, bytes >= kHugePage ? kHugePage : 64, tag);
    advise_huge_pages(b.data(), b.size());
    return b;
}

void touch_pages(void *p, size_t bytes) noexcept {
    // Through volatile, or a compiler may drop stores that nobody reads.
    volatile std::byte *at = static_cast<std::byte *>(p);
    for (size_t i = 0; i < bytes; i += 4096) at[i] = std::byte{0};
}

}  // namespace inlay::tensor
