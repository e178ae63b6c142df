// SPDX-License-Identifier: Apache-2.0
// Stop strings over one answer's growing text: what may still become a stop string is held back, everything else goes out
// at once. Whichever way the text is cut into tokens, the stop string that ends first counts.
#pragma once

#include "base/containers.h"
#include "text/stop_strings.h"

namespace inlay::engine {

class StopFilter {
public:
    // `stops`: checked already.
    StopFilter(Memory &m, const Vector<String> &stops, bool keep);

    // Where a token's text is appended before scan().
    String &pending() noexcept { return pending_; }
    // Moves what is certain to `out`. True when a stop string stands in the text: what follows it is dropped.
    bool scan(String &out);
    // The end without a stop: all that was held back.
    void flush(String &out);

private:
    Vector<String> stops_;
    text::StopStrings strings_;
    text::StopStrings::State state_;
    String pending_;
    bool keep_;
};

}  // namespace inlay::engine
