// SPDX-License-Identifier: Apache-2.0
// Building and running the reversed automaton.
#include "text/matcher.h"

#include <algorithm>

#include "base/checked.h"

namespace inlay::text {

Matcher::Matcher(Memory &m) : nodes_(1, Node{}, Alloc<Node>(m, MemTag::text)), edges_(64, Edge{}, Alloc<Edge>(m, MemTag::text)), mask_(63) {}

uint32_t Matcher::child(uint32_t node, unsigned char byte) const noexcept {
    uint64_t key = (static_cast<uint64_t>(node) << 8 | byte) + 1;
    for (size_t i = mix64(key, 0x51) & mask_;; i = (i + 1) & mask_) {
        if (edges_[i].key == key) return edges_[i].to;
        if (edges_[i].key == 0) return 0;
    }
}

void Matcher::insert_edge(uint64_t key, uint32_t to) {
    if (2 * (n_edges_ + 1) > edges_.size()) {
        Vector<Edge> old(edges_.size() * 2, Edge{}, edges_.get_allocator());
        old.swap(edges_);
        mask_ = edges_.size() - 1;
        n_edges_ = 0;
        for (const Edge &e : old)
            if (e.key) insert_edge(e.key, e.to);
    }
    size_t i = mix64(key, 0x51) & mask_;
    while (edges_[i].key) i = (i + 1) & mask_;
    edges_[i] = {key, to};
    ++n_edges_;
}

void Matcher::add(std::string_view text, int32_t value) {
    uint32_t node = 0;
    for (size_t i = text.size(); i-- > 0;) {
        unsigned char b = static_cast<unsigned char>(text[i]);
        uint32_t next = child(node, b);
        if (next == 0) {
            next = Checked(nodes_.size()).to<uint32_t>("special token automaton");
            Node n;
            n.byte = b;
            n.sibling = nodes_[node].first_child;
            nodes_.push_back(n);
            nodes_[node].first_child = next;
            insert_edge((static_cast<uint64_t>(node) << 8 | b) + 1, next);
        }
        node = next;
    }
    if (text.empty()) return;
    starts_[static_cast<unsigned char>(text.back())] = true;
    nodes_[node].value = value;
    nodes_[node].size = static_cast<uint32_t>(text.size());
    ++n_;
}

void Matcher::build() {
    Vector<uint32_t> queue(nodes_.get_allocator());
    queue.reserve(nodes_.size());
    queue.push_back(0);
    for (size_t at = 0; at < queue.size(); ++at) {
        uint32_t node = queue[at];
        for (uint32_t c = nodes_[node].first_child; c != 0; c = nodes_[c].sibling) {
            queue.push_back(c);
            if (node == 0) continue;
            uint32_t f = nodes_[node].fail, next;
            while ((next = child(f, nodes_[c].byte)) == 0 && f != 0) f = nodes_[f].fail;
            nodes_[c].fail = next;
            // A string that ends here itself is longer than any that a fail link leads to.
            if (nodes_[c].size == 0) {
                nodes_[c].size = nodes_[next].size;
                nodes_[c].value = nodes_[next].value;
            }
        }
    }
}

void Matcher::find(std::string_view text, Vector<Hit> &hits) const {
    hits.clear();
    if (n_ == 0) return;
    uint32_t node = 0;
    for (size_t i = text.size(); i-- > 0;) {
        unsigned char b = static_cast<unsigned char>(text[i]);
        if (node == 0 && !starts_[b]) continue;
        uint32_t next;
        while ((next = child(node, b)) == 0 && node != 0) node = nodes_[node].fail;
        node = next;
        if (nodes_[node].size != 0) hits.push_back({static_cast<uint32_t>(i), nodes_[node].size, nodes_[node].value});
    }
    std::reverse(hits.begin(), hits.end());
    size_t kept = 0, end = 0;
    for (const Hit &h : hits) {
        if (h.begin < end) continue;
        end = static_cast<size_t>(h.begin) + h.size;
        hits[kept++] = h;
    }
    hits.resize(kept, Hit{});
}

}  // namespace inlay::text
