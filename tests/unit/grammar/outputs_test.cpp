// SPDX-License-Identifier: Apache-2.0
// What random models write under a constraint, validated by other code: each step samples from random logits under the
// mask, each finished text is read by the JSON reader and checked against its schema by a plain validator (json_check.h).
// INLAY_OUTPUTS: how many; INLAY_OUTPUTS_FILE: schemas and texts as JSON lines, for a validator that is not ours.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "support/json_check.h"
#include "support/shared.h"
#include "text/grammar/masks.h"
#include "text/messages.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

const char *const kSchemas[] = {
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array",
        "items":{"type":"string"},
        "maxItems":3}},"required":["name"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"string","minLength":2,"maxLength":5},"b":{"enum":["abc","ab","name"]},
        "c":{"type":["number","null"]}},
        "required":["a","b"],"maxProperties":3})",
    R"({"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"kind":{"const":"xyz"}},"required":["id","kind"]},
        "minItems":1,"maxItems":4})",
    R"({"type":"string","pattern":"^[a-z]+( [a-z]+)*$","maxLength":30})",
    R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"name":{"type":"string","maxLength":20},
        "a":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},
        "required":["a"],"additionalProperties":false}}})",
    R"({"type":"array","uniqueItems":true,"items":{"enum":[1,2,3,12,123,"a","name"]},"minItems":3})",
    R"({"type":"array","contains":{"type":"string"},"minContains":2,"maxContains":3,"maxItems":5,"items":{"type":["string","integer"],
        "maxLength":4}})",
    R"({"not":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},"type":["object","integer"]})",
    R"({"oneOf":[{"properties":{"kind":{"const":"a"},"id":{"type":"integer","multipleOf":3}},"required":["kind",
        "id"]},{"properties":{"kind":{"const":"b"},
        "name":{"type":"string","pattern":"^[0-9]{3}$"}},"required":["kind","name"]}],"type":"object"})",
    R"({"type":"object","patternProperties":{"^a":{"type":"integer"}},"additionalProperties":{"type":"string","maxLength":3},
        "minProperties":1,"maxProperties":3})",
    R"({"if":{"type":"object","properties":{"kind":{"const":"a"}},"required":["kind"]},"then":{"required":["id"]},
        "else":{"required":["name"]},"type":"object",
        "properties":{"kind":{"enum":["a","b"]},"id":{"type":"integer"},"name":{"type":"string","maxLength":4}},"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"boolean"}},"dependentRequired":{"a":["b"],"b":["c"]},
        "additionalProperties":false})",
    R"({"oneOf":[{"type":"integer","multipleOf":4},{"type":"integer","multipleOf":6}]})",
    R"({"type":"number","minimum":-2.5,"exclusiveMaximum":7.25,"multipleOf":0.25})",
    R"({"type":"array","prefixItems":[{"type":"integer"},{"enum":["x","y"]}],"items":{"type":"boolean"},"minItems":2,"maxItems":5})",
    R"({"type":"object","propertyNames":{"pattern":"^[a-c]{1,2}$"},"additionalProperties":{"type":"integer"},"minProperties":1})",
    R"({"anyOf":[{"type":"object","properties":{"a":{"type":"array","items":{"type":"array","items":{"type":"integer"},"maxItems":2},
        "maxItems":2}},"required":["a"],
        "additionalProperties":false},{"type":"string","minLength":3,"maxLength":6,"not":{"pattern":"a"}},{"type":"null"}]})",
    R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}}},{"properties":{"a":{"maximum":8},
        "b":{"type":"string"}},"required":["a"]}],
        "maxProperties":2})",
    R"({})",
};

std::vector<std::string> vocabulary() {
    std::vector<std::string> v;
    for (int b = 0; b < 256; ++b) v.emplace_back(1, static_cast<char>(b));
    for (const char *s :
         {"\", \"", "\":", "\": ", "\": \"", "\",",     "\"}",      "\"]",      "{\"",       "[\"",      "},",    "}, {",   "]}",  "}}",
          "[[",     "]]",  "{}",   "[]",     "[{",      "}]",       "\n  ",     "true",      "false",    "null",  "tru",    "nul", "e,",
          "e}",     "12",  "123",  "2024",   "-1",      "0.",       ".5",       "1e",        "e+0",      "10,",   "5]",     "3}",  "7, ",
          "00",     "99",  "name", "nam",    "age",     "\"name",   "\"name\"", "\"name\":", "id",       "\"a",   "\"a\":", "a\"", "b\":",
          "kind",   "\\n", "\\\"", "\\u",    "\\u00e9", "\\\\",     "00e9",     "the",       " the",     "hello", " world", "abc", "ab",
          "xyz",    "été", "日",   "日本",   "本\"",    "\xE6\x97", "\xA5",     "\xF0\x9F",  "\x98\x80", "😀"})
        v.emplace_back(s);
    return v;
}

struct Source {
    std::string name, schema;
    size_t wanted = 0, written = 0, tried = 0;
};

}  // namespace

TEST_CASE("random outputs are valid") {
    size_t wanted = 1500;
    if (const char *n = std::getenv("INLAY_OUTPUTS")) wanted = static_cast<size_t>(std::atoll(n));
    std::ofstream out;
    if (const char *path = std::getenv("INLAY_OUTPUTS_FILE")) out.open(path);
    Memory m;
    std::vector<Source> sources;
    auto add = [&](std::string name, std::string schema) {
        Source s{std::move(name), std::move(schema)};
        try {
            (void)Constraint::from_json_schema(m, s.schema, {}, {});
        } catch (const Error &) {
            return;  // refused: schema_test holds which
        }
        sources.push_back(std::move(s));
    };
    for (const char *s : kSchemas) add("own", s);
    const size_t own = sources.size();
    // Every schema of the published suite that is taken.
    std::string dir = inlay_test::shared_path("data/jsonschema");
    if (dir.empty()) MESSAGE("SKIP: no ../shared/data/jsonschema");
    if (!dir.empty() && wanted >= 10000)
        for (const auto &file : std::filesystem::recursive_directory_iterator(dir)) {
            if (file.path().extension() != ".json" || file.path().parent_path() == dir) continue;
            std::ifstream in(file.path(), std::ios::binary);
            std::string text{std::istreambuf_iterator<char>(in), {}};
            io::JsonDocument doc = io::JsonDocument::parse(m, text, {});
            for (const io::Json &group : doc.root().items())
                add(file.path().filename().string(), std::string(text::write_json(m, *group.find("schema"))));
        }
    // Our own half the texts, the suite the other half.
    for (size_t i = 0; i < sources.size(); ++i) {
        const size_t share = sources.size() > own ? (i < own ? wanted / 2 / own : wanted / 2 / (sources.size() - own)) : wanted / own;
        sources[i].wanted = share + 1;
    }
    io::JsonLimits deep;
    deep.depth = 1024;  // a walk of nothing but brackets
    const std::vector<std::string> tokens = vocabulary();
    std::vector<std::string_view> views(tokens.begin(), tokens.end());
    auto trie = TokenTrie::build(m, views);
    std::mt19937 rng(11);
    std::vector<double> logit(tokens.size());
    size_t written = 0, tried = 0, bad = 0, unsaid = 0;
    for (size_t i = 0; i < sources.size(); ++i) {
        Source &s = sources[i];
        const auto constraint = Constraint::from_json_schema(m, s.schema, {}, {});
        Masks &masks = constraint->masks_for(trie);
        std::vector<uint64_t> mask(masks.words());
        io::JsonDocument schema = io::JsonDocument::parse(m, s.schema, {});
        if (out.is_open()) out << "{\"schema\":" << std::string_view(text::write_json(m, schema.root())) << "}\n";
        while (s.written < s.wanted && s.tried < 4 * s.wanted + 20) {
            ++s.tried;
            // A random model: fixed logits with a temperature of its own, and a wish to end that grows.
            const double spread = 0.5 + static_cast<double>(rng() % 100) / 25;
            for (double &l : logit) l = std::normal_distribution<double>(0, spread)(rng);
            Matcher matcher(constraint);
            std::string text;
            bool ended = false;
            for (int step = 0; step < 160 && !ended; ++step) {
                masks.fill(matcher, mask);
                double best = -1e300;
                uint32_t pick = ~0u;
                const double hurry = step < 40 ? 0 : (step - 40) * 0.3;
                for (uint32_t id = 0; id < tokens.size(); ++id) {
                    if (!(mask[id / 64] >> (id % 64) & 1)) continue;
                    const double gumbel = -std::log(-std::log((rng() + 1.0) / 4294967298.0));
                    const std::string &t = tokens[id];
                    const bool closes = t == "\"" || t == "}" || t == "]";
                    const double value = logit[id] + gumbel + (closes ? hurry : t.size() > 1 ? 1 : 0);
                    if (value > best) best = value, pick = id;
                }
                if (matcher.can_end() && (pick == ~0u || rng() % 3 == 0 || hurry > 0))
                    ended = true;
                else if (pick == ~0u)
                    break;
                else {
                    REQUIRE(matcher.accept_bytes(tokens[pick]));
                    text += tokens[pick];
                }
            }
            CHECK_MESSAGE((ended || !matcher.dead()), "dead end after " << text);
            if (!ended) continue;
            ++s.written;
            // A free name may come twice: the last one counts, as for every reader. Then keywords that count names are not compared.
            bool valid = false, twice = false, unknown = false;
            try {
                const io::JsonDocument doc = io::JsonDocument::parse(m, text, deep);
                unknown = i >= own;  // the suite goes to the other validator
                if (!unknown) {
                    inlay_test::JsonCheck check(schema.root());
                    valid = check.valid(schema.root(), doc.root());
                    unknown = check.unknown;
                }
            } catch (const Error &e) {
                twice = std::string(e.text()).find("twice") != std::string::npos ||
                        std::string(e.text()).find("duplicate") != std::string::npos;
                CHECK_MESSAGE(twice, e.text() << " in " << text);
            }
            unsaid += unknown || twice;
            if (!valid && !unknown && !twice) {
                ++bad;
                CHECK_MESSAGE(false, s.schema << " lets through " << text);
            }
            if (out.is_open()) {
                String line{Alloc<char>(m)};
                io::append_json_string(line, text);
                out << "{\"text\":" << std::string_view(line) << "}\n";
            }
        }
        written += s.written, tried += s.tried;
    }
    CHECK(written * 10 >= wanted * 8);
    CHECK(bad == 0);
    MESSAGE(sources.size() << " schemas, " << written << " texts of " << tried << " walks, " << bad << " invalid, " << unsaid
                           << " left to another validator");
}
