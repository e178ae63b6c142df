// SPDX-License-Identifier: Apache-2.0
// The formats, and how to know from a chat template which of them its model writes.
#include "text/parser/formats.h"

#include "text/parser/parser.h"

namespace inlay::text {

namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";

constexpr Mark kHermes[] = {{"<tool_call>", "</tool_call>", Family::object}};
constexpr Mark kQwenCoder[] = {{"<tool_call>", "</tool_call>", Family::xml}, {"<function=", "", Family::xml}};
constexpr Mark kGlm[] = {{"<tool_call>", "", Family::xml}};
constexpr Mark kLlama[] = {{"<|python_tag|>", "", Family::bare}};
constexpr Mark kPythonic[] = {{"<|python_start|>", "<|python_end|>", Family::pythonic},
                              {"<|tool_call_start|>", "<|tool_call_end|>", Family::pythonic}};
constexpr Mark kMistral[] = {{"[TOOL_CALLS]", "", Family::mistral}};
constexpr Mark kDeepseek[] = {{"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", Family::section},
                              {"<｜tool▁call▁begin｜>", "<｜tool▁calls▁end｜>", Family::one_call}};
constexpr Mark kDsml[] = {{"<｜DSML｜function_calls>", "</｜DSML｜function_calls>", Family::xml_list},
                          {"<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", Family::xml_list}};
constexpr Mark kDeepseekAll[] = {kDeepseek[0], kDeepseek[1], kDsml[0], kDsml[1]};
constexpr Mark kGranite[] = {{"<|tool_call|>", "", Family::array},
                             {"<tool_call>", "</tool_call>", Family::object},
                             {"<response>", "", Family::drop},
                             {"</response>", "", Family::drop}};
constexpr Mark kKimi[] = {{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", Family::section},
                          {"<|tool_call_begin|>", "<|tool_calls_section_end|>", Family::one_call}};

constexpr SectionStyle kDeepseekV3{"<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", Fence::yes, false};
constexpr SectionStyle kDeepseekV31{"<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", Fence::no, false};
constexpr SectionStyle kDeepseekAny{"<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", Fence::by_header, false};
constexpr SectionStyle kKimiCalls{"<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>", Fence::no, true};

constexpr XmlStyle kQwenTags{"<function=", ">", "<parameter=", ">", "", "</parameter>", "</function>", true, false};
constexpr XmlStyle kGlmTags{"", "\n", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>", false, false};
constexpr XmlStyle kDsmlTags{
    "<｜DSML｜invoke name=\"", "\">", "<｜DSML｜parameter name=\"", ">", "", "</｜DSML｜parameter>", "</｜DSML｜invoke>", false, true};

const ToolFormat kFormats[] = {
    {"hermes", kThink, kThinkEnd, kHermes},
    {"qwen3_coder", kThink, kThinkEnd, kQwenCoder, Start::content, {}, kQwenTags},
    {"llama3_json", kThink, kThinkEnd, kLlama, Start::json},
    {"pythonic", kThink, kThinkEnd, kPythonic, Start::pythonic},
    {"mistral", "[THINK]", "[/THINK]", kMistral},
    {"deepseek_v3", kThink, kThinkEnd, kDeepseek, Start::content, kDeepseekV3},
    {"deepseek_v31", kThink, kThinkEnd, kDeepseek, Start::content, kDeepseekV31},
    {"deepseek_dsml", kThink, kThinkEnd, kDsml, Start::content, {}, kDsmlTags},
    {"deepseek", kThink, kThinkEnd, kDeepseekAll, Start::content, kDeepseekAny, kDsmlTags},  // whichever of the three comes
    {"granite", kThink, kThinkEnd, kGranite},
    {"glm", kThink, kThinkEnd, kGlm, Start::content, {}, kGlmTags},
    {"kimi_k2", kThink, kThinkEnd, kKimi, Start::content, kKimiCalls},
    {"harmony", "", "", {}, Start::harmony},
    {"json", kThink, kThinkEnd, {}, Start::json_or_array},
    {"think", kThink, kThinkEnd, {}},
    {"none", "", "", {}},
};

// The first row whose words all stand in the template decides; special marks come before those that many share.
struct Clue {
    std::string_view a, b, format;
};
constexpr Clue kClues[] = {
    {"<|channel|>", "<|message|>", "harmony"},
    {"｜DSML｜", "", "deepseek_dsml"},
    {"<｜tool▁calls▁begin｜>", "```json", "deepseek_v3"},
    {"<｜tool▁calls▁begin｜>", "", "deepseek_v31"},
    {"<|tool_calls_section_begin|>", "", "kimi_k2"},
    {"[TOOL_CALLS]", "", "mistral"},
    {"<arg_key>", "", "glm"},
    {"<function=", "<parameter=", "qwen3_coder"},
    {"<|tool_call|>", "", "granite"},
    {"<|tool_call_start|>", "", "pythonic"},
    {"<|python_start|>", "", "pythonic"},
    {"func_name1(", "", "pythonic"},
    {"<tool_call>", "", "hermes"},
    {"<|python_tag|>", "", "llama3_json"},
    {"\"parameters\": dictionary", "", "llama3_json"},
    {"\"name\": function name", "", "llama3_json"},
    {"[THINK]", "", "mistral"},
    {"<think>", "", "think"},
    {"</think>", "", "think"},
};

}  // namespace

std::span<const ToolFormat> tool_formats() { return kFormats; }

const ToolFormat *find_tool_format(std::string_view name) {
    for (const ToolFormat &f : kFormats)
        if (f.name == name) return &f;
    return nullptr;
}

std::string_view tool_format_name(const ToolFormat *format) { return format->name; }
bool format_has_calls(const ToolFormat *format) { return !format->marks.empty() || format->start != Start::content; }

const ToolFormat *detect_tool_format(std::string_view t) {
    for (const Clue &c : kClues)
        if (t.find(c.a) != std::string_view::npos && (c.b.empty() || t.find(c.b) != std::string_view::npos)) return find_tool_format(c.format);
    return nullptr;
}

}  // namespace inlay::text
