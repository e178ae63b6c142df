// SPDX-License-Identifier: Apache-2.0
// The filters whose result is text.
#include <algorithm>
#include <cmath>

#include "text/jinja/filters.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

Value f_capitalize(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(case_map(rt, soft(rt, v), 3)); }

Value f_center(Rt &rt, const Value &v, const Value *a, const Args &) {
    return str_value(center(rt, soft(rt, v), need_index(rt, given(a[0], Value::integer(80)), "integer"), wrap_str(rt, " ", false), 0));
}

Value f_escape(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(escape_html(rt, to_str(rt, v))); }

Value f_forceescape(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(escape_html(rt, as_markup(rt, to_str(rt, v), false))); }

Value f_safe(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(as_markup(rt, to_str(rt, v), true)); }

Value f_string(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(soft(rt, v)); }

Value f_filesizeformat(Rt &rt, const Value &v, const Value *a, const Args &) {
    double bytes = 0;
    if (v.is_string()) {
        if (!parse_python_float(v.s->view(), &bytes)) type_error(rt, "ValueError: could not convert string to float");
    } else {
        if (v.is_undefined()) use_undefined(rt, v);
        if (!v.is_number()) type_error(rt, "TypeError: float() argument must be a string or a real number, not '", type_name(v), "'");
        bytes = to_double(rt, v);
    }
    bool binary = flag(rt, a[0]);
    double base = binary ? 1024 : 1000;
    constexpr std::string_view kUnits[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
    String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
    if (bytes == 1) s = "1 Byte";
    else if (bytes < base) {
        Text t(rt);
        int_to_text(rt, t, float_to_int(rt, bytes));
        t.add(" Bytes");
        return str_value(t.done());
    } else {
        double unit = base;
        int i = 0;
        for (; i < 8; ++i) {
            unit = std::pow(base, i + 2);
            if (bytes < unit || i == 7) break;
        }
        format_fixed(s, base * bytes / unit, 'f', 1, false);
        s += " ";
        if (binary) s += i == 0 ? "K" : kUnits[i];
        else s += kUnits[i];
        s += binary ? "iB" : "B";
    }
    return str_value(new_str(rt, s, false));
}

Value f_format(Rt &rt, const Value &v, const Value *, const Args &args) {
    if (args.n_pos && args.n_kw) type_error(rt, "can't handle positional and keyword arguments at the same time");
    if (args.n_kw) {
        Dict *d = new_dict(rt);
        for (uint32_t k = 0; k < args.n_kw; ++k) dict_set(rt, d, str_value(args.kw_names[k]), args.kw[k]);
        return percent_format(rt, soft(rt, v), Value::of(d));
    }
    List *l = new_list(rt, args.n_pos);
    for (uint32_t i = 0; i < args.n_pos; ++i) push(rt, l, args.pos[i]);
    return percent_format(rt, soft(rt, v), Value::of(l, Kind::tuple));
}

Value f_indent(Rt &rt, const Value &v, const Value *a, const Args &) {
    const Str *by;
    if (a[0].is_string()) by = a[0].s;
    else by = center(rt, wrap_str(rt, "", false), need_index(rt, given(a[0], Value::integer(4)), "integer"), wrap_str(rt, " ", false), 1);
    bool first = flag(rt, a[1]), blank = flag(rt, a[2]);
    Value text = binary(rt, BinOp::add, v, literal(rt, "\n"));
    if (!text.is_string()) type_error(rt, "TypeError: can only indent str");
    if (text.s->markup) by = as_markup(rt, by, true);
    List *lines = split_lines(rt, text.s, false);
    Text t(rt);
    if (first) t.add(by);
    for (uint32_t i = 0; i < lines->size; ++i) {
        const Str *line = lines->data[i].s;
        if (i) t.add('\n');
        if (i && (blank || line->size)) t.add(by);
        t.add(line);
    }
    return str_value(as_markup(rt, t.done(), text.s->markup));
}

Value f_join(Rt &rt, const Value &v, const Value *a, const Args &) {
    const Str *sep = a[0].is_missing() ? wrap_str(rt, "", false) : as_markup(rt, to_str(rt, a[0]), false);
    if (a[1].is_missing() || a[1].is_none()) return str_value(join(rt, sep, v, true));
    List *l = to_list(rt, v);
    for (uint32_t i = 0; i < l->size; ++i) l->data[i] = attribute_of(rt, l->data[i], a[1]);
    return str_value(join(rt, sep, Value::of(l), true));
}

Value f_lower(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(case_map(rt, soft(rt, v), 1)); }

Value f_upper(Rt &rt, const Value &v, const Value *, const Args &) { return str_value(case_map(rt, soft(rt, v), 0)); }

Value f_replace(Rt &rt, const Value &v, const Value *a, const Args &) {
    int64_t n = a[2].is_missing() || a[2].is_none() ? -1 : need_index(rt, a[2], "integer");
    auto plain = [&](const Value &x) { return as_markup(rt, to_str(rt, x), false); };
    return str_value(replace(rt, plain(v), plain(a[0]), plain(a[1]), n));
}

Value f_striptags(Rt &rt, const Value &v, const Value *, const Args &) {
    const Str *s = to_str(rt, v);
    Text t(rt);
    size_t at = 0;
    std::string_view w = s->view();
    // Comments first, then tags, each by its first closing mark; an opening without one stays.
    String plain{Alloc<char>(rt.heap.memory(), MemTag::text)};
    while (at < w.size()) {
        size_t b = w.find("<!--", at);
        size_t e = b == std::string_view::npos ? b : w.find("-->", b);
        if (e == std::string_view::npos) break;
        plain.append(w.substr(at, b - at));
        at = e + 3;
    }
    plain.append(w.substr(std::min(at, w.size())));
    String bare{Alloc<char>(rt.heap.memory(), MemTag::text)};
    for (size_t i = 0; i < plain.size();) {
        size_t b = plain.find('<', i), e = b == String::npos ? b : plain.find('>', b);
        if (e == String::npos) {
            bare.append(plain, i);
            break;
        }
        bare.append(plain, i, b - i);
        i = e + 1;
    }
    List *words = split_text(rt, new_str(rt, bare, any_user(*s)), Value::none(), -1, false);
    const Str *joined = join(rt, wrap_str(rt, " ", false), Value::of(words), false);
    // Then the five entities that escape() makes, and the common names, become characters again.
    struct Entity {
        std::string_view name, text;
    };
    constexpr Entity kEntities[] = {{"&lt;", "<"},  {"&gt;", ">"},   {"&quot;", "\""},     {"&#34;", "\""},
                                    {"&#39;", "'"}, {"&apos;", "'"}, {"&nbsp;", "\u00a0"}, {"&amp;", "&"}};
    for (size_t i = 0; i < joined->size;) {
        bool hit = false;
        if (joined->data[i] == '&')
            for (const Entity &e : kEntities)
                if (joined->view().substr(i, e.name.size()) == e.name) {
                    t.add(e.text, any_user(*s));
                    i += e.name.size();
                    hit = true;
                    break;
                }
        if (!hit) t.add_slice(*joined, i, i + 1), ++i;
    }
    return str_value(t.done());
}

Value f_title(Rt &rt, const Value &v, const Value *, const Args &) {
    const Str *s = soft(rt, v);
    // Words begin after white space and - ( { [ <; the first letter goes up, the others down.
    Text t(rt, s->size);
    const char *p = s->data, *end = p + s->size;
    while (p < end) {
        int n;
        uint32_t c = decode_char(p, end, &n);
        auto breaks = [&](uint32_t x) { return x == '-' || x == '(' || x == '{' || x == '[' || x == '<' || char_is(x, kSpace); };
        const char *from = p;
        bool separator = breaks(c);
        while (p < end && breaks(decode_char(p, end, &n)) == separator) p += n;
        size_t b = static_cast<size_t>(from - s->data), e = static_cast<size_t>(p - s->data);
        size_t first = b + static_cast<size_t>(char_bytes(from, end));
        t.add(case_map(rt, sub_str(rt, s, b, first), 0));
        t.add(case_map(rt, sub_str(rt, s, first, e), 1));
    }
    return str_value(t.done());
}

Value f_trim(Rt &rt, const Value &v, const Value *a, const Args &) { return str_value(strip(rt, soft(rt, v), given(a[0], Value::none()), 3)); }

Value f_truncate(Rt &rt, const Value &v, const Value *a, const Args &) {
    int64_t length = need_index(rt, given(a[0], Value::integer(255)), "integer"),
            leeway = a[3].is_missing() || a[3].is_none() ? 5 : need_index(rt, a[3], "integer");
    const Str *end = a[2].is_missing() ? wrap_str(rt, "...", false) : a[2].is_string() ? a[2].s : nullptr;
    if (!end) type_error(rt, "TypeError: object of type '", type_name(a[2]), "' has no len()");
    int64_t n_end = static_cast<int64_t>(char_count(*end));
    if (length < n_end) type_error(rt, "AssertionError: expected length >= ", n_end, ", got ", length);
    if (leeway < 0) type_error(rt, "AssertionError: expected leeway >= 0, got ", leeway);
    if (length_of(rt, v) <= length + leeway) return v;
    if (!v.is_string()) type_error(rt, "TypeError: can only truncate str");
    const Str *cut = sub_str(rt, v.s, 0, byte_of_char(v.s->view(), static_cast<size_t>(length - n_end)));
    if (!flag(rt, a[1])) cut = split_text(rt, cut, literal(rt, " "), 1, true)->data[0].s;
    return str_value(concat(rt, cut, end));
}

namespace {

void url_quote(Rt &rt, Text &t, const Value &v, bool query) {
    const Str *s = to_str(rt, v);
    bool user = any_user(*s);
    for (uint32_t i = 0; i < s->size; ++i) {
        unsigned char c = static_cast<unsigned char>(s->data[i]);
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.' || c == '-' || c == '~' ||
                     (c == '/' && !query);
        if (plain) t.add(static_cast<char>(c), user);
        else if (c == ' ' && query) t.add('+', user);
        else t.add('%', user), t.add("0123456789ABCDEF"[c >> 4], user), t.add("0123456789ABCDEF"[c & 15], user);
    }
}

}  // namespace

Value f_urlencode(Rt &rt, const Value &v, const Value *, const Args &) {
    Text t(rt);
    bool iterable = v.is_array() || v.is(Kind::dict) || v.is(Kind::iterator) || v.is(Kind::view) || v.is(Kind::range) || v.is_undefined();
    if (v.is_string() || !iterable) {
        url_quote(rt, t, v, false);
        return str_value(t.done());
    }
    Value source = v;
    if (v.is(Kind::dict)) {
        Method items;
        items.self = v;
        items.id = static_cast<uint16_t>(find_method(v, "items"));
        source = call_method(rt, items, Args{});
    }
    List *pairs = to_list(rt, source);
    for (uint32_t i = 0; i < pairs->size; ++i) {
        List *pair = to_list(rt, pairs->data[i]);
        if (pair->size != 2) type_error(rt, "ValueError: not enough values to unpack (expected 2)");
        if (i) t.add('&');
        url_quote(rt, t, pair->data[0], true);
        t.add('=');
        url_quote(rt, t, pair->data[1], true);
    }
    return str_value(t.done());
}

Value f_wordcount(Rt &rt, const Value &v, const Value *, const Args &) {
    const Str *s = soft(rt, v);
    int64_t n = 0;
    bool in = false;
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        int k;
        uint32_t c = decode_char(p, end, &k);
        bool word = c == '_' || char_is(c, kAlpha | kNumeric);
        n += word && !in;
        in = word;
        p += k;
    }
    return Value::integer(n);
}

namespace {

// textwrap for one paragraph without hyphen rules beyond breaking words that are too long.
void wrap_line(Rt &rt, Text &t, const Str *line, int64_t width, bool break_long, const Str *newline) {
    List *words = new_list(rt);  // alternating runs of space and text
    const char *p = line->data, *end = p + line->size;
    while (p < end) {
        int n;
        const char *from = p;
        auto space = [](uint32_t c) { return c == ' ' || (c >= 9 && c <= 13); };
        bool sp = space(decode_char(p, end, &n));
        while (p < end && space(decode_char(p, end, &n)) == sp) p += n;
        push(rt, words, str_value(sub_str(rt, line, static_cast<size_t>(from - line->data), static_cast<size_t>(p - line->data))));
    }
    auto is_space = [](const Str *s) { return s->size && (s->data[0] == ' ' || (s->data[0] >= 9 && s->data[0] <= 13)); };
    bool any_line = false;
    uint32_t i = 0;
    const Str *pending = nullptr;
    while (i < words->size || pending) {
        List *cur = new_list(rt);
        int64_t used = 0;
        auto peek = [&] { return pending ? pending : words->data[i].s; };
        auto take = [&] { pending ? void(pending = nullptr) : void(++i); };
        if (any_line && is_space(peek())) {
            take();
            if (i >= words->size && !pending) break;
        }
        while (i < words->size || pending) {
            const Str *w = peek();
            int64_t n = static_cast<int64_t>(char_count(*w));
            if (used + n > width) break;
            push(rt, cur, str_value(w));
            used += n;
            take();
        }
        if ((i < words->size || pending) && static_cast<int64_t>(char_count(*peek())) > width) {
            const Str *w = peek();
            if (break_long) {
                int64_t room = std::max<int64_t>(width < 1 ? 1 : width - used, 0);
                size_t cut = byte_of_char(w->view(), static_cast<size_t>(room));
                take();
                push(rt, cur, str_value(sub_str(rt, w, 0, cut)));
                pending = sub_str(rt, w, cut, w->size);
            } else if (cur->size == 0) {
                push(rt, cur, str_value(w));
                take();
            }
        }
        if (cur->size && is_space(cur->data[cur->size - 1].s)) --cur->size;
        if (cur->size == 0) continue;
        if (any_line) t.add(newline);
        any_line = true;
        for (uint32_t k = 0; k < cur->size; ++k) t.add(cur->data[k].s);
    }
}

}  // namespace

Value f_wordwrap(Rt &rt, const Value &v, const Value *a, const Args &) {
    if (v.is_undefined()) use_undefined(rt, v);
    if (!v.is_string()) type_error(rt, "AttributeError: '", type_name(v), "' object has no attribute 'splitlines'");
    int64_t width = need_index(rt, given(a[0], Value::integer(79)), "integer");
    if (width <= 0) type_error(rt, "ValueError: invalid width (must be > 0)");
    const Str *newline = a[2].is_missing() || a[2].is_none() ? wrap_str(rt, "\n", false) : to_str(rt, a[2]);
    List *lines = split_lines(rt, v.s, false);
    Text t(rt);
    for (uint32_t i = 0; i < lines->size; ++i) {
        if (i) t.add(newline);
        wrap_line(rt, t, lines->data[i].s, width, flag(rt, a[1], true), newline);
    }
    return str_value(t.done());
}

Value f_xmlattr(Rt &rt, const Value &v, const Value *a, const Args &) {
    if (v.is_undefined()) use_undefined(rt, v);
    if (!v.is(Kind::dict)) type_error(rt, "AttributeError: '", type_name(v), "' object has no attribute 'items'");
    Text t(rt);
    for (uint32_t i = 0; i < v.dict->size; ++i) {
        const DictEntry &e = v.dict->entries[i];
        if (e.value.is_none() || e.value.is_undefined()) continue;
        const Str *key = to_str(rt, e.key);
        if (key->view().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) type_error(rt, "ValueError: Invalid character in attribute name");
        if (t.size()) t.add(' ');
        t.add(escape_html(rt, key)), t.add("=\""), t.add(escape_html(rt, to_str(rt, e.value))), t.add('"');
    }
    const Str *s = t.done();
    return str_value(flag(rt, a[0], true) && s->size ? concat(rt, wrap_str(rt, " ", false), s) : s);
}

Value f_tojson(Rt &rt, const Value &v, const Value *a, const Args &) {
    return json_dumps(rt, v, flag(rt, a[0]), given(a[1], Value::none()), given(a[2], Value::none()), flag(rt, a[3]));
}

Value f_from_json(Rt &rt, const Value &v, const Value *, const Args &) {
    if (!rt.extended) throw_fault(rt, TemplateFault::unknown_filter, "No filter named 'from_json'.");
    if (!v.is_string()) type_error(rt, "TypeError: the JSON object must be str, not ", type_name(v));
    io::JsonLimits limits;
    limits.refuse_duplicates = false;
    rt.charge(v.s->size);
    try {
        io::JsonDocument doc = io::JsonDocument::parse(rt.heap.memory(), v.s->view(), limits, "from_json");
        // The document goes away; its strings are copied by way of a round trip through the heap.
        Value parsed = from_json(rt, doc.root(), any_user(*v.s));
        List *stack = new_list(rt);
        auto own = [&](Value &x) {
            if (x.is_string()) x = str_value(new_str(rt, x.s->view(), x.s->user));
            else if (x.is_array() || x.is(Kind::dict)) push(rt, stack, x);
        };
        own(parsed);
        while (stack->size) {
            Value top = stack->data[--stack->size];
            if (top.is_array())
                for (uint32_t i = 0; i < top.list->size; ++i) own(top.list->data[i]);
            else
                for (uint32_t i = 0; i < top.dict->size; ++i) own(top.dict->entries[i].key), own(top.dict->entries[i].value);
        }
        return parsed;
    } catch (const Error &e) {
        if (e.code() == Code::out_of_memory) throw;
        type_error(rt, "JSONDecodeError: ", e.text());
    }
}

Value f_pprint(Rt &rt, const Value &v, const Value *, const Args &) {
    Text t(rt);
    repr(rt, t, v);
    return str_value(t.done());
}

}  // namespace inlay::text::jinja
