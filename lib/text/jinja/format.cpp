// SPDX-License-Identifier: Apache-2.0
// Python's two formatting languages: "%s %05.2f" and "{} {name!r:>10}".
#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

constexpr int64_t kMaxWidth = 1 << 20;  // of a field; more is an attack on the heap

int64_t checked_width(int64_t w) {
    if (w > kMaxWidth) fail(Code::limit, "template formats a field of ", w, " characters, limit ", kMaxWidth);
    return w;
}

void pad(Rt &rt, Text &out, const Str *body, int64_t width, char align, std::string_view fill, size_t sign_chars) {
    int64_t n = static_cast<int64_t>(char_count(*body)), extra = std::max<int64_t>(checked_width(width) - n, 0);
    rt.charge(static_cast<uint64_t>(extra) >> 4);
    auto fills = [&](int64_t k) {
        while (k-- > 0) out.add(fill);
    };
    if (align == '=') {
        out.add_slice(*body, 0, sign_chars);
        fills(extra);
        out.add_slice(*body, sign_chars, body->size);
        return;
    }
    int64_t left = align == '>' ? extra : align == '^' ? extra / 2 : 0;
    fills(left);
    out.add(body);
    fills(extra - left);
}

const Str *ascii_of(Rt &rt, const Value &v) {
    Text t(rt);
    repr(rt, t, v, true);
    return t.done();
}
const Str *repr_of(Rt &rt, const Value &v) {
    Text t(rt);
    repr(rt, t, v);
    return t.done();
}
const Str *cut(Rt &rt, const Str *s, int64_t chars) {
    if (chars < 0 || static_cast<int64_t>(char_count(*s)) <= chars) return s;
    return sub_str(rt, s, 0, byte_of_char(s->view(), static_cast<size_t>(chars)));
}

void group_digits(String &s, size_t from, size_t to, char sep, int every) {
    size_t n = to - from;
    for (size_t k = static_cast<size_t>(every); k < n; k += static_cast<size_t>(every)) s.insert(to - k, 1, sep);
}

}  // namespace

// ---- % ----

Value percent_format(Rt &rt, const Str *format, const Value &args) {
    Text out(rt);
    const char *p = format->data, *end = p + format->size;
    uint32_t next_arg = 0;
    bool is_tuple = args.is(Kind::tuple), used_single = false;
    bool mapping = args.is(Kind::dict);
    auto take = [&]() -> Value {
        if (is_tuple) {
            if (next_arg >= args.list->size) type_error(rt, "TypeError: not enough arguments for format string");
            return args.list->data[next_arg++];
        }
        if (used_single) type_error(rt, "TypeError: not enough arguments for format string");
        used_single = true;
        return args;
    };
    while (p < end) {
        const char *q = static_cast<const char *>(std::memchr(p, '%', static_cast<size_t>(end - p)));
        if (!q) q = end;
        out.add_slice(*format, static_cast<size_t>(p - format->data), static_cast<size_t>(q - format->data));
        if (q == end) break;
        p = q + 1;
        Value keyed;
        bool has_key = false;
        if (p < end && *p == '(') {
            if (!mapping) type_error(rt, "TypeError: format requires a mapping");
            int depth = 1;
            const char *from = ++p;
            for (; p < end && depth; ++p) depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
            if (depth) type_error(rt, "ValueError: incomplete format key");
            const Str *key = new_str(rt, {from, static_cast<size_t>(p - 1 - from)}, false);
            const Value *v = dict_find(args.dict, key->view());
            if (!v) type_error(rt, "KeyError: '", key, "'");
            keyed = *v;
            has_key = true;
        }
        bool minus = false, plus = false, space = false, zero = false, alternate = false;
        for (; p < end; ++p) {
            if (*p == '-') minus = true;
            else if (*p == '+') plus = true;
            else if (*p == ' ') space = true;
            else if (*p == '0') zero = true;
            else if (*p == '#') alternate = true;
            else break;
        }
        auto number = [&](int64_t *to) {
            if (p < end && *p == '*') {
                ++p;
                Value v = take();
                if (!v.is_int()) type_error(rt, "TypeError: * wants int");
                *to = v.is(Kind::bigint) ? kMaxWidth + 1 : v.small();
                return;
            }
            int64_t n = 0;
            while (p < end && *p >= '0' && *p <= '9') n = std::min<int64_t>(n * 10 + (*p++ - '0'), kMaxWidth + 1);
            *to = n;
        };
        int64_t width = 0, precision = -1;
        number(&width);
        if (width < 0) minus = true, width = -width;
        checked_width(width);
        if (p < end && *p == '.') {
            ++p;
            number(&precision);
            precision = checked_width(std::max<int64_t>(precision, 0));
        }
        while (p < end && (*p == 'h' || *p == 'l' || *p == 'L')) ++p;
        if (p == end) type_error(rt, "ValueError: incomplete format");
        char c = *p++;
        if (c == '%') {
            out.add("%");
            continue;
        }
        Value v = has_key ? keyed : take();
        const Str *body = nullptr;
        size_t sign_chars = 0;
        bool numeric = false;
        switch (c) {
            case 's': body = cut(rt, to_str(rt, v), precision); break;
            case 'r': body = cut(rt, repr_of(rt, v), precision); break;
            case 'a': body = cut(rt, ascii_of(rt, v), precision); break;
            case 'c': {
                Text t(rt);
                if (v.is(Kind::integer) || v.is(Kind::boolean)) {
                    if (v.small() < 0 || v.small() > 0x10ffff) type_error(rt, "OverflowError: %c arg not in range(0x110000)");
                    char e[4];
                    t.add({e, static_cast<size_t>(encode_char(static_cast<uint32_t>(v.small()), e))});
                    body = t.done();
                } else {
                    if (!v.is_string() || char_count(*v.s) != 1) type_error(rt, "TypeError: %c requires int or char");
                    body = v.s;
                }
                break;
            }
            case 'd': case 'i': case 'u': case 'x': case 'X': case 'o': {
                numeric = true;
                if (v.is(Kind::floating) && (c == 'd' || c == 'i' || c == 'u')) v = float_to_int(rt, v.f);
                if (!v.is_int())
                    type_error(rt, "TypeError: %", std::string_view(&c, 1),
                               " format: ", c == 'd' || c == 'i' || c == 'u' ? "a real number" : "an integer", " is required, not ",
                               type_name(v));
                Text t(rt);
                int_to_text(rt, t, v, c == 'x' || c == 'X' ? 16 : c == 'o' ? 8 : 10, c == 'X');
                const Str *digits = t.done();
                bool negative = digits->data[0] == '-';
                Text full(rt);
                if (negative) full.add("-");
                else if (plus) full.add("+");
                else if (space) full.add(" ");
                if (alternate && c != 'd' && c != 'i' && c != 'u') full.add(c == 'o' ? "0o" : c == 'x' ? "0x" : "0X");
                sign_chars = full.size();
                for (int64_t n = static_cast<int64_t>(digits->size) - negative; n < precision; ++n) full.add("0");
                full.add_slice(*digits, negative, digits->size);
                body = full.done();
                break;
            }
            case 'e': case 'E': case 'f': case 'F': case 'g': case 'G': {
                numeric = true;
                if (!v.is_number()) {
                    if (v.is_undefined()) use_undefined(rt, v);
                    type_error(rt, "TypeError: must be real number, not ", type_name(v));
                }
                double d = to_double(rt, v);
                String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
                format_fixed(s, d, c, precision < 0 ? 6 : static_cast<int>(precision), alternate);
                if (s[0] != '-' && (plus || space)) s.insert(s.begin(), plus ? '+' : ' ');
                sign_chars = s[0] == '-' || s[0] == '+' || s[0] == ' ';
                body = new_str(rt, s, false);
                break;
            }
            default: type_error(rt, "ValueError: unsupported format character '", std::string_view(&c, 1), "'");
        }
        if (numeric && zero && !minus) pad(rt, out, body, width, '=', "0", sign_chars);
        else pad(rt, out, body, width, minus ? '<' : '>', " ", 0);
    }
    // What can be subscripted counts as a mapping, and a mapping need not be used up.
    bool subscriptable = mapping || args.is(Kind::list) || args.is(Kind::range) || args.is_undefined();
    if (is_tuple ? next_arg < args.list->size : !used_single && !subscriptable)
        type_error(rt, "TypeError: not all arguments converted during string formatting");
    return str_value(as_markup(rt, out.done(), format->markup));
}

// ---- format specs ----

void format_spec(Rt &rt, Text &out, const Value &v, const Str &spec) {
    if (spec.size == 0) return out.add(to_str(rt, v));
    const char *p = spec.data, *end = p + spec.size;
    std::string_view fill = " ";
    char align = 0, sign = 0, grouping = 0, type = 0;
    bool alternate = false, zero = false, negative_zero = false;
    int n = char_bytes(p, end);
    auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
    if (p + n < end && is_align(p[n])) fill = {p, static_cast<size_t>(n)}, align = p[n], p += n + 1;
    else if (is_align(*p)) align = *p++;
    if (p < end && (*p == '+' || *p == '-' || *p == ' ')) sign = *p++;
    if (p < end && *p == 'z') negative_zero = true, ++p;
    if (p < end && *p == '#') alternate = true, ++p;
    if (p < end && *p == '0') {
        zero = true, ++p;
        if (!align) fill = "0", align = '=';
    }
    auto number = [&] {
        int64_t w = 0;
        while (p < end && *p >= '0' && *p <= '9') w = std::min<int64_t>(w * 10 + (*p++ - '0'), kMaxWidth + 1);
        return checked_width(w);
    };
    int64_t width = number(), precision = -1;
    if (p < end && (*p == ',' || *p == '_')) grouping = *p++;
    if (p < end && *p == '.') {
        ++p;
        if (p == end || *p < '0' || *p > '9') type_error(rt, "ValueError: Format specifier missing precision");
        precision = number();
    }
    if (p < end) type = *p++;
    if (p < end) type_error(rt, "ValueError: Invalid format specifier '", &spec, "' for object of type '", type_name(v), "'");
    auto unknown = [&] {
        type_error(rt, "ValueError: Unknown format code '", std::string_view(&type, 1), "' for object of type '", type_name(v), "'");
    };
    if (v.is_string()) {
        if (type && type != 's') unknown();
        if (sign) type_error(rt, "ValueError: Sign not allowed in string format specifier");
        if (alternate) type_error(rt, "ValueError: Alternate form (#) not allowed in string format specifier");
        if (align == '=' && !zero) type_error(rt, "ValueError: '=' alignment not allowed in string format specifier");
        if (grouping) type_error(rt, "ValueError: Cannot specify ',' with 's'.");
        return pad(rt, out, cut(rt, v.s, precision), width, align && align != '=' ? align : '<', fill, 0);
    }
    bool as_int = v.is_int() && (!type || std::string_view("bcdoxXn").find(type) != std::string_view::npos);
    if (v.is(Kind::boolean) && !type) as_int = true;
    if (!v.is_number()) type_error(rt, "TypeError: unsupported format string passed to ", type_name(v), ".__format__");
    String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
    if (as_int) {
        if (precision >= 0) type_error(rt, "ValueError: Precision not allowed in integer format specifier");
        if (type == 'c') {
            if (v.is(Kind::bigint) || v.small() < 0 || v.small() > 0x10ffff) type_error(rt, "OverflowError: %c arg not in range(0x110000)");
            char e[4];
            int k = encode_char(static_cast<uint32_t>(v.small()), e);
            return pad(rt, out, new_str(rt, {e, static_cast<size_t>(k)}, false), width, align ? align : '<', fill, 0);
        }
        int base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
        if (grouping == ',' && base != 10) type_error(rt, "ValueError: Cannot specify ',' with '", std::string_view(&type, 1), "'.");
        Text t(rt);
        int_to_text(rt, t, v.is(Kind::boolean) ? Value::integer(v.b) : v, base, type == 'X');
        const Str *digits = t.done();
        bool negative = digits->data[0] == '-';
        if (negative) s = "-";
        else if (sign == '+' || sign == ' ') s.push_back(sign);
        if (alternate && base != 10) s += type == 'b' ? "0b" : type == 'o' ? "0o" : type == 'x' ? "0x" : "0X";
        size_t head = s.size();
        s.append(digits->view().substr(negative));
        if (grouping) group_digits(s, head, s.size(), grouping, base == 10 ? 3 : 4);
        size_t signs = head;
        if (grouping && fill == "0" && align == '=')  // zeros are grouped too
            while (static_cast<int64_t>(s.size()) < width) {
                size_t run = 0;
                while (head + run < s.size() && s[head + run] != grouping) ++run;
                if (run == static_cast<size_t>(base == 10 ? 3 : 4)) s.insert(head, 1, grouping);
                s.insert(head, 1, '0');
            }
        return pad(rt, out, new_str(rt, s, false), width, align ? align : '>', fill, signs);
    }
    if (type && std::string_view("eEfFgGn%").find(type) == std::string_view::npos) unknown();
    double d = to_double(rt, v);
    if (!type && precision < 0) {
        char buf[40];
        s = float_repr(d, buf);
    } else if (type == '%') {
        format_fixed(s, d * 100, 'f', precision < 0 ? 6 : static_cast<int>(precision), alternate);
        s.push_back('%');
    } else if (!type) {  // like g, but with at least one digit past the point
        format_fixed(s, d, 'g', static_cast<int>(std::max<int64_t>(precision, 1)), alternate);
        size_t e = s.find('e');
        if (std::isfinite(d) && e == String::npos && s.find('.') == String::npos) {
            int64_t digits = static_cast<int64_t>(s.size()) - (s[0] == '-');
            if (digits >= std::max<int64_t>(precision, 1)) {
                s.clear();
                format_fixed(s, d, 'e', static_cast<int>(std::max<int64_t>(precision, 1)) - 1, alternate);
            } else {
                s += ".0";
            }
        }
    } else {
        format_fixed(s, d, type == 'n' ? 'g' : type, precision < 0 ? 6 : static_cast<int>(precision), alternate);
    }
    if (negative_zero && s[0] == '-' && s.find_first_of("123456789") == String::npos) s.erase(s.begin());
    if (s[0] != '-' && (sign == '+' || sign == ' ')) s.insert(s.begin(), sign);
    size_t head = s[0] == '-' || s[0] == '+' || s[0] == ' ';
    if (grouping && std::isfinite(d)) {
        size_t to = head;
        while (to < s.size() && s[to] >= '0' && s[to] <= '9') ++to;
        group_digits(s, head, to, grouping, 3);
        if (fill == "0" && align == '=')
            while (static_cast<int64_t>(s.size()) < width) {
                size_t run = 0;
                while (s[head + run] >= '0' && s[head + run] <= '9') ++run;
                if (run == 3) s.insert(head, 1, grouping);
                s.insert(head, 1, '0');
            }
    }
    pad(rt, out, new_str(rt, s, false), width, align ? align : '>', fill, head);
}

// ---- {} ----

namespace {

class BraceFormatter {
public:
    BraceFormatter(Rt &rt, const Args &args, const Value *mapping) : rt_(rt), args_(args), mapping_(mapping) {}
    void run(Text &out, const Str *format, int depth);

private:
    Value field(std::string_view name);
    Value first(std::string_view name);
    Rt &rt_;
    const Args &args_;
    const Value *mapping_;
    int64_t auto_ = 0;  // next automatic number; -1 once numbers were written by hand
    bool any_auto_ = false;
};

Value BraceFormatter::first(std::string_view name) {
    bool digits = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    int64_t index = -1;
    if (name.empty()) {
        if (auto_ < 0) type_error(rt_, "ValueError: cannot switch from manual field specification to automatic field numbering");
        index = auto_++;
        any_auto_ = true;
    } else if (digits) {
        if (any_auto_) type_error(rt_, "ValueError: cannot switch from automatic field numbering to manual field specification");
        auto_ = -1;
        index = 0;
        for (char c : name) index = std::min<int64_t>(index * 10 + (c - '0'), 1 << 30);
    }
    if (index >= 0) {
        if (mapping_) type_error(rt_, "ValueError: Format string contains positional fields");
        if (index >= args_.n_pos) type_error(rt_, "IndexError: Replacement index ", index, " out of range for positional args tuple");
        return args_.pos[index];
    }
    if (mapping_) {
        if (const Value *v = dict_find(mapping_->dict, name)) return *v;
    }
    for (uint32_t k = 0; k < args_.n_kw; ++k)
        if (args_.kw_names[k]->view() == name) return args_.kw[k];
    type_error(rt_, "KeyError: '", name, "'");
}

Value BraceFormatter::field(std::string_view name) {
    size_t n = std::min(name.find('.'), name.find('['));
    Value v = first(name.substr(0, n));
    if (n == std::string_view::npos) return v;
    name.remove_prefix(n);
    while (!name.empty()) {
        if (name[0] == '.') {
            size_t e = std::min(name.find('.', 1), name.find('[', 1));
            std::string_view attr = name.substr(1, e == std::string_view::npos ? e : e - 1);
            if (attr.empty()) type_error(rt_, "ValueError: Empty attribute in format string");
            v = get_attr(rt_, v, new_str(rt_, attr, false));
            name = e == std::string_view::npos ? std::string_view{} : name.substr(e);
        } else if (name[0] == '[') {
            size_t e = name.find(']');
            if (e == std::string_view::npos) type_error(rt_, "ValueError: Missing ']' in format string");
            std::string_view key = name.substr(1, e - 1);
            if (key.empty()) type_error(rt_, "ValueError: Empty attribute in format string");
            bool digits = std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
            bool ok = false;
            Value k = digits ? int_from_text(rt_, key, 10, &ok) : Value{};
            if (!ok) k = str_value(new_str(rt_, key, false));
            v = get_item(rt_, v, k);
            name = name.substr(e + 1);
            if (!name.empty() && name[0] != '.' && name[0] != '[')
                type_error(rt_, "ValueError: Only '.' or '[' may follow ']' in format field specifier");
        }
    }
    return v;
}

void BraceFormatter::run(Text &out, const Str *format, int depth) {
    if (depth > 1) type_error(rt_, "ValueError: Max string recursion exceeded");
    std::string_view f = format->view();
    size_t i = 0;
    while (i < f.size()) {
        size_t b = f.find_first_of("{}", i);
        if (b == std::string_view::npos) b = f.size();
        out.add_slice(*format, i, b);
        if (b == f.size()) break;
        if (b + 1 < f.size() && f[b + 1] == f[b]) {
            out.add_slice(*format, b, b + 1);
            i = b + 2;
            continue;
        }
        if (f[b] == '}') type_error(rt_, "ValueError: Single '}' encountered in format string");
        size_t e = b + 1;
        int nest = 1;
        bool bracket = false;
        for (; e < f.size() && nest; ++e) {
            if (f[e] == '[' && nest == 1) bracket = true;
            else if (f[e] == ']') bracket = false;
            else if (bracket) continue;
            else if (f[e] == '{') ++nest;
            else if (f[e] == '}') --nest;
        }
        if (nest)
            type_error(rt_, b + 1 == f.size() ? "ValueError: Single '{' encountered in format string"
                                              : "ValueError: expected '}' before end of string");
        std::string_view body = f.substr(b + 1, e - b - 2);
        size_t name_end = 0;
        bool in_bracket = false;
        while (name_end < body.size() && (in_bracket || (body[name_end] != '!' && body[name_end] != ':'))) {
            if (body[name_end] == '[') in_bracket = true;
            if (body[name_end] == ']') in_bracket = false;
            ++name_end;
        }
        Value v = field(body.substr(0, name_end));
        size_t at = name_end;
        if (at < body.size() && body[at] == '!') {
            char conversion = at + 1 < body.size() ? body[at + 1] : 0;
            if (conversion == 's') v = str_value(to_str(rt_, v));
            else if (conversion == 'r') v = str_value(repr_of(rt_, v));
            else if (conversion == 'a') v = str_value(ascii_of(rt_, v));
            else type_error(rt_, "ValueError: Unknown conversion specifier ", std::string_view(&conversion, conversion ? 1 : 0));
            at += 2;
            if (at < body.size() && body[at] != ':') type_error(rt_, "ValueError: expected ':' after conversion specifier");
        }
        const Str *spec = sub_str(rt_, format, 0, 0);
        if (at < body.size()) {
            size_t from = static_cast<size_t>(body.data() - f.data()) + at + 1;
            spec = sub_str(rt_, format, from, from + body.size() - at - 1);
            if (std::memchr(spec->data, '{', spec->size) || std::memchr(spec->data, '}', spec->size)) {
                Text inner(rt_);
                run(inner, spec, depth + 1);
                spec = inner.done();
            }
        }
        format_spec(rt_, out, v, *spec);
        i = e;
    }
}

}  // namespace

const Str *brace_format(Rt &rt, const Str *format, const Args &args, const Value *mapping) {
    Text out(rt);
    BraceFormatter(rt, args, mapping).run(out, format, 0);
    return out.done();
}

}  // namespace inlay::text::jinja
