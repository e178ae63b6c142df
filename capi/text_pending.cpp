// SPDX-License-Identifier: Apache-2.0
// Entry points whose library side has not landed yet: they keep their symbols and say so.
#include "capi/messages.h"

using namespace inlay;
using namespace inlay::capi;

namespace inlay::capi {
Conversation prepare_conversation(engine::Runtime &, const engine::OpenedModel &, std::string_view, bool) { fail(Code::unsupported, "chat templates are not in this build"); }
}  // namespace inlay::capi

extern "C" inlay_status inlay_parser_create(inlay_runtime *, const char *, size_t, const char *, size_t, uint32_t, inlay_parser **, inlay_error *err) {
    return guard(err, []() -> inlay_status { fail(Code::unsupported, "answer parsers are not in this build"); });
}
extern "C" inlay_status inlay_parser_parse(inlay_parser *, const char *, size_t, inlay_error *err) {
    return guard(err, []() -> inlay_status { fail(Code::unsupported, "answer parsers are not in this build"); });
}
extern "C" inlay_status inlay_parser_poll(inlay_parser *, inlay_event *, inlay_error *err) {
    return guard(err, []() -> inlay_status { fail(Code::unsupported, "answer parsers are not in this build"); });
}
extern "C" void inlay_parser_free(inlay_parser *) {}
