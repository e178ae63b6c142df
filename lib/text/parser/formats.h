// SPDX-License-Identifier: Apache-2.0
// The table of formats: which marks open what, and how calls of each family are built. Adding a format of a known
// family is one row.
#pragma once

#include <span>
#include <string_view>

namespace inlay::text {

// What stands after a mark that opens calls.
enum class Family : uint8_t {
    object,    // one JSON object with name and arguments, then `close`
    array,     // a JSON array of such objects
    mistral,   // such an array, or name [CALL_ID] id [ARGS] {arguments}
    section,   // calls of the form call_open header separator {arguments} call_close, then `close`
    one_call,  // a single such call without its section
    xml,       // name and parameters in tags, `close` around it where it is not empty
    xml_list,  // several of them, then `close`
    pythonic,  // [name(a=1), ...], then `close`
    bare,      // JSON objects as they stand at the start of the text, after a tag
    drop,      // the mark says nothing
};
struct Mark {
    std::string_view open, close;
    Family family;
};

// Whether a header names a type, and the name and a ```json fence follow the separator.
enum class Fence : uint8_t { no, yes, by_header };
struct SectionStyle {
    std::string_view call_open, separator, call_close;
    Fence fence = Fence::no;   // by_header: when the header says "function"
    bool header_is_id = false; // functions.NAME:INDEX
};
struct XmlStyle {
    std::string_view name_open, name_end, parameter_open, parameter_end, value_open, value_close, call_close;
    bool trims_newline = false;  // one line end at each end of a value belongs to the tags
    bool attributes = false;     // name="..." string="true"
};

enum class Start : uint8_t { content, json, json_or_array, pythonic, harmony };

struct ToolFormat {
    std::string_view name;
    std::string_view reason_open, reason_close;
    std::span<const Mark> marks;
    Start start = Start::content;
    SectionStyle section{};
    XmlStyle xml{};
};

std::span<const ToolFormat> tool_formats();

}  // namespace inlay::text
