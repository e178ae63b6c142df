// SPDX-License-Identifier: Apache-2.0
// Values that are not JSON in the text: Python literals, and bare text typed by a tool's schema. All become JSON text.
#pragma once

#include <string_view>

#include "base/containers.h"
#include "io/json.h"

namespace inlay::text {

// Appends the JSON of a Python literal (strings of all quotes, numbers, True, lists, tuples, dicts). False: not one.
bool python_to_json(Memory &m, std::string_view literal, String &out);
// "a=1, b='x'" to {"a": 1, "b": "x"}. False: not keyword arguments of literals.
bool python_arguments_to_json(Memory &m, std::string_view arguments, String &out);

// The schema of a parameter of a tool in the request's array; null when it is not there.
const io::Json *find_parameter(const io::Json *tools, std::string_view tool, std::string_view parameter);
// What a schema's own "type" makes of a bare value: text, and whether a bare null is null then.
struct TextParameter {
    bool text = false, null = false;
};
TextParameter text_parameter(const io::Json *schema);
// Appends the JSON of a bare value: text where the schema says string, else JSON or a Python literal, else text.
void typed_value(Memory &m, const io::Json *schema, std::string_view value, String &out);

}  // namespace inlay::text
