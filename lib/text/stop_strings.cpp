// SPDX-License-Identifier: Apache-2.0
// The automaton of the stop strings: at most 16 x 256 bytes, so children are short lists.
#include "text/stop_strings.h"

#include "base/error.h"

namespace inlay::text {

StopStrings::StopStrings(Memory &m, std::span<const std::string_view> stops, const Limits &limits)
    : nodes_(1, Node{}, Alloc<Node>(m)), texts_(Alloc<String>(m)), n_(stops.size()) {
    if (stops.size() > limits.stops) fail(Code::limit, stops.size(), " stop strings, limit ", limits.stops);
    for (size_t i = 0; i < stops.size(); ++i) {
        std::string_view s = stops[i];
        if (s.empty()) fail(Code::invalid_argument, "stop string ", i, " is empty");
        if (s.size() > limits.stop_bytes) fail(Code::limit, "stop string ", i, " has ", s.size(), " bytes, limit ", limits.stop_bytes);
        texts_.push_back(make_string(m, s));
        uint16_t node = 0;
        for (char c : s) {
            unsigned char b = static_cast<unsigned char>(c);
            uint16_t next = child(node, b);
            if (next == 0) {
                if (nodes_.size() > 0xffff) fail(Code::limit, "stop strings have more than 65,535 bytes");
                next = static_cast<uint16_t>(nodes_.size());
                Node n;
                n.byte = b;
                n.sibling = nodes_[node].first_child;
                n.depth = static_cast<uint16_t>(nodes_[node].depth + 1);
                n.from = static_cast<uint16_t>(i);
                nodes_.push_back(n);
                nodes_[node].first_child = next;
            }
            node = next;
        }
        if (nodes_[node].stop < 0) {
            nodes_[node].stop = static_cast<int16_t>(i);
            nodes_[node].stop_bytes = static_cast<uint16_t>(s.size());
        }
    }
    Vector<uint16_t> queue(1, 0, Alloc<uint16_t>(m));
    for (size_t at = 0; at < queue.size(); ++at) {
        uint16_t node = queue[at];
        for (uint16_t c = nodes_[node].first_child; c != 0; c = nodes_[c].sibling) {
            queue.push_back(c);
            if (node == 0) continue;
            uint16_t f = nodes_[node].fail, next;
            while ((next = child(f, nodes_[c].byte)) == 0 && f != 0) f = nodes_[f].fail;
            nodes_[c].fail = next;
            if (nodes_[c].stop < 0) {
                nodes_[c].stop = nodes_[next].stop;
                nodes_[c].stop_bytes = nodes_[next].stop_bytes;
            }
        }
    }
}

uint16_t StopStrings::child(uint16_t node, unsigned char byte) const noexcept {
    uint16_t c = nodes_[node].first_child;
    while (c != 0 && nodes_[c].byte != byte) c = nodes_[c].sibling;
    return c;
}

bool StopStrings::push(State &state, std::string_view text, String &out) const {
    if (state.matched >= 0) return true;
    if (n_ == 0) {
        out.append(text);
        return false;
    }
    for (char c : text) {
        unsigned char b = static_cast<unsigned char>(c);
        uint16_t next;
        while ((next = child(state.node, b)) == 0 && state.node != 0) {
            // The held bytes shrink to a shorter beginning: what falls off at the front is certain.
            uint16_t shorter = nodes_[state.node].fail;
            out.append(prefix(state.node).substr(0, nodes_[state.node].depth - nodes_[shorter].depth));
            state.node = shorter;
        }
        state.node = next;
        if (next == 0) {
            out.push_back(c);
            continue;
        }
        const Node &n = nodes_[next];
        if (n.stop >= 0) {
            out.append(prefix(next).substr(0, n.depth - n.stop_bytes));
            state.matched = n.stop;
            state.node = 0;
            return true;
        }
    }
    return false;
}

void StopStrings::finish(State &state, String &out) const {
    if (state.matched < 0 && n_ != 0) out.append(prefix(state.node));
    state.node = 0;
}

}  // namespace inlay::text
