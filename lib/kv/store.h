// SPDX-License-Identifier: Apache-2.0
// The bytes of the KV cache: how one page holds 16 tokens of a group's layers and heads, and the memory of all pages.
// A page is one contiguous piece (layer by layer, head by head, K then V: kernels/signatures/attention.h), so copying
// or saving one is a memcpy. Who owns which page is the pool's and the tables' affair (block_pool.h, cache.h).
#pragma once

#include <cstdint>
#include <span>

#include "base/containers.h"
#include "base/dtype.h"
#include "kernels/signatures.h"
#include "kv/cache.h"
#include "tensor/attention.h"

namespace inlay::kv {

struct LayerShape {
    int32_t n_kv_heads = 0, k_dim = 0, v_dim = 0;  // n_kv_heads 0: the layer keeps nothing
    int32_t window = 0;                            // keys that a query sees; 0 = all
};

// UNSUPPORTED for a type that the cache has no form for (f32, f16, bf16, q8_0 are there).
kernels::KvType kv_type(DType t);

class Layout {
public:
    // Layers of several windows are cut into groups (groups.h). LIMIT when a page's size leaves 64 bits.
    Layout(Memory &m, kernels::KvType type, std::span<const LayerShape> layers);

    kernels::KvType type() const noexcept { return type_; }
    int32_t n_layers() const noexcept { return static_cast<int32_t>(layers_.size()); }
    const LayerShape &layer(int32_t l) const noexcept { return layers_[static_cast<size_t>(l)].shape; }
    const Groups &groups() const noexcept { return groups_; }
    int32_t group(int32_t l) const noexcept { return layers_[static_cast<size_t>(l)].group; }
    int64_t page_bytes() const noexcept { return page_bytes_; }  // multiple of 64
    int64_t layer_offset(int32_t l) const noexcept { return layers_[static_cast<size_t>(l)].offset; }
    int64_t panel_bytes(int32_t l) const noexcept { return layers_[static_cast<size_t>(l)].panel_bytes; }

private:
    struct Layer {
        LayerShape shape;
        int64_t offset, panel_bytes;  // offset: within its group's page
        int32_t group;
    };
    kernels::KvType type_;
    Groups groups_;
    int64_t page_bytes_ = 0;
    Vector<Layer> layers_;
};

class Store {
public:
    // Memory for n_pages and n_swap more that only copy() reaches; contents are undefined until written. Throws what
    // Memory throws.
    Store(Memory &m, Layout layout, int32_t n_pages, int32_t n_swap = 0);

    // So that no step waits for the system to find memory (0.1 ms a MiB).
    void touch() noexcept;

    const Layout &layout() const noexcept { return layout_; }
    int32_t n_pages() const noexcept { return n_pages_; }
    uint8_t *page(int32_t p) noexcept { return data_.as<uint8_t>() + p * layout_.page_bytes(); }
    const uint8_t *page(int32_t p) const noexcept { return data_.as<uint8_t>() + p * layout_.page_bytes(); }
    tensor::KvView view(int32_t layer) const noexcept;

    // Stores n tokens at positions [pos, pos + n) of the sequence whose table is `pages` (kv::Table's): k [n, ldk] has n_kv_heads *
    // k_dim values a row, v [n, ldv] n_kv_heads * v_dim. Calls for different (token, head, layer) may run at once.
    void write(const kernels::KernelTable &table, int32_t layer, const int32_t *pages, int64_t pos, int64_t n, const float *k, int64_t ldk,
               const float *v, int64_t ldv) noexcept;
    void copy(std::span<const Copy> copies) noexcept;

private:
    Layout layout_;
    int32_t n_pages_;
    Buffer data_, swap_;
};

}  // namespace inlay::kv
