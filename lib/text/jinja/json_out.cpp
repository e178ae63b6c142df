// SPDX-License-Identifier: Apache-2.0
// tojson: json.dumps as Python writes it, and strftime.
#include <algorithm>
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

void json_string(Text &out, const Str &s, bool ascii) {
    out.add('"');
    const char *p = s.data, *end = p + s.size, *from = p;
    while (p < end) {
        unsigned char b = static_cast<unsigned char>(*p);
        if (b >= 0x80 ? !ascii : b >= 0x20 && b != '"' && b != '\\') {
            ++p;
            continue;
        }
        out.add_slice(s, static_cast<size_t>(from - s.data), static_cast<size_t>(p - s.data));
        bool user = s.shadow ? s.shadow[p - s.data] != 0 : s.user;
        int n;
        uint32_t c = decode_char(p, end, &n);
        auto unit = [&](uint32_t u) {
            char e[6] = {'\\', 'u'};
            for (int i = 0; i < 4; ++i) e[2 + i] = "0123456789abcdef"[u >> (12 - 4 * i) & 15];
            out.add(e, 6, user);
        };
        switch (c) {
            case '"': out.add("\\\"", user); break;
            case '\\': out.add("\\\\", user); break;
            case '\n': out.add("\\n", user); break;
            case '\r': out.add("\\r", user); break;
            case '\t': out.add("\\t", user); break;
            case '\f': out.add("\\f", user); break;
            case '\b': out.add("\\b", user); break;
            default:
                if (c >= 0x10000) unit(0xD800 + ((c - 0x10000) >> 10)), unit(0xDC00 + ((c - 0x10000) & 0x3ff));
                else unit(c);
        }
        p += n;
        from = p;
    }
    out.add_slice(s, static_cast<size_t>(from - s.data), s.size);
    out.add('"');
}

std::string_view json_float(double v, char (&buf)[40]) {
    if (std::isnan(v)) return "NaN";
    if (std::isinf(v)) return v < 0 ? "-Infinity" : "Infinity";
    return float_repr(v, buf);
}

bool scalar(Rt &rt, Text &out, const Value &v, bool ascii) {
    char buf[40];
    switch (v.kind) {
        case Kind::none: out.add("null"); return true;
        case Kind::boolean: out.add(v.b ? "true" : "false"); return true;
        case Kind::integer:
        case Kind::bigint: int_to_text(rt, out, v); return true;
        case Kind::floating: out.add(json_float(v.f, buf)); return true;
        case Kind::string: json_string(out, *v.s, ascii); return true;
        default: return false;
    }
}

void json_key(Rt &rt, Text &out, const Value &k, bool ascii) {
    if (k.is_string()) return json_string(out, *k.s, ascii);
    if (!k.is_none() && !k.is_number())
        type_error(rt, "TypeError: keys must be str, int, float, bool or None, not ", type_name(k));
    out.add('"');
    scalar(rt, out, k, ascii);
    out.add('"');
}

struct Frame {
    Value v;
    uint32_t next;
    List *order;  // of a dict whose keys are sorted: (key, value) tuples
};

}  // namespace

Value json_dumps(Rt &rt, const Value &root, bool ascii, const Value &indent, const Value &separators, bool sort_keys) {
    Text out(rt);
    const Str *pad = nullptr;
    if (indent.is_string()) {
        pad = indent.s;
    } else if (!indent.is_none() && !indent.is_missing()) {
        int64_t n = need_index(rt, indent, "integer");
        pad = center(rt, wrap_str(rt, "", false), std::max<int64_t>(n, 0), wrap_str(rt, " ", false), 1);
    }
    const Str *comma = wrap_str(rt, pad ? "," : ", ", false), *colon = wrap_str(rt, ": ", false);
    if (!separators.is_none() && !separators.is_missing()) {
        List *l = to_list(rt, separators);
        if (l->size != 2 || !l->data[0].is_string() || !l->data[1].is_string())
            type_error(rt, "ValueError: separators must be two strings");
        comma = l->data[0].s;
        colon = l->data[1].s;
    }
    Vector<Frame> stack(Alloc<Frame>(rt.heap.memory(), MemTag::text));
    auto newline = [&](size_t depth) {
        if (!pad) return;
        out.add('\n');
        for (size_t i = 0; i < depth; ++i) out.add(pad);
    };
    auto open = [&](const Value &v) {  // a scalar or empty container is written at once
        if (scalar(rt, out, v, ascii)) return;
        bool array = v.is_array();
        if (!array && !v.is(Kind::dict)) {
            if (v.is(Kind::undefined)) type_error(rt, "TypeError: Object of type Undefined is not JSON serializable");
            type_error(rt, "TypeError: Object of type ", type_name(v), " is not JSON serializable");
        }
        if (array ? v.list->size == 0 : v.dict->size == 0) return out.add(array ? "[]" : "{}");
        if (stack.size() >= 900) type_error(rt, "RecursionError: maximum recursion depth exceeded while encoding a JSON object");
        out.add(array ? '[' : '{');
        List *order = nullptr;
        if (!array && sort_keys) {
            View view;
            view.dict = v.dict;
            view.kind = ViewKind::items;
            Value items = Value::of(Kind::view);
            items.view = &view;
            Value reverse = Value::boolean(false), sensitive = Value::boolean(true), attribute = Value::integer(0);
            Value pos[3] = {reverse, sensitive, attribute};
            Args args;
            args.pos = pos;
            args.n_pos = 3;
            order = apply_filter(rt, find_filter("sort"), items, args).list;
        }
        stack.push_back({v, 0, order});
    };
    open(root);
    while (!stack.empty()) {
        Frame &f = stack.back();
        rt.charge(1);
        bool array = f.v.is_array();
        uint32_t n = array ? f.v.list->size : f.v.dict->size;
        if (f.next == n) {
            stack.pop_back();
            newline(stack.size());
            out.add(array ? ']' : '}');
            continue;
        }
        if (f.next) out.add(comma);
        newline(stack.size());
        uint32_t i = f.next++;
        if (array) {
            open(f.v.list->data[i]);
            continue;
        }
        Value key = f.order ? f.order->data[i].list->data[0] : f.v.dict->entries[i].key;
        Value value = f.order ? f.order->data[i].list->data[1] : f.v.dict->entries[i].value;
        json_key(rt, out, key, ascii);
        out.add(colon);
        open(value);
    }
    return str_value(out.done());
}

// ---- strftime ----

namespace {

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

int64_t day_number(int64_t y, int m, int d) {  // days since 1970-01-01, proleptic Gregorian
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

}  // namespace

const Str *format_time(Rt &rt, const Str &format) {
    const CivilTime &t = rt.now;
    if (t.month < 1 || t.month > 12) fail(Code::invalid_argument, "the clock's month is ", t.month, ", it must be 1 to 12");
    int64_t days = day_number(t.year, t.month, t.day);
    int wday = static_cast<int>(((days + 4) % 7 + 7) % 7), yday = static_cast<int>(days - day_number(t.year, 1, 1));
    int mon_wday = (wday + 6) % 7;
    auto iso = [&](int *year) {
        int64_t thursday = days - mon_wday + 3;
        *year = t.year;
        if (thursday < day_number(t.year, 1, 1)) --*year;
        else if (thursday >= day_number(t.year + 1, 1, 1)) ++*year;
        return static_cast<int>((thursday - day_number(*year, 1, 1)) / 7 + 1);
    };
    Text out(rt);
    std::string_view all = format.view();
    for (size_t i = 0; i < all.size();) {
        size_t q = all.find('%', i);
        if (q == std::string_view::npos || q + 1 == all.size()) {
            out.add_slice(format, i, all.size());
            break;
        }
        out.add_slice(format, i, q);
        size_t p = q + 1;
        char flag = 0;
        bool upper = false;
        while (p < all.size() && (all[p] == '-' || all[p] == '_' || all[p] == '0' || all[p] == '^' || all[p] == '#')) {
            if (all[p] == '^') upper = true;
            else flag = all[p];
            ++p;
        }
        if (p == all.size()) {
            out.add_slice(format, q, p);
            break;
        }
        String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
        auto number = [&](int64_t v, int width, char fill = '0') {
            Message m;
            m << v;
            if (flag == '-') width = 0;
            if (flag == '_') fill = ' ';
            if (flag == '0') fill = '0';
            for (int k = static_cast<int>(m.view().size()); k < width; ++k) s.push_back(fill);
            s.append(m.view());
        };
        auto two = [&](int64_t v) { number(v, 2); };
        auto hms = [&](bool seconds) {
            two(t.hour), s.push_back(':'), two(t.minute);
            if (seconds) s.push_back(':'), two(t.second);
        };
        int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12, iso_year;
        bool known = true;
        switch (all[p]) {
            case 'Y': number(t.year, 4); break;
            case 'C': two(t.year / 100); break;
            case 'y': two(t.year % 100); break;
            case 'm': two(t.month); break;
            case 'd': two(t.day); break;
            case 'e': number(t.day, 2, ' '); break;
            case 'H': two(t.hour); break;
            case 'k': number(t.hour, 2, ' '); break;
            case 'I': two(hour12); break;
            case 'l': number(hour12, 2, ' '); break;
            case 'M': two(t.minute); break;
            case 'S': two(t.second); break;
            case 'f': s = "000000"; break;
            case 'j': number(yday + 1, 3); break;
            case 'p': s = t.hour < 12 ? (flag == '#' ? "am" : "AM") : flag == '#' ? "pm" : "PM"; break;
            case 'P': s = t.hour < 12 ? "am" : "pm"; break;
            case 'a': s = kDays[wday].substr(0, 3); break;
            case 'A': s = kDays[wday]; break;
            case 'b':
            case 'h': s = kMonths[t.month - 1].substr(0, 3); break;
            case 'B': s = kMonths[t.month - 1]; break;
            case 'u': number(mon_wday + 1, 1); break;
            case 'w': number(wday, 1); break;
            case 'U': two((yday + 7 - wday) / 7); break;
            case 'W': two((yday + 7 - mon_wday) / 7); break;
            case 'V': two(iso(&iso_year)); break;
            case 'G': iso(&iso_year), number(iso_year, 4); break;
            case 'g': iso(&iso_year), two(iso_year % 100); break;
            case 'D':
            case 'x': two(t.month), s.push_back('/'), two(t.day), s.push_back('/'), two(t.year % 100); break;
            case 'F': number(t.year, 4), s.push_back('-'), two(t.month), s.push_back('-'), two(t.day); break;
            case 'T':
            case 'X': hms(true); break;
            case 'R': hms(false); break;
            case 'r': two(hour12), s.push_back(':'), two(t.minute), s.push_back(':'), two(t.second), s += t.hour < 12 ? " AM" : " PM"; break;
            case 'c':
                s = kDays[wday].substr(0, 3);
                s.push_back(' ');
                s += kMonths[t.month - 1].substr(0, 3);
                s.push_back(' ');
                number(t.day, 2, ' '), s.push_back(' '), hms(true), s.push_back(' '), number(t.year, 4);
                break;
            case 's': number(days * 86400 + t.hour * 3600 + t.minute * 60 + t.second, 1); break;
            case 'z':
            case 'Z': break;  // a clock without a zone prints nothing
            case 'n': s = "\n"; break;
            case 't': s = "\t"; break;
            case '%': s = "%"; break;
            default: known = false;
        }
        if (!known) {
            out.add_slice(format, q, p + 1);
        } else {
            if (upper || (flag == '#' && all[p] != 'p'))
                for (char &c : s)
                    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
            out.add(s);
        }
        i = p + 1;
    }
    return out.done();
}

}  // namespace inlay::text::jinja
