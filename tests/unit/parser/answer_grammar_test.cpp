// SPDX-License-Identifier: Apache-2.0
// The grammar of an answer against the parser of the same format: random texts of the grammar, written token by token
// through the masks, must come out of the parser as what the caller chose, with arguments that fit the tools' schemas.
#include "text/answer_grammar.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "text/grammar/masks.h"
#include "text/messages.h"
#include "text/parser/formats.h"

using namespace inlay;
using namespace inlay::text;

namespace {

constexpr std::string_view kTools = R"([
 {"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{
   "city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":14},"unit":{"type":"string","enum":["C","F","</parameter>"]}},
   "required":["city","unit"]}}},
 {"type":"function","function":{"name":"list_rooms"}},
 {"type":"function","function":{"name":"place_order","parameters":{"type":"object","properties":{
   "items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string","pattern":"^[A-Z]{2}[0-9]{1,3}$"},"note":{"type":"string"}},
     "required":["sku"],"additionalProperties":false},"minItems":1,"maxItems":3},
   "budget":{"type":["number","null"]},"note":{"type":["string","null"],"maxLength":6},"ok":{"type":"boolean"},"kind":{"enum":["a",1,null,true]}},
   "required":["items"],"additionalProperties":false}}},
 {"type":"function","function":{"name":"tag","parameters":{"type":"object","patternProperties":{"^x":{"type":"integer"}},
   "additionalProperties":{"type":"string","maxLength":3},"minProperties":1,"maxProperties":3}}}])";

struct Vocabulary {
    std::vector<std::string> tokens;  // as a trie has them
    std::vector<std::string> texts;   // as the parser has them
    std::vector<ControlToken> control;
};

// All bytes, words, and the marks: as plain text in pieces, as tokens of text, or as control tokens.
Vocabulary vocabulary(const ToolFormat &f, bool control) {
    Memory m;
    Vocabulary v;
    auto add = [&](std::string_view text) { v.tokens.emplace_back(text), v.texts.emplace_back(text); };
    for (int b = 0; b < 256; ++b) add(b == 255 ? std::string() : std::string(1, static_cast<char>(b)));
    for (const char *s : {"{\"",
                          "\":",
                          "\": \"",
                          "\",",
                          "\"}",
                          "}}",
                          "\n",
                          "name",
                          "arguments",
                          "get_weather",
                          "list_rooms",
                          "place_order",
                          "tag",
                          "city",
                          "days",
                          "unit",
                          "items",
                          "sku",
                          "note",
                          "budget",
                          "</",
                          "</par",
                          "ameter>",
                          "<",
                          "null",
                          "true",
                          " the",
                          "日本",
                          "😀",
                          "\xE6\x97",
                          "\xA5",
                          "\\u",
                          "00",
                          "12",
                          "A",
                          "AB1",
                          "functions",
                          "json",
                          "```",
                          "assistant",
                          "commentary",
                          "analysis",
                          "final",
                          "x",
                          "\\/",
                          "None",
                          " to=functions."})
        add(s);
    std::vector<std::string> marks;
    auto mark = [&](std::string_view s) {
        if (s.size() > 2 && std::find(marks.begin(), marks.end(), s) == marks.end()) marks.emplace_back(s);
    };
    for (const Mark &x : f.marks) mark(x.open), mark(x.close);
    mark(f.reason_open), mark(f.reason_close), mark(f.section.call_open), mark(f.section.separator), mark(f.section.call_close);
    mark(f.xml.parameter_open), mark(f.xml.parameter_end), mark(f.xml.value_open), mark(f.xml.value_close), mark(f.xml.call_close);
    if (f.start == Start::harmony)
        for (const char *s : {"<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>"}) mark(s);
    if (f.name == "mistral") mark("[ARGS]"), mark("[CALL_ID]");
    for (std::string &s : marks) {
        bool whole = s.front() == '<' ? s.back() == '>' : s.front() == '[';
        add(s);
        if (!control || !whole) continue;
        String coded{Alloc<char>(m)};
        grammar::append_control(coded, static_cast<int32_t>(v.tokens.size() - 1));
        v.tokens.back() = std::string(coded);
    }
    for (size_t i = 0; i < v.tokens.size(); ++i)
        if (v.tokens[i].starts_with('\xFF')) v.control.push_back({v.texts[i], static_cast<int32_t>(i)});
    return v;
}

// A random text of the grammar; empty where the walk did not come to its end in time.
bool walk(const std::shared_ptr<const grammar::Constraint> &c, const Vocabulary &v, grammar::Masks &masks, std::mt19937 &rng,
          size_t soft_end, std::string &text) {
    grammar::Matcher m(c);
    std::vector<uint64_t> mask(masks.words());
    text.clear();
    for (int step = 0; step < 600; ++step) {
        int n = masks.fill(m, mask);
        CHECK_MESSAGE((n > 0 || m.can_end()), "dead end after <" << text << ">");
        if (n == 0 || (m.can_end() && (text.size() >= soft_end || rng() % 8 == 0))) return m.can_end();
        uint32_t pick = 0, seen = 0;
        for (uint32_t id = 0; id < v.tokens.size(); ++id) {
            if (!(mask[id / 64] >> (id % 64) & 1)) continue;
            const std::string &t = v.texts[id];
            // Marks are rare among tokens and common in answers; late in a walk what closes comes first.
            bool is_mark = id >= 256 && t.size() > 3 && (t[0] == '<' || t[0] == '[' || t == " to=functions."),
                 closes = is_mark || t == ">" || t == "\"" || t == "}" || t == "]" || t == ")" || t == "<";
            uint32_t weight = text.size() >= soft_end ? (closes                  ? 4000
                                                         : t == " " || t == "\t" ? 0
                                                         : t == "\n"             ? (text.ends_with("\n") ? 0 : 400)
                                                         : id >= 256             ? 4
                                                                                 : 1)
                              : is_mark               ? 60
                              : id >= 256             ? 6
                                                      : 1;
            if (weight == 0 && seen == 0) pick = id;
            for (uint32_t k = 0; k < weight; ++k)
                if (rng() % ++seen == 0) pick = id;
        }
        CHECK(m.accept_bytes(v.tokens[pick]));
        text += v.texts[pick];
    }
    return false;
}

struct Outcome {
    std::string content, reasoning;
    std::vector<std::pair<std::string, std::string>> calls;
    bool good = false;
};
Outcome parse(const ToolFormat *f, const io::Json *tools, bool reasoning, const std::string &text) {
    Memory m;
    Outcome o;
    StreamParser p = StreamParser::create(m, f, tools, reasoning);
    p.feed(text);
    p.finish();
    const ParsedText &r = p.result();
    o.content = r.content, o.reasoning = r.reasoning;
    for (const ToolCall &c : r.calls) o.calls.emplace_back(c.name, c.arguments);
    o.good = r.complete && r.malformed.empty() && !r.has_open_call;
    return o;
}

const char *const kFormats[] = {"hermes",        "qwen3_coder", "llama3_json", "pythonic", "mistral", "deepseek_v3", "deepseek_v31",
                                "deepseek_dsml", "deepseek",    "granite",     "glm",      "kimi_k2", "harmony",     "json"};

struct Fixture {
    Memory m;
    io::JsonDocument tools = io::JsonDocument::parse(m, kTools, {});
    std::map<std::string, std::shared_ptr<const grammar::Constraint>> schemas;
    Fixture() {
        for (const io::Json &t : tools.root().items()) {
            const io::Json &f = *t.find("function");
            String s = f.find("parameters") ? write_json(m, *f.find("parameters"))
                                            : make_string(m, R"({"type":"object","additionalProperties":false})");
            schemas[std::string(f.find("name")->string())] = grammar::Constraint::from_json_schema(m, s, {}, {});
        }
    }
    bool fits(const std::string &tool, const std::string &arguments) {
        auto it = schemas.find(tool);
        if (it == schemas.end()) return false;
        // A second look by other code: the text must be a JSON document of its own. Free names may come twice.
        io::JsonLimits limits;
        limits.refuse_duplicates = false;
        (void)io::JsonDocument::parse(m, arguments, limits);
        // Between tags "<" is written as an escape in listed values, which a constraint on its own doesn't do.
        std::string plain = arguments;
        for (const char *escape : {"\\u003c", "\\u003C"})
            for (size_t at; (at = plain.find(escape)) != std::string::npos;) plain.replace(at, 6, "<");
        grammar::Matcher matcher(it->second);
        return matcher.accept_bytes(plain) && matcher.can_end();
    }
};

}  // namespace

TEST_CASE("random answers are what was chosen") {
    // INLAY_ANSWERS raises the number of walks; INLAY_ANSWERS_OUT names a file for another validator to read.
    int walks = 12;
    if (const char *n = std::getenv("INLAY_ANSWERS")) walks = std::atoi(n);
    std::ofstream out;
    if (const char *path = std::getenv("INLAY_ANSWERS_OUT")) out.open(path);
    Fixture x;
    std::mt19937 rng(7);
    size_t finished = 0, calls = 0, tried = 0;
    for (const std::string name : kFormats) {
        const ToolFormat *f = find_tool_format(name);
        REQUIRE(f);
        for (int variant = 0; variant < 12; ++variant) {
            const ToolChoice choice = static_cast<ToolChoice>(std::min(variant % 4, 2));
            const bool named = variant % 4 == 3;
            const std::string_view only[] = {variant % 8 == 3 ? "place_order" : "get_weather"};
            AnswerShape s;
            s.format = f, s.tools = &x.tools.root(), s.choice = choice, s.parallel = variant < 8;
            s.in_reasoning = variant >= 8 && variant % 4 >= 1 && !f->reason_open.empty();
            if (named) s.allowed = only;
            const Vocabulary v = vocabulary(*f, variant >= 4 && variant < 8);
            s.control = v.control;
            auto c = answer_grammar(x.m, s, {});
            std::vector<std::string_view> views(v.tokens.begin(), v.tokens.end());
            grammar::Masks &masks = c->masks_for(grammar::TokenTrie::build(x.m, views));
            size_t done = 0;
            std::string last;
            for (int i = 0; i < walks; ++i) {
                std::string text;
                ++tried;
                if (!walk(c, v, masks, rng, 20 + rng() % 300, text)) {
                    last = text;
                    continue;
                }
                ++done;
                Outcome o = parse(f, &x.tools.root(), s.in_reasoning, text);
                INFO(name << " variant " << variant << ": <" << text << ">");
                CHECK(o.good);
                if (choice == ToolChoice::none) CHECK(o.calls.empty());
                if (choice == ToolChoice::required) CHECK((!o.calls.empty() && o.content.empty()));
                if (!s.parallel) CHECK(o.calls.size() <= 1);
                for (auto &[tool, arguments] : o.calls) {
                    if (named) CHECK(tool == only[0]);
                    CHECK_MESSAGE(x.fits(tool, arguments), tool << " " << arguments);
                    if (out.is_open()) {
                        String line{Alloc<char>(x.m)};
                        io::append_json_string(line, tool);
                        out << "[" << std::string_view(line) << "," << arguments << "]\n";
                    }
                    ++calls;
                }
            }
            CHECK_MESSAGE(done * 3 >= static_cast<size_t>(walks),
                          name << " variant " << variant << ": " << done << " of " << walks << " walks ended, the last in " << last);
            finished += done;
        }
    }
    MESSAGE(tried << " walks, " << finished << " finished, " << calls << " calls");
}

TEST_CASE("what can't be enforced or written is refused by name") {
    Memory m;
    auto refusal = [&](const char *format, const char *tools, ToolChoice choice, std::vector<std::string_view> allowed = {}) {
        io::JsonDocument doc = io::JsonDocument::parse(m, tools, {});
        AnswerShape s;
        s.format = find_tool_format(format), s.tools = &doc.root(), s.choice = choice, s.allowed = allowed;
        try {
            (void)answer_grammar(m, s, {});
        } catch (const Error &e) {
            return std::string(e.text());
        }
        return std::string("none");
    };
    const char *odd =
        R"-([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","pattern":"(?=x)"}}}}}])-";
    CHECK(refusal("hermes", odd, ToolChoice::required).starts_with("tool 'f': /properties/a/pattern"));
    CHECK(refusal("hermes", odd, ToolChoice::none) == "none");
    const char *unknown = R"([{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","nullable":true}}}}])";
    CHECK(refusal("hermes", unknown, ToolChoice::automatic).find("nullable") != std::string::npos);
    const char *name = R"([{"name":"a b","parameters":{"type":"object","properties":{"p q":{"type":"string"}}}}])";
    CHECK(refusal("hermes", name, ToolChoice::required) == "none");
    CHECK(refusal("kimi_k2", name, ToolChoice::required).find("'a b'") != std::string::npos);
    const char *property = R"([{"name":"ab","parameters":{"type":"object","properties":{"p q":{"type":"string"}}}}])";
    CHECK(refusal("pythonic", property, ToolChoice::required).find("'p q'") != std::string::npos);
    CHECK(refusal("qwen3_coder", property, ToolChoice::required) == "none");
    CHECK(refusal("think", name, ToolChoice::required).find("no tool calls") != std::string::npos);
    CHECK(refusal("hermes", "[]", ToolChoice::required).find("empty") != std::string::npos);
    CHECK(refusal("hermes", name, ToolChoice::required, {"b"}).find("'b'") != std::string::npos);
    CHECK(refusal("hermes", R"([{"name":"a"},{"name":"a"}])", ToolChoice::required).find("two") != std::string::npos);
}

TEST_CASE("a thousand tools are one grammar") {
    Memory m;
    std::string tools = "[";
    for (int i = 0; i < 1024; ++i)
        tools +=
            std::string(i ? "," : "") + R"({"name":"tool_)" + std::to_string(i) +
            R"(","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1},"unit":{"enum":["C","F"]}},)" +
            R"("required":["city"]}})";
    tools += "]";
    io::JsonDocument doc = io::JsonDocument::parse(m, tools, {});
    for (const char *format : {"hermes", "qwen3_coder", "pythonic"}) {
        AnswerShape s;
        s.format = find_tool_format(format), s.tools = &doc.root(), s.choice = ToolChoice::required;
        grammar::Matcher matcher(answer_grammar(m, s, {}));
        const std::string call =
            format == std::string("hermes")
                ? "<tool_call>\n{\"name\": \"tool_1023\", \"arguments\": {\"unit\": \"C\", \"city\": \"X\"}}\n</tool_call>"
            : format == std::string("pythonic")
                ? "[tool_1023(unit=\"C\", city=\"X\"), tool_7(city=\"\")]"
                : "<tool_call>\n<function=tool_1023>\n<parameter=city>\nX\n</parameter>\n</function>\n</tool_call>";
        CHECK(matcher.accept_bytes(call));
        CHECK(matcher.can_end());
    }
}
