// SPDX-License-Identifier: Apache-2.0
#include "engine/stops.h"

namespace inlay::engine {

namespace {
text::StopStrings automaton(Memory &m, const Vector<String> &stops) {
    Vector<std::string_view> views(stops.begin(), stops.end(), Alloc<std::string_view>(m));
    return {m, views, Limits{}};
}
}  // namespace

StopFilter::StopFilter(Memory &m, const Vector<String> &stops, bool keep)
    : stops_(stops, Alloc<String>(m, MemTag::text)), strings_(automaton(m, stops)), pending_(Alloc<char>(m, MemTag::text)), keep_(keep) {
    pending_.reserve(256);
}

bool StopFilter::scan(String &out) {
    const bool found = strings_.push(state_, pending_, out);
    pending_.clear();
    if (found && keep_) out.append(stops_[static_cast<size_t>(state_.matched)]);
    return found;
}

void StopFilter::flush(String &out) { strings_.finish(state_, out); }

}  // namespace inlay::engine
