// SPDX-License-Identifier: Apache-2.0
#include "capi/chat_request.h"

#include "text/messages.h"

namespace inlay::capi {

namespace {

using io::Json;

io::JsonLimits json_limits(const Limits &limits) {
    io::JsonLimits jl;
    jl.bytes = limits.request_json_bytes;
    jl.depth = limits.request_json_depth;
    return jl;
}

bool flag(const Json &root, std::string_view name, bool fallback) {
    const Json *j = root.get(name);
    if (!j) return fallback;
    if (!j->is_bool()) fail(Code::invalid_argument, name, " is neither true nor false");
    return j->boolean();
}

std::string_view string_of(const Json &object, std::string_view name, const char *what) {
    const Json *j = object.is_object() ? object.get(name) : nullptr;
    if (!j || !j->is_string()) fail(Code::invalid_argument, what, ": ", name, " is no string");
    return j->string();
}

// {"type": "function", "function": {"name": N}} or {"type": "function", "name": N}
std::string_view function_name(const Json &j) {
    const Json *f = j.is_object() ? j.get("function") : nullptr;
    return string_of(f ? *f : j, "name", "tool_choice");
}

void read_choice(ChatRequest &r, const Json &j) {
    r.has_choice = true;
    auto mode = [&](std::string_view s) {
        if (s == "none")
            r.choice = text::ToolChoice::none;
        else if (s == "auto")
            r.choice = text::ToolChoice::automatic;
        else if (s == "required" || s == "any")
            r.choice = text::ToolChoice::required;
        else
            fail(Code::invalid_argument, "tool_choice ", quoted{s}, " is none of none, auto, required");
    };
    if (j.is_string()) return mode(j.string());
    const std::string_view type = string_of(j, "type", "tool_choice");
    if (type == "function") {
        r.choice = text::ToolChoice::required;
        r.allowed.push_back(function_name(j));
    } else if (type == "allowed_tools") {
        const Json *inner = j.get("allowed_tools");
        const Json &list = inner ? *inner : j;
        mode(string_of(list, "mode", "tool_choice"));
        const Json *tools = list.get("tools");
        if (!tools || !tools->is_array() || tools->items().empty())
            fail(Code::invalid_argument, "tool_choice: allowed_tools names no tools");
        for (const Json &t : tools->items()) r.allowed.push_back(function_name(t));
    } else {
        fail(Code::invalid_argument, "tool_choice: the type ", quoted{type}, " is none of function, allowed_tools");
    }
}

void read_format(ChatRequest &r, const Json &j, Memory &m) {
    const std::string_view type = string_of(j, "type", "response_format");
    if (type == "text") return;
    if (type == "json_object") {
        r.content_schema = R"({"type":"object"})";
    } else if (type == "json_schema") {
        const Json *inner = j.get("json_schema");
        const Json *schema = inner && inner->is_object() ? inner->get("schema") : j.get("schema");
        if (!schema) fail(Code::invalid_argument, "response_format: there is no schema");
        r.content_schema = text::write_json(m, *schema);
    } else {
        fail(Code::invalid_argument, "response_format: the type ", quoted{type}, " is none of text, json_object, json_schema");
    }
}

// "2026-01-02T03:04:05"
text::CivilTime read_clock(std::string_view s) {
    text::CivilTime t;
    int *fields[] = {&t.year, &t.month, &t.day, &t.hour, &t.minute, &t.second};
    constexpr std::string_view form = "0000-00-00T00:00:00";
    bool good = s.size() == form.size();
    size_t k = 0;
    int value = 0;
    for (size_t i = 0; good && i < s.size(); ++i) {
        if (form[i] == '0') {
            good = s[i] >= '0' && s[i] <= '9';
            value = value * 10 + (s[i] - '0');
        }
        if (form[i] != '0' || i + 1 == s.size()) {
            if (form[i] != '0') good = s[i] == form[i] || (form[i] == 'T' && s[i] == ' ');
            *fields[k++] = value;
            value = 0;
        }
    }
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = t.year % 4 == 0 && (t.year % 100 != 0 || t.year % 400 == 0);
    if (!good || t.year < 1 || t.month < 1 || t.month > 12 || t.day < 1 || t.day > days[t.month - 1] + (t.month == 2 && leap) ||
        t.hour > 23 || t.minute > 59 || t.second > 59)
        fail(Code::invalid_argument, "now ", quoted{s}, " is no time of the form 2026-01-02T03:04:05");
    return t;
}

}  // namespace

ChatRequest::ChatRequest(Memory &m, std::string_view json, const Limits &limits)
    : doc(io::JsonDocument::parse(m, json, json_limits(limits), "conversation")),
      messages(&io::need(doc.root(), "messages")),
      allowed(m),
      waived(m),
      content_schema(m) {
    const Json &root = doc.root();
    if (const Json *t = root.get("tools")) {
        if (!t->is_array()) fail(Code::invalid_argument, "tools is no array");
        if (t->items().size() > limits.tools) fail(Code::limit, "tools: ", t->items().size(), " exceed ", limits.tools);
        if (!t->items().empty()) tools = t;
    }
    if (const Json *c = root.get("tool_choice")) read_choice(*this, *c);
    if (!tools && choice == text::ToolChoice::required) fail(Code::invalid_argument, "tool_choice asks for a call, but there are no tools");
    parallel = flag(root, "parallel_tool_calls", true);
    if (const Json *f = root.get("response_format")) read_format(*this, *f, m);
    if (const Json *o = root.get("schema_options")) {
        if (!o->is_object()) fail(Code::invalid_argument, "schema_options is no object");
        allow_unknown = flag(*o, "allow_unknown", false);
        if (const Json *w = o->get("waived")) {
            if (!w->is_array()) fail(Code::invalid_argument, "schema_options: waived is no array");
            for (const Json &k : w->items()) {
                if (!k.is_string()) fail(Code::invalid_argument, "schema_options: waived holds what is no string");
                waived.push_back(k.string());
            }
        }
    }
    add_generation_prompt = flag(root, "add_generation_prompt", true);
    continue_final = flag(root, "continue_final_message", false);
    if (continue_final && root.get("add_generation_prompt") && add_generation_prompt)
        fail(Code::invalid_argument, "continue_final_message excludes add_generation_prompt");
    if (continue_final) add_generation_prompt = false;
    if (root.get("chat_template")) chat_template = string_of(root, "chat_template", "conversation");
    now.month = 0;
    if (root.get("now")) now = read_clock(string_of(root, "now", "conversation"));
    for (std::string_view old : {"functions", "function_call"})
        if (root.get(old)) fail(Code::unsupported, old, ": write tools and tool_choice");
}

}  // namespace inlay::capi
