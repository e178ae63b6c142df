// SPDX-License-Identifier: Apache-2.0
// Python literals by a loop and a stack of open brackets.
#include "text/parser/literals.h"

#include "text/parser/json_scan.h"

namespace inlay::text {

namespace {

bool space(char c) { return c == ' ' || (c >= 9 && c <= 13); }
bool word(char c) { return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && space(s.front())) s.remove_prefix(1);
    while (!s.empty() && space(s.back())) s.remove_suffix(1);
    return s;
}

class Reader {
public:
    Reader(Memory &m, std::string_view s, String &out) : m_(m), s_(s), out_(out) {}
    void skip() {
        while (i_ < s_.size() && space(s_[i_])) ++i_;
    }
    bool at_end() {
        skip();
        return i_ == s_.size();
    }
    bool take(char c) {
        skip();
        if (i_ == s_.size() || s_[i_] != c) return false;
        ++i_;
        return true;
    }
    std::string_view name() {
        skip();
        size_t from = i_;
        while (i_ < s_.size() && word(s_[i_])) ++i_;
        return s_.substr(from, i_ - from);
    }
    bool value();

private:
    bool scalar();
    bool string(bool raw, bool bytes);
    bool number();
    Memory &m_;
    std::string_view s_;
    String &out_;
    size_t i_ = 0;
};

void put_utf8(String &s, uint32_t c) {
    // Through the JSON escape, which knows the encoding.
    char e[16] = "\"\\u0000\"";
    String tmp(s.get_allocator());
    auto unit = [&](uint32_t u) {
        for (int k = 0; k < 4; ++k) e[3 + k] = "0123456789abcdef"[u >> (12 - 4 * k) & 15];
    };
    if (c < 0x10000) {
        unit(c);
        decode_json_string(s, {e, 8});
        return;
    }
    tmp = "\"";
    unit(0xD800 + ((c - 0x10000) >> 10));
    tmp.append(e + 1, 6);
    unit(0xDC00 + ((c - 0x10000) & 0x3ff));
    tmp.append(e + 1, 6);
    tmp += "\"";
    decode_json_string(s, tmp);
}

bool Reader::string(bool raw, bool) {
    char quote = s_[i_];
    bool triple = s_.substr(i_, 3) == (quote == '"' ? std::string_view("\"\"\"") : std::string_view("'''"));
    i_ += triple ? 3 : 1;
    String text{Alloc<char>(m_, MemTag::text)};
    for (;;) {
        if (i_ >= s_.size()) return false;
        char c = s_[i_];
        if (c == quote && (!triple || s_.substr(i_, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''"))) {
            i_ += triple ? 3 : 1;
            break;
        }
        // A line end inside a plain string is no Python, but what it means is clear.
        ++i_;
        if (c != '\\') {
            text.push_back(c);
            continue;
        }
        if (i_ >= s_.size()) return false;
        c = s_[i_++];
        if (raw) {
            text.push_back('\\');
            text.push_back(c);
            continue;
        }
        int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        if (digits) {
            uint32_t v = 0;
            for (int k = 0; k < digits; ++k, ++i_) {
                if (i_ >= s_.size()) return false;
                char h = s_[i_];
                int d = h >= '0' && h <= '9' ? h - '0' : (h | 32) >= 'a' && (h | 32) <= 'f' ? (h | 32) - 'a' + 10 : -1;
                if (d < 0) return false;
                v = v << 4 | static_cast<uint32_t>(d);
            }
            if (v > 0x10ffff) return false;
            put_utf8(text, v);
            continue;
        }
        switch (c) {
            case '\n': break;
            case 'a': text.push_back('\a'); break;
            case 'b': text.push_back('\b'); break;
            case 'f': text.push_back('\f'); break;
            case 'n': text.push_back('\n'); break;
            case 'r': text.push_back('\r'); break;
            case 't': text.push_back('\t'); break;
            case 'v': text.push_back('\v'); break;
            case '\\':
            case '\'':
            case '"': text.push_back(c); break;
            default:
                if (c >= '0' && c <= '7') {
                    uint32_t v = static_cast<uint32_t>(c - '0');
                    for (int k = 0; k < 2 && i_ < s_.size() && s_[i_] >= '0' && s_[i_] <= '7'; ++k) v = v * 8 + static_cast<uint32_t>(s_[i_++] - '0');
                    put_utf8(text, v);
                } else {
                    text.push_back('\\');
                    text.push_back(c);
                }
        }
    }
    io::append_json_string(out_, text);
    return true;
}

bool Reader::number() {
    String t{Alloc<char>(m_, MemTag::text)};
    if (s_[i_] == '-') t.push_back('-');
    if (s_[i_] == '-' || s_[i_] == '+') ++i_;
    while (i_ < s_.size() && (word(s_[i_]) || s_[i_] == '.' || ((s_[i_] == '-' || s_[i_] == '+') && (s_[i_ - 1] | 32) == 'e'))) {
        if (s_[i_] != '_') t.push_back(s_[i_]);
        ++i_;
    }
    size_t sign = !t.empty() && t[0] == '-';
    if (t.size() > sign && t[sign] == '.') t.insert(sign, "0");
    if (size_t dot = t.find('.'); dot != String::npos && (dot + 1 == t.size() || t[dot + 1] < '0' || t[dot + 1] > '9')) t.insert(dot + 1, "0");
    if (!is_json(m_, t)) return false;
    out_.append(t);
    return true;
}

bool Reader::scalar() {
    skip();
    if (i_ == s_.size()) return false;
    char c = s_[i_];
    if (c == '"' || c == '\'') return string(false, false);
    if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.') return number();
    std::string_view w = name();
    if ((w == "r" || w == "R" || w == "u" || w == "b" || w == "f") && i_ < s_.size() && (s_[i_] == '"' || s_[i_] == '\''))
        return string((w[0] | 32) == 'r', false);
    if (w == "True" || w == "true") out_ += "true";
    else if (w == "False" || w == "false") out_ += "false";
    else if (w == "None" || w == "null") out_ += "null";
    else return false;
    return true;
}

bool Reader::value() {
    String open{Alloc<char>(m_, MemTag::text)};  // closers of the open brackets
    bool want_value = true;
    do {
        skip();
        if (want_value) {
            if (i_ < s_.size() && (s_[i_] == '[' || s_[i_] == '(' || s_[i_] == '{')) {
                char c = s_[i_++];
                if (open.size() >= 256) return false;
                open.push_back(c == '[' ? ']' : c == '(' ? ')' : '}');
                out_.push_back(c == '{' ? '{' : '[');
                skip();
                if (i_ < s_.size() && s_[i_] == open.back()) {
                    want_value = false;
                    continue;
                }
            } else {
                if (!scalar()) return false;
                want_value = false;
                if (!open.empty()) continue;
                return true;
            }
        } else {
            char close = open.back();
            if (take(close)) {
                out_.push_back(close == '}' ? '}' : ']');
                open.pop_back();
                continue;
            }
            if (!take(',')) return false;
            skip();
            if (i_ < s_.size() && s_[i_] == close) continue;  // a comma before the closer
            out_ += ", ";
            want_value = true;
        }
        if (want_value && !open.empty() && open.back() == '}') {
            skip();
            if (i_ == s_.size() || (s_[i_] != '"' && s_[i_] != '\'')) return false;  // JSON keys are strings
            if (!scalar() || !take(':')) return false;
            out_ += ": ";
        }
    } while (!open.empty());
    return true;
}

}  // namespace

bool python_to_json(Memory &m, std::string_view literal, String &out) {
    size_t from = out.size();
    Reader r(m, literal, out);
    if (r.value() && r.at_end()) return true;
    out.resize(from);
    return false;
}

bool python_arguments_to_json(Memory &m, std::string_view arguments, String &out) {
    size_t from = out.size();
    Reader r(m, arguments, out);
    out.push_back('{');
    bool first = true, ok = true;
    while (!r.at_end()) {
        if (!first) {
            if (!(ok = r.take(','))) break;
            if (r.at_end()) break;
            out += ", ";
        }
        first = false;
        std::string_view name = r.name();
        if (!(ok = !name.empty() && r.take('='))) break;
        io::append_json_string(out, name);
        out += ": ";
        if (!(ok = r.value())) break;
    }
    if (!ok) {
        out.resize(from);
        return false;
    }
    out.push_back('}');
    return true;
}

const io::Json *find_parameter(const io::Json *tools, std::string_view tool, std::string_view parameter) {
    if (!tools || !tools->is_array()) return nullptr;
    for (const io::Json &t : tools->items()) {
        const io::Json *f = t.is_object() ? t.find("function") : nullptr;
        if (!f && t.is_object()) f = &t;
        if (!f || !f->is_object()) continue;
        const io::Json *name = f->find("name");
        if (!name || !name->is_string() || name->string() != tool) continue;
        const io::Json *p = f->find("parameters");
        p = p && p->is_object() ? p->find("properties") : nullptr;
        return p && p->is_object() ? p->find(parameter) : nullptr;
    }
    return nullptr;
}

TextParameter text_parameter(const io::Json *schema) {
    const io::Json *type = schema && schema->is_object() ? schema->find("type") : nullptr;
    TextParameter p;
    if (type && type->is_string()) p.text = type->string() == "string";
    if (type && type->is_array())
        for (const io::Json &t : type->items())
            if (t.is_string()) p.text |= t.string() == "string", p.null |= t.string() == "null";
    return p;
}

void typed_value(Memory &m, const io::Json *schema, std::string_view value, String &out) {
    const TextParameter p = text_parameter(schema);
    std::string_view bare = trimmed(value);
    if (p.text && !(p.null && (bare == "null" || bare == "None"))) return io::append_json_string(out, value);
    if (is_json(m, bare)) return void(out.append(bare));
    if (python_to_json(m, bare, out)) return;
    io::append_json_string(out, value);
}

}  // namespace inlay::text
