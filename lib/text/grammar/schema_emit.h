// SPDX-License-Identifier: Apache-2.0
// Plans to rules: the syntax around what the planner found out. Objects and arrays that must remember something become
// frames with gates. Several schemas may go into one grammar; tool calls write their arguments in a syntax of their own.
#pragma once

#include "text/grammar/ast.h"
#include "text/grammar/schema_plan.h"

namespace inlay::text::grammar {

// How values are written. `tagged`: JSON between tags, which never writes "</", so that no closing tag can stand inside;
// `python`: None, True, False, and strings with the escapes that both languages read alike.
enum class Dialect : uint8_t { json, tagged, python };

// One grammar being made. What depends on no schema is made once.
struct Emission {
    Emission(Memory &m, const Limits &limits, Dialect d = Dialect::json);
    Ast ast;
    Languages langs;  // of every planner that goes into it
    Dialect dialect;
    HashMap<uint64_t, uint32_t> lang_rule;
    uint32_t any_rule = kNone, char_rule = kNone;
};

// The outermost object of a call.
struct ArgumentSyntax {
    enum class Kind : uint8_t { object, keywords, tags } kind = Kind::object;  // {"a": 1}, (a=1), <a>1</a>
    bool declared_only = false;                                                // names beside the listed ones are not written
    // Tags: around all (`close` is not empty); before the name, between name and value, behind the value. A line feed in
    // them may be left out.
    std::string_view open, close, before, between, after;
    std::string_view between_text;  // instead of `between`, where text and JSON are told apart; empty: by the declared type
    std::string_view value_close;   // what ends a value of plain text
    std::string_view line;          // around values, always
    // How a property is declared: its value is plain text; a bare null is null.
    struct Declared {
        bool text = false, null = false;
    };
    Declared (*declared)(const void *context, std::string_view key) = nullptr;
    const void *context = nullptr;
};

// The rule of a whole value.
uint32_t emit_value(Emission &e, Planner &p, const SchemaOptions &options);
// The expression of a call's arguments. UNSUPPORTED for names that the syntax can't write.
uint32_t emit_arguments(Emission &e, Planner &p, const SchemaOptions &options, const ArgumentSyntax &syntax);

// The texts that hold `mark` nowhere.
Lang texts_without(Languages &langs, std::string_view mark);

}  // namespace inlay::text::grammar
