// SPDX-License-Identifier: Apache-2.0
// Fitting conversations to templates: whatever form the caller used, the fitted one renders as the form that the
// template was written for. Published templates are the judges; a few of our own stand in where they are not at hand.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/json.h"
#include "support/shared.h"
#include "text/messages.h"

using namespace inlay;
using text::MessageFit;
using text::RenderOutput;
using text::Template;

namespace {

struct Rendered {
    bool ok;
    std::string text;
};

Rendered render(const Template &t, std::string_view messages, bool tools) {
    Memory m;
    io::JsonDocument doc = io::JsonDocument::parse(m, messages, {});
    io::JsonDocument tool_doc = io::JsonDocument::parse(
        m,
        R"([{"type":"function","function":{"name":"f","description":"d",)"
        R"("parameters":{"type":"object","properties":{"city":{"type":"string","description":"c"}},"required":["city"]}}}])",
        {});
    io::JsonDocument extra = io::JsonDocument::parse(m, R"([true,"<s>","</s>"])", {});
    std::vector<text::TemplateVariable> v = {{"messages", &doc.root()}, {"tools", tools ? &tool_doc.root() : nullptr}, {"documents"},
                                             {"add_generation_prompt", &extra.root().items()[0]}, {"bos_token", &extra.root().items()[1], true},
                                             {"eos_token", &extra.root().items()[2], true}};
    text::RenderInput in;
    in.variables = v;
    in.now = {2026, 1, 2, 3, 4, 5};
    RenderOutput out(m);
    bool ok = t.render(m, in, out);
    return {ok, std::string(out.text)};
}

std::string fit(const Template &t, const MessageFit &how, std::string_view messages) {
    Memory m;
    (void)t;
    io::JsonDocument doc = io::JsonDocument::parse(m, messages, {});
    return std::string(text::fit_messages(m, doc.root(), how));
}

std::string slurp(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

constexpr const char *kText = R"([{"role":"user","content":"Hello there"}])";
constexpr const char *kParts = R"([{"role":"user","content":[{"type":"text","text":"Hello there"}]}])";
const std::string kHead = R"([{"role":"user","content":"Weather?"},{"role":"assistant","content":)";
const std::string kCall = R"(,"tool_calls":[{"id":"abcdefgh1","type":"function","function":{"name":"f","arguments":)";
const std::string kTail = R"(}}]},{"role":"tool","name":"f","tool_call_id":"abcdefgh1","content":"21"}])";

}  // namespace

TEST_CASE("what small templates can take is found out") {
    Memory m;
    auto probe = [&](std::string_view s) { return text::probe_messages(m, Template::parse(m, s)); };
    MessageFit f = probe("{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}");
    CHECK(f.join_parts);
    CHECK(f.empty_null);
    f = probe("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}");
    CHECK(f.make_parts);
    CHECK(!f.join_parts);
    f = probe(
        "{% for m in messages %}{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}{% "
        "endfor %}");
    CHECK(f.parse_arguments);
    CHECK(!f.empty_null);
    f = probe(
        "{% for m in messages %}{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ '(' + c.function.arguments + ')' }}{% endfor %}{% "
        "endfor %}");
    CHECK(f.print_arguments);
    CHECK(!f.parse_arguments);
    f = probe("{{ raise_exception('no') }}");
    CHECK(!f.join_parts);
}

TEST_CASE("messages are rewritten where they must, and nowhere else") {
    Memory m;
    auto rewrite = [&](std::string_view messages, MessageFit f) {
        io::JsonDocument doc = io::JsonDocument::parse(m, messages, {});
        return std::string(text::fit_messages(m, doc.root(), f));
    };
    MessageFit all;
    all.parse_arguments = all.join_parts = all.empty_null = true;
    CHECK(rewrite(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"n":1.0}])", all) ==
          R"([{"role": "user", "content": "a\nb", "n": 1.0}])");
    CHECK(rewrite(R"([{"role":"user","content":[{"type":"image"}]}])", all) == R"([{"role": "user", "content": [{"type": "image"}]}])");
    CHECK(rewrite(R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": 1}"}}]}])", all) ==
          R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}], "content": ""}])");
    CHECK(rewrite(R"([{"tool_calls":[{"function":{"arguments":"not json"}}],"content":null}])", all) ==
          R"([{"tool_calls": [{"function": {"arguments": "not json"}}], "content": ""}])");
    CHECK(rewrite(R"([5, {"a": 12345678901234567890}])", {}) == R"([5, {"a": 12345678901234567890}])");
    CHECK_THROWS_AS(rewrite("{}", all), Error);
}

TEST_CASE("built-in templates render a conversation") {
    Memory m;
    for (const char *name : {"chatml", "llama2", "llama3", "mistral", "gemma", "phi3", "zephyr", "vicuna", "alpaca", "raw"}) {
        INFO(name);
        REQUIRE(!text::builtin_template(name).empty());
        Template t = Template::parse(m, text::builtin_template(name));
        Rendered r = render(
            t,
            R"([{"role":"system","content":"Sys."},{"role":"user","content":"Hi"},{"role":"assistant","content":null},{"role":"user","content":"Bye"}])",
            false);
        CHECK(r.ok);
        CHECK(r.text.find("Bye") != std::string::npos);
        CHECK(r.text.find("None") == std::string::npos);
    }
    auto shown = [&](const char *name) {
        return render(Template::parse(m, text::builtin_template(name)),
                      R"([{"role":"system","content":"S"},{"role":"user","content":"U"}])", false)
            .text;
    };
    CHECK(shown("chatml") == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n");
    CHECK(shown("llama2") == "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST]");
    CHECK(shown("llama3") ==
          "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_"
          "header_id|>assistant<|end_header_id|>\n\n");
    CHECK(shown("mistral") == "<s>[INST] S\n\nU [/INST]");
    CHECK(shown("gemma") == "<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n");
    CHECK(shown("phi3") == "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\n");
    CHECK(shown("zephyr") == "<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\n");
    CHECK(shown("vicuna") == "S\n\nUSER: U\nASSISTANT:");
    CHECK(shown("alpaca") == "S\n\n### Instruction:\nU\n\n### Response:\n");
    CHECK(shown("raw") == "SU");
    CHECK(text::builtin_template("nosuch").empty());
}

TEST_CASE("fitted conversations render as the form that the published template knows") {
    std::string dir = inlay_test::shared_path("data/templates");
    if (dir.empty()) {
        MESSAGE("SKIP: no ../shared/data/templates");
        return;
    }
    Memory m;
    int n = 0, arguments_fail = 0, parts_fail = 0, null_fail = 0;
    for (const auto &file : std::filesystem::directory_iterator(dir)) {
        if (file.path().extension() != ".jinja") continue;
        Template t = Template::parse(m, slurp(file.path().string()));
        MessageFit how = text::probe_messages(m, t);
        INFO(file.path().filename().string());
        ++n;
        // Text and parts: where one of them is taken, both are after fitting.
        Rendered plain = render(t, kText, false), parts = render(t, kParts, false);
        bool takes = (plain.ok && plain.text.find("Hello there") != std::string::npos) ||
                     (parts.ok && parts.text.find("Hello there") != std::string::npos);
        if (takes) {
            Rendered a = render(t, fit(t, how, kText), false), b = render(t, fit(t, how, kParts), false);
            CHECK(a.ok);
            CHECK(b.ok);
            CHECK(a.text == b.text);
            CHECK(a.text.find("Hello there") != std::string::npos);
            parts_fail += !parts.ok || parts.text != a.text;
        }
        // Arguments as object and as text, content "" and null: four forms, one rendering.
        const std::string object = R"({"city":"Rome"})", string = R"("{\"city\": \"Rome\"}")";
        Rendered best = render(t, fit(t, how, kHead + "\"\"" + kCall + object + kTail), true);
        if (!best.ok) continue;
        for (const std::string &content : {std::string("\"\""), std::string("null")})
            for (const std::string &a : {object, string}) {
                std::string messages = kHead + content + kCall + a + kTail;
                Rendered fitted = render(t, fit(t, how, messages), true), raw = render(t, messages, true);
                bool bad = !raw.ok || raw.text != best.text;
                if (content == "null") null_fail += a == object && bad;
                else arguments_fail += a == string && bad;
                CHECK(fitted.ok);
                if (best.text.find("Rome") != std::string::npos) CHECK(fitted.text == best.text);
            }
    }
    CHECK(n > 100);
    MESSAGE(n << " templates; as they come they fail or differ on text parts " << parts_fail << ", string arguments " << arguments_fail
              << ", null content " << null_fail);
}
