// SPDX-License-Identifier: Apache-2.0
// Attributes, items, slices and iteration: what `.`, `[]` and `for` reach. An attribute that Jinja's immutable
// sandbox refuses becomes an undefined value that says so when it is used; no host object is ever within reach.
#include <algorithm>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

Value macro_attr(Rt &rt, const Macro &m, std::string_view name);
Value loop_attr(Rt &rt, const Value &loop, std::string_view name);

namespace {

bool dunder(std::string_view s) { return s.size() > 4 && s.starts_with("__") && s.ends_with("__"); }

// The dunder attributes that Python objects of every kind have; others are merely missing.
bool common_dunder(std::string_view s) {
    static constexpr std::string_view kNames[] = {
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__",
        "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setattr__", "__sizeof__", "__str__", "__subclasshook__"};
    return std::find(std::begin(kNames), std::end(kNames), s) != std::end(kNames);
}
bool own_dunder(const Value &v, std::string_view s) {
    auto one_of = [&](std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), s) != names.end(); };
    if (common_dunder(s)) return true;
    switch (v.kind) {
        case Kind::string:
            return one_of({"__add__", "__contains__", "__getitem__", "__getnewargs__", "__iter__", "__len__", "__mod__", "__mul__",
                           "__rmod__", "__rmul__"});
        case Kind::list:
            return one_of({"__add__", "__class_getitem__", "__contains__", "__delitem__", "__getitem__", "__iadd__", "__imul__", "__iter__",
                           "__len__", "__mul__", "__reversed__", "__rmul__", "__setitem__"});
        case Kind::dict:
            return one_of({"__class_getitem__", "__contains__", "__delitem__", "__getitem__", "__ior__", "__iter__", "__len__", "__or__",
                           "__reversed__", "__ror__", "__setitem__"});
        case Kind::function:
            return one_of({"__globals__", "__code__", "__closure__", "__dict__", "__name__", "__module__", "__defaults__", "__kwdefaults__",
                           "__qualname__", "__annotations__", "__call__", "__get__", "__builtins__"});
        case Kind::method: return one_of({"__self__", "__call__", "__name__", "__module__", "__qualname__", "__text_signature__"});
        case Kind::integer:
        case Kind::bigint:
        case Kind::boolean: return one_of({"__abs__", "__add__", "__and__", "__bool__", "__int__", "__index__", "__float__", "__neg__", "__mul__"});
        case Kind::space:
        case Kind::macro:
        case Kind::loop:
        case Kind::cycler:
        case Kind::joiner: return one_of({"__dict__", "__module__", "__weakref__", "__call__"});
        default: return false;
    }
}

Value missing_member(Rt &rt, const Value &obj, const Value &key) {
    UndefinedInfo *info = rt.heap.make<UndefinedInfo>();
    std::string_view t = type_name(obj);
    if (obj.is_none()) info->owner = "None";
    else if (t == "str") info->owner = "str object";
    else if (t == "dict") info->owner = "dict object";
    else if (t == "list") info->owner = "list object";
    else {
        Text name(rt);
        name.add(obj.is(Kind::space)   ? "jinja2.utils.Namespace"
                 : obj.is(Kind::loop)  ? "jinja2.runtime.LoopContext"
                 : obj.is(Kind::macro) ? "jinja2.runtime.Macro"
                                       : t);
        name.add(" object");
        info->owner = name.done()->view();
    }
    info->key = key;
    Value v = Value::of(Kind::undefined);
    v.undef = info;
    return v;
}

Value unsafe(Rt &rt, const Value &obj, std::string_view name) {
    Text t(rt);
    t.add("access to attribute '"), t.add(name), t.add("' of '"), t.add(type_name(obj)), t.add("' object is unsafe.");
    return undefined(rt, t.done()->view(), true);
}

// getattr(obj, name) as Python and the sandbox see it; missing when there is no such attribute.
Value plain_attr(Rt &rt, const Value &obj, const Str *name) {
    std::string_view n = name->view();
    if (n.empty()) return {};
    if (n[0] == '_') {
        if (dunder(n) && own_dunder(obj, n)) return unsafe(rt, obj, n);
        if (obj.is(Kind::space) && dict_find(obj.dict, n)) return unsafe(rt, obj, n);
        return {};
    }
    switch (obj.kind) {
        case Kind::space:
            if (const Value *v = dict_find(obj.dict, n)) return *v;
            return {};
        case Kind::macro: return macro_attr(rt, *obj.macro, n);
        case Kind::loop: {
            Value v = loop_attr(rt, obj, n);
            if (!v.is_missing()) return v;
            break;
        }
        case Kind::range:
            if (n == "start") return Value::integer(obj.range->start);
            if (n == "stop") return Value::integer(obj.range->stop);
            if (n == "step") return Value::integer(obj.range->step);
            break;
        case Kind::integer:
        case Kind::bigint:
        case Kind::boolean:
            if (n == "real" || n == "numerator") return obj.is(Kind::boolean) ? Value::integer(obj.b) : obj;
            if (n == "imag") return Value::integer(0);
            if (n == "denominator") return Value::integer(1);
            break;
        case Kind::floating:
            if (n == "real") return obj;
            if (n == "imag") return Value::floating(0);
            break;
        case Kind::tuple:
            if (obj.list->named && n == "grouper") return obj.list->data[0];
            if (obj.list->named && n == "list") return obj.list->data[1];
            break;
        case Kind::cycler:
            if (n == "current") return obj.cycler->items->data[obj.cycler->pos];
            if (n == "pos") return Value::integer(obj.cycler->pos);
            if (n == "items") return Value::of(obj.cycler->items, Kind::tuple);
            break;
        case Kind::joiner:
            if (n == "sep") return obj.joiner->sep;
            if (n == "used") return Value::boolean(obj.joiner->used);
            break;
        default: break;
    }
    int id = find_method(obj, n);
    if (id < 0) return {};
    if (method_mutates(id) && !rt.extended) return unsafe(rt, obj, n);
    Method *m = rt.heap.make<Method>();
    m->self = obj;
    m->id = static_cast<uint16_t>(id);
    Value v = Value::of(Kind::method);
    v.method = m;
    return v;
}

// obj[key]; missing where Python raises TypeError or LookupError.
Value plain_item(Rt &rt, const Value &obj, const Value &key) {
    switch (obj.kind) {
        case Kind::dict: {
            if (key.is(Kind::list) || key.is(Kind::dict) || key.is(Kind::slice)) return {};
            if (key.is_string()) {
                const Value *v = dict_find(obj.dict, key.s->view());
                return v ? *v : Value{};
            }
            const Value *v = dict_find(rt, obj.dict, key);
            return v ? *v : Value{};
        }
        case Kind::list:
        case Kind::tuple:
        case Kind::string:
        case Kind::range: {
            if (!key.is(Kind::integer) && !key.is(Kind::boolean)) return {};
            int64_t n = length_of(rt, obj), i = key.small();
            if (i < 0) i += n;
            if (i < 0 || i >= n) return {};
            if (obj.is_array()) return obj.list->data[i];
            if (obj.is(Kind::range)) return Value::integer(obj.range->start + i * obj.range->step);
            const Str &s = *obj.s;
            if (is_ascii(s)) return str_value(sub_str(rt, &s, static_cast<size_t>(i), static_cast<size_t>(i) + 1));
            rt.charge(static_cast<uint64_t>(i) >> 4);
            size_t at = byte_of_char(s.view(), static_cast<size_t>(i));
            return str_value(sub_str(rt, &s, at, at + static_cast<size_t>(char_bytes(s.data + at, s.data + s.size))));
        }
        default: return {};
    }
}

}  // namespace

Value get_attr(Rt &rt, const Value &obj, const Str *name) {
    if (obj.is_undefined()) {
        if (dunder(name->view()) && own_dunder(obj, name->view())) return unsafe(rt, obj, name->view());
        use_undefined(rt, obj);
    }
    Value v = plain_attr(rt, obj, name);
    if (!v.is_missing()) return v;
    if (obj.is(Kind::dict)) v = plain_item(rt, obj, Value::string(name));
    return v.is_missing() ? missing_member(rt, obj, Value::string(name)) : v;
}

Value get_item(Rt &rt, const Value &obj, const Value &key) {
    if (key.is(Kind::slice)) return slice_of(rt, obj, *key.slice);
    if (obj.is_undefined()) use_undefined(rt, obj);
    Value v = plain_item(rt, obj, key);
    if (v.is_missing() && key.is_string()) v = plain_attr(rt, obj, key.s);
    return v.is_missing() ? missing_member(rt, obj, key) : v;
}

bool has_attribute(Rt &rt, const Value &obj, std::string_view name) {
    if (obj.is_undefined()) return false;
    return !plain_attr(rt, obj, wrap_str(rt, name, false)).is_missing();
}

// ---- slices ----

SliceBounds slice_bounds(Rt &rt, const Slice &s, int64_t length) {
    auto value = [&](const Value &v, bool *given) {
        *given = !v.is_none();
        if (v.is_none()) return int64_t{0};
        if (v.is(Kind::bigint)) return v.big->negative ? INT64_MIN : INT64_MAX;
        if (v.is(Kind::integer) || v.is(Kind::boolean)) return v.small();
        type_error(rt, "TypeError: slice indices must be integers or None or have an __index__ method");
    };
    bool has_start, has_stop, has_step;
    int64_t start = value(s.start, &has_start), stop = value(s.stop, &has_stop), step = value(s.step, &has_step);
    if (!has_step) step = 1;
    if (step == 0) type_error(rt, "ValueError: slice step cannot be zero");
    if (step < -INT64_MAX) step = -INT64_MAX;
    auto clamp = [&](int64_t v) {
        if (v < 0) {
            v += length;
            if (v < 0) v = step < 0 ? -1 : 0;
        } else if (v >= length) {
            v = step < 0 ? length - 1 : length;
        }
        return v;
    };
    start = has_start ? clamp(start) : step < 0 ? length - 1 : 0;
    stop = has_stop ? clamp(stop) : step < 0 ? -1 : length;
    int64_t count = 0;
    if (step > 0 ? start < stop : start > stop) count = step > 0 ? (stop - start - 1) / step + 1 : (start - stop - 1) / -step + 1;
    return {start, stop, step, count};
}

Value slice_of(Rt &rt, const Value &obj, const Slice &s) {
    // Jinja leaves slices to Python, without the detour that turns a TypeError into undefined.
    if (obj.is_undefined()) use_undefined(rt, obj);
    if (obj.is(Kind::dict)) type_error(rt, "TypeError: unhashable type: 'slice'");
    if (!obj.is_array() && !obj.is_string() && !obj.is(Kind::range)) type_error(rt, "TypeError: '", type_name(obj), "' object is not subscriptable");
    if (obj.is(Kind::range)) {
        SliceBounds b = slice_bounds(rt, s, obj.range->length);
        Range *r = rt.heap.make<Range>();
        r->start = obj.range->start + b.start * obj.range->step;
        r->stop = obj.range->start + b.stop * obj.range->step;
        r->step = obj.range->step * b.step;
        r->length = b.count;
        Value v = Value::of(Kind::range);
        v.range = r;
        return v;
    }
    if (obj.is_array()) {
        SliceBounds b = slice_bounds(rt, s, obj.list->size);
        rt.charge(static_cast<uint64_t>(b.count));
        List *l = new_list(rt, static_cast<size_t>(b.count));
        for (int64_t i = 0, at = b.start; i < b.count; ++i, at += b.step) l->data[l->size++] = obj.list->data[at];
        return Value::of(l, obj.kind);
    }
    const Str &str = *obj.s;
    SliceBounds b = slice_bounds(rt, s, static_cast<int64_t>(char_count(str)));
    if (b.count == 0) return str_value(as_markup(rt, wrap_str(rt, "", false), str.markup));
    bool ascii = is_ascii(str);
    auto byte_of = [&](int64_t c) { return ascii ? static_cast<size_t>(c) : byte_of_char(str.view(), static_cast<size_t>(c)); };
    rt.charge(str.size >> 6);
    if (b.step == 1) return str_value(sub_str(rt, &str, byte_of(b.start), byte_of(b.start + b.count)));
    rt.charge(static_cast<uint64_t>(b.count));
    Text t(rt);
    size_t at = byte_of(b.start);
    for (int64_t i = 0; i < b.count; ++i) {
        size_t end = at + static_cast<size_t>(char_bytes(str.data + at, str.data + str.size));
        t.add_slice(str, at, end);
        if (i + 1 == b.count) break;
        for (int64_t k = 0; k < std::abs(b.step); ++k) {
            if (b.step > 0) at += static_cast<size_t>(char_bytes(str.data + at, str.data + str.size));
            else at = static_cast<size_t>(previous_char(str.data, str.data + at) - str.data);
        }
    }
    return str_value(as_markup(rt, t.done(), str.markup));
}

// ---- iteration ----

Iterator *iterate(Rt &rt, const Value &v) {
    switch (v.kind) {
        case Kind::iterator: return v.iter;
        case Kind::string:
        case Kind::list:
        case Kind::tuple:
        case Kind::range:
        case Kind::view:
        case Kind::undefined:
        case Kind::dict: {
            Iterator *it = rt.heap.make<Iterator>();
            it->source = v;
            it->dict_size = v.is(Kind::dict) ? v.dict->size : v.is(Kind::view) ? v.view->dict->size : 0;
            return it;
        }
        default: type_error(rt, "TypeError: '", type_name(v), "' object is not iterable");
    }
}

Iterator *generator(Rt &rt, const Value &source, Step step, std::string_view name) {
    Iterator *it = rt.heap.make<Iterator>();
    it->source = source;
    it->step = step;
    it->generator = true;
    it->name = name == "generator" ? "generator" : name.data();
    if (source.is(Kind::iterator)) {
        it->depth = static_cast<uint16_t>(source.iter->depth + 1);
        // A tower of generators would be pulled by C frames: past this height the inner ones run at once.
        if (it->depth > 12) {
            it->source = Value::of(to_list(rt, source));
            it->depth = 0;
        }
    }
    return it;
}

bool step_next(Rt &rt, Iterator *it, Value *out);  // filters_map.cpp

bool next(Rt &rt, Iterator *it, Value *out) {
    rt.charge(1);
    if (it->step != Step::none) return step_next(rt, it, out);
    const Value &s = it->source;
    switch (s.kind) {
        case Kind::list:
        case Kind::tuple: {
            if (it->pos >= s.list->size) return false;
            uint64_t i = it->pos++;
            *out = s.list->data[it->reversed ? s.list->size - 1 - i : i];
            return true;
        }
        case Kind::string: {
            if (it->pos >= s.s->size) return false;
            size_t n = static_cast<size_t>(char_bytes(s.s->data + it->pos, s.s->data + s.s->size));
            const Str *c = sub_str(rt, s.s, it->pos, it->pos + n);
            *out = Value::string(as_markup(rt, c, false));  // Python iterates Markup as plain str
            it->pos += n;
            return true;
        }
        case Kind::range: {
            if (it->pos >= static_cast<uint64_t>(s.range->length)) return false;
            int64_t i = static_cast<int64_t>(it->pos++);
            if (it->reversed) i = s.range->length - 1 - i;
            *out = Value::integer(s.range->start + i * s.range->step);
            return true;
        }
        case Kind::dict:
        case Kind::view: {
            Dict *d = s.is(Kind::dict) ? s.dict : s.view->dict;
            if (d->size != it->dict_size) type_error(rt, "RuntimeError: dictionary changed size during iteration");
            if (it->pos >= d->size) return false;
            uint64_t i = it->pos++;
            const DictEntry &e = d->entries[it->reversed ? d->size - 1 - i : i];
            if (s.is(Kind::dict) || s.view->kind == ViewKind::keys) *out = e.key;
            else if (s.view->kind == ViewKind::values) *out = e.value;
            else *out = new_tuple(rt, {e.key, e.value});
            return true;
        }
        default: return false;
    }
}

List *to_list(Rt &rt, const Value &v) {
    if (v.is_array()) {
        List *l = new_list(rt, v.list->size);
        rt.charge(v.list->size);
        if (v.list->size) std::memcpy(static_cast<void *>(l->data), v.list->data, v.list->size * sizeof(Value));
        l->size = v.list->size;
        return l;
    }
    Iterator *it = iterate(rt, v);
    List *l = new_list(rt);
    Value item;
    while (next(rt, it, &item)) push(rt, l, item);
    return l;
}

}  // namespace inlay::text::jinja
