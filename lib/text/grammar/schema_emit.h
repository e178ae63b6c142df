// SPDX-License-Identifier: Apache-2.0
// Plans to rules: the JSON syntax around what the planner found out. Objects and arrays that must remember something
// become frames with gates.
#pragma once

#include "text/grammar/ast.h"
#include "text/grammar/schema_plan.h"

namespace inlay::text::grammar {

Ast emit_schema(Planner &p, const SchemaOptions &options);

}  // namespace inlay::text::grammar
