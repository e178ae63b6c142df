// SPDX-License-Identifier: Apache-2.0
// A plain validator of JSON Schema for tests: it walks schema and value side by side and shares nothing with the library's
// way of reading schemas but the JSON tree. What it does not know it leaves unsaid: `unknown` is set.
#pragma once

#include <cmath>
#include <regex>
#include <string>

#include "io/json.h"

namespace inlay_test {

class JsonCheck {
public:
    explicit JsonCheck(const inlay::io::Json &root) : root_(root) {}
    bool unknown = false;  // a keyword that is not looked at here

    bool valid(const inlay::io::Json &s, const inlay::io::Json &v, int depth = 0) {
        using inlay::io::Json;
        if (s.is_bool()) return s.boolean();
        if (depth > 200) return false;
        if (!s.is_object()) {  // draft 7's lists of items
            unknown = true;
            return true;
        }
        bool ok = true;
        for (const auto &m : s.members()) {
            const std::string k(m.key);
            const Json &x = m.value;
            auto all = [&](auto &&test) {
                size_t n = 0;
                for (const Json &one : x.items()) n += test(one);
                return n;
            };
            auto holds = [&](const Json &one) { return valid(one, v, depth + 1); };
            if (k == "type")
                ok &= x.is_string() ? is_type(v, x.string()) : all([&](const Json &t) { return is_type(v, t.string()); }) > 0;
            else if (k == "enum")
                ok &= all([&](const Json &e) { return equal(e, v); }) > 0;
            else if (k == "const")
                ok &= equal(x, v);
            else if (k == "allOf")
                ok &= all(holds) == x.items().size();
            else if (k == "anyOf")
                ok &= all(holds) > 0;
            else if (k == "oneOf")
                ok &= all(holds) == 1;
            else if (k == "not")
                ok &= !valid(x, v, depth + 1);
            else if (k == "if") {
                const Json *then = s.find(valid(x, v, depth + 1) ? "then" : "else");
                if (then) ok &= valid(*then, v, depth + 1);
            } else if (k == "$ref") {
                const Json *to = resolve(x.string());
                if (!to)
                    unknown = true;
                else
                    ok &= valid(*to, v, depth + 1);
            } else if (v.is_number() && (k == "minimum" || k == "maximum" || k == "exclusiveMinimum" || k == "exclusiveMaximum")) {
                const double a = v.number(), b = x.number();
                ok &= k == "minimum" ? a >= b : k == "maximum" ? a <= b : k == "exclusiveMinimum" ? a > b : a < b;
            } else if (v.is_number() && k == "multipleOf") {
                if (v.is_integer() && x.integer()) {  // digit by digit: integers may be longer than a double is exact
                    int64_t rest = 0;
                    for (char c : v.number_text())
                        if (c != '-') rest = (rest * 10 + (c - '0')) % *x.integer();
                    ok &= rest == 0;
                } else {
                    const double q = v.number() / x.number();
                    ok &= std::abs(q - std::round(q)) <= 1e-9 * std::max(1.0, std::abs(q));
                }
            } else if (v.is_string() && (k == "minLength" || k == "maxLength")) {
                double n = 0;
                for (char c : v.string()) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
                ok &= k == "minLength" ? n >= x.number() : n <= x.number();
            } else if (v.is_string() && k == "pattern") {
                ok &= search(x.string(), v.string());
            } else if (v.is_array() && !array_keyword(k, x, s, v, depth, ok)) {
                unknown |= !known(k);
            } else if (v.is_object() && !object_keyword(k, x, s, v, depth, ok)) {
                unknown |= !known(k);
            } else {
                unknown |= !known(k);
            }
        }
        return ok;
    }

private:
    using Json = inlay::io::Json;
    static bool known(const std::string &k) {
        static const char *const names[] = {"type",
                                            "enum",
                                            "const",
                                            "allOf",
                                            "anyOf",
                                            "oneOf",
                                            "not",
                                            "if",
                                            "then",
                                            "else",
                                            "$ref",
                                            "minimum",
                                            "maximum",
                                            "exclusiveMinimum",
                                            "exclusiveMaximum",
                                            "multipleOf",
                                            "minLength",
                                            "maxLength",
                                            "pattern",
                                            "items",
                                            "prefixItems",
                                            "minItems",
                                            "maxItems",
                                            "uniqueItems",
                                            "contains",
                                            "minContains",
                                            "maxContains",
                                            "properties",
                                            "required",
                                            "additionalProperties",
                                            "patternProperties",
                                            "minProperties",
                                            "maxProperties",
                                            "propertyNames",
                                            "dependentRequired",
                                            "dependentSchemas",
                                            "$schema",
                                            "$defs",
                                            "definitions",
                                            "title",
                                            "description",
                                            "default"};
        for (const char *n : names)
            if (k == n) return true;
        return false;
    }
    bool array_keyword(const std::string &k, const Json &x, const Json &s, const Json &v, int depth, bool &ok) {
        const size_t n = v.items().size();
        const Json *prefix = s.find("prefixItems");
        const size_t first = prefix ? prefix->items().size() : 0;
        if (k == "minItems")
            ok &= static_cast<double>(n) >= x.number();
        else if (k == "maxItems")
            ok &= static_cast<double>(n) <= x.number();
        else if (k == "prefixItems") {
            for (size_t i = 0; i < std::min(n, first); ++i) ok &= valid(x.items()[i], v.items()[i], depth + 1);
        } else if (k == "items") {
            for (size_t i = first; i < n; ++i) ok &= valid(x, v.items()[i], depth + 1);
        } else if (k == "uniqueItems") {
            for (size_t i = 0; x.boolean() && i < n; ++i)
                for (size_t j = 0; j < i; ++j) ok &= !equal(v.items()[i], v.items()[j]);
        } else if (k == "contains") {
            double hits = 0;
            for (const Json &item : v.items()) hits += valid(x, item, depth + 1);
            const Json *lo = s.find("minContains"), *hi = s.find("maxContains");
            ok &= hits >= (lo ? lo->number() : 1) && (!hi || hits <= hi->number());
        } else
            return false;
        return true;
    }
    bool object_keyword(const std::string &k, const Json &x, const Json &s, const Json &v, int depth, bool &ok) {
        const size_t n = v.members().size();
        if (k == "minProperties")
            ok &= static_cast<double>(n) >= x.number();
        else if (k == "maxProperties")
            ok &= static_cast<double>(n) <= x.number();
        else if (k == "required") {
            for (const Json &name : x.items()) ok &= v.find(name.string()) != nullptr;
        } else if (k == "properties") {
            for (const auto &p : x.members())
                if (const Json *in = v.find(p.key)) ok &= valid(p.value, *in, depth + 1);
        } else if (k == "patternProperties") {
            for (const auto &p : x.members())
                for (const auto &in : v.members())
                    if (search(p.key, in.key)) ok &= valid(p.value, in.value, depth + 1);
        } else if (k == "additionalProperties") {
            const Json *named = s.find("properties"), *patterns = s.find("patternProperties");
            for (const auto &in : v.members()) {
                bool spoken = named && named->find(in.key);
                if (patterns)
                    for (const auto &p : patterns->members()) spoken |= search(p.key, in.key);
                if (!spoken) ok &= valid(x, in.value, depth + 1);
            }
        } else if (k == "propertyNames") {
            for (const auto &in : v.members()) {
                inlay::Memory m;
                inlay::String quoted{inlay::Alloc<char>(m)};
                inlay::io::append_json_string(quoted, in.key);
                const auto doc = inlay::io::JsonDocument::parse(m, quoted, {});
                ok &= valid(x, doc.root(), depth + 1);
            }
        } else if (k == "dependentRequired") {
            for (const auto &d : x.members())
                if (v.find(d.key))
                    for (const Json &name : d.value.items()) ok &= v.find(name.string()) != nullptr;
        } else if (k == "dependentSchemas") {
            for (const auto &d : x.members())
                if (v.find(d.key)) ok &= valid(d.value, v, depth + 1);
        } else
            return false;
        return true;
    }
    static bool is_type(const Json &v, std::string_view t) {
        if (t == "integer") {  // by its digits: a double of 17 digits has forgotten its fraction
            if (!v.is_number()) return false;
            const std::string_view text = v.number_text();
            if (text.find_first_of("eE") != text.npos) return v.number() == std::floor(v.number());
            return text.find('.') == text.npos || text.find_first_not_of('0', text.find('.') + 1) == text.npos;
        }
        return t == (v.is_null()     ? "null"
                     : v.is_bool()   ? "boolean"
                     : v.is_number() ? "number"
                     : v.is_string() ? "string"
                     : v.is_array()  ? "array"
                                     : "object");
    }
    static bool equal(const Json &a, const Json &b) {
        if (a.kind() != b.kind()) return false;
        if (a.is_bool()) return a.boolean() == b.boolean();
        if (a.is_number()) return a.number() == b.number();
        if (a.is_string()) return a.string() == b.string();
        if (a.is_array()) {
            bool same = a.items().size() == b.items().size();
            for (size_t i = 0; same && i < a.items().size(); ++i) same = equal(a.items()[i], b.items()[i]);
            return same;
        }
        if (!a.is_object()) return true;
        bool same = a.members().size() == b.members().size();
        for (const auto &m : a.members()) {
            const Json *o = same ? b.find(m.key) : nullptr;
            same = o && equal(m.value, *o);
        }
        return same;
    }
    static bool search(std::string_view pattern, std::string_view text) {
        return std::regex_search(text.begin(), text.end(), std::regex(pattern.begin(), pattern.end(), std::regex::ECMAScript));
    }
    const Json *resolve(std::string_view ref) const {
        const Json *at = &root_;
        if (ref == "#") return at;
        if (!ref.starts_with("#/")) return nullptr;
        for (ref.remove_prefix(2);;) {
            const size_t n = std::min(ref.find('/'), ref.size());
            at = at && at->is_object() ? at->find(ref.substr(0, n)) : nullptr;
            if (n == ref.size() || !at) return at;
            ref.remove_prefix(n + 1);
        }
    }
    const Json &root_;
};

}  // namespace inlay_test
