// SPDX-License-Identifier: Apache-2.0
// The filters, as one table: name, parameters, function. Those that call other filters or tests for each item are
// lazy, as in Jinja: they give an iterator whose steps run when somebody asks for the next item.
#include <algorithm>
#include <cmath>

#include "text/jinja/filters.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

struct Row {
    std::string_view name;
    std::string_view params;  // "*": the function reads args itself
    int8_t required;
    FilterFn fn;
};

}  // namespace

Value attribute_of(Rt &rt, Value v, const Value &attribute) {
    if (attribute.is_none() || attribute.is_missing()) return v;
    if (!attribute.is_string()) return get_item(rt, v, attribute);
    std::string_view rest = attribute.s->view();
    for (;;) {
        size_t dot = rest.find('.');
        std::string_view part = rest.substr(0, dot);
        bool ok = false;
        Value key;
        if (!part.empty() && part[0] >= '0' && part[0] <= '9' && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }))
            key = int_from_text(rt, part, 10, &ok);
        if (!ok) key = str_value(dot == std::string_view::npos && rest.size() == attribute.s->size ? attribute.s : wrap_str(rt, part, false));
        v = get_item(rt, v, key);
        if (dot == std::string_view::npos) return v;
        rest.remove_prefix(dot + 1);
    }
}

namespace {

Value lowered(Rt &rt, const Value &v) { return v.is_string() ? str_value(case_map(rt, v.s, 1)) : v; }

// The sort keys of make_multi_attrgetter: always a list, also of one part, so that equal keys need no order.
Value sort_key(Rt &rt, const Value &v, const Value &attribute, bool ignore_case) {
    List *keys = new_list(rt, 1);
    auto add = [&](const Value &part) {
        Value k = attribute_of(rt, v, part);
        push(rt, keys, ignore_case ? lowered(rt, k) : k);
    };
    if (attribute.is_string() && attribute.s->view().find(',') != std::string_view::npos) {
        List *parts = split_text(rt, attribute.s, literal(rt, ","), -1, false);
        for (uint32_t i = 0; i < parts->size; ++i) add(parts->data[i]);
    } else {
        add(attribute);
    }
    return Value::of(keys);
}

// Stable merge sort of items by their keys, with Python's `<` alone (and `>` kept stable for reverse).
void merge_sort(Rt &rt, List *items, List *keys, bool reverse) {
    uint32_t n = items->size;
    if (n < 2) return;
    uint32_t *order = rt.heap.array<uint32_t>(n), *other = rt.heap.array<uint32_t>(n);
    for (uint32_t i = 0; i < n; ++i) order[i] = i;
    auto before = [&](uint32_t a, uint32_t b) {  // must b come before a?
        return reverse ? compare(rt, Cmp::lt, keys->data[a], keys->data[b]) : compare(rt, Cmp::lt, keys->data[b], keys->data[a]);
    };
    for (uint32_t width = 1; width < n; width *= 2) {
        for (uint32_t lo = 0; lo < n; lo += width * 2) {
            uint32_t mid = std::min(lo + width, n), hi = std::min(lo + width * 2, n), i = lo, j = mid;
            for (uint32_t k = lo; k < hi; ++k) {
                bool right = i == mid || (j < hi && before(order[i], order[j]));
                other[k] = right ? order[j++] : order[i++];
            }
        }
        std::swap(order, other);
    }
    Value *sorted = rt.heap.array<Value>(n);
    for (uint32_t i = 0; i < n; ++i) sorted[i] = items->data[order[i]];
    std::copy_n(sorted, n, items->data);
    Value *sorted_keys = rt.heap.array<Value>(n);
    for (uint32_t i = 0; i < n; ++i) sorted_keys[i] = keys->data[order[i]];
    std::copy_n(sorted_keys, n, keys->data);
}

Value f_abs(Rt &rt, const Value &v, const Value *, const Args &) {
    if (v.is(Kind::floating)) return Value::floating(std::fabs(v.f));
    if (!v.is_int()) type_error(rt, "TypeError: bad operand type for abs(): '", type_name(v), "'");
    return big_compare(v, Value::integer(0)) < 0 ? negate(rt, v, true) : negate(rt, v, false);
}

Value f_attr(Rt &rt, const Value &v, const Value *a, const Args &) {
    if (!a[0].is_string()) type_error(rt, "TypeError: attribute name must be string, not '", type_name(a[0]), "'");
    if (!v.is_undefined() && !has_attribute(rt, v, a[0].s->view())) {
        Dict *empty = new_dict(rt);
        (void)empty;
        return v.is(Kind::dict) ? get_attr(rt, Value::none(), a[0].s) : get_attr(rt, v, a[0].s);
    }
    return get_attr(rt, v, a[0].s);
}

Value f_batch(Rt &rt, const Value &v, const Value *a, const Args &) {
    Iterator *it = generator(rt, v, Step::batch);
    it->a = a[0];
    it->b = given(a[1], Value::none());
    return from_iter(it);
}

Value f_slice(Rt &rt, const Value &v, const Value *a, const Args &) {
    Iterator *it = generator(rt, v, Step::slices);
    it->a = a[0];
    it->b = given(a[1], Value::none());
    return from_iter(it);
}

Value f_length(Rt &rt, const Value &v, const Value *, const Args &) { return Value::integer(length_of(rt, v)); }

Value f_default(Rt &rt, const Value &v, const Value *a, const Args &) {
    if (v.is_undefined() || (flag(rt, a[1]) && !truthy(rt, v))) return given(a[0], literal(rt, ""));
    return v;
}

Value f_dictsort(Rt &rt, const Value &v, const Value *a, const Args &) {
    std::string_view by = a[1].is_missing() ? "key" : a[1].is_string() ? a[1].s->view() : "";
    if (by != "key" && by != "value") type_error(rt, "You can only sort by either \"key\" or \"value\"");
    if (v.is_undefined()) use_undefined(rt, v);
    if (!v.is(Kind::dict)) type_error(rt, "AttributeError: '", type_name(v), "' object has no attribute 'items'");
    List *items = new_list(rt, v.dict->size), *keys = new_list(rt, v.dict->size);
    for (uint32_t i = 0; i < v.dict->size; ++i) {
        const DictEntry &e = v.dict->entries[i];
        push(rt, items, new_tuple(rt, {e.key, e.value}));
        Value k = by == "key" ? e.key : e.value;
        push(rt, keys, flag(rt, a[0]) ? k : lowered(rt, k));
    }
    merge_sort(rt, items, keys, flag(rt, a[2]));
    return Value::of(items);
}

Value f_first(Rt &rt, const Value &v, const Value *, const Args &) {
    Value item;
    if (next(rt, iterate(rt, v), &item)) return item;
    return undefined(rt, "No first item, sequence was empty.");
}

// Whether reversed() takes it, and the last item.
Value f_last(Rt &rt, const Value &v, const Value *, const Args &) {
    if (v.is_undefined()) return undefined(rt, "No last item, sequence was empty.");
    if (v.is_string()) {
        if (v.s->size == 0) return undefined(rt, "No last item, sequence was empty.");
        const char *p = previous_char(v.s->data, v.s->data + v.s->size);
        return str_value(sub_str(rt, v.s, static_cast<size_t>(p - v.s->data), v.s->size));
    }
    if (!v.is_array() && !v.is(Kind::dict) && !v.is(Kind::range) && !v.is(Kind::view))
        type_error(rt, "TypeError: '", type_name(v), "' object is not reversible");
    Iterator *it = iterate(rt, v);
    it->reversed = true;
    Value item;
    if (next(rt, it, &item)) return item;
    return undefined(rt, "No last item, sequence was empty.");
}

Value f_reverse(Rt &rt, const Value &v, const Value *, const Args &) {
    if (v.is_string()) return str_value(reverse_str(rt, v.s));
    if (v.is_array() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::view) || v.is_undefined()) {
        Iterator *it = iterate(rt, v);
        it->reversed = true;
        it->generator = true;
        it->name = v.is(Kind::list)                        ? "list_reverseiterator"
                   : v.is(Kind::tuple) || v.is_undefined() ? "reversed"
                   : v.is(Kind::range)                     ? "range_iterator"
                                                           : "dict_reversekeyiterator";
        return from_iter(it);
    }
    if (!v.is(Kind::iterator) && !v.is_undefined()) type_error(rt, "argument must be iterable");
    List *l = to_list(rt, v);
    std::reverse(l->data, l->data + l->size);
    return Value::of(l);
}

Value f_float(Rt &rt, const Value &v, const Value *a, const Args &) {
    double d;
    if (v.is_string()) return parse_python_float(v.s->view(), &d) ? Value::floating(d) : given(a[0], Value::floating(0));
    if (v.is_number()) return Value::floating(to_double(rt, v));
    if (v.is_undefined()) use_undefined(rt, v);
    return given(a[0], Value::floating(0));
}

Value f_int(Rt &rt, const Value &v, const Value *a, const Args &) {
    Value otherwise = given(a[0], Value::integer(0));
    if (v.is_string()) {
        Value r;
        int64_t base = a[1].is_missing() ? 10 : need_index(rt, a[1], "integer");
        if (base >= 0 && base <= 36 && parse_python_int(rt, *v.s, static_cast<int>(base), &r)) return r;
        double d;
        if (!parse_python_float(v.s->view(), &d) || !std::isfinite(d)) return otherwise;
        return float_to_int(rt, d);
    }
    if (v.is_undefined()) use_undefined(rt, v);
    if (v.is(Kind::floating)) {
        if (std::isinf(v.f)) return type_error(rt, "OverflowError: cannot convert float infinity to integer"), v;
        return std::isnan(v.f) ? otherwise : float_to_int(rt, v.f);
    }
    if (v.is_int()) return v.is(Kind::boolean) ? Value::integer(v.b) : v;
    return otherwise;
}

Value f_groupby(Rt &rt, const Value &v, const Value *a, const Args &) {
    bool sensitive = flag(rt, a[2]);
    Value otherwise = given(a[1], Value::none());
    List *items = to_list(rt, v), *keys = new_list(rt, items->size);
    auto key_of = [&](const Value &item, bool lower) {
        Value k = attribute_of(rt, item, a[0]);
        if (k.is_undefined() && !otherwise.is_none()) k = otherwise;
        return lower ? lowered(rt, k) : k;
    };
    for (uint32_t i = 0; i < items->size; ++i) push(rt, keys, key_of(items->data[i], !sensitive));
    merge_sort(rt, items, keys, false);
    List *groups = new_list(rt);
    for (uint32_t i = 0; i < items->size;) {
        List *group = new_list(rt);
        uint32_t from = i;
        while (i < items->size && equal(rt, keys->data[i], keys->data[from])) push(rt, group, items->data[i++]);
        Value pair = new_tuple(rt, {sensitive ? keys->data[from] : key_of(items->data[from], false), Value::of(group)});
        pair.list->named = true;
        push(rt, groups, pair);
    }
    return Value::of(groups);
}

Value f_items(Rt &rt, const Value &v, const Value *, const Args &) {
    return from_iter(generator(rt, v, Step::items));
}

Value f_list(Rt &rt, const Value &v, const Value *, const Args &) { return Value::of(to_list(rt, v)); }
Value extreme(Rt &rt, const Value &v, const Value *a, Cmp op) {
    Iterator *it = iterate(rt, v);
    Value best, item, best_key;
    if (!next(rt, it, &best)) return undefined(rt, "No aggregated item, sequence was empty.");
    bool lower = !flag(rt, a[0]);
    auto key_of = [&](const Value &x) {
        Value k = attribute_of(rt, x, a[1]);
        return lower ? lowered(rt, k) : k;
    };
    best_key = key_of(best);
    while (next(rt, it, &item)) {
        Value k = key_of(item);
        if (compare(rt, op, k, best_key)) best = item, best_key = k;
    }
    return best;
}
Value f_min(Rt &rt, const Value &v, const Value *a, const Args &) { return extreme(rt, v, a, Cmp::lt); }
Value f_max(Rt &rt, const Value &v, const Value *a, const Args &) { return extreme(rt, v, a, Cmp::gt); }

Value f_round(Rt &rt, const Value &v, const Value *a, const Args &) {
    std::string_view method = a[1].is_missing() ? "common" : a[1].is_string() ? a[1].s->view() : "";
    Value precision = given(a[0], Value::integer(0));
    if (method == "common") return round_value(rt, v, precision);
    if (method != "ceil" && method != "floor") type_error(rt, "method must be common, ceil or floor");
    Value p = binary(rt, BinOp::pow, Value::integer(10), precision), scaled = binary(rt, BinOp::mul, v, p);
    if (!scaled.is_number()) type_error(rt, "TypeError: must be real number, not ", type_name(scaled));
    if (scaled.is(Kind::floating)) scaled = float_to_int(rt, method == "ceil" ? std::ceil(scaled.f) : std::floor(scaled.f));
    return binary(rt, BinOp::div, scaled, p);
}

Value f_sort(Rt &rt, const Value &v, const Value *a, const Args &) {
    List *items = to_list(rt, v), *keys = new_list(rt, items->size);
    bool sensitive = flag(rt, a[1]);
    for (uint32_t i = 0; i < items->size; ++i) push(rt, keys, sort_key(rt, items->data[i], given(a[2], Value::none()), !sensitive));
    merge_sort(rt, items, keys, flag(rt, a[0]));
    return Value::of(items);
}

Value f_sum(Rt &rt, const Value &v, const Value *a, const Args &) {
    Value total = given(a[1], Value::integer(0));
    if (total.is_string()) type_error(rt, "TypeError: sum() can't sum strings [use ''.join(seq) instead]");
    Iterator *it = iterate(rt, v);
    Value item;
    while (next(rt, it, &item)) total = binary(rt, BinOp::add, total, attribute_of(rt, item, given(a[0], Value::none())));
    return total;
}

Value f_unique(Rt &rt, const Value &v, const Value *a, const Args &) {
    Iterator *it = generator(rt, v, Step::unique);
    it->case_sensitive = flag(rt, a[0]);
    it->a = given(a[1], Value::none());
    it->kwargs = new_dict(rt);
    return from_iter(it);
}

// ---- lazy filters over items ----

Value f_map(Rt &rt, const Value &v, const Value *, const Args &args) {
    Iterator *it = generator(rt, v, Step::map_filter);
    it->args = new_list(rt, args.n_pos);
    it->kwargs = new_dict(rt);
    for (uint32_t i = 0; i < args.n_pos; ++i) push(rt, it->args, args.pos[i]);
    for (uint32_t k = 0; k < args.n_kw; ++k) dict_set(rt, it->kwargs, str_value(args.kw_names[k]), args.kw[k]);
    return from_iter(it);
}

Value select(Rt &rt, const Value &v, const Args &args, bool negate, bool by_attribute) {
    Value r = f_map(rt, v, nullptr, args);
    r.iter->step = Step::select;
    r.iter->negate = negate;
    r.iter->by_attribute = by_attribute;
    return r;
}
Value f_select(Rt &rt, const Value &v, const Value *, const Args &a) { return select(rt, v, a, false, false); }
Value f_reject(Rt &rt, const Value &v, const Value *, const Args &a) { return select(rt, v, a, true, false); }
Value f_selectattr(Rt &rt, const Value &v, const Value *, const Args &a) { return select(rt, v, a, false, true); }
Value f_rejectattr(Rt &rt, const Value &v, const Value *, const Args &a) { return select(rt, v, a, true, true); }

Value f_random(Rt &rt, const Value &, const Value *, const Args &) {
    type_error(rt, "filter 'random' is not supported: a template must render the same each time");
}
Value f_urlize(Rt &rt, const Value &, const Value *, const Args &) { type_error(rt, "filter 'urlize' is not supported"); }

constexpr Row kFilters[] = {
    {"abs", "", 0, f_abs},
    {"attr", "name", 1, f_attr},
    {"batch", "linecount fill_with", 1, f_batch},
    {"capitalize", "", 0, f_capitalize},
    {"center", "width", 0, f_center},
    {"count", "", 0, f_length},
    {"d", "default_value boolean", 0, f_default},
    {"default", "default_value boolean", 0, f_default},
    {"dictsort", "case_sensitive by reverse", 0, f_dictsort},
    {"e", "", 0, f_escape},
    {"escape", "", 0, f_escape},
    {"filesizeformat", "binary", 0, f_filesizeformat},
    {"first", "", 0, f_first},
    {"float", "default", 0, f_float},
    {"forceescape", "", 0, f_forceescape},
    {"format", "*", 0, f_format},
    {"from_json", "", 0, f_from_json},
    {"groupby", "attribute default case_sensitive", 1, f_groupby},
    {"indent", "width first blank", 0, f_indent},
    {"int", "default base", 0, f_int},
    {"items", "", 0, f_items},
    {"join", "d attribute", 0, f_join},
    {"last", "", 0, f_last},
    {"length", "", 0, f_length},
    {"list", "", 0, f_list},
    {"lower", "", 0, f_lower},
    {"map", "*", 0, f_map},
    {"max", "case_sensitive attribute", 0, f_max},
    {"min", "case_sensitive attribute", 0, f_min},
    {"pprint", "", 0, f_pprint},
    {"random", "*", 0, f_random},
    {"reject", "*", 0, f_reject},
    {"rejectattr", "*", 0, f_rejectattr},
    {"replace", "old new count", 2, f_replace},
    {"reverse", "", 0, f_reverse},
    {"round", "precision method", 0, f_round},
    {"safe", "", 0, f_safe},
    {"select", "*", 0, f_select},
    {"selectattr", "*", 0, f_selectattr},
    {"slice", "slices fill_with", 1, f_slice},
    {"sort", "reverse case_sensitive attribute", 0, f_sort},
    {"string", "", 0, f_string},
    {"striptags", "", 0, f_striptags},
    {"sum", "attribute start", 0, f_sum},
    {"title", "", 0, f_title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, f_tojson},
    {"trim", "chars", 0, f_trim},
    {"truncate", "length killwords end leeway", 0, f_truncate},
    {"unique", "case_sensitive attribute", 0, f_unique},
    {"upper", "", 0, f_upper},
    {"urlencode", "", 0, f_urlencode},
    {"urlize", "*", 0, f_urlize},
    {"wordcount", "", 0, f_wordcount},
    {"wordwrap", "width break_long_words wrapstring break_on_hyphens", 0, f_wordwrap},
    {"xmlattr", "autospace", 0, f_xmlattr},
};

// The arguments of a lazy step from `from` on.
Args rest_args(Rt &rt, const Iterator *it, uint32_t from) {
    Args a;
    a.pos = it->args->data + from;
    a.n_pos = it->args->size - from;
    a.n_kw = it->kwargs->size;
    const Str **names = rt.heap.array<const Str *>(a.n_kw);
    Value *values = rt.heap.array<Value>(a.n_kw);
    for (uint32_t k = 0; k < a.n_kw; ++k) names[k] = it->kwargs->entries[k].key.s, values[k] = it->kwargs->entries[k].value;
    a.kw_names = names;
    a.kw = values;
    return a;
}

// What Jinja does when a lazy filter is first asked for an item: looks up names, checks arguments.
void start_step(Rt &rt, Iterator *it) {
    if (it->step == Step::map_filter) {
        if (it->args->size == 0) {
            const Value *attribute = dict_find(it->kwargs, "attribute");
            if (!attribute) type_error(rt, "map requires a filter argument");
            it->a = *attribute;
            const Value *otherwise = dict_find(it->kwargs, "default");
            it->b = otherwise ? *otherwise : Value::none();
            for (uint32_t k = 0; k < it->kwargs->size; ++k)
                if (std::string_view w = it->kwargs->entries[k].key.s->view(); w != "attribute" && w != "default")
                    type_error(rt, "Unexpected keyword argument '", w, "'");
            it->step = Step::map_attribute;
            return;
        }
        const Value &name = it->args->data[0];
        int id = name.is_string() ? find_filter(name.s->view()) : -1;
        if (id < 0) throw_fault(rt, TemplateFault::unknown_filter, "No filter named '", to_str(rt, name), "'.");
        it->filter = static_cast<uint16_t>(id);
        it->has_filter = true;
    } else if (it->step == Step::select) {
        uint32_t off = it->by_attribute;
        if (it->by_attribute) {
            if (it->args->size == 0) type_error(rt, "Missing parameter for attribute name");
            it->a = it->args->data[0];
        }
        if (it->args->size > off) {
            const Value &name = it->args->data[off];
            int id = name.is_string() ? find_test(name.s->view()) : -1;
            if (id < 0) throw_fault(rt, TemplateFault::unknown_filter, "No test named '", to_str(rt, name), "'.");
            it->filter = static_cast<uint16_t>(id);
            it->has_filter = true;
        }
    }
}

}  // namespace

int find_filter(std::string_view name) {
    const Row *it = std::lower_bound(std::begin(kFilters), std::end(kFilters), name, [](const Row &r, std::string_view n) { return r.name < n; });
    return it != std::end(kFilters) && it->name == name ? static_cast<int>(it - kFilters) : -1;
}

Value apply_filter(Rt &rt, int id, const Value &v, const Args &args) {
    const Row &row = kFilters[id];
    NativeDepth depth(rt);
    rt.charge(1);
    Value a[6];
    if (row.params != "*") bind(rt, row.name, row.params, row.required, false, args, a);
    return row.fn(rt, v, a, args);
}

bool step_next(Rt &rt, Iterator *it, Value *out) {
    NativeDepth depth(rt);
    if (!it->started) {
        it->started = true;
        bool lazy = it->step == Step::map_filter || it->step == Step::select;
        if (it->step == Step::items) {
            if (!it->source.is(Kind::dict) && !it->source.is_undefined()) type_error(rt, "TypeError: Can only get item pairs from a mapping.");
            if (it->source.is(Kind::dict)) {
                View *w = rt.heap.make<View>();
                w->dict = it->source.dict;
                w->kind = ViewKind::items;
                it->source = Value::of(Kind::view);
                it->source.view = w;
            }
        } else if (lazy && !truthy(rt, it->source)) {
            it->source = Value::of(new_list(rt));
        } else {
            start_step(rt, it);
        }
        it->source = from_iter(iterate(rt, it->source));
        if (it->step == Step::slices) {
            List *all = to_list(rt, it->source);
            int64_t n = need_index(rt, it->a, "integer"), size = all->size, offset = 0;
            if (n == 0) type_error(rt, "ZeroDivisionError: integer division or modulo by zero");
            it->rest = new_list(rt);
            rt.charge(static_cast<uint64_t>(std::max<int64_t>(n, 0)));
            for (int64_t k = 0; k < n; ++k) {
                int64_t from = offset + k * (size / n);
                if (k < size % n) ++offset;
                int64_t to = offset + (k + 1) * (size / n);
                List *part = new_list(rt);
                for (int64_t i = from; i < to; ++i) push(rt, part, all->data[i]);
                if (!it->b.is_none() && k >= size % n) push(rt, part, it->b);
                push(rt, it->rest, Value::of(part));
            }
        }
    }
    Value item;
    switch (it->step) {
        case Step::map_filter:
            if (!next(rt, it->source.iter, &item)) return false;
            *out = apply_filter(rt, it->filter, item, rest_args(rt, it, 1));
            return true;
        case Step::map_attribute:
            if (!next(rt, it->source.iter, &item)) return false;
            *out = attribute_of(rt, item, it->a);
            if (out->is_undefined() && !it->b.is_none()) *out = it->b;
            return true;
        case Step::select:
            while (next(rt, it->source.iter, &item)) {
                Value subject = it->by_attribute ? attribute_of(rt, item, it->a) : item;
                bool holds = it->has_filter ? apply_test(rt, it->filter, subject, rest_args(rt, it, it->by_attribute + 1u)) : truthy(rt, subject);
                if (holds == it->negate) continue;
                *out = item;
                return true;
            }
            return false;
        case Step::batch: {
            int64_t n = need_index(rt, it->a, "integer");
            List *part = new_list(rt);
            if (!it->rest) it->rest = new_list(rt);  // holds the item that began the next batch
            if (it->rest->size) push(rt, part, it->rest->data[--it->rest->size]);
            while (next(rt, it->source.iter, &item)) {
                if (static_cast<int64_t>(part->size) == n) {
                    push(rt, it->rest, item);
                    *out = Value::of(part);
                    return true;
                }
                push(rt, part, item);
            }
            if (part->size == 0) return false;
            if (!it->b.is_none()) {
                if (n > (1 << 26)) fail(Code::limit, "template fills a batch of ", n, " items");
                while (static_cast<int64_t>(part->size) < n) push(rt, part, it->b);
            }
            *out = Value::of(part);
            return true;
        }
        case Step::unique:
            while (next(rt, it->source.iter, &item)) {
                Value key = attribute_of(rt, item, it->a);
                if (!it->case_sensitive) key = lowered(rt, key);
                if (dict_find(rt, it->kwargs, key)) continue;
                dict_set(rt, it->kwargs, key, Value::none());
                *out = item;
                return true;
            }
            return false;
        case Step::items: return next(rt, it->source.iter, out);
        case Step::slices:
            if (it->pos >= it->rest->size) return false;
            *out = it->rest->data[it->pos++];
            return true;
        case Step::none: break;
    }
    return false;
}

}  // namespace inlay::text::jinja
