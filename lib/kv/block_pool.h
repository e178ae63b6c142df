// SPDX-License-Identifier: Apache-2.0
// Blocks of the paged KV cache by number alone: who holds how many, which are free, which are free but still known to
// the prefix index. Bytes live in the store; this never sees them. Blocks are handed out from the front of the free
// list and come back at its end, so what the prefix cache loses next is what nobody has used for longest.
#pragma once

#include <cstdint>

#include "base/containers.h"

namespace inlay::kv {

constexpr int32_t kBlockTokens = 16;  // one panel: rows of keys are read 16 at a time by the attention kernels

constexpr int32_t blocks_for(int64_t n_tokens) noexcept { return static_cast<int32_t>((n_tokens + kBlockTokens - 1) / kBlockTokens); }

class BlockPool {
public:
    BlockPool(Memory &m, int32_t n_blocks);

    int32_t n_blocks() const noexcept { return static_cast<int32_t>(refs_.size()); }
    // Free to hand out, those that hold cached prefixes included.
    int32_t n_free() const noexcept { return n_free_; }
    int32_t n_cached() const noexcept { return n_cached_; }
    int32_t refs(int32_t block) const noexcept { return refs_[static_cast<size_t>(block)]; }
    bool indexed(int32_t block) const noexcept { return indexed_[static_cast<size_t>(block)] != 0; }

    // The block that has been free for longest, held once; -1 when none is left. When it is indexed() the caller
    // takes it out of the index first (PrefixIndex::forget).
    int32_t take() noexcept;
    void hold(int32_t block) noexcept;  // once more; a free one leaves the free list
    // Once less. `front`: at 0 it is the next to be handed out (contents not worth keeping).
    void release(int32_t block, bool front = false) noexcept;
    void set_indexed(int32_t block, bool on) noexcept;

    // Every invariant, for debug builds and tests: throws INTERNAL naming the first that fails.
    void check() const;

private:
    void link(int32_t block, bool front) noexcept;
    void unlink(int32_t block) noexcept;
    int32_t &next(int32_t b) noexcept { return next_[static_cast<size_t>(b)]; }
    int32_t &prev(int32_t b) noexcept { return prev_[static_cast<size_t>(b)]; }

    Vector<int32_t> refs_, next_, prev_;  // next_/prev_: the free list, with n_blocks as its head and tail
    Vector<uint8_t> indexed_;
    int32_t n_free_ = 0, n_cached_ = 0;
};

}  // namespace inlay::kv
