// SPDX-License-Identifier: Apache-2.0
// Reads regular expressions in ECMA-262's syntax (Unicode mode) into expressions. No backreferences, no lookaround,
// no word boundaries: those are UNSUPPORTED with their place, never approximated.
#pragma once

#include <string_view>

#include "base/limits.h"
#include "text/grammar/ast.h"

namespace inlay::text::grammar {

// Adds the expression to `ast` and returns it. `anchors` tells whether ^ or $ occur (ExprKind::begin, ::end).
uint32_t parse_regex(Ast &ast, std::string_view source, const Limits &limits, bool &anchors);

// The characters of \d \w \s and \p{...}; false where the property is not known here.
void add_class_escape(char letter, CharSet &out);
bool add_unicode_property(std::string_view name, CharSet &out);

}  // namespace inlay::text::grammar
