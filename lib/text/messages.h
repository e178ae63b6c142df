// SPDX-License-Identifier: Apache-2.0
// Conversations as callers write them, fitted to what a template can take. Templates disagree: some want arguments of
// tool calls as objects, some as text; some know content in parts, some strings alone; null content breaks many. Each
// template is asked once, by rendering small conversations and looking for their words in the output.
#pragma once

#include <string_view>

#include "io/json.h"
#include "text/jinja/template.h"

namespace inlay::text {

struct MessageFit {
    bool parse_arguments = false;  // arguments that are JSON text become objects
    bool print_arguments = false;  // arguments that are objects become JSON text
    bool join_parts = false;       // content of text parts alone becomes one string, joined by line feeds
    bool make_parts = false;       // content that is a string becomes one text part
    bool empty_null = false;       // content null (or absent beside tool calls) becomes ""
    bool any() const { return parse_arguments || print_arguments || join_parts || make_parts || empty_null; }
};

// Renders a handful of tiny conversations; a template that refuses them all is left as it is.
MessageFit probe_messages(Memory &m, const Template &t);

// The JSON text of the fitted messages. `messages` must be an array, else INVALID_ARGUMENT.
String fit_messages(Memory &m, const io::Json &messages, const MessageFit &fit);

// The JSON text of a tree.
String write_json(Memory &m, const io::Json &j);

// The source of a built-in template for models whose file has none: chatml, llama2, llama3, mistral, gemma, phi3, zephyr,
// vicuna, alpaca, raw. Empty: no such name.
std::string_view builtin_template(std::string_view name);

}  // namespace inlay::text
