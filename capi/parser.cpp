// SPDX-License-Identifier: Apache-2.0
#include "inlay/parser.h"

#include <optional>

#include "capi/handles.h"
#include "capi/parser_events.h"
#include "io/json.h"

using namespace inlay;
using namespace inlay::capi;

struct inlay_parser {
    static constexpr uint32_t kTag = 0x50525331;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    std::optional<io::JsonDocument> tools;  // the stream parser borrows it
    text::StreamParser stream;
    ParserEvents events;
    bool ended = false;
};

extern "C" inlay_status inlay_parser_create(inlay_runtime *rt, const char *format, size_t n_format, const char *tools, size_t n_tools, uint32_t flags,
                                            inlay_parser **out_parser, inlay_error *err) {
    return guard(err, [&] {
        auto &owner = need_handle(rt, "rt").owner;
        need_pointer(out_parser, "out_parser");
        if (flags & ~INLAY_PARSER_IN_REASONING) fail(Code::unsupported, "flags ", flags, " has unknown bits");
        std::string_view name = text_arg(format, n_format, "format"), list = text_arg(tools, n_tools, "tools");
        const text::ToolFormat *f = text::find_tool_format(name);
        if (!f) fail(Code::not_found, "no answer format is called ", quoted{name});
        Memory &m = owner->memory();
        std::optional<io::JsonDocument> doc;
        if (!list.empty()) {
            io::JsonLimits jl;
            jl.bytes = owner->limits().request_json_bytes;
            jl.depth = owner->limits().request_json_depth;
            doc.emplace(io::JsonDocument::parse(m, list, jl, "tools"));
        }
        auto stream = text::StreamParser::create(m, f, doc ? &doc->root() : nullptr, flags & INLAY_PARSER_IN_REASONING);
        *out_parser = new_handle<inlay_parser>(owner, std::move(doc), std::move(stream));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_parser_parse(inlay_parser *parser, const char *text, size_t n_text, inlay_error *err) {
    return guard(err, [&] {
        inlay_parser &p = need_handle(parser, "parser");
        if (p.ended) fail(Code::state, "the stream has ended");
        std::string_view s = text_arg(text, n_text, "text");
        p.events.forget_taken(p.stream);
        if (s.empty()) {
            p.stream.finish();
            p.ended = true;
        } else {
            p.stream.feed(s);
        }
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_parser_poll(inlay_parser *parser, inlay_event *out_event, inlay_error *err) {
    return guard(err, [&] {
        inlay_parser &p = need_handle(parser, "parser");
        inlay_event out{};
        const Code code = p.events.next(p.stream, p.ended, out);
        if (code != Code::ok) return static_cast<inlay_status>(code);
        copy_out(out, out_event, "out_event");
        return INLAY_OK;
    });
}

extern "C" void inlay_parser_free(inlay_parser *parser) { free_handle(parser); }
