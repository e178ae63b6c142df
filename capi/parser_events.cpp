// SPDX-License-Identifier: Apache-2.0
#include "capi/parser_events.h"

namespace inlay::capi {

namespace {

int32_t event_kind(text::ParserEvent::Kind k) {
    using Kind = text::ParserEvent::Kind;
    switch (k) {
    case Kind::content: return INLAY_EVENT_CONTENT;
    case Kind::reasoning: return INLAY_EVENT_REASONING;
    case Kind::call_begin: return INLAY_EVENT_TOOL_CALL;
    case Kind::call_arguments: return INLAY_EVENT_TOOL_ARGUMENTS;
    case Kind::call_end: return INLAY_EVENT_TOOL_END;
    case Kind::malformed: return INLAY_EVENT_MALFORMED;
    }
    return 0;
}

}  // namespace

Code ParserEvents::next(const text::StreamParser &p, bool ended, inlay_event &out) {
    if (finished_) return Code::done;
    out.token = -1;
    if (taken_ < p.events().size()) {
        const text::ParserEvent &e = p.events()[taken_++];
        out.kind = event_kind(e.kind);
        out.text = e.text.data();
        out.n_text = e.text.size();
        out.call_index = e.call;
        if (!e.id.empty()) {  // at the end of a call too: some formats write it last
            out.call_id = e.id.data();
            out.n_call_id = e.id.size();
        }
        return Code::ok;
    }
    if (!ended) return Code::again;
    finished_ = true;
    out.kind = INLAY_EVENT_FINISH;
    out.finish = !p.result().complete ? INLAY_FINISH_LENGTH : p.result().calls.empty() ? INLAY_FINISH_STOP : INLAY_FINISH_TOOL_CALLS;
    return Code::ok;
}

void ParserEvents::forget_taken(text::StreamParser &p) {
    if (taken_ == 0 || taken_ < p.events().size()) return;
    p.clear_events();
    taken_ = 0;
}

}  // namespace inlay::capi
