// SPDX-License-Identifier: Apache-2.0
// Asks for 2 MiB pages under large buffers: +10 to 17 % of read bandwidth a core (docs/performance.md). A hint; where
// the system has none, nothing happens.
#pragma once

#include <cstddef>

#include "base/memory.h"

namespace inlay::tensor {

inline constexpr size_t kHugePage = 2u << 20;
void advise_huge_pages(void *p, size_t bytes) noexcept;
// A buffer that starts on such a page, which are asked for, where it is as large as one; else aligned to 64 bytes.
Buffer large_buffer(Memory &m, size_t bytes, MemTag tag);
// Has the system give the pages now: the first write to a huge one takes 0.2 ms, under a hypervisor up to 5.
// Contents that were not yet written are lost.
void touch_pages(void *p, size_t bytes) noexcept;

}  // namespace inlay::tensor
