// SPDX-License-Identifier: Apache-2.0
// The JSON of inlay_request_submit_messages(), checked member by member before anything is rendered.
#pragma once

#include "base/limits.h"
#include "io/json.h"
#include "text/answer_grammar.h"
#include "text/template_types.h"

namespace inlay::capi {

struct ChatRequest {
    ChatRequest(Memory &m, std::string_view json, const Limits &limits);

    io::JsonDocument doc;
    const io::Json *messages;
    const io::Json *tools = nullptr;  // null: none were given
    bool has_choice = false;          // tool_choice was said
    text::ToolChoice choice = text::ToolChoice::automatic;
    Vector<std::string_view> allowed, waived;
    bool parallel = true, allow_unknown = false;
    bool add_generation_prompt = true, continue_final = false;
    String content_schema;           // of response_format; empty: text
    std::string_view chat_template;  // source or built-in name; empty: the model's own
    text::CivilTime now;             // month 0: no clock
};

}  // namespace inlay::capi
