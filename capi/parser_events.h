// SPDX-License-Identifier: Apache-2.0
// A stream parser's events in the form of the C API, taken one by one.
#pragma once

#include "inlay/request.h"
#include "text/parser/parser.h"

namespace inlay::capi {

class ParserEvents {
public:
    // The next event: ok, again (feed more), done (the finish event was taken). Pointers in `out` are lent until
    // forget_taken() or the next feed.
    Code next(const text::StreamParser &p, bool ended, inlay_event &out);
    // Frees what was handed out. Call before feeding.
    void forget_taken(text::StreamParser &p);

private:
    size_t taken_ = 0;
    bool finished_ = false;
};

}  // namespace inlay::capi
