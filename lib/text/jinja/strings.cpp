// SPDX-License-Identifier: Apache-2.0
// Text operations shared by methods and filters. Positions are code points outside and bytes inside; results keep
// the origin of each byte.
#include <algorithm>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

// Whether the sigma at p ends a word, for lower(): a cased letter before it, none after, case-ignorables aside.
bool final_sigma(const Str &s, const char *p, int bytes) {
    const char *end = s.data + s.size;
    bool before = false;
    for (const char *q = p; q > s.data;) {
        q = previous_char(s.data, q);
        int n;
        uint16_t f = char_flags(decode_char(q, end, &n));
        if (f & kCaseIgnorable) continue;
        before = f & kCased;
        break;
    }
    if (!before) return false;
    for (const char *q = p + bytes; q < end;) {
        int n;
        uint16_t f = char_flags(decode_char(q, end, &n));
        q += n;
        if (f & kCaseIgnorable) continue;
        return !(f & kCased);
    }
    return true;
}

enum : int { kUpper = 0, kLower = 1, kTitle = 2, kCapitalize = 3, kSwap = 4, kFold = 5 };

}  // namespace

const Str *case_map(Rt &rt, const Str *s, int how) {
    Text t(rt, s->size);
    const char *p = s->data, *end = p + s->size;
    bool previous_cased = false, first = true;
    while (p < end) {
        int n;
        uint32_t c = decode_char(p, end, &n), to[3];
        bool user = s->shadow ? s->shadow[p - s->data] != 0 : s->user;
        int mode = how;
        if (how == kCapitalize) mode = first ? kTitle : kLower;
        else if (how == kTitle) mode = previous_cased ? kLower : kTitle;
        else if (how == kSwap) {
            uint16_t f = char_flags(c);
            mode = f & kUpperCase ? kLower : f & kLowerCase ? kUpper : -1;
        }
        if (how == kTitle) previous_cased = char_is(c, kCased | kLowerCase | kUpperCase | kTitleCase);
        first = false;
        int k;
        if (mode == kUpper) k = to_upper(c, to);
        else if (mode == kTitle) k = to_title(c, to);
        else if (mode == kLower) k = c == 0x3A3 && final_sigma(*s, p, n) ? (to[0] = 0x3C2, 1) : to_lower(c, to);
        else k = (to[0] = c, 1);
        for (int i = 0; i < k; ++i) t.add_char(to[i], user);
        p += n;
    }
    return as_markup(rt, t.done(), s->markup);
}

const Str *strip(Rt &rt, const Str *s, const Value &chars, int sides) {
    if (!chars.is_none() && !chars.is_string())
        type_error(rt, "TypeError: strip arg must be None or str");
    const char *b = s->data, *e = b + s->size;
    rt.charge(s->size >> 6);
    auto member = [&](uint32_t c) {
        if (chars.is_none()) return char_is(c, kSpace);
        std::string_view set = chars.s->view();
        if (c < 128) return set.find(static_cast<char>(c)) != std::string_view::npos;
        const char *q = set.data(), *end = q + set.size();
        while (q < end) {
            int n;
            if (decode_char(q, end, &n) == c) return true;
            q += n;
        }
        return false;
    };
    if (sides & 1)
        while (b < e) {
            int n;
            if (!member(decode_char(b, e, &n))) break;
            b += n;
        }
    if (sides & 2)
        while (e > b) {
            const char *q = previous_char(b, e);
            int n;
            if (!member(decode_char(q, e, &n))) break;
            e = q;
        }
    return sub_str(rt, s, static_cast<size_t>(b - s->data), static_cast<size_t>(e - s->data));
}

const Str *replace(Rt &rt, const Str *s, const Str *from, const Str *to, int64_t count) {
    if (count < 0) count = INT64_MAX;
    Text t(rt, s->size);
    if (from->size == 0) {  // between all characters, before the first and after the last
        size_t at = 0;
        while (count-- > 0) {
            t.add(to);
            if (at == s->size) break;
            size_t n = static_cast<size_t>(char_bytes(s->data + at, s->data + s->size));
            t.add_slice(*s, at, at + n);
            at += n;
            if (count == 0) break;
        }
        t.add_slice(*s, at, s->size);
        return as_markup(rt, t.done(), s->markup);
    }
    size_t at = 0;
    rt.charge(s->size >> 4);
    bool found = false;
    while (count-- > 0 && s->size - at >= from->size) {
        const void *hit = memmem(s->data + at, s->size - at, from->data, from->size);
        if (!hit) break;
        found = true;
        size_t i = static_cast<size_t>(static_cast<const char *>(hit) - s->data);
        t.add_slice(*s, at, i);
        t.add(to);
        at = i + from->size;
        rt.charge(1);
    }
    if (!found) return s;
    t.add_slice(*s, at, s->size);
    return as_markup(rt, t.done(), s->markup);
}

List *split_lines(Rt &rt, const Str *s, bool keep_ends) {
    List *l = new_list(rt);
    const char *p = s->data, *end = p + s->size;
    size_t from = 0;
    while (p < end) {
        int n;
        uint32_t c = decode_char(p, end, &n);
        size_t at = static_cast<size_t>(p - s->data);
        bool brk = c == '\n' || c == '\r' || c == 0x0b || c == 0x0c || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
        p += n;
        if (!brk) continue;
        if (c == '\r' && p < end && *p == '\n') ++p;
        size_t after = static_cast<size_t>(p - s->data);
        push(rt, l, str_value(sub_str(rt, s, from, keep_ends ? after : at)));
        rt.charge(1);
        from = after;
    }
    if (from < s->size) push(rt, l, str_value(sub_str(rt, s, from, s->size)));
    return l;
}

namespace {

List *split_space(Rt &rt, const Str *s, int64_t max, bool from_right) {
    // Runs of white space part words; the rest after `max` splits keeps its inner and (left split) trailing space off.
    List *l = new_list(rt);
    const char *b = s->data, *e = b + s->size;
    auto space_at = [&](const char *p, const char *end, int *n) { return char_is(decode_char(p, end, n), kSpace); };
    int n;
    if (!from_right) {
        const char *p = b;
        for (;;) {
            while (p < e && space_at(p, e, &n)) p += n;
            if (p == e) break;
            if (max-- == 0) {
                const char *q = e;
                while (q > p) {
                    const char *r = previous_char(p, q);
                    if (!space_at(r, q, &n)) break;
                    q = r;
                }
                push(rt, l, str_value(sub_str(rt, s, static_cast<size_t>(p - b), static_cast<size_t>(q - b))));
                break;
            }
            const char *from = p;
            while (p < e && !space_at(p, e, &n)) p += n;
            push(rt, l, str_value(sub_str(rt, s, static_cast<size_t>(from - b), static_cast<size_t>(p - b))));
            rt.charge(1);
        }
        return l;
    }
    const char *p = e;
    for (;;) {
        while (p > b) {
            const char *q = previous_char(b, p);
            if (!space_at(q, p, &n)) break;
            p = q;
        }
        if (p == b) break;
        if (max-- == 0) {
            const char *q = b;
            while (q < p && space_at(q, p, &n)) q += n;
            push(rt, l, str_value(sub_str(rt, s, static_cast<size_t>(q - b), static_cast<size_t>(p - b))));
            break;
        }
        const char *to = p;
        while (p > b) {
            const char *q = previous_char(b, p);
            if (space_at(q, p, &n)) break;
            p = q;
        }
        push(rt, l, str_value(sub_str(rt, s, static_cast<size_t>(p - b), static_cast<size_t>(to - b))));
        rt.charge(1);
    }
    std::reverse(l->data, l->data + l->size);
    return l;
}

}  // namespace

List *split_text(Rt &rt, const Str *s, const Value &sep, int64_t max, bool from_right) {
    rt.charge(s->size >> 4);
    if (sep.is_none()) return split_space(rt, s, max, from_right);
    if (!sep.is_string()) type_error(rt, "TypeError: must be str or None, not ", type_name(sep));
    if (sep.s->size == 0) type_error(rt, "ValueError: empty separator");
    List *l = new_list(rt);
    std::string_view all = s->view(), w = sep.s->view();
    if (!from_right) {
        size_t at = 0;
        while (max-- != 0 && all.size() - at >= w.size()) {
            const void *hit = memmem(all.data() + at, all.size() - at, w.data(), w.size());
            if (!hit) break;
            size_t i = static_cast<size_t>(static_cast<const char *>(hit) - all.data());
            push(rt, l, str_value(sub_str(rt, s, at, i)));
            rt.charge(1);
            at = i + w.size();
        }
        push(rt, l, str_value(sub_str(rt, s, at, all.size())));
        return l;
    }
    size_t end = all.size();
    rt.charge((all.size() >> 4) * (w.size() >> 4));  // rfind compares at every place
    while (max-- != 0 && end >= w.size()) {
        size_t i = all.substr(0, end).rfind(w);
        if (i == std::string_view::npos) break;
        push(rt, l, str_value(sub_str(rt, s, i + w.size(), end)));
        rt.charge(w.size() / 16 + 1);
        end = i;
    }
    push(rt, l, str_value(sub_str(rt, s, 0, end)));
    std::reverse(l->data, l->data + l->size);
    return l;
}

const Str *join(Rt &rt, const Str *sep, const Value &items, bool to_text) {
    Text t(rt);
    Iterator *it = iterate(rt, items);
    Value v;
    bool first = true;
    for (int64_t i = 0; next(rt, it, &v); ++i) {
        if (!first) t.add(sep);
        first = false;
        if (!to_text && !v.is_string()) type_error(rt, "TypeError: sequence item ", i, ": expected str instance, ", type_name(v), " found");
        t.add(to_str(rt, v));
    }
    return t.done();
}

const Str *reverse_str(Rt &rt, const Str *s) {
    Text t(rt, s->size);
    const char *p = s->data + s->size;
    rt.charge(s->size >> 2);
    while (p > s->data) {
        const char *q = previous_char(s->data, p);
        t.add_slice(*s, static_cast<size_t>(q - s->data), static_cast<size_t>(p - s->data));
        p = q;
    }
    return as_markup(rt, t.done(), s->markup);
}

const Str *center(Rt &rt, const Str *s, int64_t width, const Str *fill, int how) {
    int64_t n = static_cast<int64_t>(char_count(*s)), pad = width - n;
    if (pad <= 0) return s;
    if (static_cast<uint64_t>(pad) > rt.limits.template_heap_bytes)
        fail(Code::limit, "template pads a string to ", width, " characters, heap limit ", rt.limits.template_heap_bytes);
    int64_t left = how == 0 ? pad / 2 + (pad & width & 1) : how == 1 ? 0 : pad;
    Text t(rt, static_cast<size_t>(pad) * fill->size + s->size);
    for (int64_t i = 0; i < left; ++i) t.add(fill);
    t.add(s);
    for (int64_t i = left; i < pad; ++i) t.add(fill);
    return as_markup(rt, t.done(), s->markup);
}

// ---- arguments ----

void bind(Rt &rt, std::string_view function, std::string_view params, int required, bool positional_only, const Args &args, Value *out) {
    std::string_view names[12];
    uint32_t n = 0;
    while (!params.empty() && n < 12) {
        size_t sp = params.find(' ');
        names[n++] = params.substr(0, sp);
        params = sp == std::string_view::npos ? std::string_view{} : params.substr(sp + 1);
    }
    for (uint32_t i = 0; i < n; ++i) out[i] = Value{};
    if (args.n_pos > n)
        type_error(rt, "TypeError: ", function, "() takes at most ", static_cast<int64_t>(n), " arguments (",
                   static_cast<int64_t>(args.n_pos), " given)");
    for (uint32_t i = 0; i < args.n_pos; ++i) out[i] = args.pos[i];
    if (args.n_kw && positional_only) type_error(rt, "TypeError: ", function, "() takes no keyword arguments");
    for (uint32_t k = 0; k < args.n_kw; ++k) {
        uint32_t i = 0;
        while (i < n && names[i] != args.kw_names[k]->view()) ++i;
        if (i == n) type_error(rt, "TypeError: ", function, "() got an unexpected keyword argument '", args.kw_names[k], "'");
        if (!out[i].is_missing()) type_error(rt, "TypeError: ", function, "() got multiple values for argument '", names[i], "'");
        out[i] = args.kw[k];
    }
    for (int i = 0; i < required; ++i)
        if (out[i].is_missing()) type_error(rt, "TypeError: ", function, "() missing required argument: '", names[i], "'");
}

}  // namespace inlay::text::jinja
