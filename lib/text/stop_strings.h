// SPDX-License-Identifier: Apache-2.0
// Stop strings over a stream of text: given out is all that cannot be the beginning of a stop string, held back is the
// rest and nothing more. The automaton is Aho-Corasick's, so a byte costs a step whatever the strings look like; the
// stop string that ends first wins, of those the one that begins first, and it is cut from the text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/limits.h"

namespace inlay::text {

class StopStrings {
public:
    // LIMIT: more than limits.stops strings, or one beyond limits.stop_bytes; INVALID_ARGUMENT: an empty one.
    StopStrings(Memory &m, std::span<const std::string_view> stops, const Limits &limits);

    struct State {
        uint16_t node = 0;
        int32_t matched = -1;  // index of the stop string, once one was found
    };
    bool empty() const noexcept { return n_ == 0; }
    // Takes the next text; appends to `out` what is certain. True once a stop string was found: what follows is dropped.
    bool push(State &state, std::string_view text, String &out) const;
    // The end of the stream: what was held back was no stop string after all.
    void finish(State &state, String &out) const;
    // Bytes held back.
    size_t held(const State &state) const noexcept { return nodes_[state.node].depth; }

private:
    struct Node {
        uint16_t first_child = 0, sibling = 0, fail = 0, depth = 0;
        int16_t stop = -1;        // the longest string that ends here
        uint16_t stop_bytes = 0;
        unsigned char byte = 0;
        uint16_t from = 0;        // a string that this node is a beginning of, for giving held bytes out
    };
    uint16_t child(uint16_t node, unsigned char byte) const noexcept;
    std::string_view prefix(uint16_t node) const noexcept { return std::string_view(texts_[nodes_[node].from]).substr(0, nodes_[node].depth); }

    Vector<Node> nodes_;
    Vector<String> texts_;
    size_t n_ = 0;
};

}  // namespace inlay::text
