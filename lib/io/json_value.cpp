// SPDX-License-Identifier: Apache-2.0
// What callers do with a JSON tree: numbers out of tokens, typed lookups that name the key, and writing JSON text.
#include <charconv>
#include <cmath>
#include <limits>

#include "io/json.h"
#include "io/utf8.h"

namespace inlay::io {

namespace {

const char *kind_name(JsonKind k) noexcept {
    switch (k) {
        case JsonKind::null:
            return "null";
        case JsonKind::boolean:
            return "a boolean";
        case JsonKind::number:
            return "a number";
        case JsonKind::string:
            return "a string";
        case JsonKind::array:
            return "an array";
        case JsonKind::object:
            return "an object";
    }
    return "?";
}

// from_chars says "out of range" for both ends; the decimal exponent of the leading digit tells which.
double out_of_range(std::string_view t) noexcept {
    bool negative = t[0] == '-';
    int64_t lead = 0, exponent = 0;
    bool seen = false, fraction = false;
    size_t i = negative ? 1 : 0;
    for (; i < t.size() && t[i] != 'e' && t[i] != 'E'; ++i) {
        if (t[i] == '.')
            fraction = true;
        else if (!seen && t[i] != '0')
            seen = true, lead = fraction ? lead - 1 : 0;
        else if (seen && !fraction)
            ++lead;
        else if (!seen && fraction)
            --lead;
    }
    if (i < t.size()) {
        bool minus = t[i + 1] == '-';
        for (++i; i < t.size(); ++i)
            if (t[i] >= '0' && t[i] <= '9' && exponent < 1'000'000) exponent = exponent * 10 + (t[i] - '0');
        if (minus) exponent = -exponent;
    }
    double v = lead + exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
    return negative ? -v : v;
}

}  // namespace

bool Json::is_integer() const noexcept { return is_number() && number_text().find_first_of(".eE") == std::string_view::npos; }

std::optional<int64_t> Json::integer() const noexcept {
    if (!is_integer()) return std::nullopt;
    std::string_view t = number_text();
    int64_t v;
    auto r = std::from_chars(t.data(), t.data() + t.size(), v);
    if (r.ec != std::errc() || r.ptr != t.data() + t.size()) return std::nullopt;
    return v;
}

double Json::number() const noexcept {
    if (!is_number()) return 0;
    std::string_view t = number_text();
    double v = 0;
    auto r = std::from_chars(t.data(), t.data() + t.size(), v);
    return r.ec == std::errc::result_out_of_range ? out_of_range(t) : v;
}

const Json *Json::get(std::string_view key) const noexcept {
    const Json *v = find(key);
    return v && !v->is_null() ? v : nullptr;
}

namespace {

const Json *typed(const Json &object, std::string_view key, JsonKind kind) {
    const Json *v = object.get(key);
    if (v && v->kind() != kind) fail(Code::format, "key ", quoted{key}, " is ", kind_name(v->kind()), ", expected ", kind_name(kind));
    return v;
}

int64_t as_int(const Json &v, std::string_view key) {
    if (auto i = v.integer()) return *i;
    // Python writes 4096.0 where a float once passed through: a whole number is taken by value.
    double d = v.number();
    if (v.is_integer() || std::floor(d) != d || std::fabs(d) > 9007199254740992.0)
        fail(Code::format, "key ", quoted{key}, " is ", quoted{v.number_text()}, ", expected a 64-bit integer");
    return static_cast<int64_t>(d);
}

}  // namespace

int64_t get_int(const Json &object, std::string_view key, int64_t fallback) {
    const Json *v = typed(object, key, JsonKind::number);
    return v ? as_int(*v, key) : fallback;
}

double get_double(const Json &object, std::string_view key, double fallback) {
    const Json *v = typed(object, key, JsonKind::number);
    if (!v) return fallback;
    double d = v->number();
    if (!std::isfinite(d)) fail(Code::format, "key ", quoted{key}, " is ", quoted{v->number_text()}, ", beyond a double");
    return d;
}

bool get_bool(const Json &object, std::string_view key, bool fallback) {
    const Json *v = typed(object, key, JsonKind::boolean);
    return v ? v->boolean() : fallback;
}

std::string_view get_string(const Json &object, std::string_view key, std::string_view fallback) {
    const Json *v = typed(object, key, JsonKind::string);
    return v ? v->string() : fallback;
}

const Json &need(const Json &object, std::string_view key) {
    const Json *v = object.get(key);
    if (!v) fail(Code::format, "key ", quoted{key}, " is missing");
    return *v;
}

int64_t need_int(const Json &object, std::string_view key) {
    need(object, key);
    return get_int(object, key, 0);
}

void append_json_string(String &out, std::string_view s) {
    static const char hex[] = "0123456789abcdef";
    out.push_back('"');
    size_t run = 0;  // start of the bytes that go out as they are
    auto flush = [&](size_t to) { out.append(s.data() + run, to - run); };
    for (size_t i = 0; i < s.size();) {
        unsigned char c = static_cast<unsigned char>(s[i]);
        if (c >= 0x80) {
            size_t n = utf8_sequence(s, i);
            if (n) {
                i += n;
                continue;
            }
            flush(i);
            out.append("\xEF\xBF\xBD");
        } else if (c >= 0x20 && c != '"' && c != '\\') {
            ++i;
            continue;
        } else {
            flush(i);
            switch (c) {
                case '"':
                    out.append("\\\"");
                    break;
                case '\\':
                    out.append("\\\\");
                    break;
                case '\n':
                    out.append("\\n");
                    break;
                case '\r':
                    out.append("\\r");
                    break;
                case '\t':
                    out.append("\\t");
                    break;
                case '\b':
                    out.append("\\b");
                    break;
                case '\f':
                    out.append("\\f");
                    break;
                default:
                    out.append("\\u00");
                    out.push_back(hex[c >> 4]);
                    out.push_back(hex[c & 15]);
            }
        }
        run = ++i;
    }
    flush(s.size());
    out.push_back('"');
}

void append_json_number(String &out, double v) {
    if (!std::isfinite(v)) {
        out.append("null");
        return;
    }
    char buf[32];  // the shortest form of a double has at most 24 characters
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    out.append(buf, static_cast<size_t>(r.ptr - buf));
}

}  // namespace inlay::io
