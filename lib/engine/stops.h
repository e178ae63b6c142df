// SPDX-License-Identifier: Apache-2.0
// Stop strings over a growing text: what may still become a stop string is held back, everything else goes out at once.
#pragma once

#include <span>
#include <string_view>

#include "base/containers.h"

namespace inlay::engine {

class StopFilter {
public:
    StopFilter(Memory &m, const Vector<String> &stops, bool keep);

    // Where a token's text is appended before scan().
    String &pending() noexcept { return pending_; }
    // Moves what is certain to `out`. True when a stop string stands in the text: what follows it is dropped.
    bool scan(String &out);
    // The end without a stop: all that was held back.
    void flush(String &out);

private:
    Vector<String> stops_;
    String pending_;
    bool keep_;
};

}  // namespace inlay::engine
