// SPDX-License-Identifier: Apache-2.0
// Reads GBNF, llama.cpp's dialect of BNF, into rules.
#pragma once

#include <string_view>

#include "base/limits.h"
#include "text/grammar/ast.h"

namespace inlay::text::grammar {

// FORMAT with a place for malformed text, LIMIT for a cap. Rules are checked to be defined; root is found.
Ast parse_gbnf(Memory &m, std::string_view source, const Limits &limits);

}  // namespace inlay::text::grammar
