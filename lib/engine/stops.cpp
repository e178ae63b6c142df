// SPDX-License-Identifier: Apache-2.0
#include "engine/stops.h"

#include <algorithm>

namespace inlay::engine {

StopFilter::StopFilter(Memory &m, const Vector<String> &stops, bool keep)
    : stops_(stops, Alloc<String>(m, MemTag::text)), pending_(Alloc<char>(m, MemTag::text)), keep_(keep) {
    pending_.reserve(256);
}

bool StopFilter::scan(String &out) {
    size_t first = String::npos, end = 0, held = 0;
    for (const String &s : stops_) {
        size_t at = pending_.find(s);
        if (at < first) first = at, end = at + s.size();
        // The longest end of the text that begins this stop string.
        for (size_t n = std::min(s.size() - 1, pending_.size()); n > held; --n)
            if (pending_.compare(pending_.size() - n, n, s, 0, n) == 0) {
                held = n;
                break;
            }
    }
    if (first != String::npos) {
        out.append(pending_, 0, keep_ ? end : first);
        pending_.clear();
        return true;
    }
    out.append(pending_, 0, pending_.size() - held);
    pending_.erase(0, pending_.size() - held);
    return false;
}

void StopFilter::flush(String &out) {
    out.append(pending_);
    pending_.clear();
}

}  // namespace inlay::engine
