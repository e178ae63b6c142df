// SPDX-License-Identifier: Apache-2.0
// The template engine against Jinja2's own output (tests/golden/jinja, made by its make.py), against the published
// templates where the shared data is at hand, and against the hostile rows J-01 to J-20.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "io/json.h"
#include "support/shared.h"
#include "text/jinja/template.h"

using namespace inlay;
using text::RenderInput;
using text::RenderOutput;
using text::Template;
using text::TemplateFault;
using text::TemplateVariable;

namespace {

struct Result {
    std::string text, error, segments;  // segments: T or U a byte
    TemplateFault fault = TemplateFault::none;
    Code code = Code::ok;
    Place place;
};

std::vector<TemplateVariable> variables(const io::Json &context) {
    std::vector<TemplateVariable> v;
    for (const io::JsonMember &m : context.members()) v.push_back({m.key, &m.value, m.key == "bos_token" || m.key == "eos_token"});
    return v;
}

Result render(std::string_view source, const std::vector<TemplateVariable> &vars, bool extended = false, const Limits &limits = {}) {
    Memory m;
    Result r;
    try {
        Template t = Template::parse(m, source, limits);
        RenderInput in;
        in.variables = vars;
        in.now = {2026, 1, 2, 3, 4, 5};
        in.extended = extended;
        RenderOutput out(m);
        if (t.render(m, in, out)) {
            r.text = out.text;
            size_t at = 0;
            for (const text::TextSegment &s : out.segments) r.segments.append(s.end - at, s.user ? 'U' : 'T'), at = s.end;
        }
        r.fault = out.fault;
        r.error = out.message;
        r.place = out.place;
    } catch (const Error &e) {
        r.code = e.code();
        r.error = e.text();
        r.place = e.place();
    }
    CHECK(m.used() == 0);
    return r;
}

Result render(std::string_view source, std::string_view context = "{}", bool extended = false, const Limits &limits = {}) {
    Memory m;
    io::JsonLimits jl;
    jl.bytes = 64u << 20;
    io::JsonDocument doc = io::JsonDocument::parse(m, context, jl);
    return render(source, variables(doc.root()), extended, limits);
}

// Compares with what Jinja2 did: the text, or the kind of failure (raise_exception: its words; syntax: its line).
std::string compare(const io::Json &want, const Result &got) {
    if (const io::Json *text = want.find("rendered")) {
        if (got.fault != TemplateFault::none || got.code != Code::ok) return "failed: " + got.error;
        return got.text == text->string() ? "" : "got: " + got.text;
    }
    std::string_view kind = want.find("error_kind")->string();
    if (kind == "syntax") {
        if (got.code != Code::format) return "no syntax error";
        const io::Json *line = want.find("line");
        return !line || line->integer() == got.place.line ? "" : "line " + std::to_string(got.place.line);
    }
    TemplateFault fault = kind == "raise_exception" ? TemplateFault::raised
                          : kind == "undefined"     ? TemplateFault::undefined
                          : kind == "security"      ? TemplateFault::security
                          : kind == "type"          ? TemplateFault::type
                                                    : TemplateFault::unknown_filter;
    if (got.fault != fault) return "fault " + std::to_string(static_cast<int>(got.fault)) + " " + got.error;
    if (fault == TemplateFault::raised && got.error != want.find("error")->string()) return "words: " + got.error;
    return "";
}

template <class F>
void each_line(const std::string &path, F f) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in.good());
    Memory m;
    io::JsonLimits jl;
    jl.bytes = 64u << 20;
    for (std::string line; std::getline(in, line);) {
        io::JsonDocument doc = io::JsonDocument::parse(m, line, jl);
        f(doc.root());
    }
}

std::string slurp(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("own goldens render as Jinja2 renders them") {
    int n = 0;
    for (const auto &file : std::filesystem::directory_iterator(std::string(INLAY_SOURCE_ROOT) + "/tests/golden/jinja")) {
        if (!file.path().filename().string().starts_with("expected")) continue;
        each_line(file.path().string(), [&](const io::Json &c) {
            std::string_view source = c.find("template")->string();
            INFO(source);
            CHECK(compare(c, render(source, variables(*c.find("context")))) == "");
            ++n;
        });
    }
    CHECK(n >= 20);
}

TEST_CASE("units and published templates of the shared data") {
    std::string dir = inlay_test::shared_path("data/templates");
    if (dir.empty()) {
        MESSAGE("SKIP: no ../shared/data/templates");
        return;
    }
    Memory m;
    std::string context_text = slurp(dir + "/units/context.json");
    io::JsonDocument context = io::JsonDocument::parse(m, context_text, {});
    int n = 0;
    each_line(dir + "/units/units.jsonl", [&](const io::Json &c) {
        INFO(c.find("template")->string());
        CHECK(compare(c, render(c.find("template")->string(), variables(context.root()))) == "");
        ++n;
    });
    for (const auto &file : std::filesystem::directory_iterator(dir)) {
        std::string path = file.path().string();
        size_t at = path.find(".cases.jsonl");
        if (at == std::string::npos) continue;
        std::string source = slurp(path.substr(0, at) + ".jinja");
        each_line(path, [&](const io::Json &c) {
            std::vector<TemplateVariable> vars = variables(*c.find("kwargs"));
            vars.insert(vars.begin(), TemplateVariable{"documents"});
            vars.push_back({"messages", c.find("messages")});
            vars.push_back({"tools", c.find("tools")});
            INFO(path << " " << c.find("case")->string());
            CHECK(compare(c, render(source, vars)) == "");
            if (const io::Json *more = c.find("rendered_extended")) CHECK(render(source, vars, true).text == more->string());
            ++n;
        });
    }
    CHECK(n > 7000);
}

TEST_CASE("each byte knows whether it came from the template or from the input") {
    CHECK(render("<s>{{ m }}</s>", R"({"m":"<s>"})").segments == "TTTUUUTTTT");
    CHECK(render("{{ '<s>' + m + '</s>' }}", R"({"m":"xy"})").segments == "TTTUUTTTT");
    CHECK(render("{{ ('[%s]' % m) | trim }}", R"({"m":" a"})").segments == "TUUT");
    CHECK(render("{{ m.replace('a', '-')[1:] }}", R"({"m":"bab"})").segments == "TU");
    CHECK(render("{{ bos_token }}{{ m | upper }}", R"({"m":"ß","bos_token":"<s>"})").segments == "TTTUU");
    CHECK(render("{{ m | tojson }}", R"({"m":{"k":"v"}})").segments == "TTUTTTTUTT");
    CHECK(render("{{ ['a', m, 'b'] | join('-') }}", R"({"m":"x"})").segments == "TTUTT");
    CHECK(render("{% set x %}<{{ m }}>{% endset %}{{ x ~ x }}", R"({"m":"u"})").segments == "TUTTUT");
    CHECK(render("{{ '{}|{}'.format(m, 'z') }}", R"({"m":"u"})").segments == "UTT");
    CHECK(render("{{ m.split(',') | last }}{{ m | indent(1) }}", R"({"m":"a,b"})").segments == "UUUU");
}

TEST_CASE("extended mode lets lists and dicts of the context change") {
    CHECK(render("{% set _ = l.append(4) %}{{ l }}{{ l.pop(0) }}{{ l }}", R"({"l":[1,2]})", true).text == "[1, 2, 4]1[2, 4]");
    CHECK(render("{{ ('{\"a\":[1,2.0]}' | from_json).a }}", "{}", true).text == "[1, 2.0]");
    CHECK(render("{{ l.append(4) }}", R"({"l":[1]})").fault == TemplateFault::security);
    CHECK(render("{% if true %}{{ '1' | from_json }}{% endif %}").fault == TemplateFault::unknown_filter);
}

TEST_CASE("J-01 nesting is capped when parsed") {
    CHECK(render("{{ " + std::string(6000, '(')).code == Code::limit);
    CHECK(render("{{ " + std::string(1000000, '[')).code == Code::limit);
    std::string ifs;
    for (int i = 0; i < 100000; ++i) ifs += "{%if x%}";
    CHECK(render(ifs).code == Code::limit);
    auto nested = [](int n) { return "{{ " + std::string(n, '(') + "1" + std::string(n, ')') + " }}"; };
    uint32_t cap = Limits{}.template_ast_depth;
    CHECK(render(nested(static_cast<int>(cap) - 1)).text == "1");
    CHECK(render(nested(static_cast<int>(cap))).text == "1");
    CHECK(render(nested(static_cast<int>(cap) + 1)).code == Code::limit);
    CHECK(render("{{ " + std::string(2000, '-') + "1 }}").code == Code::limit);
    std::string not_s;
    for (int i = 0; i < 2000; ++i) not_s += "not ";
    CHECK(render("{{ " + not_s + "1 }}").code == Code::limit);
    // Chains are not nesting.
    std::string chain = "{{ 0";
    for (int i = 0; i < 5000; ++i) chain += " + 1";
    CHECK(render(chain + " }}").text == "5000");
}

TEST_CASE("J-02 calls are capped") {
    CHECK(render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").code == Code::limit);
    CHECK(render("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}").code == Code::limit);
    CHECK(render("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}").code == Code::limit);
    CHECK(render("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}").code == Code::limit);
    std::string depth = "{% macro m(n) %}{% if n > 1 %}{{ m(n - 1) }}{% else %}ok{% endif %}{% endmacro %}{{ m(";
    CHECK(render(depth + "63) }}").text == "ok");
    CHECK(render(depth + "64) }}").text == "ok");
    CHECK(render(depth + "65) }}").code == Code::limit);
}

TEST_CASE("J-03 ranges are lazy and capped") {
    CHECK(render("{{ range(1000000000) }}").code == Code::limit);
    CHECK(render("{{ range(0, 9223372036854775808, 1) }}").code == Code::limit);
    CHECK(render("{{ range(0, 9223372036854775807) }}").code == Code::limit);
    CHECK(render("{{ range(1, 5, 0) }}").fault == TemplateFault::type);
    CHECK(render("{{ range(5, -5) | list }}").text == "[]");
    CHECK(render("{{ range(100000) | length }}").text == "100000");
    CHECK(render("{{ range(100001) }}").code == Code::limit);
    CHECK(render("{{ range(-9223372036854775807, 9223372036854775807, 9223372036854775807) | list | length }}").text == "2");
}

TEST_CASE("J-05 memory is capped") {
    CHECK(render("{% set ns = namespace(s='ab') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}").code == Code::limit);
    CHECK(render("{{ 'a' * 10**9 }}").code == Code::limit);
    CHECK(render("{{ ['a'] * 10**9 }}").code == Code::limit);
    CHECK(render("{{ ('a' * 1000000).replace('', 'b' * 1000000) }}").code == Code::limit);
    CHECK(render("{{ 10 ** (10 ** 10) }}").code == Code::limit);
    CHECK(render("{{ '%1000000000d' % 1 }}").code == Code::limit);
    CHECK(render("{{ '{:1000000000}'.format(1) }}").code == Code::limit);
    CHECK(render("{{ 'a'.ljust(10**9) }}").code == Code::limit);
    CHECK(render("{{ [1] | tojson(indent=10**9) }}").code == Code::limit);
    CHECK(render("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}").code == Code::limit);
    CHECK(render("{% for i in range(20) %}{{ 'a' * 1000000 }}{% endfor %}").code == Code::limit);
    // Appending is linear: a long conversation gathered in a namespace fits.
    CHECK(render("{% set ns = namespace(s='') %}{% for i in range(20000) %}{% set ns.s = ns.s + 'some text here ' %}{% endfor %}{{ ns.s | "
                 "length }}")
              .text == "300000");
}

TEST_CASE("J-08 no host object is in reach") {
    for (const char *t :
         {"{{ ''.__class__.__mro__ }}", "{{ lipsum.__globals__['os'] }}", "{{ (x | attr('__class__')).y }}", "{{ [].__class__.__base__ }}",
          "{{ '{0.__class__.__mro__}'.format('') }}", "{{ self.__init__.__globals__ }}", "{{ cycler.__init__.__globals__ }}"}) {
        Result r = render(t);
        INFO(t);
        CHECK((r.fault == TemplateFault::security || r.fault == TemplateFault::undefined));
    }
}

TEST_CASE("J-09 other templates are unsupported when parsed") {
    for (const char *t : {"{% include '/etc/passwd' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}"})
        CHECK(render(t).code == Code::unsupported);
}

TEST_CASE("J-11 words of raise_exception are whole, and capped and escaped as an error") {
    Result r = render("{{ raise_exception('x' * 1000000) }}");
    CHECK(r.fault == TemplateFault::raised);
    CHECK(r.error.size() == 1000000);
    Memory m;
    Template t = Template::parse(m, "\n {{ raise_exception('a\\n\\x01' ~ 'y' * 1000) }}");
    RenderOutput out(m);
    try {
        t.render_or_throw(m, {}, out);
        CHECK(false);
    } catch (const Error &e) {
        CHECK(e.code() == Code::invalid_argument);
        CHECK(e.text().starts_with("template: "));
        CHECK(e.text().size() <= 512);
        CHECK(e.text().find('\n') == std::string_view::npos);
        CHECK(e.place().line == 2);
    }
}

TEST_CASE("J-12 what is left open, stray or unknown has a place") {
    Result r = render("a\n  {% if x");
    CHECK(r.code == Code::format);
    CHECK(r.place.line == 2);
    r = render("ab\ncd {# x");
    CHECK(r.code == Code::format);
    r = render("x {% endfor %}");
    CHECK(r.code == Code::format);
    CHECK(r.place.column == 6);
    CHECK(render("{% nosuch %}").code == Code::format);
    CHECK(render("{{ 1 | nosuch }}").code == Code::format);
    CHECK(render("{{ 'abc }}").code == Code::format);
    CHECK(render("{{ 1 ? 2 }}").code == Code::format);
    CHECK(render("{% break %}").code == Code::format);
}

TEST_CASE("J-14 odd messages are the template's to refuse") {
    const char *t = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}";
    CHECK(render(t, R"({"messages":[]})").text == "");
    CHECK(render(t, R"({"messages":[{"role":"u","content":null}]})").fault == TemplateFault::type);
    CHECK(render(t, R"({"messages":[{"role":"u","content":5}]})").fault == TemplateFault::type);
    CHECK(render(t, R"({"messages":[{"role":"u"}]})").fault == TemplateFault::undefined);
    std::string many = "{\"messages\":[";
    for (int i = 0; i < 100000; ++i) many += std::string(i ? "," : "") + R"({"role":"u","content":"c"})";
    CHECK(render(t, many + "]}").text.size() == 400000);
}

TEST_CASE("source, fuel and output stop at their caps") {
    Limits l;
    l.template_bytes = 100;
    CHECK(render(std::string(100, 'a'), "{}", false, l).text.size() == 100);
    CHECK(render(std::string(101, 'a'), "{}", false, l).code == Code::limit);
    l = {};
    l.template_output_bytes = 100;
    CHECK(render(std::string(100, 'a'), "{}", false, l).text.size() == 100);
    CHECK(render(std::string(101, 'a'), "{}", false, l).code == Code::limit);
    l = {};
    l.template_fuel = 5000;
    CHECK(render("{% for i in range(100000) %}{% endfor %}", "{}", false, l).code == Code::limit);
    Result r = render("\n{% for i in range(100000) %}\n{{ i }}{% endfor %}", "{}", false, l);
    CHECK(r.place.line >= 2);
}

TEST_CASE("values nested by the template do not deepen the C stack") {
    std::string wrap = "{% set ns = namespace(x=[]) %}{% for i in range(50000) %}{% set ns.x = [ns.x] %}{% endfor %}";
    CHECK(render(wrap + "{{ ns.x }}").fault == TemplateFault::type);
    CHECK(render(wrap + "{{ ns.x | tojson }}").fault == TemplateFault::type);
    CHECK(
        render(wrap + "{% set y = namespace(x=[]) %}{% for i in range(50000) %}{% set y.x = [y.x] %}{% endfor %}{{ ns.x == y.x }}").fault ==
        TemplateFault::type);
    CHECK(
        render(
            "{% set ns = namespace(x=['a']) %}{% for i in range(5000) %}{% set ns.x = ns.x | map('upper') %}{% endfor %}{{ ns.x | list }}")
            .text == "['A']");
    CHECK(render("{% set ns = namespace(x=(1,)) %}{% for i in range(50000) %}{% set ns.x = (ns.x,) %}{% endfor %}{{ {ns.x: 1} | length }}")
              .text == "1");
}

TEST_CASE("one program renders in many threads") {
    Memory m;
    Template t = Template::parse(m, "{% macro f(x) %}<{{ x }}>{% endmacro %}{% for i in range(n) %}{{ f(i) }}{{ 'é' | upper }}{% endfor %}");
    std::vector<std::thread> threads;
    std::string results[4];
    for (int k = 0; k < 4; ++k)
        threads.emplace_back([&, k] {
            io::JsonDocument doc = io::JsonDocument::parse(m, R"({"n":200})", {});
            for (int i = 0; i < 20; ++i) {
                std::vector<TemplateVariable> vars = variables(doc.root());
                RenderInput in;
                in.variables = vars;
                RenderOutput out(m);
                if (t.render(m, in, out)) results[k] = out.text;
            }
        });
    for (std::thread &th : threads) th.join();
    CHECK(results[0].size() > 1000);
    for (int k = 1; k < 4; ++k) CHECK(results[k] == results[0]);
}
