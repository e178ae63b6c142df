// SPDX-License-Identifier: Apache-2.0
#include "kv/store.h"

#include <algorithm>
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
    Vector<LayerPart> parts((Alloc<LayerPart>(m)));
    Vector<int32_t> group(layers.size(), 0, Alloc<int32_t>(m));
    Checked total = 0;
    for (const LayerShape &s : layers) {
        // 2^20 dims of 2^12 heads stay far from 64 bits in panel_bytes' own arithmetic.
        if (s.n_kv_heads < 0 || s.k_dim < 0 || s.v_dim < 0 || s.k_dim > (1 << 20) || s.v_dim > (1 << 20))
            fail(Code::limit, "KV heads of ", s.k_dim, " and ", s.v_dim, " values exceed ", 1 << 20);
        const int64_t panel = s.n_kv_heads ? kernels::kv_panel_bytes(type, s.k_dim, s.v_dim) : 0;
        const Checked bytes = Checked(panel) * Checked(s.n_kv_heads);
        total += bytes;
        parts.push_back({bytes.to<int64_t>("KV page bytes"), s.window});
        layers_.push_back({s, 0, panel, 0});
    }
    (void)(total * Checked(kMaxGroups)).to<int64_t>("KV page bytes");  // what split_layers() may count up to
    groups_ = split_layers(parts, group);
    std::array<int64_t, kMaxGroups> filled{};
    for (size_t l = 0; l < layers_.size(); ++l) {
        int64_t &at = filled[static_cast<size_t>(group[l])];
        layers_[l].group = group[l];
        layers_[l].offset = at;
        at += parts[l].bytes;
        page_bytes_ = std::max(page_bytes_, at);
    }
}

Store::Store(Memory &m, Layout layout, int32_t n_pages, int32_t n_swap) : layout_(std::move(layout)), n_pages_(n_pages) {
    const Checked bytes = Checked(layout_.page_bytes()) * Checked(n_pages);
    const size_t align = bytes.value() >= 2 * tensor::kHugePage ? tensor::kHugePage : 64;
    data_ = Buffer(m, bytes.size(), align, MemTag::kv);
    if (align == tensor::kHugePage) tensor::advise_huge_pages(data_.data(), data_.size());
    if (n_swap > 0) swap_ = Buffer(m, (Checked(layout_.page_bytes()) * Checked(n_swap)).size(), 64, MemTag::kv);
}

void Store::touch() noexcept { tensor::touch_pages(data_.data(), data_.size()); }

tensor::KvView Store::view(int32_t layer) const noexcept {
    return {page(0) + layout_.layer_offset(layer), layout_.page_bytes(), layout_.panel_bytes(layer), layout_.type(), layout_.groups().n, layout_.group(layer)};
}

void Store::write(const kernels::KernelTable &table, int32_t layer, const int32_t *pages, int64_t pos, int64_t n, const float *k, int64_t ldk,
                  const float *v, int64_t ldv) noexcept {
    const LayerShape &s = layout_.layer(layer);
    kernels::KvWriteFn *fn = layout_.type() == KvType::f32    ? table.kv_write_f32
                             : layout_.type() == KvType::f16  ? table.kv_write_f16
                             : layout_.type() == KvType::bf16 ? table.kv_write_bf16
                                                              : table.kv_write_q8_0;
    const int64_t groups = layout_.groups().n, group = layout_.group(layer);
    for (int64_t i = 0; i < n; ++i) {
        uint8_t *panel = page(pages[(pos + i) / kBlockTokens * groups + group]) + layout_.layer_offset(layer);
        for (int32_t h = 0; h < s.n_kv_heads; ++h, panel += layout_.panel_bytes(layer))
            fn(k + i * ldk + h * s.k_dim, v + i * ldv + h * s.v_dim, panel, (pos + i) % kBlockTokens, s.k_dim, s.v_dim);
    }
}

void Store::copy(std::span<const Copy> copies) noexcept {
    auto swapped = [&](int32_t i) { return swap_.as<uint8_t>() + i * layout_.page_bytes(); };
    for (const Copy &c : copies) {
        uint8_t *to = c.way == Copy::Way::out ? swapped(c.to) : page(c.to);
        const uint8_t *from = c.way == Copy::Way::in ? swapped(c.from) : page(c.from);
        std::memcpy(to, from, static_cast<size_t>(layout_.page_bytes()));
    }
}

}  // namespace inlay::kv
