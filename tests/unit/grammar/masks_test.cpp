// SPDX-License-Identifier: Apache-2.0
// Token masks against trying every token, on random walks; and that no walk meets a dead end.
#include "text/grammar/masks.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "io/json.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

// All bytes, pieces of JSON and words, characters cut in two, and long runs.
std::vector<std::string> toy_vocabulary() {
    std::vector<std::string> v;
    for (int b = 0; b < 256; ++b) v.push_back(std::string(1, static_cast<char>(b)));
    for (const char *s :
         {"\", \"",   "\":",       "\": ", "\": \"",   "\",",      "\"}",    "\"]",   "{\"",  "[\"",       "},",   "}, {", "]}",
          "}}",       "[[",        "]]",   "{}",       "[]",       "[{",     "}]",    "\n  ", "\n    \"",  "  ",   "\t\t", "true",
          "false",    "null",      "tru",  "nul",      "e,",       "e}",     "12",    "123",  "2024",      "-1",   "0.",   ".5",
          "1e",       "e+0",       "10,",  "5]",       "3}",       "7, ",    "00",    "99",   "name",      "nam",  "age",  "\"name",
          "\"name\"", "\"name\":", "id",   "\"a",      "\"a\":",   "a\"",    "b\":",  "kind", "\\n",       "\\\"", "\\u",  "\\u00e9",
          "\\\\",     "00e9",      "the",  " the",     "hello",    " world", "abc",   "ab",   "xyz",       "été",  "日",   "日本",
          "本\"",     "\xE6\x97",  "\xA5", "\xF0\x9F", "\x98\x80", "😀",      "é\", ", "x,y",  "a b\", \"c"})
        v.push_back(s);
    v.push_back(std::string(40, 'a'));
    v.push_back(std::string(64, ' '));
    v.push_back("");      // a special token
    v.push_back("name");  // the same bytes twice
    return v;
}

struct Walker {
    explicit Walker(std::shared_ptr<const Constraint> constraint) : c(std::move(constraint)) {
        vocabulary = toy_vocabulary();
        std::vector<std::string_view> views(vocabulary.begin(), vocabulary.end());
        trie = TokenTrie::build(c->memory(), views);
        masks = &c->masks_for(trie);
        mask.resize(masks->words());
    }
    // A random text of the constraint; `check`: compares each mask with trying every token.
    bool run(std::mt19937 &rng, bool check, size_t soft_end, std::string &text) {
        Matcher m(c);
        text.clear();
        for (int step = 0; step < 400; ++step) {
            int n = masks->fill(m, mask);
            auto allowed = [&](uint32_t id) { return (mask[id / 64] >> (id % 64) & 1) != 0; };
            if (check)
                for (uint32_t id = 0; id < vocabulary.size(); ++id) {
                    bool fits = !vocabulary[id].empty() && m.accepted_prefix(vocabulary[id]) == vocabulary[id].size();
                    CHECK_MESSAGE(allowed(id) == fits, "after <" << text << "> token <" << vocabulary[id] << "> mask " << allowed(id));
                    if (allowed(id) != fits) return false;
                }
            CHECK_MESSAGE((n > 0 || m.can_end()), "dead end after <" << text << ">");
            if (n == 0 || (m.can_end() && (text.size() >= soft_end || rng() % 4 == 0))) return m.can_end();
            // Towards the end prefer what closes things, so that walks finish.
            uint32_t pick = 0, seen = 0;
            for (uint32_t id = 0; id < vocabulary.size(); ++id) {
                if (!allowed(id)) continue;
                uint32_t weight = 1;
                if (text.size() >= soft_end)
                    weight = vocabulary[id] == "}" || vocabulary[id] == "]" || vocabulary[id] == "\"" ? 400
                             : vocabulary[id].size() > 4                                              ? 0
                                                                                                      : 1;
                else if (vocabulary[id].size() > 1)
                    weight = 4;
                if (weight == 0 && seen == 0) pick = id;
                for (uint32_t w = 0; w < weight; ++w)
                    if (rng() % ++seen == 0) pick = id;
            }
            CHECK(m.accept_bytes(vocabulary[pick]));
            text += vocabulary[pick];
        }
        return false;
    }
    std::shared_ptr<const Constraint> c;
    std::vector<std::string> vocabulary;
    std::shared_ptr<const TokenTrie> trie;
    Masks *masks = nullptr;
    std::vector<uint64_t> mask;
};

const char *const kSchemas[] = {
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array",
        "items":{"type":"string"},"maxItems":3}},"required":["name"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"string","minLength":2,"maxLength":5},"b":{"enum":["abc","ab","name"]},"c":{"type":["number",
        "null"]}},"required":["a","b"],"maxProperties":3})",
    R"({"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"kind":{"const":"xyz"}},"required":["id","kind"]},
        "minItems":1,"maxItems":4})",
    R"({"type":"string","pattern":"^[a-z]+( [a-z]+)*$","maxLength":30})",
    R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"name":{"type":"string","maxLength":60},
        "a":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["a"],"additionalProperties":false}}})",
    R"({"type":"array","uniqueItems":true,"items":{"enum":[1,2,3,12,123,"a","name"]},"minItems":3})",
    R"({"type":"array","contains":{"type":"string"},"minContains":2,"maxContains":3,"maxItems":5,"items":{"type":["string","integer"],
        "maxLength":4}})",
    R"({"not":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},"type":["object","integer"]})",
    R"({"oneOf":[{"properties":{"kind":{"const":"a"},"id":{"type":"integer","multipleOf":3}},"required":["kind",
        "id"]},{"properties":{"kind":{"const":"b"},"name":{"type":"string","format":"date"}},"required":["kind","name"]}],"type":"object"})",
    R"({"type":"object","patternProperties":{"^a":{"type":"integer"}},"additionalProperties":{"type":"string","maxLength":3},"minProperties":1,
        "maxProperties":3})",
    // Keys and strings that an automaton watches without ever refusing a character; two such at once; a limited one.
    R"({"properties":{"abc":{"type":"array","maxItems":3},"id":{"type":"array"}},"patternProperties":{"a.c":{"minItems":2}},
        "additionalProperties":{"type":"integer"},"type":"object"})",
    R"({"type":"string","pattern":"b.c|é"})",
    R"({"type":"object","propertyNames":{"maxLength":5},"additionalProperties":{"type":"string","not":{"const":"ab"}}})",
    R"({})",
};

}  // namespace

TEST_CASE("the tree holds every token once") {
    Memory m;
    auto v = toy_vocabulary();
    std::vector<std::string_view> views(v.begin(), v.end());
    auto trie = TokenTrie::build(m, views);
    size_t n = 0;
    std::string text;
    for (uint32_t i = 1; i < trie->n_nodes(); ++i) {
        text.resize(trie->depth(i) - 1);
        text += static_cast<char>(trie->byte(i));
        for (uint32_t id : trie->tokens(i)) {
            CHECK(v[id] == text);
            ++n;
        }
    }
    CHECK(n == v.size() - 1);
}

TEST_CASE("masks are what trying every token gives") {
    Memory m;
    std::mt19937 rng(1);
    std::string text;
    for (const char *s : kSchemas) {
        Walker w(Constraint::from_json_schema(m, s, {}, Limits{}));
        INFO(s);
        for (int i = 0; i < 12; ++i) w.run(rng, true, 60, text);
    }
    for (const char *g : {"root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"", "root ::= [a-z]* \" \" .* \"!\"",
                          "root ::= item{2,70}\nitem ::= [a-z]+ \",\"", "root ::= [^\\x00-\\x1F]{3,9} (\"12\" | \"123\" root)",
                          "root ::= (\"日\" | \"本\" | [\\U0001F600-\\U0001F64F])+", "root ::= ([ab]{1,200} [bc]{0,200} \",\")* \".\""}) {
        Walker w(Constraint::from_gbnf(m, g, Limits{}));
        INFO(g);
        for (int i = 0; i < 12; ++i) w.run(rng, true, 40, text);
    }
}

TEST_CASE("random outputs are sentences, and JSON") {
    Memory m;
    std::mt19937 rng(2);
    std::string text;
    int finished = 0;
    for (const char *s : kSchemas) {
        auto c = Constraint::from_json_schema(m, s, {}, Limits{});
        Walker w(c);
        for (int i = 0; i < 300; ++i) {
            if (!w.run(rng, false, 60, text)) continue;
            ++finished;
            Matcher again(c);
            CHECK(again.accept_bytes(text));
            CHECK(again.can_end());
            io::JsonLimits l;
            l.refuse_duplicates = false;
            io::JsonDocument::parse(m, text, l);
        }
    }
    CHECK(finished > 2500);
}
