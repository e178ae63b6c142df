// SPDX-License-Identifier: Apache-2.0
// Source text to tokens, with Jinja's rules for white space: trim_blocks, lstrip_blocks, the marks - and +, raw blocks,
// one newline at the end dropped, CR LF and CR read as LF.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"

namespace inlay::text::jinja {

enum class T : uint8_t {
    data, variable_begin, variable_end, block_begin, block_end, name, string, integer, floating, add, sub, mul, div, floordiv, mod,
    pow, tilde, lbracket, rbracket, lparen, rparen, lbrace, rbrace, eq, ne, gt, ge, lt, le, assign, dot, colon, pipe, comma, semicolon,
    eof, error,
};

struct Token {
    T type;
    int32_t line, column;
    std::string_view text;  // of names; of data; message of an error
    Value value;            // of literals
};

// An error in the text becomes a last token of type `error`: it counts only when the parser gets there, as in Jinja.
void lex(Rt &rt, std::string_view source, Vector<Token> &out);
std::string_view token_name(const Token &t);

}  // namespace inlay::text::jinja
