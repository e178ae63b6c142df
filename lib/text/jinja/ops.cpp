// SPDX-License-Identifier: Apache-2.0
// Truth, text, equality, order, membership and length of values. Nested values are walked with a stack on the heap.
#include <algorithm>
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

// Python gives up near 1,000 levels; a value that deep is made only to hurt.
constexpr size_t kMaxNesting = 900;

std::string_view type_name(const Value &v) {
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined: return "Undefined";
        case Kind::none: return "NoneType";
        case Kind::boolean: return "bool";
        case Kind::integer:
        case Kind::bigint: return "int";
        case Kind::floating: return "float";
        case Kind::string: return v.s->markup ? "Markup" : "str";
        case Kind::list: return "list";
        case Kind::tuple: return "tuple";
        case Kind::dict: return "dict";
        case Kind::range: return "range";
        case Kind::view: return v.view->kind == ViewKind::keys ? "dict_keys" : v.view->kind == ViewKind::values ? "dict_values" : "dict_items";
        case Kind::iterator: return v.iter->name;
        case Kind::slice: return "slice";
        case Kind::space: return "Namespace";
        case Kind::macro: return "Macro";
        case Kind::loop: return "LoopContext";
        case Kind::method: return "builtin_function_or_method";
        case Kind::function: return "function";
        case Kind::cycler: return "Cycler";
        case Kind::joiner: return "Joiner";
    }
    return "object";
}

bool truthy(Rt &, const Value &v) {
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined:
        case Kind::none: return false;
        case Kind::boolean: return v.b;
        case Kind::integer: return v.i != 0;
        case Kind::floating: return v.f != 0;
        case Kind::string: return v.s->size != 0;
        case Kind::list:
        case Kind::tuple: return v.list->size != 0;
        case Kind::dict: return v.dict->size != 0;
        case Kind::range: return v.range->length != 0;
        case Kind::view: return v.view->dict->size != 0;
        default: return true;
    }
}

Value undefined(Rt &rt, std::string_view message, bool security) {
    UndefinedInfo *info = rt.heap.make<UndefinedInfo>();
    info->message = new_str(rt, message, false)->view();
    info->security = security;
    Value v = Value::of(Kind::undefined);
    v.undef = info;
    return v;
}

Value undefined_name(Rt &rt, std::string_view name) {
    UndefinedInfo *info = rt.heap.make<UndefinedInfo>();
    info->key = Value::string(wrap_str(rt, name, false));
    Value v = Value::of(Kind::undefined);
    v.undef = info;
    return v;
}

void use_undefined(Rt &rt, const Value &v) {
    const UndefinedInfo &u = *v.undef;
    if (!u.message.empty()) throw_fault(rt, u.security ? TemplateFault::security : TemplateFault::undefined, u.message);
    Text key(rt);
    repr(rt, key, u.key);
    const Str *k = key.done();
    if (u.owner.empty()) throw_fault(rt, TemplateFault::undefined, k, " is undefined");
    if (u.key.is_string()) throw_fault(rt, TemplateFault::undefined, "'", u.owner, "' has no attribute ", k);
    throw_fault(rt, TemplateFault::undefined, u.owner, " has no element ", k);
}

// ---- text of values ----

void repr_str(Text &out, const Str &s, bool ascii) {
    bool single = std::memchr(s.data, '\'', s.size) != nullptr, both = single && std::memchr(s.data, '"', s.size) != nullptr;
    char quote = single && !both ? '"' : '\'';
    bool user = s.user && !s.shadow;
    auto origin = [&](const char *p) { return s.shadow ? s.shadow[p - s.data] != 0 : user; };
    out.add(quote);
    const char *p = s.data, *end = p + s.size, *from = p;
    auto flush = [&](const char *to) { out.add_slice(s, static_cast<size_t>(from - s.data), static_cast<size_t>(to - s.data)); };
    while (p < end) {
        int n = 1;
        uint32_t c = decode_char(p, end, &n);
        const char *plain = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\\' ? "\\\\" : nullptr;
        bool escape = plain || c == static_cast<unsigned char>(quote) || c < 32 || c == 127 ||
                      (c > 127 && (ascii || (c >= 0xDC80 && c < 0xDD00) || !char_is(c, kPrintable)));
        if (escape) {
            flush(p);
            bool u = origin(p);
            if (plain) {
                out.add(plain, 2, u);
            } else if (c == static_cast<unsigned char>(quote)) {
                out.add('\\', u), out.add(quote, u);
            } else {
                int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
                char e[10] = {'\\', c < 0x100 ? 'x' : c < 0x10000 ? 'u' : 'U'};
                for (int i = 0; i < digits; ++i) e[2 + i] = "0123456789abcdef"[c >> (4 * (digits - 1 - i)) & 15];
                out.add(e, static_cast<size_t>(digits) + 2, u);
            }
            from = p + n;
        }
        p += n;
    }
    flush(end);
    out.add(quote);
}

namespace {

void address(Text &out) { out.add("0x7f0000000000>"); }  // Python prints a real one; ours must not differ between runs

void scalar_repr(Rt &rt, Text &out, const Value &v, bool ascii) {
    char buf[40];
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined: return out.add("Undefined");
        case Kind::none: return out.add("None");
        case Kind::boolean: return out.add(v.b ? "True" : "False");
        case Kind::integer:
        case Kind::bigint: return int_to_text(rt, out, v);
        case Kind::floating: return out.add(float_repr(v.f, buf));
        case Kind::string:
            if (v.s->markup) out.add("Markup(");
            repr_str(out, *v.s, ascii);
            if (v.s->markup) out.add(")");
            return;
        case Kind::range:
            out.add("range(");
            int_to_text(rt, out, Value::integer(v.range->start));
            out.add(", ");
            int_to_text(rt, out, Value::integer(v.range->stop));
            if (v.range->step != 1) out.add(", "), int_to_text(rt, out, Value::integer(v.range->step));
            return out.add(")");
        case Kind::slice: return out.add("slice(...)");
        case Kind::iterator:
            out.add("<"), out.add(v.iter->name), out.add(" object at ");
            return address(out);
        case Kind::method:
            out.add("<built-in method "), out.add(method_name(v.method->id)), out.add(" of "), out.add(type_name(v.method->self)),
                out.add(" object at ");
            return address(out);
        case Kind::function:
            if (global_name(static_cast<int>(v.i)) == "range") return out.add("<function safe_range at "), address(out);
            if (global_name(static_cast<int>(v.i)) == "dict") return out.add("<class 'dict'>");
            out.add("<function "), out.add(global_name(static_cast<int>(v.i))), out.add(" at ");
            return address(out);
        case Kind::loop:
            out.add("<LoopContext ");
            int_to_text(rt, out, Value::integer(v.loop->index0 + 1));
            out.add("/");
            int_to_text(rt, out, Value::integer(std::max<int64_t>(v.loop->length, 0)));
            return out.add(">");
        default:
            out.add("<"), out.add(type_name(v)), out.add(" object at ");
            return address(out);
    }
}

struct ReprFrame {
    Value v;
    uint32_t next;
};

}  // namespace

// Code of macros is opaque here; vm.cpp knows their names.
void repr_macro(Text &out, const Macro &m);

void repr(Rt &rt, Text &out, const Value &root, bool ascii) {
    auto nested = [](const Value &v) { return v.is_array() || v.is(Kind::dict) || v.is(Kind::view) || v.is(Kind::space); };
    auto leaf = [&](const Value &v) {
        if (v.is(Kind::macro)) return repr_macro(out, *v.macro);
        scalar_repr(rt, out, v, ascii);
    };
    if (!nested(root)) return leaf(root);
    Vector<ReprFrame> stack(Alloc<ReprFrame>(rt.heap.memory(), MemTag::text));
    stack.push_back({root, 0});
    while (!stack.empty()) {
        ReprFrame &f = stack.back();
        rt.charge(1);
        Value child;
        bool close = false;
        if (f.v.is_array()) {
            if (f.next == 0) out.add(f.v.is(Kind::list) ? '[' : '(');
            if (f.next == f.v.list->size) {
                if (f.v.is(Kind::tuple)) out.add(f.v.list->size == 1 ? ",)" : ")");
                else out.add(']');
                close = true;
            } else {
                if (f.next) out.add(", ");
                child = f.v.list->data[f.next];
            }
        } else {
            Dict *d = f.v.is(Kind::view) ? f.v.view->dict : f.v.dict;
            bool items = f.v.is(Kind::view);
            if (f.next == 0) {
                if (items) out.add(type_name(f.v)), out.add("([");
                else out.add(f.v.is(Kind::space) ? "<Namespace {" : "{");
            }
            if (items) {
                if (f.next == d->size) {
                    out.add("])");
                    close = true;
                } else {
                    if (f.next) out.add(", ");
                    const DictEntry &e = d->entries[f.next];
                    child = f.v.view->kind == ViewKind::keys ? e.key : f.v.view->kind == ViewKind::values ? e.value : new_tuple(rt, {e.key, e.value});
                }
            } else if (f.next == d->size * 2) {
                out.add(f.v.is(Kind::space) ? "}>" : "}");
                close = true;
            } else {
                if (f.next && f.next % 2 == 0) out.add(", ");
                if (f.next % 2) out.add(": ");
                const DictEntry &e = d->entries[f.next / 2];
                child = f.next % 2 ? e.value : e.key;
            }
        }
        if (close) {
            stack.pop_back();
            continue;
        }
        ++f.next;
        if (nested(child)) {
            if (stack.size() > kMaxNesting) type_error(rt, "RecursionError: maximum recursion depth exceeded while getting the repr of an object");
            stack.push_back({child, 0});
        } else {
            leaf(child);
        }
    }
}

const Str *to_str(Rt &rt, const Value &v) {
    if (v.is_string()) return v.s;
    if (v.is_undefined() || v.is_missing()) return wrap_str(rt, "", false);
    if (v.is_none()) return wrap_str(rt, "None", false);
    if (v.is(Kind::boolean)) return wrap_str(rt, v.b ? "True" : "False", false);
    Text t(rt);
    repr(rt, t, v);
    return t.done();
}

// ---- equality and order ----

namespace {

// Equal without looking inside containers: 1 yes, 0 no, -1 = both are containers of one kind, look inside.
int shallow_equal(Rt &rt, const Value &a, const Value &b) {
    if (a.is_string() && b.is_string()) return a.s->view() == b.s->view();
    if (a.is_number() && b.is_number()) {
        if (a.is_int() && b.is_int()) return big_compare(a, b) == 0;
        if (a.is(Kind::floating) && b.is(Kind::floating)) return a.f == b.f;
        const Value &f = a.is(Kind::floating) ? a : b, &i = a.is(Kind::floating) ? b : a;
        if (i.is(Kind::bigint)) return std::isfinite(f.f) && std::fabs(f.f) >= 9.2e18 && big_compare(float_to_int(rt, f.f), i) == 0;
        return static_cast<long double>(f.f) == static_cast<long double>(i.small());
    }
    if (a.kind != b.kind) return 0;
    switch (a.kind) {
        case Kind::none:
        case Kind::undefined:
        case Kind::missing: return 1;
        case Kind::list:
        case Kind::tuple:
            if (a.list == b.list) return 1;
            return a.list->size == b.list->size ? -1 : 0;
        case Kind::dict:
            if (a.dict == b.dict) return 1;
            return a.dict->size == b.dict->size ? -1 : 0;
        case Kind::range: {
            const Range &x = *a.range, &y = *b.range;
            return x.length == y.length && (x.length == 0 || (x.start == y.start && (x.length == 1 || x.step == y.step)));
        }
        case Kind::view: {
            if (a.view->kind == ViewKind::values || b.view->kind == ViewKind::values) return a.view == b.view;
            if (a.view->dict->size != b.view->dict->size) return 0;
            for (uint32_t i = 0; i < a.view->dict->size; ++i) {
                const DictEntry &e = a.view->dict->entries[i];
                Value item = a.view->kind == ViewKind::keys ? e.key : new_tuple(rt, {e.key, e.value});
                if (!contains(rt, b, item)) return 0;
            }
            return 1;
        }
        case Kind::function: return a.i == b.i;
        case Kind::method: return a.method->id == b.method->id && a.method->self.kind == b.method->self.kind && a.method->self.i == b.method->self.i;
        default: return a.i == b.i;
    }
}

struct PairFrame {
    Value a, b;
    uint32_t next;
};

}  // namespace

bool equal(Rt &rt, const Value &a, const Value &b) {
    int r = shallow_equal(rt, a, b);
    if (r >= 0) return r;
    Vector<PairFrame> stack(Alloc<PairFrame>(rt.heap.memory(), MemTag::text));
    stack.push_back({a, b, 0});
    while (!stack.empty()) {
        PairFrame &f = stack.back();
        rt.charge(1);
        Value x, y;
        if (f.a.is_array()) {
            if (f.next >= f.a.list->size || f.next >= f.b.list->size) {
                if (f.a.list->size != f.b.list->size) return false;
                stack.pop_back();
                continue;
            }
            x = f.a.list->data[f.next], y = f.b.list->data[f.next];
        } else {
            if (f.next >= f.a.dict->size) {
                stack.pop_back();
                continue;
            }
            const DictEntry &e = f.a.dict->entries[f.next];
            const Value *other = dict_find(rt, f.b.dict, e.key);
            if (!other) return false;
            x = e.value, y = *other;
        }
        ++f.next;
        int inner = shallow_equal(rt, x, y);
        if (inner == 0) return false;
        if (inner < 0) {
            if (stack.size() > kMaxNesting) type_error(rt, "RecursionError: maximum recursion depth exceeded in comparison");
            stack.push_back({x, y, 0});
        }
    }
    return true;
}

bool compare(Rt &rt, Cmp op, const Value &a0, const Value &b0) {
    switch (op) {
        case Cmp::eq: return equal(rt, a0, b0);
        case Cmp::ne: return !equal(rt, a0, b0);
        case Cmp::in: return contains(rt, b0, a0);
        case Cmp::not_in: return !contains(rt, b0, a0);
        default: break;
    }
    auto decide = [&](int c) { return op == Cmp::lt ? c < 0 : op == Cmp::le ? c <= 0 : op == Cmp::gt ? c > 0 : c >= 0; };
    Value a = a0, b = b0;
    for (;;) {
        rt.charge(1);
        if (a.is_string() && b.is_string()) return decide(a.s->view().compare(b.s->view()));
        if (a.is_int() && b.is_int()) return decide(big_compare(a, b));
        if (a.is_number() && b.is_number()) {
            long double x = a.is(Kind::bigint)     ? (a.big->negative ? -INFINITY : INFINITY)
                            : a.is(Kind::floating) ? a.f
                                                   : static_cast<long double>(a.small());
            long double y = b.is(Kind::bigint)     ? (b.big->negative ? -INFINITY : INFINITY)
                            : b.is(Kind::floating) ? b.f
                                                   : static_cast<long double>(b.small());
            if (a.is(Kind::bigint) && std::isfinite(y)) x = to_double(rt, a);
            if (b.is(Kind::bigint) && std::isfinite(x)) y = to_double(rt, b);
            if (std::isnan(x) || std::isnan(y)) return false;
            return decide(x < y ? -1 : x > y);
        }
        if (a.is_array() && a.kind == b.kind) {
            uint32_t n = std::min(a.list->size, b.list->size), i = 0;
            while (i < n && equal(rt, a.list->data[i], b.list->data[i])) ++i;
            if (i == n) return decide(a.list->size < b.list->size ? -1 : a.list->size > b.list->size);
            Value x = a.list->data[i], y = b.list->data[i];
            a = x, b = y;
            continue;
        }
        if (a.is_undefined()) use_undefined(rt, a);
        if (b.is_undefined()) use_undefined(rt, b);
        std::string_view sign = op == Cmp::lt ? "<" : op == Cmp::le ? "<=" : op == Cmp::gt ? ">" : ">=";
        type_error(rt, "TypeError: '", sign, "' not supported between instances of '", type_name(a), "' and '", type_name(b), "'");
    }
}

bool contains(Rt &rt, const Value &c, const Value &item) {
    switch (c.kind) {
        case Kind::string:
            if (!item.is_string())
                type_error(rt, "TypeError: 'in <string>' requires string as left operand, not ", type_name(item));
            rt.charge(c.s->size >> 4);
            if (item.s->size == 0) return true;
            return item.s->size <= c.s->size && memmem(c.s->data, c.s->size, item.s->data, item.s->size) != nullptr;
        case Kind::list:
        case Kind::tuple:
            rt.charge(c.list->size);
            for (uint32_t i = 0; i < c.list->size; ++i)
                if (equal(rt, c.list->data[i], item)) return true;
            return false;
        case Kind::dict: return dict_find(rt, c.dict, item) != nullptr;
        case Kind::view: {
            Dict *d = c.view->dict;
            if (c.view->kind == ViewKind::keys) return dict_find(rt, d, item) != nullptr;
            rt.charge(d->size);
            if (c.view->kind == ViewKind::values) {
                for (uint32_t i = 0; i < d->size; ++i)
                    if (equal(rt, d->entries[i].value, item)) return true;
                return false;
            }
            if (!item.is(Kind::tuple) || item.list->size != 2) return false;
            const Value *v = dict_find(rt, d, item.list->data[0]);
            return v && equal(rt, *v, item.list->data[1]);
        }
        case Kind::range: {
            Value key = item;
            if (key.is(Kind::floating) && std::isfinite(key.f) && key.f == std::trunc(key.f)) key = float_to_int(rt, key.f);
            if (!key.is(Kind::integer) && !key.is(Kind::boolean)) return false;
            const Range &r = *c.range;
            int64_t v = key.small();
            if (r.length == 0) return false;
            int64_t last = r.start + (r.length - 1) * r.step;
            if (r.step > 0 ? v < r.start || v > last : v > r.start || v < last) return false;
            return (v - r.start) % r.step == 0;
        }
        case Kind::undefined: return false;
        case Kind::iterator: {
            Value v;
            while (next(rt, c.iter, &v))
                if (equal(rt, v, item)) return true;
            return false;
        }
        default: type_error(rt, "TypeError: argument of type '", type_name(c), "' is not iterable");
    }
}

int64_t length_of(Rt &rt, const Value &v) {
    switch (v.kind) {
        case Kind::string: return static_cast<int64_t>(char_count(*v.s));
        case Kind::list:
        case Kind::tuple: return v.list->size;
        case Kind::dict: return v.dict->size;
        case Kind::range: return v.range->length;
        case Kind::view: return v.view->dict->size;
        case Kind::undefined: return 0;
        case Kind::loop:
            if (v.loop->length >= 0) return v.loop->length;
            [[fallthrough]];
        default: type_error(rt, "TypeError: object of type '", type_name(v), "' has no len()");
    }
}

int64_t need_index(Rt &rt, const Value &v, std::string_view what) {
    if (v.is(Kind::bigint)) type_error(rt, "OverflowError: Python int too large to convert to C ssize_t");
    if (v.is(Kind::integer) || v.is(Kind::boolean)) return v.small();
    type_error(rt, "TypeError: '", type_name(v), "' object cannot be interpreted as an ", what);
}

}  // namespace inlay::text::jinja
