// SPDX-License-Identifier: Apache-2.0
// The tests (`is ...`) and the functions that every template may call.
#include <algorithm>
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

enum class Is : uint8_t {
    boolean, callable, defined, divisibleby, eq, escaped, even, false_, filter, floating, ge, gt, in, integer, iterable, le, lower, lt, mapping, ne,
    none, number, odd, sameas, sequence, string, test, true_, undefined, upper,
};
struct TestRow {
    std::string_view name;
    Is id;
    bool argument = false;
};
constexpr TestRow kTests[] = {
    {"!=", Is::ne, true},          {"<", Is::lt, true},
    {"<=", Is::le, true},          {"==", Is::eq, true},
    {">", Is::gt, true},           {">=", Is::ge, true},
    {"boolean", Is::boolean},      {"callable", Is::callable},
    {"defined", Is::defined},      {"divisibleby", Is::divisibleby, true},
    {"eq", Is::eq, true},          {"equalto", Is::eq, true},
    {"escaped", Is::escaped},      {"even", Is::even},
    {"false", Is::false_},         {"filter", Is::filter},
    {"float", Is::floating},       {"ge", Is::ge, true},
    {"greaterthan", Is::gt, true}, {"gt", Is::gt, true},
    {"in", Is::in, true},          {"integer", Is::integer},
    {"iterable", Is::iterable},    {"le", Is::le, true},
    {"lessthan", Is::lt, true},    {"lower", Is::lower},
    {"lt", Is::lt, true},          {"mapping", Is::mapping},
    {"ne", Is::ne, true},          {"none", Is::none},
    {"number", Is::number},        {"odd", Is::odd},
    {"sameas", Is::sameas, true},  {"sequence", Is::sequence},
    {"string", Is::string},        {"test", Is::test},
    {"true", Is::true_},           {"undefined", Is::undefined},
    {"upper", Is::upper},
};

bool same(const Value &a, const Value &b) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
        case Kind::none:
        case Kind::missing: return true;
        case Kind::boolean: return a.b == b.b;
        case Kind::floating: return a.f == b.f;
        case Kind::string: return a.s == b.s || a.s->view() == b.s->view();
        default: return a.i == b.i;
    }
}

bool has_case(Rt &rt, const Value &v, std::string_view method) {
    Method m;
    m.self = Value::string(to_str(rt, v));
    m.id = static_cast<uint16_t>(find_method(m.self, method));
    return call_method(rt, m, Args{}).b;
}

Value modulo(Rt &rt, const Value &v, const Value &by) {
    if (v.is_string()) return percent_format(rt, v.s, by);
    return binary(rt, BinOp::mod, v, by);
}

enum class G : uint8_t { cycler, dict, joiner, lipsum, namespace_, raise_exception, range, strftime_now };
constexpr std::string_view kGlobals[] = {"cycler", "dict", "joiner", "lipsum", "namespace", "raise_exception", "range", "strftime_now"};

Dict *dict_of(Rt &rt, const Args &args) {
    Dict *d = new_dict(rt);
    Method update;
    update.self = Value::of(d);
    update.id = static_cast<uint16_t>(find_method(update.self, "update"));
    call_method(rt, update, args);
    return d;
}

Value range_of(Rt &rt, const Args &args) {
    if (args.n_kw) type_error(rt, "TypeError: range() takes no keyword arguments");
    if (args.n_pos < 1 || args.n_pos > 3) type_error(rt, "TypeError: range expected 1 to 3 arguments, got ", static_cast<int64_t>(args.n_pos));
    int64_t a[3] = {0, 0, 1};
    for (uint32_t i = 0; i < args.n_pos; ++i) {
        const Value &v = args.pos[i];
        if (v.is(Kind::bigint)) fail(Code::limit, "template makes a range past 64 bits, limit ", rt.limits.template_range, " items");
        a[i] = need_index(rt, v, "integer");
    }
    Range *r = rt.heap.make<Range>();
    if (args.n_pos == 1) r->stop = a[0];
    else r->start = a[0], r->stop = a[1], r->step = a[2];
    if (r->step == 0) type_error(rt, "ValueError: range() arg 3 must not be zero");
    unsigned __int128 span = 0;
    if (r->step > 0 && r->stop > r->start)
        span = static_cast<unsigned __int128>(static_cast<__int128>(r->stop) - r->start + r->step - 1) / static_cast<uint64_t>(r->step);
    if (r->step < 0 && r->stop < r->start)
        span =
            static_cast<unsigned __int128>(static_cast<__int128>(r->start) - r->stop - r->step - 1) / (0 - static_cast<uint64_t>(r->step));
    if (span > rt.limits.template_range)
        fail(Code::limit, "template makes a range of ", static_cast<uint64_t>(std::min<unsigned __int128>(span, UINT64_MAX)),
             " items, limit ", rt.limits.template_range);
    r->length = static_cast<int64_t>(span);
    Value v = Value::of(Kind::range);
    v.range = r;
    return v;
}

}  // namespace

int find_test(std::string_view name) {
    const TestRow *it = std::lower_bound(std::begin(kTests), std::end(kTests), name, [](const TestRow &r, std::string_view n) { return r.name < n; });
    return it != std::end(kTests) && it->name == name ? static_cast<int>(it - kTests) : -1;
}

bool callable(const Value &v) {
    switch (v.kind) {
        case Kind::undefined:
        case Kind::macro:
        case Kind::loop:
        case Kind::method:
        case Kind::function:
        case Kind::joiner: return true;
        default: return false;
    }
}

bool apply_test(Rt &rt, int id, const Value &v, const Args &args) {
    const TestRow &row = kTests[id];
    rt.charge(1);
    Value a[1];
    static constexpr std::string_view kArgName[] = {"other", "num", "seq", "b"};
    std::string_view name = row.id == Is::sameas        ? kArgName[0]
                            : row.id == Is::divisibleby ? kArgName[1]
                            : row.id == Is::in          ? kArgName[2]
                                                        : kArgName[3];
    bind(rt, row.name, row.argument ? name : std::string_view{}, row.argument, false, args, a);
    switch (row.id) {
        case Is::boolean: return v.is(Kind::boolean);
        case Is::callable: return callable(v);
        case Is::defined: return !v.is_undefined();
        case Is::undefined: return v.is_undefined();
        case Is::divisibleby: return equal(rt, modulo(rt, v, a[0]), Value::integer(0));
        case Is::eq: return compare(rt, Cmp::eq, v, a[0]);
        case Is::ne: return compare(rt, Cmp::ne, v, a[0]);
        case Is::lt: return compare(rt, Cmp::lt, v, a[0]);
        case Is::le: return compare(rt, Cmp::le, v, a[0]);
        case Is::gt: return compare(rt, Cmp::gt, v, a[0]);
        case Is::ge: return compare(rt, Cmp::ge, v, a[0]);
        case Is::in: return contains(rt, a[0], v);
        case Is::escaped: return v.is_string() && v.s->markup;
        case Is::even: return equal(rt, modulo(rt, v, Value::integer(2)), Value::integer(0));
        case Is::odd: return equal(rt, modulo(rt, v, Value::integer(2)), Value::integer(1));
        case Is::true_: return v.is(Kind::boolean) && v.b;
        case Is::false_: return v.is(Kind::boolean) && !v.b;
        case Is::filter:
        case Is::test: {
            hash_value(rt, v);  // a list is no key: TypeError
            if (!v.is_string()) return false;
            int found = row.id == Is::filter ? find_filter(v.s->view()) : find_test(v.s->view());
            return found >= 0 && (rt.extended || row.id == Is::test || v.s->view() != "from_json");
        }
        case Is::floating: return v.is(Kind::floating);
        case Is::integer: return v.is(Kind::integer) || v.is(Kind::bigint);
        case Is::iterable:
            return v.is_string() || v.is_array() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::view) || v.is(Kind::iterator) ||
                   v.is_undefined() || v.is(Kind::loop);
        case Is::lower: return has_case(rt, v, "islower");
        case Is::upper: return has_case(rt, v, "isupper");
        case Is::mapping: return v.is(Kind::dict);
        case Is::none: return v.is_none();
        case Is::number: return v.is_number();
        case Is::sameas: return same(v, a[0]);
        case Is::sequence: return v.is_string() || v.is_array() || v.is(Kind::dict) || v.is(Kind::range) || v.is_undefined();
        case Is::string: return v.is_string();
    }
    return false;
}

int find_global(std::string_view name) {
    const std::string_view *it = std::lower_bound(std::begin(kGlobals), std::end(kGlobals), name);
    return it != std::end(kGlobals) && *it == name ? static_cast<int>(it - kGlobals) : -1;
}
std::string_view global_name(int id) { return kGlobals[id]; }

Value call_global(Rt &rt, int id, const Args &args) {
    Value a[2];
    switch (static_cast<G>(id)) {
        case G::range: return range_of(rt, args);
        case G::dict: return Value::of(dict_of(rt, args));
        case G::namespace_: return Value::of(dict_of(rt, args), Kind::space);
        case G::raise_exception:
            bind(rt, "raise_exception", "message", 1, false, args, a);
            throw_fault(rt, TemplateFault::raised, to_str(rt, a[0]));
        case G::strftime_now:
            bind(rt, "strftime_now", "format", 1, false, args, a);
            if (!a[0].is_string()) type_error(rt, "TypeError: strftime() argument 1 must be str, not ", type_name(a[0]));
            return str_value(format_time(rt, *a[0].s));
        case G::cycler: {
            if (args.n_kw) type_error(rt, "TypeError: cycler() takes no keyword arguments");
            if (args.n_pos == 0) throw_fault(rt, TemplateFault::type, "at least one item has to be provided");
            Cycler *c = rt.heap.make<Cycler>();
            c->items = new_list(rt, args.n_pos);
            for (uint32_t i = 0; i < args.n_pos; ++i) push(rt, c->items, args.pos[i]);
            Value v = Value::of(Kind::cycler);
            v.cycler = c;
            return v;
        }
        case G::joiner: {
            bind(rt, "joiner", "sep", 0, false, args, a);
            Joiner *j = rt.heap.make<Joiner>();
            j->sep = a[0].is_missing() ? literal(rt, ", ") : a[0];
            Value v = Value::of(Kind::joiner);
            v.joiner = j;
            return v;
        }
        case G::lipsum: type_error(rt, "lipsum() is not supported: a template must render the same each time");
    }
    return {};
}

}  // namespace inlay::text::jinja
