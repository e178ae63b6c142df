// SPDX-License-Identifier: Apache-2.0
#include "io/json.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace inlay;
using namespace inlay::io;

namespace {

struct Outcome {
    Code code = Code::ok;
    std::string text;
};

Outcome outcome(std::string_view text, JsonLimits limits = {}) {
    Memory m;
    Outcome o;
    try {
        JsonDocument::parse(m, text, limits);
    } catch (const Error &e) {
        o = {e.code(), std::string(e.text())};
    }
    CHECK(m.used() == 0);
    return o;
}

bool truncated(const Outcome &o) { return o.code == Code::format && o.text.starts_with("truncated:"); }

}  // namespace

TEST_CASE("json: a tree keeps order, number tokens and decoded strings") {
    Memory m;
    auto doc = JsonDocument::parse(
        m, R"( {"z": [1, -2.50, 18446744073709551616, 1e3], "a": {"k": "\u00e9\n\ud83d\ude00\u0000x"}, "t": true, "n": null, "":""} )", {});
    const Json &r = doc.root();
    REQUIRE(r.is_object());
    REQUIRE(r.members().size() == 5);
    CHECK(r.members()[0].key == "z");
    CHECK(r.members()[4].key == "");
    auto items = r.find("z")->items();
    REQUIRE(items.size() == 4);
    CHECK(items[0].integer() == 1);
    CHECK(items[1].number_text() == "-2.50");
    CHECK(items[1].number() == -2.5);
    CHECK_FALSE(items[1].is_integer());
    CHECK(items[2].is_integer());
    CHECK_FALSE(items[2].integer().has_value());
    CHECK(items[2].number() == 18446744073709551616.0);
    CHECK(items[3].number() == 1000);
    CHECK(r.find("a")->find("k")->string() == std::string_view("\xC3\xA9\n\xF0\x9F\x98\x80\0x", 9));
    CHECK(r.find("t")->boolean());
    CHECK(r.find("n")->is_null());
    CHECK(r.get("n") == nullptr);
    CHECK(r.find("missing") == nullptr);
}

TEST_CASE("json: root scalars, and trailing text is refused") {
    Memory m;
    CHECK(JsonDocument::parse(m, "7", {}).root().integer() == 7);
    CHECK(JsonDocument::parse(m, " \"a\" ", {}).root().string() == "a");
    CHECK(JsonDocument::parse(m, "null", {}).root().is_null());
    CHECK(JsonDocument::parse(m, "[]", {}).root().items().empty());
    for (const char *bad :
         {"1,2", "1 2", "{} {}", "[] x", "\"a\" \"b\"", "{},", "]", "[1]]", "1]", "1],[2", "nul", "truex", "True", "{}\x01"})
        CHECK_MESSAGE(outcome(bad).code == Code::format, bad);
}

TEST_CASE("json: broken grammar is FORMAT") {
    for (const char *bad : {"[007]",
                            "[NaN]",
                            "[+1]",
                            "[1.]",
                            "[.5]",
                            "[1e]",
                            "[-]",
                            "[0x10]",
                            "[1_0]",
                            "[--1]",
                            "[Infinity]",
                            "[01]",
                            "[-01]",
                            "[1,]",
                            "[,1]",
                            "[,]",
                            "[1 2]",
                            "{\"a\" 1}",
                            "{\"a\":}",
                            "{\"a\":1,}",
                            "{,}",
                            "{1:2}",
                            "{\"a\":1 \"b\":2}",
                            "[1}",
                            "{\"a\":1]",
                            "{a:1}",
                            "['a']",
                            "[\"\\x\"]",
                            "[\"\\u12g4\"]",
                            "[\"a\nb\"]",
                            "[tru]",
                            "[:]",
                            "{\"a\"::1}",
                            "[\"\\ud800\"]",
                            "[\"\\udc00\"]",
                            "[\"\\ud800\\u0041\"]",
                            "{\"\\udfff\":1}",
                            "[\"\xff\"]",
                            "[\"\xC0\xAF\"]",
                            "[\"\xED\xA0\x80\"]",
                            "\xEF\xBB\xBF{}",
                            "[1]/**/"}) {
        auto o = outcome(bad);
        CHECK_MESSAGE(o.code == Code::format, bad);
    }
}

TEST_CASE("json: every prefix of a document is truncated or broken, never accepted") {
    std::string text = R"({"a":[1,2,{"b":"x\"y"}],"c":true,"d":-1.5e3})";
    for (size_t n = 0; n < text.size(); ++n) CHECK_MESSAGE(truncated(outcome(std::string_view(text).substr(0, n))), n);
    CHECK(outcome(text).code == Code::ok);
}

TEST_CASE("json: caps hold at cap - 1, cap and cap + 1") {
    JsonLimits l;
    l.depth = 5;
    auto nest = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
    CHECK(outcome(nest(4), l).code == Code::ok);
    CHECK(outcome(nest(5), l).code == Code::ok);
    CHECK(outcome(nest(6), l).code == Code::limit);
    l = {};
    l.bytes = 10;
    CHECK(outcome("[11111111]", l).code == Code::ok);
    CHECK(outcome("[111111111]", l).code == Code::limit);
    l = {};
    l.number_chars = 8;
    CHECK(outcome("[12345678]", l).code == Code::ok);
    CHECK(outcome("[123456789]", l).code == Code::limit);
    l = {};
    l.values = 4;  // the array and three items
    CHECK(outcome("[1,2,3]", l).code == Code::ok);
    CHECK(outcome("[1,2,3,4]", l).code == Code::limit);
}

TEST_CASE("json: large and hostile texts end fast and do not nest the stack") {
    CHECK(outcome(std::string(100'000'000, '['), {.bytes = 200'000'000}).code == Code::limit);
    JsonLimits deep;
    deep.depth = 200'000;
    std::string nest(200'000, '[');
    nest += std::string(200'000, ']');
    CHECK(outcome(nest, deep).code == Code::ok);
    CHECK(truncated(outcome(std::string(8'000'000, ' '))));
    JsonLimits huge;
    huge.number_chars = 64;
    huge.bytes = 20'000'000;
    CHECK(outcome("[" + std::string(10'000'000, '1') + "]", huge).code == Code::limit);
}

TEST_CASE("json: duplicate keys are refused, or the last one wins") {
    CHECK(outcome(R"({"a":1,"b":2,"a":3})").code == Code::format);
    CHECK(outcome(R"({"a":1,"\u0061":3})").code == Code::format);
    JsonLimits l;
    l.refuse_duplicates = false;
    Memory m;
    auto doc = JsonDocument::parse(m, R"({"a":1,"b":2,"a":3})", l);
    REQUIRE(doc.root().members().size() == 2);
    CHECK(doc.root().members()[0].key == "a");
    CHECK(doc.root().find("a")->integer() == 3);
    std::string big = "{", last;
    for (int i = 0; i < 200'000; ++i) big += "\"key" + std::to_string(i) + "\":" + std::to_string(i) + ",";
    auto many = JsonDocument::parse(m, big + "\"z\":0}", {.bytes = 100u << 20});
    for (int i = 0; i < 200'000; ++i) REQUIRE(many.root().find("key" + std::to_string(i))->integer() == i);
    CHECK(many.root().find("key200000") == nullptr);
    CHECK(outcome(big + "\"key77\":0}").code == Code::format);
    auto wins = JsonDocument::parse(m, big + "\"key77\":-5}", {.bytes = 100u << 20, .refuse_duplicates = false});
    CHECK(wins.root().members().size() == 200'000);
    CHECK(wins.root().find("key77")->integer() == -5);
}

TEST_CASE("json: numbers beyond a double") {
    Memory m;
    auto d = JsonDocument::parse(m, "[1e999999,-1e999999,1e-999999,-0,123456789012345678901234567890,0.1]", {});
    auto i = d.root().items();
    CHECK(std::isinf(i[0].number()));
    CHECK(i[1].number() < 0);
    CHECK(i[2].number() == 0);
    CHECK(i[3].integer() == 0);
    CHECK(i[4].number() == doctest::Approx(1.2345678901234568e29));
    CHECK(i[5].number() == 0.1);
    std::string tiny = "[0." + std::string(400, '0') + "1, 1" + std::string(400, '0') + "]";
    auto e = JsonDocument::parse(m, tiny, {});
    CHECK(e.root().items()[0].number() == 0);
    CHECK(std::isinf(e.root().items()[1].number()));
}

TEST_CASE("json: typed lookups name the key") {
    Memory m;
    auto d = JsonDocument::parse(m, R"({"i":5,"f":5.0,"h":5.5,"s":"x","b":false,"n":null,"big":9223372036854775808,"inf":1e400})", {});
    const Json &r = d.root();
    CHECK(get_int(r, "i", 0) == 5);
    CHECK(get_int(r, "f", 0) == 5);
    CHECK(get_int(r, "n", 9) == 9);
    CHECK(get_int(r, "none", 9) == 9);
    CHECK(get_double(r, "i", 0) == 5.0);
    CHECK(get_bool(r, "b", true) == false);
    CHECK(get_string(r, "s", "") == "x");
    CHECK(need_int(r, "i") == 5);
    auto code = [&](auto f) {
        try {
            f();
        } catch (const Error &e) {
            CHECK(e.text().find('\'') != std::string_view::npos);
            return e.code();
        }
        return Code::ok;
    };
    CHECK(code([&] { get_int(r, "h", 0); }) == Code::format);
    CHECK(code([&] { get_int(r, "big", 0); }) == Code::format);
    CHECK(code([&] { get_int(r, "s", 0); }) == Code::format);
    CHECK(code([&] { get_bool(r, "i", true); }) == Code::format);
    CHECK(code([&] { get_string(r, "i", ""); }) == Code::format);
    CHECK(code([&] { get_double(r, "inf", 0); }) == Code::format);
    CHECK(code([&] { need(r, "n"); }) == Code::format);
    CHECK(code([&] { need_int(r, "zz"); }) == Code::format);
}

TEST_CASE("json: writing escapes controls and mends broken UTF-8") {
    Memory m;
    String s(m);
    append_json_string(s, std::string_view("a\"\\\n\x01\xC3\xA9\xff\xED\xA0\x80z\0", 13));
    CHECK(s == "\"a\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\\u0000\"");
    auto back = JsonDocument::parse(m, s, {});
    CHECK(back.root().is_string());
    s.clear();
    append_json_number(s, 0.1);
    s += ' ';
    append_json_number(s, NAN);
    s += ' ';
    append_json_number(s, 3);
    CHECK(s == "0.1 null 3");
}

TEST_CASE("json: random damage ends in a status, and what is accepted survives another round") {
    std::string text = R"({"a":[1,-2.5e3,{"b":"x\"y\\\u00e9\ud83d\ude00"}],"c":true,"d":null,"e":{},"f":[],"":"\n"})";
    uint64_t seed = 7;
    auto next = [&](size_t n) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        return static_cast<size_t>(seed % n);
    };
    const std::string alphabet("{}[]\",:0-+.eEtfnu\\d8 \n\xff\xc3", 24);
    size_t accepted = 0;
    for (int n = 0; n < 20'000; ++n) {
        std::string t = text;
        for (size_t k = next(3) + 1; k-- > 0;) switch (next(4)) {
                case 0:
                    t.erase(next(t.size()), 1);
                    break;
                case 1:
                    t.insert(next(t.size()), 1, alphabet[next(alphabet.size())]);
                    break;
                case 2:
                    t[next(t.size())] = alphabet[next(alphabet.size())];
                    break;
                default:
                    std::swap(t[next(t.size())], t[next(t.size())]);
            }
        accepted += outcome(t).code == Code::ok;
    }
    CHECK(accepted > 100);
    CHECK(accepted < 10'000);
}
