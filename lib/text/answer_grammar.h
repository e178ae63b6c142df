// SPDX-License-Identifier: Apache-2.0
// What an answer may look like, given how its model writes calls, the tools offered and the caller's choice: one grammar
// that is exactly what the stream parser of the same format reads. Reasoning, free text without marks, then calls whose
// arguments follow the tools' schemas.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "io/json.h"
#include "text/grammar/constraint.h"
#include "text/parser/parser.h"

namespace inlay::text {

enum class ToolChoice : uint8_t {
    none,       // text alone
    automatic,  // text, then calls or none
    required,   // calls, behind reasoning where the template knows it
};

struct ControlToken {
    std::string_view text;
    int32_t id;
};

struct AnswerShape {
    const ToolFormat *format = nullptr;
    const io::Json *tools = nullptr;  // the request's array
    ToolChoice choice = ToolChoice::automatic;
    std::span<const std::string_view> allowed = {};  // the tools that may be called; empty: all
    bool parallel = true;                            // more than one call
    bool in_reasoning = false;                       // the prompt has opened the reasoning
    std::string_view chat_template;                  // chooses among a format's forms; empty: all of them
    std::string_view content_schema;                 // JSON Schema of the answer that is no call; empty: free text
    grammar::SchemaOptions schema = {};
    std::span<const ControlToken> control = {};  // written as one token where a mark holds their text
};

// INVALID_ARGUMENT: no such tool, or one whose name the format can't write; UNSUPPORTED: a format without calls, or a
// keyword of a tool's schema that can't be enforced: the message begins with the tool's name and the keyword's pointer.
std::shared_ptr<const grammar::Constraint> answer_grammar(Memory &m, const AnswerShape &shape, const Limits &limits);

}  // namespace inlay::text
