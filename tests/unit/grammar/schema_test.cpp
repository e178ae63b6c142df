// SPDX-License-Identifier: Apache-2.0
// JSON Schema: what is enforced, what is refused and where, and the public test suite beside the checkout.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "io/json.h"
#include "support/shared.h"
#include "text/grammar/constraint.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

std::string read(const std::filesystem::path &p) {
    std::ifstream f(p, std::ios::binary);
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
}

void write(Memory &m, const io::Json &j, const char *comma, const char *colon, std::string &out) {
    auto text = [&](std::string_view s) {
        String t(m);
        io::append_json_string(t, s);
        out += std::string_view(t);
    };
    bool first = true;
    switch (j.kind()) {
        case io::JsonKind::null:
            out += "null";
            break;
        case io::JsonKind::boolean:
            out += j.boolean() ? "true" : "false";
            break;
        case io::JsonKind::number:
            out += j.number_text();
            break;
        case io::JsonKind::string:
            text(j.string());
            break;
        case io::JsonKind::array:
            out += '[';
            for (const io::Json &x : j.items()) {
                if (!first) out += comma;
                first = false;
                write(m, x, comma, colon, out);
            }
            out += ']';
            break;
        case io::JsonKind::object:
            out += '{';
            for (const io::JsonMember &x : j.members()) {
                if (!first) out += comma;
                first = false;
                text(x.key);
                out += colon;
                write(m, x.value, comma, colon, out);
            }
            out += '}';
    }
}
std::string write(Memory &m, const io::Json &j, bool spaced) {
    std::string out;
    write(m, j, spaced ? ", " : ",", spaced ? ": " : ":", out);
    return out;
}

bool accepts(const std::shared_ptr<const Constraint> &c, std::string_view text) {
    Matcher m(c);
    return m.accept_bytes(text) && m.can_end();
}

struct Schema {
    explicit Schema(std::string_view source, SchemaOptions o = {}) : c(Constraint::from_json_schema(m, source, o, Limits{})) {}
    Memory m;
    std::shared_ptr<const Constraint> c;
    bool operator()(std::string_view text) const { return accepts(c, text); }
};

std::string refusal(std::string_view source, SchemaOptions o = {}) {
    Memory m;
    try {
        Constraint::from_json_schema(m, source, o, Limits{});
    } catch (const Error &e) {
        static const char *names[] = {"ok", "arg", "format", "unsupported", "limit"};
        int code = -static_cast<int>(e.code());
        return std::string(code < 5 ? names[code] : "?") + " " + std::string(e.text());
    }
    return "ok";
}
bool refused(std::string_view source, std::string_view how, SchemaOptions o = {}) {
    std::string r = refusal(source, o);
    INFO(source << " → " << r);
    return r.starts_with(how);
}

}  // namespace

TEST_CASE("objects: any order of keys, each once, required ones before the end") {
    Schema s(
        R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"}},"required":["a"],"additionalProperties":false})");
    CHECK(s(R"({"a":1,"b":true})"));
    CHECK(s(R"({ "b" : false , "a" : -3 })"));
    CHECK(s("{\n  \"a\": 0\n}"));
    CHECK(!s(R"({"b":true})"));
    CHECK(!s(R"({"a":1,"a":2})"));
    CHECK(!s(R"({"a":1,"c":2})"));
    CHECK(!s(R"({"a":1,})"));
    CHECK(!s(R"({"a":01})"));
    CHECK(!s(R"({"a":1.5})"));
    // after both keys nothing but the end may follow: no comma that would lead nowhere
    Matcher m(s.c);
    CHECK(m.accept_bytes(R"({"a":1,"b":true)"));
    CHECK(!m.accept_bytes(","));
    CHECK(m.accept_bytes("}"));
}

TEST_CASE("a fixed order where the host asks for it, and for very many keys") {
    SchemaOptions o;
    o.any_key_order = false;
    Schema s(R"({"properties":{"a":{},"b":{},"c":{}},"required":["b"]})", o);
    CHECK(s(R"({"a":1,"b":2,"c":3,"x":4})"));
    CHECK(s(R"({"b":2,"x":4})"));
    CHECK(!s(R"({"b":2,"a":1})"));
    CHECK(!s(R"({"a":2,"c":1})"));
    std::string many = R"({"type":"object","additionalProperties":false,"properties":{)";
    for (int i = 0; i < 300; ++i) many += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":{\"type\":\"null\"}";
    Schema big(many + R"(},"required":["k7","k299"]})");
    CHECK(big(R"({"k0":null,"k7":null,"k100":null,"k299":null})"));
    CHECK(!big(R"({"k0":null,"k100":null,"k299":null})"));
    CHECK(!big(R"({"k7":null})"));
}

TEST_CASE("numbers as languages") {
    Schema s(R"({"type":"integer","minimum":-5,"maximum":120})");
    for (int i = -300; i <= 300; ++i) CHECK(s(std::to_string(i)) == (i >= -5 && i <= 120));
    Schema n(R"({"type":"number","exclusiveMinimum":1.5,"maximum":10.25})");
    for (int i = -2000; i <= 2000; ++i) {
        char text[32];
        std::snprintf(text, sizeof text, "%.2f", i / 100.0);
        CHECK_MESSAGE(n(text) == (i > 150 && i <= 1025), text);
    }
    Schema q(R"({"multipleOf":0.05,"type":"number"})");
    for (int i = -2000; i <= 2000; ++i) {
        char text[32];
        std::snprintf(text, sizeof text, "%s%d.%02d", i < 0 ? "-" : "", std::abs(i) / 100, std::abs(i) % 100);
        CHECK_MESSAGE(q(text) == (i % 5 == 0), text);
    }
    CHECK(q("0.0500"));
    CHECK(!q("0.0505"));
    Schema seven(R"({"type":"integer","multipleOf":7,"not":{"enum":[14,21]}})");
    for (int i = -100; i <= 100; ++i) CHECK(seven(std::to_string(i)) == (i % 7 == 0 && i != 14 && i != 21));
    Schema any(R"({"type":"number"})");
    for (const char *t : {"0", "-0", "1e5", "1.5E-09", "123456789012345678901234567890"}) CHECK(any(t));
    for (const char *t : {"01", "+1", ".5", "1.", "1e", "NaN", "0x1"}) CHECK(!any(t));
}

TEST_CASE("strings: patterns search, lengths count characters, escapes are one") {
    Schema p(R"({"type":"string","pattern":"b+","maxLength":4})");
    CHECK(p(R"("abc")"));
    CHECK(!p(R"("abcde")"));
    CHECK(!p(R"("acd")"));
    Schema l(R"({"type":"string","minLength":2,"maxLength":3})");
    CHECK(l(R"("日本")"));
    CHECK(l(R"("\n\u00e9\ud83d\ude00")"));
    CHECK(!l(R"("\n")"));
    CHECK(!l(R"("abcd")"));
    CHECK(!l(R"("\ud83d\ude00")"));
    Schema any(R"({"type":"string"})");
    CHECK(!any("\"\\ud800\""));
    CHECK(!any("\"\n\""));
    CHECK(!any("\"\xff\""));
    Schema e(R"({"enum":["a\"b","é\n",{"k":[1,"x"]},null]})");
    CHECK(e(R"("a\"b")"));
    CHECK(e("\"é\\n\""));
    CHECK(e(R"({"k": [1,"x"]})"));
    CHECK(!e(R"({"k":[1]})"));
    CHECK(!e(R"({"k":[1,"x"],"z":1})"));
    CHECK(e("null"));
}

TEST_CASE("logic is worked out exactly") {
    Schema n(R"({"not":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}})");
    CHECK(n("1"));
    CHECK(n("{}"));
    CHECK(n(R"({"a":1})"));
    CHECK(n(R"({"b":1,"a":null})"));
    CHECK(!n(R"({"a":"x"})"));
    CHECK(!n(R"({"b":1,"a":"x"})"));
    Schema o(R"({"oneOf":[{"type":"integer","minimum":2},{"type":"integer","maximum":5}]})");
    for (int i = -5; i < 12; ++i) CHECK(o(std::to_string(i)) == (i < 2 || i > 5));
    Schema c(
        R"({"properties":{"k":{"enum":["x","y"]},"v":{}},"if":{"properties":{"k":{"const":"x"}},"required":["k"]},"then":{"required":["v"]},
        "else":{"maxProperties":1}})");
    CHECK(c(R"({"k":"x","v":1})"));
    CHECK(c(R"({"v":1,"k":"x"})"));
    CHECK(!c(R"({"k":"x"})"));
    CHECK(c(R"({"k":"y"})"));
    CHECK(!c(R"({"k":"y","v":1})"));
    Schema d(R"({"oneOf":[{"properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":["t","x"],"additionalProperties":false},
                          {"properties":{"t":{"const":"b"},"y":{"type":"string"}},"required":["t","y"],"additionalProperties":false}]})");
    CHECK(d(R"({"t":"a","x":1})"));
    CHECK(d(R"({"y":"q","t":"b"})"));
    CHECK(!d(R"({"t":"a","y":"q"})"));
    Schema u(R"({"type":"array","uniqueItems":true,"items":{"enum":["a","b",3]},"minItems":2})");
    CHECK(u(R"(["a",3])"));
    CHECK(u(R"([3,"b","a"])"));
    CHECK(!u(R"(["a"])"));
    CHECK(!u(R"(["a","a"])"));
    Schema k(R"({"type":"array","contains":{"const":5},"minContains":2,"maxContains":3,"maxItems":4})");
    CHECK(k("[5,5]"));
    CHECK(k("[5,1,5,5]"));
    CHECK(!k("[5,1]"));
    CHECK(!k("[5,5,5,5]"));
    Matcher m(k.c);
    CHECK(m.accept_bytes("[1,2"));
    CHECK(m.accept_bytes(","));
    CHECK(!m.accept_bytes("1"));  // only fives can still make two of four
    CHECK(m.accept_bytes("5,5]"));
}

TEST_CASE("found by comparing with another validator on random schemas") {
    // rules that share a caller's frame keep their own gates
    Schema a(R"({"anyOf":[{"type":"integer"},{"not":{"minProperties":2}},{"const":{"a":[]}}]})");
    CHECK(a(R"({"x-1":-1})"));
    CHECK(a(R"({"a":[]})"));
    CHECK(!a(R"({"x":1,"y":2})"));
    // an array that may hold nothing cannot contain anything
    Schema b(R"({"maxItems":0,"contains":{}})");
    CHECK(!b("[]"));
    CHECK(b("{}"));
    Schema c(R"({"contains":{},"prefixItems":[{"enum":[]}]})");
    CHECK(!c("[]"));
    CHECK(!c("[1]"));
    // new sets made while a set's calls are looked through
    Schema d(
        R"({"anyOf":[{"enum":[[]]},{"if":{"if":{"type":"boolean"},"then":{"type":"integer"},"else":{"type":"integer"},"enum":[-0.5],
        "properties":{"c":{"type":"object"},"ab":{"type":"number"}}},
                 "then":{"minLength":1,"exclusiveMinimum":1},"else":{"type":"array"},"maxLength":4,"pattern":"^[a-c]*$"}]})");
    CHECK(d(R"(["a", [true, 1, []]])"));
    CHECK(!d(R"("a")"));
}

TEST_CASE("a key that is required twice counts once") {
    Schema s(R"({"const":{"a":1},"required":["a"],"maxProperties":1})");
    CHECK(s(R"({"a":1})"));
    CHECK(!s("{}"));
    Schema e(R"({"allOf":[{"enum":[{"a":1},{"a":2,"b":3}]},{"required":["a"]}],"maxProperties":1})");
    CHECK(e(R"({"a":1})"));
    CHECK(!e(R"({"a":2,"b":3})"));
}

TEST_CASE("references, recursion") {
    Schema t(
        R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
        "required":["next"],"additionalProperties":false}}})");
    CHECK(t(R"({"next":{"next":{"next":null}}})"));
    CHECK(!t(R"({"next":{}})"));
    CHECK(refused(R"({"$ref":"#"})", "arg"));
    CHECK(refused(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})", "arg"));
    CHECK(refused(R"({"properties":{"a":{"$ref":"#"}},"required":["a"],"type":"object"})", "arg"));  // only an endless value
    CHECK(refused(R"({"properties":{"a":{"$ref":"#"}}})", "ok"));
    CHECK(refused(R"({"$ref":"#/$defs/none"})", "arg /$ref"));
    CHECK(refused(R"({"$ref":"http://example.com/x.json"})", "unsupported /$ref"));
    CHECK(refused(R"({"items":{"$ref":"file:///etc/passwd"}})", "unsupported /items/$ref"));
}

TEST_CASE("what is refused, and where") {
    CHECK(refused(R"({"properties":{"a":{"minLenght":3}}})", "unsupported /properties/a/minLenght"));
    SchemaOptions allow;
    allow.allow_unknown = true;
    CHECK(refused(R"({"properties":{"a":{"minLenght":3}}})", "ok", allow));
    std::string_view list[] = {"minLenght"};
    SchemaOptions waive;
    waive.waived = list;
    CHECK(refused(R"({"properties":{"a":{"minLenght":3}}})", "ok", waive));
    CHECK(refused(R"({"properties":{"a":{"maxLenght":3}}})", "unsupported", waive));
    CHECK(refused(R"({"type":"string","x-note":{"a":1},"title":"t","examples":[1]})", "ok"));
    CHECK(refused(R"({"items":{"format":"my-own"}})", "unsupported /items/format"));
    CHECK(refused(R"({"properties":{"a~b/c":{"pattern":"(?=x)y"}}})", "unsupported /properties/a~0b~1c/pattern"));
    CHECK(refused(R"({"patternProperties":{"(":{}}})", "format /patternProperties"));
    CHECK(refused(R"({"type":"array","uniqueItems":true})", "unsupported /uniqueItems"));
    CHECK(refused("false", "arg"));
    CHECK(refused(R"({"type":"integer","minimum":5,"maximum":4})", "arg"));
    CHECK(refused(R"({"allOf":[{"type":"string"},{"type":"integer"}]})", "arg"));
    CHECK(refused(R"({"enum":[]})", "arg"));
    CHECK(refused(R"({"type":"foo"})", "format /type"));
    CHECK(refused(R"({"type":[]})", "format /type"));
    CHECK(refused(R"({"type":null})", "format /type"));
    CHECK(refused("[]", "format"));
    CHECK(refused("{", "format"));
    CHECK(refused(R"({"minLength":-1})", "format /minLength"));
    CHECK(refused(R"({"required":"a"})", "format /required"));
    CHECK(refused(R"({"$schema":"http://json-schema.org/draft-04/schema#"})", "unsupported /$schema"));
}

TEST_CASE("hostile sizes end in time") {
    std::string deep;
    for (int i = 0; i < 10000; ++i) deep += R"({"items":)";
    CHECK(refused(deep + "{}" + std::string(10000, '}'), "limit"));
    std::string wide = R"({"properties":{)";
    for (int i = 0; i < 100000; ++i) wide += (i ? ",\"" : "\"") + std::to_string(i) + "\":{}";
    CHECK(refused(wide + "}}", "limit"));
    std::string all = R"({"allOf":[)", any = R"({"anyOf":[)";
    for (int i = 0; i < 1000; ++i) any += (i ? "," : "") + std::string(R"({"required":["k)") + std::to_string(i) + "\"]}";
    for (int i = 0; i < 40; ++i) all += (i ? "," : "") + any + "]}";
    CHECK(refused(all + "]}", "limit"));
    std::string list = R"({"enum":[)";
    for (int i = 0; i < 10000; ++i) list += (i ? ",\"value" : "\"value") + std::to_string(i * 7919) + "\"";
    Schema e(list + "]}");
    CHECK(e("\"value7919\""));
    CHECK(!e("\"value7918\""));
    std::string numbers = R"({"enum":[1.5,-3,0)";
    for (int i = 0; i < 10000; ++i) numbers += "," + std::to_string(i * 7919 + 1);
    Schema n(numbers + "]}");
    CHECK(n("7920"));
    CHECK(n("1.5"));
    CHECK(n("-3"));
    CHECK(n("0"));
    CHECK(!n("7919"));
    CHECK(!n("3"));
    // many objects that each allow other keys: the automata of those keys must stay small
    std::string tools = R"({"oneOf":[)";
    for (int i = 0; i < 128; ++i)
        tools += (i ? "," : "") + std::string(R"({"type":"object","properties":{"name":{"const":"tool)") + std::to_string(i) +
                 R"("},"arguments":{"type":"object","properties":{"first":{"type":"string"},"second":{"type":"integer"}}}},"required":["name","arguments"]})";
    Schema t(tools + "]}");
    CHECK(t(R"({"name":"tool77","arguments":{"second":3,"other":null}})"));
    CHECK(!t(R"({"name":"tool128","arguments":{}})"));
    CHECK(t.c->net().n_states() < 60000);
    CHECK(refused("\"" + std::string(2 << 20, 'x') + "\"", "limit"));
    Schema long_list(R"({"type":"array","maxItems":1000000000,"items":{"type":"null"}})");
    CHECK(long_list("[null,null]"));
    Schema long_text(R"({"type":"string","maxLength":1000000})");
    CHECK(long_text("\"" + std::string(5000, 'x') + "\""));
    CHECK(refused(R"({"type":"string","pattern":"^[a-z]*$","maxLength":1000000})", "limit"));
}

TEST_CASE("keyword by keyword") {
    std::string path = inlay_test::shared_path("data/jsonschema/keywords.json");
    if (path.empty()) {
        MESSAGE("SKIP: no reference data beside the checkout");
        return;
    }
    Memory m;
    auto doc = io::JsonDocument::parse(m, read(path), io::JsonLimits{});
    int enforced = 0, too_narrow = 0;
    std::string unsupported;
    for (const io::Json &k : doc.root().items()) {
        std::string name(k.find("keyword")->string());
        std::shared_ptr<const Constraint> c;
        try {
            SchemaOptions o;
            c = Constraint::from_json_schema(m, write(m, *k.find("schema"), false), o, Limits{});
        } catch (const Error &e) {
            unsupported += "\n  " + name + ": " + std::string(e.text());
            continue;
        }
        bool narrow = false;
        for (const io::Json &x : k.find("valid")->items()) narrow |= !accepts(c, write(m, x, false)) && !accepts(c, write(m, x, true));
        if (name != "contentEncoding")  // an annotation by both drafts
            for (const io::Json &x : k.find("invalid")->items())
                CHECK_MESSAGE(!accepts(c, write(m, x, true)), name << " lets through " << write(m, x, true));
        if (narrow) MESSAGE("narrower than the schema: " << name);
        too_narrow += narrow;
        ++enforced;
    }
    MESSAGE(enforced << " enforced, refused:" << unsupported);
    CHECK(enforced >= 64);
    CHECK(too_narrow <= 1);
}

// A large schema compiles or is over a limit, and does so in memory of its size's order: branches hold copies of what is still
// to be done, and are charged for them.
TEST_CASE("large schemas cost no more than their fuel") {
    auto list = [](int n, auto item) {
        std::string s;
        for (int i = 0; i < n; ++i) s += (i ? "," : "") + item(std::to_string(i));
        return s;
    };
    using S = const std::string &;
    for (int n : {300, 4000, 20000})
        for (const std::string &s : {
                 "{\"oneOf\":[" + list(n, [](S i) { return R"({"type":"string","minLength":)" + i + "}"; }) + "]}",
                 "{\"anyOf\":[" + list(n, [](S i) { return R"({"required":["k)" + i + "\"]}"; }) + "]}",
                 "{\"dependentRequired\":{" + list(n, [](S i) { return "\"k" + i + "\":[\"r" + i + "\"]"; }) + "}}",
                 "{\"required\":[" + list(n, [](S i) { return "\"k" + i + "\""; }) + "],\"type\":\"object\"}",
                 "{\"enum\":[" + list(n, [](S i) { return "[" + i + "]"; }) + "]}",
                 "{\"patternProperties\":{" + list(n, [](S i) { return "\"^k" + i + "\":{}"; }) + "}}",
             }) {
            Memory m;
            try {
                Constraint::from_json_schema(m, s, {}, Limits{});
            } catch (const Error &e) {
                CHECK(e.code() == Code::limit);
            }
            CHECK_MESSAGE(m.peak() < (96u << 20), s.substr(0, 60), " n ", n, " took ", m.peak(), " bytes");
            CHECK(m.used() == 0);
        }
}

TEST_CASE("test suite") {
    std::string dir = inlay_test::shared_path("data/jsonschema");
    if (dir.empty()) {
        MESSAGE("SKIP: no reference data beside the checkout");
        return;
    }
    Memory m;
    int tested = 0, unsupported = 0, narrow = 0;
    for (auto &entry : std::filesystem::recursive_directory_iterator(dir)) {
        std::string p = entry.path().string();
        if (!p.ends_with(".json") || p.find("/draft") == p.npos) continue;
        auto doc = io::JsonDocument::parse(m, read(p), io::JsonLimits{});
        for (const io::Json &g : doc.root().items()) {
            std::shared_ptr<const Constraint> c;
            auto tests = g.find("tests")->items();
            try {
                SchemaOptions o;
                o.allow_unknown = true;
                c = Constraint::from_json_schema(m, write(m, *g.find("schema"), false), o, Limits{});
            } catch (const Error &e) {
                CHECK((e.code() == Code::unsupported || e.code() == Code::invalid_argument || e.code() == Code::limit));
                unsupported += static_cast<int>(tests.size());
                continue;
            }
            for (const io::Json &t : tests) {
                bool ok = accepts(c, write(m, *t.find("data"), false)), spaced = accepts(c, write(m, *t.find("data"), true));
                ++tested;
                CHECK(ok == spaced);
                if (!t.find("valid")->boolean())
                    CHECK_MESSAGE(!ok, p << ": " << g.find("description")->string() << ": " << t.find("description")->string());
                else
                    narrow += !ok;
            }
        }
    }
    MESSAGE(tested << " tests enforced, " << unsupported << " refused, " << narrow << " valid ones not accepted");
    CHECK(tested >= 1800);
    CHECK(narrow * 50 <= tested);
}
