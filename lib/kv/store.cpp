// SPDX-License-Identifier: Apache-2.0
#include "kv/store.h"

#include <cstring>

#include "base/checked.h"
#include "tensor/huge_pages.h"

namespace inlay::kv {

using kernels::KvType;

KvType kv_type(DType t) {
    switch (t) {
        case DType::f32: return KvType::f32;
        case DType::f16: return KvType::f16;
        case DType::bf16: return KvType::bf16;
        case DType::q8_0: return KvType::q8_0;
        default: fail(Code::unsupported, "KV type ", dtype_name(t), " is none of f32 f16 bf16 q8_0");
    }
}

Layout::Layout(Memory &m, KvType type, std::span<const LayerShape> layers) : type_(type), layers_(Alloc<Layer>(m)) {
    layers_.reserve(layers.size());
    Checked offset = 0;
    for (const LayerShape &s : layers) {
        // 2^20 dims of 2^12 heads stay far from 64 bits in panel_bytes' own arithmetic.
        if (s.n_kv_heads < 0 || s.k_dim < 0 || s.v_dim < 0 || s.k_dim > (1 << 20) || s.v_dim > (1 << 20))
            fail(Code::limit, "KV heads of ", s.k_dim, " and ", s.v_dim, " values exceed ", 1 << 20);
        const int64_t panel = s.n_kv_heads ? kernels::kv_panel_bytes(type, s.k_dim, s.v_dim) : 0;
        layers_.push_back({s, offset.to<int64_t>("KV block bytes"), panel});
        offset += Checked(panel) * Checked(s.n_kv_heads);
    }
    block_bytes_ = offset.to<int64_t>("KV block bytes");
}

Store::Store(Memory &m, Layout layout, int32_t n_blocks, int32_t n_swap) : layout_(std::move(layout)), n_blocks_(n_blocks) {
    const Checked bytes = Checked(layout_.block_bytes()) * Checked(n_blocks);
    const size_t align = bytes.value() >= 2 * tensor::kHugePage ? tensor::kHugePage : 64;
    data_ = Buffer(m, bytes.size(), align, MemTag::kv);
    if (align == tensor::kHugePage) tensor::advise_huge_pages(data_.data(), data_.size());
    if (n_swap > 0) swap_ = Buffer(m, (Checked(layout_.block_bytes()) * Checked(n_swap)).size(), 64, MemTag::kv);
}

void Store::touch() noexcept { tensor::touch_pages(data_.data(), data_.size()); }

tensor::KvView Store::view(int32_t layer) const noexcept {
    return {block(0) + layout_.layer_offset(layer), layout_.block_bytes(), layout_.panel_bytes(layer), layout_.type()};
}

void Store::write(const kernels::KernelTable &table, int32_t layer, const int32_t *blocks, int64_t pos, int64_t n, const float *k, int64_t ldk,
                  const float *v, int64_t ldv) noexcept {
    const LayerShape &s = layout_.layer(layer);
    kernels::KvWriteFn *fn = layout_.type() == KvType::f32    ? table.kv_write_f32
                             : layout_.type() == KvType::f16  ? table.kv_write_f16
                             : layout_.type() == KvType::bf16 ? table.kv_write_bf16
                                                              : table.kv_write_q8_0;
    for (int64_t i = 0; i < n; ++i) {
        uint8_t *panel = block(blocks[(pos + i) / kBlockTokens]) + layout_.layer_offset(layer);
        for (int32_t h = 0; h < s.n_kv_heads; ++h, panel += layout_.panel_bytes(layer))
            fn(k + i * ldk + h * s.k_dim, v + i * ldv + h * s.v_dim, panel, (pos + i) % kBlockTokens, s.k_dim, s.v_dim);
    }
}

void Store::copy(std::span<const Copy> copies) noexcept {
    auto swapped = [&](int32_t i) { return swap_.as<uint8_t>() + i * layout_.block_bytes(); };
    for (const Copy &c : copies) {
        uint8_t *to = c.way == Copy::Way::out ? swapped(c.to) : block(c.to);
        const uint8_t *from = c.way == Copy::Way::in ? swapped(c.from) : block(c.from);
        std::memcpy(to, from, static_cast<size_t>(layout_.block_bytes()));
    }
}

}  // namespace inlay::kv
