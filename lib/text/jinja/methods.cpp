// SPDX-License-Identifier: Apache-2.0
// Methods of str, list, tuple, dict, numbers and the loop variable, as rows of one table. Those that change their
// object are refused unless the caller asked for the extended sandbox.
#include <algorithm>
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

enum class M : uint8_t {
    capitalize, casefold, center, count, endswith, expandtabs, find, format, format_map, index, isalnum, isalpha, isascii, isdecimal, isdigit,
    isidentifier, islower, isnumeric, isprintable, isspace, istitle, isupper, join, ljust, lower, lstrip, partition, removeprefix, removesuffix,
    replace, rfind, rindex, rjust, rpartition, rsplit, rstrip, split, splitlines, startswith, strip, swapcase, title, upper, zfill, unsupported,
    seq_count, seq_index, append, extend, insert, pop, remove, reverse, sort, clear, copy, dict_clear, dict_copy, get, items, keys, dict_pop, popitem,
    setdefault, update, values, fromkeys, bit_length, bit_count, conjugate, is_integer, cycle, changed, cycler_next, cycler_reset,
};

struct Row {
    Kind kind;
    std::string_view name;
    M id;
    std::string_view params;
    int8_t required;
    bool positional_only = true, mutates = false;
};

// Rows of one kind stand together; a method that takes any arguments has params "*".
constexpr Row kRows[] = {
    {Kind::string, "strip", M::strip, "chars", 0},
    {Kind::string, "split", M::split, "sep maxsplit", 0, false},
    {Kind::string, "startswith", M::startswith, "prefix start end", 1},
    {Kind::string, "endswith", M::endswith, "suffix start end", 1},
    {Kind::string, "lstrip", M::lstrip, "chars", 0},
    {Kind::string, "rstrip", M::rstrip, "chars", 0},
    {Kind::string, "replace", M::replace, "old new count", 2},
    {Kind::string, "upper", M::upper, "", 0},
    {Kind::string, "lower", M::lower, "", 0},
    {Kind::string, "title", M::title, "", 0},
    {Kind::string, "capitalize", M::capitalize, "", 0},
    {Kind::string, "join", M::join, "iterable", 1},
    {Kind::string, "find", M::find, "sub start end", 1},
    {Kind::string, "rfind", M::rfind, "sub start end", 1},
    {Kind::string, "index", M::index, "sub start end", 1},
    {Kind::string, "rindex", M::rindex, "sub start end", 1},
    {Kind::string, "count", M::count, "sub start end", 1},
    {Kind::string, "format", M::format, "*", 0},
    {Kind::string, "format_map", M::format_map, "mapping", 1},
    {Kind::string, "splitlines", M::splitlines, "keepends", 0, false},
    {Kind::string, "rsplit", M::rsplit, "sep maxsplit", 0, false},
    {Kind::string, "partition", M::partition, "sep", 1},
    {Kind::string, "rpartition", M::rpartition, "sep", 1},
    {Kind::string, "removeprefix", M::removeprefix, "prefix", 1},
    {Kind::string, "removesuffix", M::removesuffix, "suffix", 1},
    {Kind::string, "casefold", M::casefold, "", 0},
    {Kind::string, "swapcase", M::swapcase, "", 0},
    {Kind::string, "center", M::center, "width fillchar", 1},
    {Kind::string, "ljust", M::ljust, "width fillchar", 1},
    {Kind::string, "rjust", M::rjust, "width fillchar", 1},
    {Kind::string, "zfill", M::zfill, "width", 1},
    {Kind::string, "expandtabs", M::expandtabs, "tabsize", 0, false},
    {Kind::string, "isalnum", M::isalnum, "", 0},
    {Kind::string, "isalpha", M::isalpha, "", 0},
    {Kind::string, "isascii", M::isascii, "", 0},
    {Kind::string, "isdecimal", M::isdecimal, "", 0},
    {Kind::string, "isdigit", M::isdigit, "", 0},
    {Kind::string, "isidentifier", M::isidentifier, "", 0},
    {Kind::string, "islower", M::islower, "", 0},
    {Kind::string, "isnumeric", M::isnumeric, "", 0},
    {Kind::string, "isprintable", M::isprintable, "", 0},
    {Kind::string, "isspace", M::isspace, "", 0},
    {Kind::string, "istitle", M::istitle, "", 0},
    {Kind::string, "isupper", M::isupper, "", 0},
    {Kind::string, "encode", M::unsupported, "*", 0},
    {Kind::string, "maketrans", M::unsupported, "*", 0},
    {Kind::string, "translate", M::unsupported, "*", 0},
    {Kind::list, "count", M::seq_count, "value", 1},
    {Kind::list, "index", M::seq_index, "value start stop", 1},
    {Kind::list, "copy", M::copy, "", 0},
    {Kind::list, "append", M::append, "object", 1, true, true},
    {Kind::list, "extend", M::extend, "iterable", 1, true, true},
    {Kind::list, "insert", M::insert, "index object", 2, true, true},
    {Kind::list, "pop", M::pop, "index", 0, true, true},
    {Kind::list, "remove", M::remove, "value", 1, true, true},
    {Kind::list, "reverse", M::reverse, "", 0, true, true},
    {Kind::list, "sort", M::sort, "*", 0, false, true},
    {Kind::list, "clear", M::clear, "", 0, true, true},
    {Kind::tuple, "count", M::seq_count, "value", 1},
    {Kind::tuple, "index", M::seq_index, "value start stop", 1},
    {Kind::range, "count", M::seq_count, "value", 1},
    {Kind::range, "index", M::seq_index, "value start stop", 1},
    {Kind::dict, "get", M::get, "key default", 1},
    {Kind::dict, "items", M::items, "", 0},
    {Kind::dict, "keys", M::keys, "", 0},
    {Kind::dict, "values", M::values, "", 0},
    {Kind::dict, "copy", M::dict_copy, "", 0},
    {Kind::dict, "fromkeys", M::fromkeys, "iterable value", 1},
    {Kind::dict, "update", M::update, "*", 0, false, true},
    {Kind::dict, "pop", M::dict_pop, "key default", 1, true, true},
    {Kind::dict, "popitem", M::popitem, "", 0, true, true},
    {Kind::dict, "setdefault", M::setdefault, "key default", 1, true, true},
    {Kind::dict, "clear", M::dict_clear, "", 0, true, true},
    {Kind::integer, "bit_length", M::bit_length, "", 0},
    {Kind::integer, "bit_count", M::bit_count, "", 0},
    {Kind::integer, "conjugate", M::conjugate, "", 0},
    {Kind::integer, "to_bytes", M::unsupported, "*", 0},
    {Kind::integer, "from_bytes", M::unsupported, "*", 0},
    {Kind::integer, "as_integer_ratio", M::unsupported, "*", 0},
    {Kind::floating, "is_integer", M::is_integer, "", 0},
    {Kind::floating, "conjugate", M::conjugate, "", 0},
    {Kind::floating, "hex", M::unsupported, "*", 0},
    {Kind::floating, "fromhex", M::unsupported, "*", 0},
    {Kind::floating, "as_integer_ratio", M::unsupported, "*", 0},
    {Kind::loop, "cycle", M::cycle, "*", 0},
    {Kind::loop, "changed", M::changed, "*", 0},
    {Kind::cycler, "next", M::cycler_next, "", 0},
    {Kind::cycler, "reset", M::cycler_reset, "", 0},
};

Value text_list(List *l) { return Value::of(l); }

// start and end of find, count, startswith ...: code points to bytes, clamped. False when start lies past the end.
bool window(Rt &rt, const Str &s, const Value &start, const Value &end, size_t *b, size_t *e) {
    *b = 0, *e = s.size;
    if (start.is_missing() && end.is_missing()) return true;
    int64_t n = static_cast<int64_t>(char_count(s));
    auto index = [&](const Value &v, int64_t otherwise) {
        if (v.is_missing() || v.is_none()) return otherwise;
        if (!v.is_int()) type_error(rt, "TypeError: slice indices must be integers or None or have an __index__ method");
        int64_t i = v.is(Kind::bigint) ? (v.big->negative ? INT64_MIN / 2 : INT64_MAX / 2) : v.small();
        if (i < 0) i = std::max<int64_t>(i + n, 0);
        return i;
    };
    int64_t x = index(start, 0), y = std::min(index(end, n), n);
    if (x > y) return false;
    *b = byte_of_char(s.view(), static_cast<size_t>(x));
    *e = byte_of_char(s.view(), static_cast<size_t>(y));
    return true;
}

const Str *need_str(Rt &rt, const Value &v, std::string_view what) {
    if (!v.is_string()) type_error(rt, "TypeError: ", what, " must be str, not ", type_name(v));
    return v.s;
}

Value find_text(Rt &rt, const Str &s, const Value *a, bool last, bool must) {
    const Str *w = need_str(rt, a[0], "argument");
    size_t b, e;
    int64_t at = -1;
    if (window(rt, s, a[1], a[2], &b, &e)) {
        rt.charge((e - b) >> 4);
        std::string_view in = s.view().substr(b, e - b);
        size_t i = std::string_view::npos;
        if (last) {
            rt.charge((in.size() >> 4) * (w->size >> 4));  // rfind compares at every place
            i = in.rfind(w->view());
        } else if (w->size == 0) {
            i = 0;
        } else if (const void *hit = w->size <= in.size() ? memmem(in.data(), in.size(), w->data, w->size) : nullptr) {
            i = static_cast<size_t>(static_cast<const char *>(hit) - in.data());
        }
        if (i != std::string_view::npos) at = static_cast<int64_t>(count_chars(s.view().substr(0, b + i)));
    }
    if (at < 0 && must) type_error(rt, "ValueError: substring not found");
    return Value::integer(at);
}

Value affix(Rt &rt, const Str &s, const Value *a, bool prefix) {
    size_t b, e;
    auto test = [&](const Value &v) {
        if (!v.is_string())
            type_error(rt, "TypeError: ", prefix ? "startswith" : "endswith", " first arg must be str or a tuple of str, not ", type_name(v));
        if (!window(rt, s, a[1], a[2], &b, &e)) return false;
        std::string_view in = s.view().substr(b, e - b);
        return prefix ? in.starts_with(v.s->view()) : in.ends_with(v.s->view());
    };
    if (a[0].is(Kind::tuple)) {
        for (uint32_t i = 0; i < a[0].list->size; ++i)
            if (test(a[0].list->data[i])) return Value::boolean(true);
        return Value::boolean(false);
    }
    return Value::boolean(test(a[0]));
}

Value classify(const Str &s, M id) {
    const char *p = s.data, *end = p + s.size;
    bool all = true, any = false, cased = false, previous_cased = false;
    if (id == M::isascii) return Value::boolean(is_ascii(s) || s.size == 0);
    for (bool first = true; p < end; first = false) {
        int n;
        uint32_t c = decode_char(p, end, &n);
        uint16_t f = char_flags(c);
        p += n;
        any = true;
        switch (id) {
            case M::isalnum: all &= (f & (kAlpha | kDecimal | kDigit | kNumeric)) != 0; break;
            case M::isalpha: all &= (f & kAlpha) != 0; break;
            case M::isdecimal: all &= (f & kDecimal) != 0; break;
            case M::isdigit: all &= (f & kDigit) != 0; break;
            case M::isnumeric: all &= (f & kNumeric) != 0; break;
            case M::isspace: all &= (f & kSpace) != 0; break;
            case M::isprintable: all &= (f & kPrintable) != 0; break;
            case M::isidentifier: all &= c == '_' || (f & (first ? kIdStart : kIdContinue)) != 0; break;
            case M::islower:
                if (f & (kUpperCase | kTitleCase)) all = false;
                cased |= (f & kLowerCase) != 0;
                break;
            case M::isupper:
                if (f & (kLowerCase | kTitleCase)) all = false;
                cased |= (f & kUpperCase) != 0;
                break;
            default:  // istitle
                if (f & (kUpperCase | kTitleCase)) {
                    if (previous_cased) all = false;
                    previous_cased = cased = true;
                } else if (f & kLowerCase) {
                    if (!previous_cased) all = false;
                    cased = true;
                } else {
                    previous_cased = false;
                }
        }
    }
    if (id == M::isprintable) return Value::boolean(all);
    if (id == M::islower || id == M::isupper || id == M::istitle) return Value::boolean(all && cased);
    return Value::boolean(any && all);
}

const Str *one_char(Rt &rt, const Value &v) {
    if (v.is_missing()) return wrap_str(rt, " ", false);
    const Str *s = need_str(rt, v, "The fill character");
    if (char_count(*s) != 1) type_error(rt, "TypeError: The fill character must be exactly one character long");
    return s;
}

Value str_method(Rt &rt, const Str *s, M id, const Value *a) {
    auto none_if_missing = [](const Value &v) { return v.is_missing() ? Value::none() : v; };
    auto markup = [&](const Str *r) { return str_value(as_markup(rt, r, s->markup)); };
    auto width = [&](const Value &v) { return need_index(rt, v, "integer"); };
    switch (id) {
        case M::strip: return str_value(strip(rt, s, none_if_missing(a[0]), 3));
        case M::lstrip: return str_value(strip(rt, s, none_if_missing(a[0]), 1));
        case M::rstrip: return str_value(strip(rt, s, none_if_missing(a[0]), 2));
        case M::split:
        case M::rsplit: {
            int64_t max = a[1].is_missing() ? -1 : width(a[1]);
            return text_list(split_text(rt, s, none_if_missing(a[0]), max < 0 ? -1 : max, id == M::rsplit));
        }
        case M::splitlines: return text_list(split_lines(rt, s, !a[0].is_missing() && truthy(rt, a[0])));
        case M::startswith: return affix(rt, *s, a, true);
        case M::endswith: return affix(rt, *s, a, false);
        case M::replace: {
            const Str *from = need_str(rt, a[0], "replace() argument 1"), *to = need_str(rt, a[1], "replace() argument 2");
            return markup(replace(rt, s, from, s->markup ? escape_html(rt, to) : to, a[2].is_missing() ? -1 : width(a[2])));
        }
        case M::upper: return str_value(case_map(rt, s, 0));
        case M::lower: return str_value(case_map(rt, s, 1));
        case M::title: return str_value(case_map(rt, s, 2));
        case M::capitalize: return str_value(case_map(rt, s, 3));
        case M::swapcase: return str_value(case_map(rt, s, 4));
        case M::casefold: {
            const Str *low = case_map(rt, s, 1);
            low = replace(rt, low, wrap_str(rt, "ß", false), wrap_str(rt, "ss", false), -1);
            return str_value(replace(rt, low, wrap_str(rt, "ς", false), wrap_str(rt, "σ", false), -1));
        }
        case M::join: return markup(join(rt, s, a[0], false));
        case M::find: return find_text(rt, *s, a, false, false);
        case M::rfind: return find_text(rt, *s, a, true, false);
        case M::index: return find_text(rt, *s, a, false, true);
        case M::rindex: return find_text(rt, *s, a, true, true);
        case M::count: {
            const Str *w = need_str(rt, a[0], "argument");
            size_t b, e;
            if (!window(rt, *s, a[1], a[2], &b, &e)) return Value::integer(0);
            if (w->size == 0) return Value::integer(static_cast<int64_t>(count_chars(s->view().substr(b, e - b))) + 1);
            int64_t n = 0;
            rt.charge((e - b) >> 4);
            while (e - b >= w->size) {
                const void *hit = memmem(s->data + b, e - b, w->data, w->size);
                if (!hit) break;
                ++n;
                b = static_cast<size_t>(static_cast<const char *>(hit) - s->data) + w->size;
            }
            return Value::integer(n);
        }
        case M::format_map: {
            if (!a[0].is(Kind::dict)) type_error(rt, "TypeError: format_map() argument must be a mapping, not ", type_name(a[0]));
            return markup(brace_format(rt, s, Args{}, &a[0]));
        }
        case M::partition:
        case M::rpartition: {
            const Str *w = need_str(rt, a[0], "argument");
            if (w->size == 0) type_error(rt, "ValueError: empty separator");
            size_t i = id == M::partition ? s->view().find(w->view()) : s->view().rfind(w->view());
            rt.charge((s->size >> 4) * ((w->size >> 4) + 1));
            Value empty = str_value(sub_str(rt, s, 0, 0));
            if (i == std::string_view::npos)
                return id == M::partition ? new_tuple(rt, {str_value(s), empty, empty}) : new_tuple(rt, {empty, empty, str_value(s)});
            return new_tuple(rt, {str_value(sub_str(rt, s, 0, i)), str_value(w), str_value(sub_str(rt, s, i + w->size, s->size))});
        }
        case M::removeprefix:
        case M::removesuffix: {
            const Str *w = need_str(rt, a[0], "argument");
            if (id == M::removeprefix) return str_value(s->view().starts_with(w->view()) ? sub_str(rt, s, w->size, s->size) : s);
            return str_value(w->size && s->view().ends_with(w->view()) ? sub_str(rt, s, 0, s->size - w->size) : s);
        }
        case M::center: return str_value(center(rt, s, width(a[0]), one_char(rt, a[1]), 0));
        case M::ljust: return str_value(center(rt, s, width(a[0]), one_char(rt, a[1]), 1));
        case M::rjust: return str_value(center(rt, s, width(a[0]), one_char(rt, a[1]), 2));
        case M::zfill: {
            bool sign = s->size && (s->data[0] == '-' || s->data[0] == '+');
            const Str *rest = sub_str(rt, s, sign, s->size);
            const Str *zeros = center(rt, rest, width(a[0]) - sign, wrap_str(rt, "0", false), 2);
            return sign ? str_value(concat(rt, sub_str(rt, s, 0, 1), zeros)) : str_value(zeros);
        }
        case M::expandtabs: {
            int64_t size = a[0].is_missing() ? 8 : width(a[0]), column = 0;
            Text t(rt, s->size);
            const char *p = s->data, *end = p + s->size;
            while (p < end) {
                int n = char_bytes(p, end);
                if (*p == '\t') {
                    int64_t pad = size > 0 ? size - column % size : 0;
                    if (static_cast<uint64_t>(pad) > rt.limits.template_heap_bytes)
                        fail(Code::limit, "template expands a tab to ", pad, " characters");
                    for (int64_t i = 0; i < pad; ++i) t.add(' ', s->user);
                    column += pad;
                } else {
                    t.add_slice(*s, static_cast<size_t>(p - s->data), static_cast<size_t>(p - s->data + n));
                    column = *p == '\n' || *p == '\r' ? 0 : column + 1;
                }
                p += n;
            }
            return markup(t.done());
        }
        default: return classify(*s, id);
    }
}

int64_t clamp_index(Rt &rt, const Value &v, int64_t n, int64_t otherwise) {
    if (v.is_missing()) return otherwise;
    int64_t i = need_index(rt, v, "integer");
    if (i < 0) i = std::max<int64_t>(i + n, 0);
    return std::min(i, n);
}

Value list_method(Rt &rt, const Value &self, M id, const Value *a) {
    if (id == M::seq_count || id == M::seq_index) {
        List *l = self.is(Kind::range) ? to_list(rt, self) : self.list;
        int64_t n = 0, size = l->size, from = 0, to = size;
        if (id == M::seq_index) from = clamp_index(rt, a[1], size, 0), to = clamp_index(rt, a[2], size, size);
        rt.charge(l->size);
        for (int64_t i = from; i < to; ++i) {
            if (!equal(rt, l->data[i], a[0])) continue;
            if (id == M::seq_index) return Value::integer(i);
            ++n;
        }
        if (id == M::seq_index) type_error(rt, "ValueError: value is not in list");
        return Value::integer(n);
    }
    List *l = self.list;
    switch (id) {
        case M::copy: return Value::of(to_list(rt, self));
        case M::append: push(rt, l, a[0]); return Value::none();
        case M::extend: {
            List *more = to_list(rt, a[0]);
            for (uint32_t i = 0; i < more->size; ++i) push(rt, l, more->data[i]);
            return Value::none();
        }
        case M::insert: {
            int64_t at = clamp_index(rt, a[0], l->size, 0);
            push(rt, l, a[1]);
            rt.charge(l->size);
            std::rotate(l->data + at, l->data + l->size - 1, l->data + l->size);
            return Value::none();
        }
        case M::pop: {
            int64_t i = a[0].is_missing() ? -1 : need_index(rt, a[0], "integer");
            if (l->size == 0) type_error(rt, "IndexError: pop from empty list");
            if (i < 0) i += l->size;
            if (i < 0 || i >= l->size) type_error(rt, "IndexError: pop index out of range");
            Value v = l->data[i];
            rt.charge(l->size - static_cast<uint64_t>(i));
            std::copy(l->data + i + 1, l->data + l->size, l->data + i);
            --l->size;
            return v;
        }
        case M::remove:
            rt.charge(l->size);
            for (uint32_t i = 0; i < l->size; ++i)
                if (equal(rt, l->data[i], a[0])) {
                    std::copy(l->data + i + 1, l->data + l->size, l->data + i);
                    --l->size;
                    return Value::none();
                }
            type_error(rt, "ValueError: list.remove(x): x not in list");
        case M::reverse: rt.charge(l->size), std::reverse(l->data, l->data + l->size); return Value::none();
        default: l->size = 0; return Value::none();
    }
}

void update_dict(Rt &rt, Dict *d, const Args &args) {
    if (args.n_pos > 1) type_error(rt, "TypeError: update expected at most 1 argument, got ", static_cast<int64_t>(args.n_pos));
    if (args.n_pos) {
        const Value &v = args.pos[0];
        if (v.is(Kind::dict)) {
            for (uint32_t i = 0; i < v.dict->size; ++i) dict_set(rt, d, v.dict->entries[i].key, v.dict->entries[i].value);
        } else {
            List *pairs = to_list(rt, v);
            for (uint32_t i = 0; i < pairs->size; ++i) {
                List *pair = to_list(rt, pairs->data[i]);
                if (pair->size != 2)
                    type_error(rt, "ValueError: dictionary update sequence element #", static_cast<int64_t>(i), " has length ",
                               static_cast<int64_t>(pair->size), "; 2 is required");
                dict_set(rt, d, pair->data[0], pair->data[1]);
            }
        }
    }
    for (uint32_t k = 0; k < args.n_kw; ++k) dict_set(rt, d, str_value(args.kw_names[k]), args.kw[k]);
}

Value dict_method(Rt &rt, const Value &self, M id, const Value *a) {
    Dict *d = self.dict;
    auto view = [&](ViewKind k) {
        View *w = rt.heap.make<View>();
        w->dict = d;
        w->kind = k;
        Value v = Value::of(Kind::view);
        v.view = w;
        return v;
    };
    auto otherwise = [&] { return a[1].is_missing() ? Value::none() : a[1]; };
    switch (id) {
        case M::get: {
            const Value *v = dict_find(rt, d, a[0]);
            return v ? *v : otherwise();
        }
        case M::items: return view(ViewKind::items);
        case M::keys: return view(ViewKind::keys);
        case M::values: return view(ViewKind::values);
        case M::dict_copy: {
            Dict *c = new_dict(rt);
            for (uint32_t i = 0; i < d->size; ++i) dict_set(rt, c, d->entries[i].key, d->entries[i].value);
            return Value::of(c);
        }
        case M::fromkeys: {
            Dict *c = new_dict(rt);
            List *keys = to_list(rt, a[0]);
            for (uint32_t i = 0; i < keys->size; ++i) dict_set(rt, c, keys->data[i], otherwise());
            return Value::of(c);
        }
        case M::dict_pop: {
            Value v;
            if (dict_remove(rt, d, a[0], &v)) return v;
            if (a[1].is_missing()) {
                Text t(rt);
                repr(rt, t, a[0]);
                type_error(rt, "KeyError: ", t.done());
            }
            return a[1];
        }
        case M::popitem: {
            if (d->size == 0) type_error(rt, "KeyError: 'popitem(): dictionary is empty'");
            DictEntry e = d->entries[d->size - 1];
            Value v;
            dict_remove(rt, d, e.key, &v);
            return new_tuple(rt, {e.key, e.value});
        }
        case M::setdefault: {
            if (const Value *v = dict_find(rt, d, a[0])) return *v;
            dict_set(rt, d, a[0], otherwise());
            return otherwise();
        }
        default:
            d->size = 0;
            d->index = nullptr;
            d->capacity = 0;
            return Value::none();
    }
}

}  // namespace

int find_method(const Value &self, std::string_view name) {
    Kind k = self.kind == Kind::bigint || self.kind == Kind::boolean ? Kind::integer : self.kind;
    for (size_t i = 0; i < std::size(kRows); ++i)
        if (kRows[i].kind == k && kRows[i].name == name) return static_cast<int>(i);
    return -1;
}

bool method_mutates(int id) { return kRows[id].mutates; }
std::string_view method_name(int id) { return kRows[id].name; }

Value call_method(Rt &rt, const Method &m, const Args &args) {
    const Row &row = kRows[m.id];
    rt.charge(1);
    Value a[12];
    if (row.params != "*") bind(rt, row.name, row.params, row.required, row.positional_only, args, a);
    const Value &self = m.self;
    switch (row.id) {
        case M::format: return str_value(as_markup(rt, brace_format(rt, self.s, args, nullptr), self.s->markup));
        case M::update: update_dict(rt, self.dict, args); return Value::none();
        case M::unsupported: type_error(rt, "method '", row.name, "' of '", type_name(self), "' is not supported in templates");
        case M::sort: {
            Value sorted = apply_filter(rt, find_filter("sort"), self, Args{});
            std::copy_n(sorted.list->data, self.list->size, self.list->data);
            return Value::none();
        }
        case M::bit_length:
        case M::bit_count: {
            uint64_t bits = 0;
            auto count = [&](uint64_t u, uint64_t below) {
                if (row.id == M::bit_count) bits += static_cast<uint64_t>(__builtin_popcountll(u));
                else if (u) bits = below + 64 - static_cast<uint64_t>(__builtin_clzll(u));
            };
            if (self.is(Kind::bigint))
                for (uint32_t i = 0; i < self.big->n; ++i) count(self.big->limbs[i], uint64_t{i} * 32);
            else count(self.small() < 0 ? 0 - static_cast<uint64_t>(self.small()) : static_cast<uint64_t>(self.small()), 0);
            return Value::integer(static_cast<int64_t>(bits));
        }
        case M::conjugate: return self.is(Kind::boolean) ? Value::integer(self.b) : self;
        case M::is_integer: return Value::boolean(std::isfinite(self.f) && self.f == std::floor(self.f));
        case M::cycle:
            if (args.n_pos == 0 || args.n_kw) type_error(rt, "TypeError: no items for cycling given");
            return args.pos[self.loop->index0 % args.n_pos];
        case M::changed: {
            List *l = new_list(rt, args.n_pos);
            for (uint32_t i = 0; i < args.n_pos; ++i) push(rt, l, args.pos[i]);
            Value now = Value::of(l, Kind::tuple);
            Loop *loop = self.loop;
            if (loop->has_changed && equal(rt, loop->changed, now)) return Value::boolean(false);
            loop->has_changed = true;
            loop->changed = now;
            return Value::boolean(true);
        }
        case M::cycler_next: {
            Cycler *c = self.cycler;
            Value v = c->items->data[c->pos];
            c->pos = (c->pos + 1) % c->items->size;
            return v;
        }
        case M::cycler_reset: self.cycler->pos = 0; return Value::none();
        default: break;
    }
    switch (self.kind) {
        case Kind::string: return str_method(rt, self.s, row.id, a);
        case Kind::dict: return dict_method(rt, self, row.id, a);
        default: return list_method(rt, self, row.id, a);
    }
}

}  // namespace inlay::text::jinja
