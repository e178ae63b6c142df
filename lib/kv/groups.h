// SPDX-License-Identifier: Apache-2.0
// Layers fall into groups by the window that their queries see. A block of 16 tokens is then one page for each group, all
// pages have one size, and a page goes back as soon as its own group's window has left it behind. Models whose layers
// all see alike have one group; the ways of counting that this asks for are here and nowhere else.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "kv/block_pool.h"

namespace inlay::kv {

constexpr int32_t kMaxGroups = 16;  // tables have a number for each group and block: more would be felt

struct Groups {
    int32_t n = 1;
    std::array<int32_t, kMaxGroups> window{};  // keys that a query sees, itself included; 0 = all

    // The first block that token `n_tokens` reads (those after it read no earlier one): its window's first token is
    // n_tokens + 1 - window, as tensor::AttnPlan has it.
    int32_t first_block(int32_t g, int32_t n_tokens) const noexcept {
        const int32_t w = window[static_cast<size_t>(g)];
        return w > 0 && n_tokens >= w ? (n_tokens + 1 - w) / kBlockTokens : 0;
    }
    // Pages of a group that a sequence of n_tokens holds at most at a time while it is computed in chunks of up to `chunk`.
    int64_t most(int32_t g, int64_t n_tokens, int64_t chunk) const noexcept {
        const int64_t all = (n_tokens + kBlockTokens - 1) / kBlockTokens, w = window[static_cast<size_t>(g)];
        if (w == 0) return all;
        // What the chunk's tokens read and write, at the worst place against the blocks' borders.
        return std::min(all, (w - 1 + std::max<int64_t>(1, chunk) + kBlockTokens - 2) / kBlockTokens + 1);
    }
    // Pages without which a sequence cannot go on behind n_blocks whole blocks.
    int64_t kept(int32_t n_blocks) const noexcept {
        int64_t sum = 0;
        for (int32_t g = 0; g < n; ++g) sum += n_blocks - first_block(g, n_blocks * kBlockTokens);
        return sum;
    }
    // Of all groups.
    int64_t pages(int64_t n_tokens, int64_t chunk) const noexcept {
        int64_t sum = 0;
        for (int32_t g = 0; g < n; ++g) sum += most(g, n_tokens, chunk);
        return sum;
    }
};

// What one layer keeps of 16 tokens.
struct LayerPart {
    int64_t bytes = 0;
    int32_t window = 0;
};

// Cuts layers into groups whose pages have one size, and writes each layer's group. Of all cuts the one that pads least;
// where even that pads more than an eighth, one group that sees as far as the widest layer.
Groups split_layers(std::span<const LayerPart> layers, std::span<int32_t> group) noexcept;

}  // namespace inlay::kv
