// SPDX-License-Identifier: Apache-2.0
// The operators of expressions on any two values, with Python's rules for which types meet.
#include <cmath>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void unsupported(Rt &rt, BinOp op, const Value &a, const Value &b) {
    if (op == BinOp::add && a.is_string())
        type_error(rt, "TypeError: can only concatenate str (not \"", type_name(b), "\") to str");
    type_error(rt, "TypeError: unsupported operand type(s) for ", kSymbols[static_cast<int>(op)], ": '", type_name(a), "' and '", type_name(b), "'");
}

void float_divmod(double a, double b, double *div, double *mod) {
    *mod = std::fmod(a, b);
    *div = (a - *mod) / b;
    if (*mod != 0) {
        if ((b < 0) != (*mod < 0)) {
            *mod += b;
            *div -= 1.0;
        }
    } else {
        *mod = std::copysign(0.0, b);
    }
    if (*div != 0) {
        double floored = std::floor(*div);
        if (*div - floored > 0.5) floored += 1.0;
        *div = floored;
    } else {
        *div = std::copysign(0.0, a / b);
    }
}

Value float_binary(Rt &rt, BinOp op, double a, double b) {
    switch (op) {
        case BinOp::add: return Value::floating(a + b);
        case BinOp::sub: return Value::floating(a - b);
        case BinOp::mul: return Value::floating(a * b);
        case BinOp::div:
            if (b == 0) type_error(rt, "ZeroDivisionError: float division by zero");
            return Value::floating(a / b);
        case BinOp::floordiv:
        case BinOp::mod: {
            if (b == 0) type_error(rt, op == BinOp::mod ? "ZeroDivisionError: float modulo" : "ZeroDivisionError: float floor division by zero");
            double d, m;
            float_divmod(a, b, &d, &m);
            return Value::floating(op == BinOp::mod ? m : d);
        }
        case BinOp::pow: {
            if (a == 0 && b < 0) type_error(rt, "ZeroDivisionError: 0.0 cannot be raised to a negative power");
            if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) type_error(rt, "TypeError: complex numbers are not supported");
            double r = std::pow(a, b);
            if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) type_error(rt, "OverflowError: (34, 'Numerical result out of range')");
            return Value::floating(r);
        }
    }
    return {};
}

Value int_binary(Rt &rt, BinOp op, const Value &a, const Value &b) {
    bool small = !a.is(Kind::bigint) && !b.is(Kind::bigint);
    int64_t x = small ? a.small() : 0, y = small ? b.small() : 0, r;
    switch (op) {
        case BinOp::add:
            if (small && !__builtin_add_overflow(x, y, &r)) return Value::integer(r);
            return big_binary(rt, op, a, b);
        case BinOp::sub:
            if (small && !__builtin_sub_overflow(x, y, &r)) return Value::integer(r);
            return big_binary(rt, op, a, b);
        case BinOp::mul:
            if (small && !__builtin_mul_overflow(x, y, &r)) return Value::integer(r);
            return big_binary(rt, op, a, b);
        case BinOp::div: {
            if (b.is(Kind::bigint) ? false : b.small() == 0) type_error(rt, "ZeroDivisionError: division by zero");
            if (small) return Value::floating(static_cast<double>(static_cast<long double>(x) / static_cast<long double>(y)));
            return Value::floating(big_true_div(rt, a, b));
        }
        case BinOp::floordiv:
        case BinOp::mod: {
            if (!b.is(Kind::bigint) && b.small() == 0) type_error(rt, "ZeroDivisionError: integer division or modulo by zero");
            if (!small || y == -1) return big_binary(rt, op, a, b);
            int64_t q = x / y, m = x % y;
            if (m != 0 && (m < 0) != (y < 0)) --q, m += y;
            return Value::integer(op == BinOp::mod ? m : q);
        }
        case BinOp::pow: {
            bool negative = b.is(Kind::bigint) ? b.big->negative : b.small() < 0;
            if (negative) return float_binary(rt, op, to_double(rt, a), to_double(rt, b));
            return big_binary(rt, op, a, b);
        }
    }
    return {};
}

Value repeat(Rt &rt, const Value &seq, const Value &count) {
    if (count.is(Kind::bigint) && !count.big->negative) fail(Code::limit, "template repeats a sequence more than 2^63 times");
    int64_t n = count.is(Kind::bigint) ? 0 : std::max<int64_t>(count.small(), 0);
    if (seq.is_string()) {
        uint64_t total;
        if (__builtin_mul_overflow(static_cast<uint64_t>(n), static_cast<uint64_t>(seq.s->size), &total) || total > rt.limits.template_heap_bytes)
            fail(Code::limit, "template repeats a string of ", seq.s->size, " bytes ", n, " times, heap limit ", rt.limits.template_heap_bytes);
        if (n == 1) return seq;
        Text t(rt, total);
        for (int64_t i = 0; i < n && total > 0; ++i) t.add(*seq.s);
        return str_value(as_markup(rt, t.done(), seq.s->markup));
    }
    uint64_t total;
    if (__builtin_mul_overflow(static_cast<uint64_t>(n), static_cast<uint64_t>(seq.list->size), &total) ||
        total > rt.limits.template_heap_bytes / sizeof(Value))
        fail(Code::limit, "template repeats a list of ", seq.list->size, " items ", n, " times, heap limit ", rt.limits.template_heap_bytes);
    rt.charge(total);
    List *l = new_list(rt, total);
    for (int64_t i = 0; i < n && total > 0; ++i)
        for (uint32_t k = 0; k < seq.list->size; ++k) push(rt, l, seq.list->data[k]);
    return Value::of(l, seq.kind);
}

}  // namespace

Value binary(Rt &rt, BinOp op, const Value &a, const Value &b) {
    if (a.is_int() && b.is_int()) return int_binary(rt, op, a, b);
    if (a.is_number() && b.is_number()) return float_binary(rt, op, to_double(rt, a), to_double(rt, b));
    if (op == BinOp::mod && a.is_string()) return percent_format(rt, a.s, b);
    if (op == BinOp::add) {
        if (a.is_string() && b.is_string()) {
            if (!a.s->markup && !b.s->markup) return str_value(concat(rt, a.s, b.s));
            return str_value(as_markup(rt, concat(rt, escape_html(rt, a.s), escape_html(rt, b.s)), true));
        }
        if (a.is_array() && a.kind == b.kind) {
            rt.charge(a.list->size + b.list->size);
            List *l = new_list(rt, size_t{a.list->size} + b.list->size);
            for (const List *part : {a.list, b.list})
                for (uint32_t i = 0; i < part->size; ++i) l->data[l->size++] = part->data[i];
            return Value::of(l, a.kind);
        }
    }
    if (a.is_undefined()) use_undefined(rt, a);
    if (b.is_undefined()) use_undefined(rt, b);
    if (op == BinOp::mul) {
        if ((a.is_string() || a.is_array()) && b.is_int()) return repeat(rt, a, b);
        if ((b.is_string() || b.is_array()) && a.is_int()) return repeat(rt, b, a);
        if (a.is_string() || a.is_array() || b.is_string() || b.is_array()) {
            const Value &other = a.is_string() || a.is_array() ? b : a;
            type_error(rt, "TypeError: can't multiply sequence by non-int of type '", type_name(other), "'");
        }
    }
    unsupported(rt, op, a, b);
}

Value negate(Rt &rt, const Value &v, bool minus) {
    if (v.is_undefined()) use_undefined(rt, v);
    if (v.is(Kind::floating)) return Value::floating(minus ? -v.f : v.f);
    if (v.is_int()) return minus ? int_binary(rt, BinOp::sub, Value::integer(0), v) : v.is(Kind::boolean) ? Value::integer(v.b) : v;
    type_error(rt, "TypeError: bad operand type for unary ", minus ? "-" : "+", ": '", type_name(v), "'");
}

}  // namespace inlay::text::jinja
