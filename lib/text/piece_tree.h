// SPDX-License-Identifier: Apache-2.0
// A prefix tree over the pieces of a vocabulary, for finding every piece that begins at a place. Nodes stand in
// breadth-first order, so that a node's children are neighbours and three flat arrays (9 bytes a node) are all of it.
#pragma once

#include <algorithm>

#include "text/vocab.h"

namespace inlay::text {

class PieceTree {
public:
    explicit PieceTree(Memory &m)
        : first_(Alloc<uint32_t>(m, MemTag::text)), label_(Alloc<unsigned char>(m, MemTag::text)), value_(Alloc<int32_t>(m, MemTag::text)) {}

    // Of the ids that `wanted` accepts.
    template <class Wanted>
    void build(Memory &m, const Vocab &vocab, const Wanted &wanted) {
        Vector<int32_t> ids{Alloc<int32_t>(m)};
        for (int32_t id = 0; id < vocab.size(); ++id)
            if (!vocab.text(id).empty() && wanted(id)) ids.push_back(id);
        std::sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return vocab.text(a) < vocab.text(b); });
        // A queue of ranges of `ids` that share their first `depth` bytes: one range is one node.
        struct Range {
            uint32_t begin, end, depth;
        };
        Deque<Range> queue{Alloc<Range>(m)};
        queue.push_back({0, static_cast<uint32_t>(ids.size()), 0});
        label_.push_back(0);
        uint32_t n_nodes = 1;
        while (!queue.empty()) {
            Range r = queue.front();
            queue.pop_front();
            first_.push_back(n_nodes);
            value_.push_back(kNoToken);
            if (r.begin < r.end && vocab.text(ids[r.begin]).size() == r.depth) value_.back() = ids[r.begin++];
            while (r.begin < r.end) {
                unsigned char c = static_cast<unsigned char>(vocab.text(ids[r.begin])[r.depth]);
                uint32_t e = r.begin;
                while (e < r.end && static_cast<unsigned char>(vocab.text(ids[e])[r.depth]) == c) ++e;
                queue.push_back({r.begin, e, r.depth + 1});
                label_.push_back(c);
                ++n_nodes;
                r.begin = e;
            }
        }
        first_.push_back(n_nodes);
    }

    // Calls f(bytes, id) for each piece that begins `text`, shortest first.
    template <class F>
    void each_prefix(std::string_view text, const F &f) const {
        uint32_t node = 0;
        for (size_t i = 0; i < text.size(); ++i) {
            const unsigned char *begin = label_.data() + first_[node], *end = label_.data() + first_[node + 1];
            const unsigned char c = static_cast<unsigned char>(text[i]);
            const unsigned char *it = std::lower_bound(begin, end, c);
            if (it == end || *it != c) return;
            node = static_cast<uint32_t>(it - label_.data());
            if (value_[node] != kNoToken) f(i + 1, value_[node]);
        }
    }

private:
    Vector<uint32_t> first_;        // [n_nodes + 1] of its children
    Vector<unsigned char> label_;   // [n_nodes] the byte that leads to it
    Vector<int32_t> value_;         // [n_nodes]
};

}  // namespace inlay::text
