// SPDX-License-Identifier: Apache-2.0
// Finds any of many fixed strings in a text, leftmost and then longest, in time linear in the text whatever the
// strings: an Aho-Corasick automaton over the reversed strings runs from the end and knows the longest match that
// begins at each position; picking from the left is then a walk over the hits. (Walking a trie forwards from each
// position would cost length x longest string on text made for it.)
#pragma once

#include <cstdint>
#include <string_view>

#include "base/containers.h"

namespace inlay::text {

class Matcher {
public:
    struct Hit {
        uint32_t begin, size;
        int32_t value;
    };

    explicit Matcher(Memory &m);
    void add(std::string_view text, int32_t value);  // not empty; of equal texts the last counts
    void build();                                    // after the last add
    bool empty() const noexcept { return n_ == 0; }
    // Replaces `hits` by the matches, which do not overlap, in order of place.
    void find(std::string_view text, Vector<Hit> &hits) const;

private:
    struct Node {
        uint32_t first_child = 0, sibling = 0, fail = 0;
        int32_t value = 0;
        uint32_t size = 0;  // of the longest string that ends here; 0 = none
        unsigned char byte = 0;
    };
    struct Edge {
        uint64_t key = 0;  // node << 8 | byte, plus 1
        uint32_t to = 0;
    };
    uint32_t child(uint32_t node, unsigned char byte) const noexcept;
    void insert_edge(uint64_t key, uint32_t to);

    Vector<Node> nodes_;
    Vector<Edge> edges_;
    size_t mask_ = 0, n_edges_ = 0, n_ = 0;
    bool starts_[256] = {};  // last bytes of the strings: all that leaves the root
};

}  // namespace inlay::text
