// SPDX-License-Identifier: Apache-2.0
// One pass over the source; no regular expressions, no backtracking beyond a fixed look-ahead.
#include "text/jinja/lexer.h"

#include <charconv>

#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

std::string_view rstrip(std::string_view s) {
    while (!s.empty()) {
        const char *p = previous_char(s.data(), s.data() + s.size());
        int n;
        if (!char_is(decode_char(p, s.data() + s.size(), &n), kSpace)) break;
        s = s.substr(0, static_cast<size_t>(p - s.data()));
    }
    return s;
}

bool ascii_digit(char c) { return c >= '0' && c <= '9'; }

struct Operator {
    std::string_view text;
    T type;
};
constexpr Operator kOperators[] = {
    {"//", T::floordiv}, {"**", T::pow}, {"==", T::eq}, {"!=", T::ne}, {">=", T::ge}, {"<=", T::le}, {"+", T::add}, {"-", T::sub},
    {"/", T::div}, {"*", T::mul}, {"%", T::mod}, {"~", T::tilde}, {"[", T::lbracket}, {"]", T::rbracket}, {"(", T::lparen},
    {")", T::rparen}, {"{", T::lbrace}, {"}", T::rbrace}, {">", T::gt}, {"<", T::lt}, {"=", T::assign}, {".", T::dot}, {":", T::colon},
    {"|", T::pipe}, {",", T::comma}, {";", T::semicolon},
};

class Lexer {
public:
    Lexer(Rt &rt, std::string_view source, Vector<Token> &out) : rt_(rt), out_(out), s_(source) {}
    void run();

private:
    bool at(size_t i, std::string_view w) const { return s_.substr(i, w.size()) == w; }
    size_t skip_space(size_t i) const {
        while (i < s_.size()) {
            int n;
            uint32_t c = decode_char(s_.data() + i, s_.data() + s_.size(), &n);
            if (!char_is(c, kSpace)) break;
            i += static_cast<size_t>(n);
        }
        return i;
    }
    // Moves the counters of line and column to byte i.
    void advance(size_t i) {
        for (; where_ < i; ++where_) {
            if (s_[where_] == '\n') ++line_, column_ = 1;
            else if ((static_cast<unsigned char>(s_[where_]) & 0xC0) != 0x80) ++column_;
        }
    }
    void token(T type, size_t begin, std::string_view text = {}, Value v = {}) {
        advance(begin);
        out_.push_back({type, line_, column_, text, v});
    }
    bool error(size_t where, std::string_view message) {
        token(T::error, where, new_str(rt_, message, false)->view());
        return false;
    }
    void data(size_t begin, size_t end) {
        if (begin < end) token(T::data, begin, s_.substr(begin, end - begin));
    }
    size_t stripped_end(size_t begin, size_t end, char sign, bool variable) const;
    bool raw_begin(size_t i, size_t *after) const;
    bool raw(size_t begin, size_t *after);
    bool comment(size_t begin, size_t *after);
    bool tag(size_t i, bool variable, size_t *after);
    bool number(size_t i, size_t *after);
    bool string(size_t i, size_t *after);

    Rt &rt_;
    Vector<Token> &out_;
    std::string_view s_;
    size_t where_ = 0;
    int32_t line_ = 1, column_ = 1;
    bool line_starting_ = true;
};

// Where the data before a tag ends: `-` takes all white space, else lstrip_blocks takes a line's indentation.
size_t Lexer::stripped_end(size_t begin, size_t end, char sign, bool variable) const {
    std::string_view text = s_.substr(begin, end - begin);
    if (sign == '-') return begin + rstrip(text).size();
    if (sign == '+' || variable) return end;
    size_t nl = text.rfind('\n');
    size_t from = nl == std::string_view::npos ? 0 : nl + 1;
    if (from == 0 && !line_starting_) return end;
    size_t i = skip_space(begin + from);
    return i >= end && begin + from < end ? begin + from : end;
}

bool Lexer::raw_begin(size_t i, size_t *after) const {
    i += 2;
    if (i < s_.size() && (s_[i] == '-' || s_[i] == '+')) ++i;
    i = skip_space(i);
    if (!at(i, "raw")) return false;
    i = skip_space(i + 3);
    if (at(i, "-%}")) return *after = skip_space(i + 3), true;
    if (at(i, "%}")) return *after = i + 2, true;
    return false;
}

bool Lexer::raw(size_t begin, size_t *after) {
    for (size_t i = begin; (i = s_.find("{%", i)) != std::string_view::npos; i += 2) {
        size_t j = i + 2;
        char sign = j < s_.size() && (s_[j] == '-' || s_[j] == '+') ? s_[j++] : 0;
        j = skip_space(j);
        if (!at(j, "endraw")) continue;
        j = skip_space(j + 6);
        if (at(j, "+%}")) j += 3;
        else if (at(j, "-%}")) j = skip_space(j + 3);
        else if (at(j, "%}")) j += at(j + 2, "\n") ? 3 : 2;
        else continue;
        line_starting_ = s_[begin - 1] == '\n';
        data(begin, stripped_end(begin, i, sign, false));
        *after = j;
        return true;
    }
    return error(begin, "Missing end of raw directive");
}

bool Lexer::comment(size_t begin, size_t *after) {
    for (size_t i = begin; (i = s_.find("#}", i)) != std::string_view::npos;) {
        char sign = i > begin ? s_[i - 1] : 0;
        if (sign == '-') return *after = skip_space(i + 2), true;
        if (sign == '+') return *after = i + 2, true;
        return *after = i + 2 + (at(i + 2, "\n") ? 1 : 0), true;
    }
    return error(begin, "Missing end of comment tag");
}

// Digits with single underscores between them; returns the end.
template <class Ok>
size_t digits(std::string_view s, size_t i, Ok ok) {
    while (i < s.size()) {
        if (ok(s[i])) ++i;
        else if (s[i] == '_' && i + 1 < s.size() && ok(s[i + 1])) i += 2;
        else break;
    }
    return i;
}

bool Lexer::number(size_t i, size_t *after) {
    String clean{Alloc<char>(rt_.heap.memory(), MemTag::text)};
    auto clear = [&](size_t from, size_t to) {
        clean.clear();
        for (; from < to; ++from)
            if (s_[from] != '_') clean.push_back(s_[from]);
    };
    bool after_dot = i > 0 && s_[i - 1] == '.';
    size_t end = digits(s_, i, ascii_digit);
    size_t f = end;
    if (f + 1 < s_.size() && s_[f] == '.' && ascii_digit(s_[f + 1])) f = digits(s_, f + 1, ascii_digit);
    if (f < s_.size() && (s_[f] | 32) == 'e') {
        size_t e = f + 1;
        if (e < s_.size() && (s_[e] == '+' || s_[e] == '-')) ++e;
        if (e < s_.size() && ascii_digit(s_[e])) f = digits(s_, e, ascii_digit);
    }
    if (f > end && !after_dot) {
        clear(i, f);
        double v = 0;
        if (!parse_python_float(clean, &v)) return error(i, "number out of range");
        token(T::floating, i, {}, Value::floating(v));
        *after = f;
        return true;
    }
    int base = 10;
    size_t from = i;
    if (s_[i] == '0') {
        char k = i + 1 < s_.size() ? static_cast<char>(s_[i + 1] | 32) : 0;
        int b = k == 'b' ? 2 : k == 'o' ? 8 : k == 'x' ? 16 : 0;
        auto ok = [&](char c) {
            int d = ascii_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
            return d < b;
        };
        size_t e = b ? digits(s_, i + 2, ok) : 0;
        if (b && e > i + 2) {
            base = b;
            from = i + 2;
            end = e;
        } else {
            end = digits(s_, i, [](char c) { return c == '0'; });  // "007" is 00 and 7
        }
    }
    clear(from, end);
    bool ok;
    Value v = int_from_text(rt_, clean, base, &ok);
    if (!ok) return error(i, "integer has more than 4300 digits");
    token(T::integer, i, {}, v);
    *after = end;
    return true;
}

// A quoted string, its escapes resolved as Python's "unicode-escape" does.
bool Lexer::string(size_t i, size_t *after) {
    char quote = s_[i];
    size_t j = i + 1;
    while (j < s_.size() && s_[j] != quote) j += s_[j] == '\\' ? 2 : 1;
    if (j >= s_.size()) {
        Message m;
        m << "unexpected char " << quoted{s_.substr(i, 1)} << " at " << i;
        return error(i, m.view());
    }
    *after = j + 1;
    std::string_view raw = s_.substr(i + 1, j - i - 1);
    if (raw.find('\\') == std::string_view::npos) {
        const Str *str = wrap_str(rt_, raw, false);
        token(T::string, i, raw, Value::string(str));
        return true;
    }
    Text t(rt_, raw.size());
    for (size_t k = 0; k < raw.size(); ++k) {
        if (raw[k] != '\\') {
            t.add(raw[k]);
            continue;
        }
        if (++k == raw.size()) return error(i, "\\ at end of string");
        char c = raw[k];
        auto hex = [&](size_t n, std::string_view what) {
            uint32_t v = 0;
            for (size_t d = 0; d < n; ++d) {
                ++k;
                int x = k < raw.size() ? (ascii_digit(raw[k])                            ? raw[k] - '0'
                                          : (raw[k] | 32) >= 'a' && (raw[k] | 32) <= 'f' ? (raw[k] | 32) - 'a' + 10
                                                                                         : -1)
                                       : -1;
                if (x < 0) return error(i, what);
                v = v << 4 | static_cast<uint32_t>(x);
            }
            if (v > 0x10ffff) return error(i, "illegal Unicode character");
            char e[4];
            t.add(e, static_cast<size_t>(encode_char(v, e)), false);
            return true;
        };
        switch (c) {
            case '\n': break;
            case '\\':
            case '\'':
            case '"': t.add(c); break;
            case 'a': t.add('\a'); break;
            case 'b': t.add('\b'); break;
            case 'f': t.add('\f'); break;
            case 'n': t.add('\n'); break;
            case 'r': t.add('\r'); break;
            case 't': t.add('\t'); break;
            case 'v': t.add('\v'); break;
            case 'x':
                if (!hex(2, "truncated \\xXX escape")) return false;
                break;
            case 'u':
                if (!hex(4, "truncated \\uXXXX escape")) return false;
                break;
            case 'U':
                if (!hex(8, "truncated \\UXXXXXXXX escape")) return false;
                break;
            case 'N': return error(i, "character names (\\N{...}) are not supported");
            default:
                if (c >= '0' && c <= '7') {
                    uint32_t v = 0;
                    for (int d = 0; d < 3 && k < raw.size() && raw[k] >= '0' && raw[k] <= '7'; ++d, ++k)
                        v = v * 8 + static_cast<uint32_t>(raw[k] - '0');
                    --k;
                    t.add_char(v, false);
                } else if (static_cast<unsigned char>(c) >= 0x80) {
                    // Jinja escapes non-ASCII text before it reads the escapes, so the backslash meets an escape's text.
                    int n;
                    uint32_t cp = decode_char(raw.data() + k, raw.data() + raw.size(), &n);
                    k += static_cast<size_t>(n) - 1;
                    int digits = cp < 0x100 ? 2 : cp < 0x10000 ? 4 : 8;
                    t.add('\\'), t.add(cp < 0x100 ? 'x' : cp < 0x10000 ? 'u' : 'U');
                    for (int d = digits; d-- > 0;) t.add("0123456789abcdef"[cp >> (4 * d) & 15]);
                } else {
                    t.add('\\'), t.add(c);
                }
        }
    }
    const Str *str = t.done();
    token(T::string, i, str->view(), Value::string(str));
    return true;
}

bool Lexer::tag(size_t i, bool variable, size_t *after) {
    String open{Alloc<char>(rt_.heap.memory(), MemTag::text)};
    std::string_view close = variable ? "}}" : "%}";
    while (i < s_.size()) {
        if (open.empty()) {
            size_t from = i;
            if (at(i, "-") && at(i + 1, close)) {
                token(variable ? T::variable_end : T::block_end, from);
                *after = skip_space(i + 3);
                return true;
            }
            if (!variable && at(i, "+%}")) return token(T::block_end, from), *after = i + 3, true;
            if (at(i, close)) {
                token(variable ? T::variable_end : T::block_end, from);
                *after = i + 2 + (!variable && at(i + 2, "\n") ? 1 : 0);
                return true;
            }
        }
        size_t j = skip_space(i);
        if (j > i) {
            i = j;
            continue;
        }
        char c = s_[i];
        if (ascii_digit(c)) {
            if (!number(i, &i)) return false;
            continue;
        }
        int n;
        uint32_t cp = decode_char(s_.data() + i, s_.data() + s_.size(), &n);
        if (c == '_' || char_is(cp, kIdStart | kIdContinue | kAlpha | kNumeric)) {
            size_t e = i;
            bool identifier = true;
            while (e < s_.size()) {
                cp = decode_char(s_.data() + e, s_.data() + s_.size(), &n);
                if (cp != '_' && !char_is(cp, kAlpha | kNumeric)) break;
                if (cp != '_' && !char_is(cp, e == i ? kIdStart : kIdContinue)) identifier = false;
                e += static_cast<size_t>(n);
            }
            if (e == i || !identifier) return error(i, "Invalid character in identifier");
            token(T::name, i, s_.substr(i, e - i));
            i = e;
            continue;
        }
        if (c == '\'' || c == '"') {
            if (!string(i, &i)) return false;
            continue;
        }
        const Operator *found = nullptr;
        for (const Operator &o : kOperators)
            if (at(i, o.text)) {
                found = &o;
                break;
            }
        if (!found) {
            Message m;
            m << "unexpected char " << quoted{s_.substr(i, static_cast<size_t>(n))} << " at " << i;
            return error(i, m.view());
        }
        if (c == '(' || c == '[' || c == '{') open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
        if (c == ')' || c == ']' || c == '}') {
            Message m;
            if (open.empty()) m << "unexpected '" << c << "'";
            else if (open.back() != c) m << "unexpected '" << c << "', expected '" << open.back() << "'";
            if (!m.view().empty()) return error(i, m.view());
            open.pop_back();
        }
        token(found->type, i, found->text);
        i += found->text.size();
    }
    *after = i;
    return true;
}

void Lexer::run() {
    size_t pos = 0;
    while (pos < s_.size()) {
        size_t i = pos;
        while ((i = s_.find('{', i)) != std::string_view::npos && !(at(i, "{{") || at(i, "{%") || at(i, "{#"))) ++i;
        if (i == std::string_view::npos) {
            data(pos, s_.size());
            break;
        }
        bool variable = s_[i + 1] == '{';
        char sign = i + 2 < s_.size() ? s_[i + 2] : 0;
        bool signed_ = sign == '-' || sign == '+';
        line_starting_ = pos == 0 || s_[pos - 1] == '\n';
        data(pos, stripped_end(pos, i, sign, variable));
        size_t after = i + 2 + (signed_ ? 1 : 0);
        if (s_[i + 1] == '#') {
            if (!comment(after, &pos)) return;
            continue;
        }
        if (size_t body; !variable && raw_begin(i, &body)) {
            if (!raw(body, &pos)) return;
            continue;
        }
        token(variable ? T::variable_begin : T::block_begin, i);
        if (!tag(after, variable, &pos)) return;
    }
    token(T::eof, s_.size());
}

}  // namespace

void lex(Rt &rt, std::string_view source, Vector<Token> &out) {
    // One newline at the end goes; line ends of other systems become LF.
    char *clean = static_cast<char *>(rt.heap.bytes(source.size() + 1, 1));
    size_t n = 0;
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            clean[n++] = '\n';
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            clean[n++] = source[i];
        }
    }
    if (n && clean[n - 1] == '\n') --n;
    Lexer(rt, {clean, n}, out).run();
}

std::string_view token_name(const Token &t) {
    static constexpr std::string_view kNames[] = {
        "template data / text", "begin of print statement", "end of print statement", "begin of statement block", "end of statement block", "name",
        "string", "integer", "float", "+", "-", "*", "/", "//", "%", "**", "~", "[", "]", "(", ")", "{", "}", "==", "!=", ">", ">=", "<", "<=", "=",
        ".", ":", "|", ",", ";", "end of template", "error"};
    if (t.type == T::name || t.type == T::string) return t.text;
    return kNames[static_cast<int>(t.type)];
}

}  // namespace inlay::text::jinja
