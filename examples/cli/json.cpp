// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

namespace cli {

namespace {

constexpr int max_depth = 64;  // recursion below is bounded by it

Value convert(simdjson::dom::element e, int depth) {
    if (depth > max_depth) throw std::string("JSON is nested deeper than 64");
    Value v;
    switch (e.type()) {
    case simdjson::dom::element_type::NULL_VALUE: break;
    case simdjson::dom::element_type::BOOL:
        v.kind = Value::boolean;
        v.flag = bool(e);
        break;
    case simdjson::dom::element_type::INT64:
        v.kind = Value::integer;
        v.whole = int64_t(e);
        v.real = static_cast<double>(v.whole);
        break;
    case simdjson::dom::element_type::UINT64:
        v.kind = Value::number;
        v.real = static_cast<double>(uint64_t(e));
        break;
    case simdjson::dom::element_type::DOUBLE:
        v.kind = Value::number;
        v.real = double(e);
        break;
    case simdjson::dom::element_type::STRING:
        v.kind = Value::string;
        v.text = std::string(std::string_view(e));
        break;
    case simdjson::dom::element_type::ARRAY:
        v.kind = Value::array;
        if (depth < 2) v.raw = simdjson::minify(e);
        for (simdjson::dom::element x : simdjson::dom::array(e)) v.items.push_back(convert(x, depth + 1));
        break;
    case simdjson::dom::element_type::OBJECT:
        v.kind = Value::object;
        if (depth < 2) v.raw = simdjson::minify(e);
        for (auto m : simdjson::dom::object(e)) v.members.emplace_back(std::string(m.key), convert(m.value, depth + 1));
        break;
    }
    return v;
}

}  // namespace

const Value *Value::find(std::string_view key) const {
    for (const auto &[k, v] : members)
        if (k == key) return &v;
    return nullptr;
}

Value parse_json(const std::string &text) {
    simdjson::dom::parser parser;
    simdjson::dom::element e;
    if (auto err = parser.parse(text).get(e)) throw std::string("JSON: ") + simdjson::error_message(err);
    return convert(e, 0);
}

void append_string(std::string &out, std::string_view s) {
    static const char hex[] = "0123456789abcdef";
    out += '"';
    for (char ch : s) {
        unsigned char c = static_cast<unsigned char>(ch);
        if (c == '"' || c == '\\') (out += '\\') += ch;
        else if (c == '\n') out += "\\n";
        else if (c == '\t') out += "\\t";
        else if (c == '\r') out += "\\r";
        else if (c < 0x20 || c == 0x7f) ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
        else out += ch;
    }
    out += '"';
}

void append_number(std::string &out, double v) {
    if (!std::isfinite(v)) {
        out += "null";
        return;
    }
    char buf[32];
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    out.append(buf, r.ptr);
}

void append_ids(std::string &out, const std::vector<int32_t> &ids) {
    out += '[';
    for (size_t i = 0; i < ids.size(); ++i) {
        if (i) out += ',';
        out += std::to_string(ids[i]);
    }
    out += ']';
}

void Object::key(const char *k) {
    if (!body_.empty()) body_ += ',';
    append_string(body_, k);
    body_ += ':';
}
Object &Object::text(const char *k, std::string_view v) {
    key(k);
    append_string(body_, v);
    return *this;
}
Object &Object::number(const char *k, double v) {
    key(k);
    append_number(body_, v);
    return *this;
}
Object &Object::integer(const char *k, int64_t v) {
    key(k);
    body_ += std::to_string(v);
    return *this;
}
Object &Object::boolean(const char *k, bool v) {
    key(k);
    body_ += v ? "true" : "false";
    return *this;
}
Object &Object::ids(const char *k, const std::vector<int32_t> &v) {
    key(k);
    append_ids(body_, v);
    return *this;
}
Object &Object::raw(const char *k, std::string_view json) {
    key(k);
    body_ += json;
    return *this;
}

}  // namespace cli
