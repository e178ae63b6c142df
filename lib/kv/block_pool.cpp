// SPDX-License-Identifier: Apache-2.0
#include "kv/block_pool.h"

#include "base/error.h"

namespace inlay::kv {

BlockPool::BlockPool(Memory &m, int32_t n_blocks)
    : refs_(static_cast<size_t>(n_blocks), 0, Alloc<int32_t>(m)), next_(static_cast<size_t>(n_blocks) + 1, 0, Alloc<int32_t>(m)),
      prev_(static_cast<size_t>(n_blocks) + 1, 0, Alloc<int32_t>(m)), indexed_(static_cast<size_t>(n_blocks), 0, Alloc<uint8_t>(m)) {
    next(n_blocks) = prev(n_blocks) = n_blocks;
    for (int32_t b = 0; b < n_blocks; ++b) link(b, false);
}

void BlockPool::link(int32_t b, bool front) noexcept {
    int32_t head = n_blocks();
    int32_t before = front ? head : prev(head), after = next(before);
    next(before) = b;
    prev(b) = before;
    next(b) = after;
    prev(after) = b;
    ++n_free_;
    n_cached_ += indexed(b);
}

void BlockPool::unlink(int32_t b) noexcept {
    next(prev(b)) = next(b);
    prev(next(b)) = prev(b);
    --n_free_;
    n_cached_ -= indexed(b);
}

int32_t BlockPool::take() noexcept {
    int32_t b = next(n_blocks());
    if (b == n_blocks()) return -1;
    unlink(b);
    refs_[static_cast<size_t>(b)] = 1;
    return b;
}

void BlockPool::hold(int32_t b) noexcept {
    if (refs_[static_cast<size_t>(b)]++ == 0) unlink(b);
}

void BlockPool::release(int32_t b, bool front) noexcept {
    if (--refs_[static_cast<size_t>(b)] == 0) link(b, front);
}

void BlockPool::set_indexed(int32_t b, bool on) noexcept {
    uint8_t &flag = indexed_[static_cast<size_t>(b)];
    if (flag == static_cast<uint8_t>(on)) return;
    if (refs(b) == 0) n_cached_ += on ? 1 : -1;
    flag = on;
}

void BlockPool::check() const {
    int32_t n = n_blocks(), free = 0, cached = 0, listed = 0;
    for (int32_t b = 0; b < n; ++b) {
        require(refs(b) >= 0, "block ", b, " is held ", refs(b), " times");
        free += refs(b) == 0;
        cached += refs(b) == 0 && indexed(b);
    }
    for (int32_t b = next_[static_cast<size_t>(n)]; b != n && listed <= n; b = next_[static_cast<size_t>(b)]) {
        require(refs(b) == 0, "block ", b, " is on the free list and held ", refs(b), " times");
        ++listed;
    }
    require(free == n_free_ && listed == free, "free blocks: ", free, " by count, ", n_free_, " by total, ", listed, " in the list");
    require(cached == n_cached_, "cached blocks: ", cached, " by count, ", n_cached_, " by total");
}

}  // namespace inlay::kv
