// SPDX-License-Identifier: Apache-2.0
// The timeline of an engine: one span a sequence a pass, kept in a ring so that a long run costs fixed memory, and
// written as Chrome trace JSON on demand.
#pragma once

#include <cstdint>

#include "base/containers.h"

namespace inlay::engine {

class Trace {
public:
    struct Span {
        uint64_t begin_ns, end_ns, step, submit_ns;
        uint64_t request;
        int32_t choice, n_tokens, from;
        uint8_t kind;  // 0 prefill, 1 decode, 2 whole step
    };
    explicit Trace(Memory &m) : spans_(m) {}
    void enable(size_t n) { spans_.resize(n); }
    bool on() const noexcept { return !spans_.empty(); }
    void add(const Span &s) noexcept {
        spans_[static_cast<size_t>(n_++ % spans_.size())] = s;
    }
    void write(String &out) const;

private:
    Vector<Span> spans_;
    uint64_t n_ = 0;
};

}  // namespace inlay::engine
