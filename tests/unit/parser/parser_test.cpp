// SPDX-License-Identifier: Apache-2.0
// Tool-call and reasoning parsers: our own samples of each family (tests/golden/tools) and those of the shared data,
// each fed whole, byte by byte and split in two at every byte; then hostile streams.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/json.h"
#include "support/shared.h"
#include "text/parser/parser.h"

using namespace inlay;
using text::ParserEvent;
using text::StreamParser;

namespace {

std::string slurp(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// A JSON value in one form: keys sorted, numbers by value.
std::string canonical(const io::Json &j) {
    Memory m;
    String s{Alloc<char>(m)};
    switch (j.kind()) {
        case io::JsonKind::null: return "null";
        case io::JsonKind::boolean: return j.boolean() ? "true" : "false";
        case io::JsonKind::number:
            return j.integer() ? std::to_string(*j.integer()) : std::to_string(j.number()) + "f" + std::to_string(j.number() * 1e9);
        case io::JsonKind::string: io::append_json_string(s, j.string()); return std::string(s);
        case io::JsonKind::array: {
            std::string r = "[";
            for (const io::Json &x : j.items()) r += canonical(x) + ",";
            return r + "]";
        }
        case io::JsonKind::object: {
            std::vector<std::string> parts;
            for (const io::JsonMember &x : j.members()) {
                String k{Alloc<char>(m)};
                io::append_json_string(k, x.key);
                parts.push_back(std::string(k) + ":" + canonical(x.value));
            }
            std::sort(parts.begin(), parts.end());
            std::string r = "{";
            for (const std::string &p : parts) r += p + ",";
            return r + "}";
        }
    }
    return "";
}
std::string canonical_text(std::string_view json) {
    Memory m;
    try {
        io::JsonDocument d = io::JsonDocument::parse(m, json, {});
        return canonical(d.root());
    } catch (const Error &e) {
        return "NOT JSON " + std::string(json);
    }
}

bool whole_utf8(std::string_view s) {
    for (size_t i = 0; i < s.size();) {
        unsigned char c = static_cast<unsigned char>(s[i]);
        size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
        if (n == 0 || i + n > s.size()) return false;
        i += n;
    }
    return true;
}

// Everything a stream gave, in one text; built from the events and held against the result.
std::string run(const text::ToolFormat *format, const io::Json *tools, bool reasoning, const std::vector<std::string_view> &pieces,
                bool utf8 = true) {
    Memory m;
    std::string content, thought, calls, bad, name, id, arguments;
    std::string out;
    {
        StreamParser p = StreamParser::create(m, format, tools, reasoning);
        size_t finished = 0;
        auto drain = [&] {
            for (const ParserEvent &e : p.events()) {
                if (utf8 && !whole_utf8(e.text)) out += " HALF:" + std::string(e.text);
                switch (e.kind) {
                    case ParserEvent::Kind::content: content += e.text; break;
                    case ParserEvent::Kind::reasoning: thought += e.text; break;
                    case ParserEvent::Kind::call_begin: name = e.text, arguments.clear(); break;
                    case ParserEvent::Kind::call_arguments: arguments += e.text; break;
                    case ParserEvent::Kind::call_end:
                        ++finished;
                        calls += " call " + name + "(" + std::string(e.id) + ") " + canonical_text(arguments);
                        break;
                    case ParserEvent::Kind::malformed: bad += " bad[" + std::string(e.text) + "]"; break;
                }
            }
            p.clear_events();
        };
        for (std::string_view s : pieces) {
            p.feed(s);
            drain();
        }
        p.finish();
        drain();
        const text::ParsedText &r = p.result();
        if (r.content != std::string_view(content) || r.reasoning != std::string_view(thought) || r.calls.size() != finished)
            out += " RESULT DIFFERS";
        out += "content[" + content + "] reasoning[" + thought + "]" + calls + bad + (r.complete ? "" : " INCOMPLETE");
        if (r.has_open_call) {
            out += " open " + (r.open_has_name ? std::string(r.open_name) : "null");
            if (r.open_has_arguments) out += " args[" + std::string(r.open_arguments) + "]";
        }
    }
    CHECK(m.used() == 0);
    return out;
}

std::string expected(const io::Json &e, bool with_ids) {
    std::string s = "content[" + std::string(e.find("content")->string()) + "] reasoning[" + std::string(e.find("reasoning")->string()) + "]";
    for (const io::Json &c : e.find("tool_calls")->items()) {
        const io::Json *id = c.find("id");
        s += " call " + std::string(c.find("name")->string()) + "(" + (id && with_ids ? std::string(id->string()) : "") + ") " +
             canonical(*c.find("arguments"));
    }
    if (const io::Json *bad = e.find("malformed"))
        for (const io::Json &b : bad->items()) s += " bad[" + std::string(b.string()) + "]";
    if (const io::Json *c = e.find("complete"); c && !c->boolean()) s += " INCOMPLETE";
    if (const io::Json *o = e.find("open_call")) {
        const io::Json *n = o->find("name"), *a = o->find("arguments_text");
        s += " open " + (n->is_string() ? std::string(n->string()) : "null");
        if (a) s += " args[" + std::string(a->string()) + "]";
    }
    return s;
}

int check_file(const std::string &path, const io::Json *tools) {
    std::ifstream in(path, std::ios::binary);
    Memory m;
    int n = 0;
    for (std::string line; std::getline(in, line); ++n) {
        io::JsonDocument doc = io::JsonDocument::parse(m, line, {});
        const io::Json &c = doc.root();
        std::string_view t = c.find("text")->string();
        const text::ToolFormat *f = text::find_tool_format(c.find("format")->string());
        INFO(c.find("id")->string());
        REQUIRE(f != nullptr);
        const io::Json *start = c.find("starts_in_reasoning");
        bool reasoning = start && start->boolean();
        std::string want = expected(*c.find("expect"), true);
        CHECK(run(f, tools, reasoning, {t}) == want);
        std::vector<std::string_view> bytes;
        for (size_t i = 0; i < t.size(); ++i) bytes.push_back(t.substr(i, 1));
        CHECK(run(f, tools, reasoning, bytes) == want);
        for (size_t i = 1; i < t.size(); ++i) {
            std::string got = run(f, tools, reasoning, {t.substr(0, i), t.substr(i)});
            if (got != want) {
                CAPTURE(i);
                CHECK(got == want);
                break;
            }
        }
    }
    return n;
}

}  // namespace

TEST_CASE("own samples of each family") {
    Memory m;
    std::string dir = std::string(INLAY_SOURCE_ROOT) + "/tests/golden/tools";
    std::string tools = slurp(dir + "/tools.json");
    io::JsonDocument doc = io::JsonDocument::parse(m, tools, {});
    CHECK(check_file(dir + "/samples.jsonl", &doc.root()) >= 30);
}

TEST_CASE("samples of the shared data") {
    std::string dir = inlay_test::shared_path("data/tools");
    if (dir.empty()) {
        MESSAGE("SKIP: no ../shared/data/tools");
        return;
    }
    Memory m;
    std::string tools = slurp(dir + "/tools.json");
    io::JsonDocument doc = io::JsonDocument::parse(m, tools, {});
    int n = 0;
    for (const auto &f : std::filesystem::directory_iterator(dir))
        if (f.path().extension() == ".jsonl") n += check_file(f.path().string(), &doc.root());
    CHECK(n >= 80);
}

TEST_CASE("hostile streams stay linear, byte by byte") {
    Memory m;
    const char *formats[] = {"hermes",        "qwen3_coder", "llama3_json", "pythonic", "mistral", "deepseek_v3", "deepseek_v31",
                             "deepseek_dsml", "granite",     "glm",         "kimi_k2",  "harmony", "json",        "think"};
    std::vector<std::string> streams;
    for (const char *head :
         {"", "<tool_call>", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": \"", "[TOOL_CALLS]f[ARGS]", "<think>",
          "<|channel|>analysis<|message|>", "<|channel|>", "<|tool_call|>[", "[f(a=", "<tool_call><function=f>", "<tool_call>f<arg_key>",
          "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f", "<｜DSML｜function_calls>", "{\"name\": \"f\", "})
        for (const char *rest : {" ", "<", "[", "a", "{", "\"", "</", "<tool_call>", "\\", "\n", "\xf0"}) {
            std::string s = head;
            while (s.size() < 8000) s += rest;
            streams.push_back(s);
        }
    for (const char *name : formats) {
        const text::ToolFormat *f = text::find_tool_format(name);
        REQUIRE(f != nullptr);
        for (const std::string &s : streams) {
            StreamParser p = StreamParser::create(m, f, nullptr, false);
            for (size_t i = 0; i < s.size(); ++i) {
                p.feed({&s[i], 1});
                p.clear_events();
            }
            p.finish();
            CHECK(p.result().content.size() + p.result().reasoning.size() <= s.size());
        }
    }
}

TEST_CASE("one name for whatever DeepSeek writes") {
    std::string dir = inlay_test::shared_path("data/tools");
    if (dir.empty()) {
        MESSAGE("SKIP: no ../shared/data/tools");
        return;
    }
    Memory m;
    std::ifstream in(dir + "/deepseek.jsonl", std::ios::binary);
    for (std::string line; std::getline(in, line);) {
        io::JsonDocument doc = io::JsonDocument::parse(m, line, {});
        const io::Json *start = doc.root().find("starts_in_reasoning");
        INFO(doc.root().find("id")->string());
        CHECK(run(text::find_tool_format("deepseek"), nullptr, start && start->boolean(), {doc.root().find("text")->string()}) ==
              expected(*doc.root().find("expect"), true));
    }
}

TEST_CASE("the format is found from the template's text") {
    auto name = [](std::string_view t) {
        const text::ToolFormat *f = text::detect_tool_format(t);
        return f ? std::string(text::tool_format_name(f)) : "";
    };
    CHECK(name("<tool_call>\n{\"name\": <function-name>") == "hermes");
    CHECK(name("<tool_call>\n<function=x>\n<parameter=y>") == "qwen3_coder");
    CHECK(name("<tool_call>{{ name }}<arg_key>") == "glm");
    CHECK(name("<|start|>assistant<|channel|>final<|message|>") == "harmony");
    CHECK(name("[TOOL_CALLS]") == "mistral");
    CHECK(name("{{ content.split('</think>')[-1] }}") == "think");
    CHECK(name("{{ messages }}") == "");
    CHECK(text::find_tool_format("nosuch") == nullptr);
}
