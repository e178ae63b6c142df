// SPDX-License-Identifier: Apache-2.0
// Only layers of one window share a group, in their order. The size of a page decides the cut, and a good size is some
// kind's bytes in 1, 2, 3 ... parts: those are tried, and the least padding wins (then the fewest groups).
#include "kv/groups.h"

namespace inlay::kv {

namespace {

struct Kind {
    int32_t window = 0;
    int64_t bytes = 0;
};
struct Kinds {
    int32_t n = 0;
    std::array<Kind, kMaxGroups> at;
};

Kind *find(Kinds &k, int32_t window) noexcept {
    auto end = k.at.begin() + k.n, it = std::find_if(k.at.begin(), end, [&](const Kind &x) { return x.window == window; });
    if (it != end) return &*it;
    if (k.n == kMaxGroups) return nullptr;
    k.at[static_cast<size_t>(k.n)] = {window, 0};
    return &k.at[static_cast<size_t>(k.n++)];
}

// Groups of up to `size` bytes; how many there are comes back in `n`, the largest's bytes as the result. -1: too many.
int64_t cut(std::span<const LayerPart> layers, const Kinds &kinds, int64_t size, Groups &out, std::span<int32_t> group) noexcept {
    int64_t page = 0;
    out.n = 0;
    for (int32_t k = 0; k < kinds.n; ++k) {
        const int32_t window = kinds.at[static_cast<size_t>(k)].window;
        int64_t filled = 0;
        bool open = false;
        for (size_t i = 0; i < layers.size(); ++i) {
            const LayerPart &l = layers[i];
            if (l.bytes == 0 || l.window != window) continue;
            if (!open || filled + l.bytes > size) {
                if (out.n == kMaxGroups) return -1;
                out.window[static_cast<size_t>(out.n++)] = window;
                filled = 0;
                open = true;
            }
            filled += l.bytes;
            page = std::max(page, filled);
            group[i] = out.n - 1;
        }
    }
    return page;
}

}  // namespace

Groups split_layers(std::span<const LayerPart> layers, std::span<int32_t> group) noexcept {
    std::fill(group.begin(), group.end(), 0);
    Kinds kinds;
    int64_t total = 0, largest = 0;
    int32_t widest = 0;
    bool full = false, many = false;
    for (const LayerPart &l : layers) {
        if (l.bytes == 0) continue;
        total += l.bytes;
        largest = std::max(largest, l.bytes);
        widest = std::max(widest, l.window);
        full |= l.window == 0;
        if (Kind *k = find(kinds, l.window))
            k->bytes += l.bytes;
        else
            many = true;
    }
    Groups one, tried, best;
    one.window[0] = full ? 0 : widest;
    if (kinds.n < 2 || many) return one;
    int64_t least = total / 8 + 1, size = 0;
    for (int32_t k = 0; k < kinds.n; ++k)
        for (int64_t parts = 1; parts <= kMaxGroups; ++parts) {
            const int64_t want = std::max(largest, (kinds.at[static_cast<size_t>(k)].bytes + parts - 1) / parts);
            const int64_t page = cut(layers, kinds, want, tried, group);
            if (page < 0) continue;
            const int64_t waste = page * tried.n - total;
            if (waste < least || (waste == least && size > 0 && tried.n < best.n)) least = waste, size = want, best = tried;
        }
    if (size == 0) {
        std::fill(group.begin(), group.end(), 0);
        return one;
    }
    (void)cut(layers, kinds, size, best, group);
    return best;
}

}  // namespace inlay::kv
