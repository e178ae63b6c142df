// SPDX-License-Identifier: Apache-2.0
// Python's numbers: ints of any size (64 bits fast, limbs beyond), floats that print in their shortest form, and
// the parsing of both. Big ints are capped at 65,536 bits: templates have no use for more, and every step is quadratic.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

namespace {

constexpr uint32_t kMaxLimbs = 2048;
using Limbs = Vector<uint32_t>;

struct Big {
    Limbs mag;
    bool negative = false;
    explicit Big(Rt &rt) : mag(Alloc<uint32_t>(rt.heap.memory(), MemTag::text)) {}
};

void trim(Limbs &m) {
    while (!m.empty() && m.back() == 0) m.pop_back();
}

Big load(Rt &rt, const Value &v) {
    Big b(rt);
    if (v.is(Kind::bigint)) {
        b.mag.assign(v.big->limbs, v.big->limbs + v.big->n);
        b.negative = v.big->negative;
        return b;
    }
    int64_t i = v.small();
    b.negative = i < 0;
    uint64_t u = i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
    b.mag.push_back(static_cast<uint32_t>(u));
    b.mag.push_back(static_cast<uint32_t>(u >> 32));
    trim(b.mag);
    return b;
}

Value store(Rt &rt, Big &b) {
    trim(b.mag);
    if (b.mag.size() > kMaxLimbs) fail(Code::limit, "template makes an int of ", b.mag.size() * 32, " bits, limit ", kMaxLimbs * 32);
    if (b.mag.size() <= 2) {
        uint64_t u = b.mag.empty() ? 0 : b.mag[0];
        if (b.mag.size() == 2) u |= static_cast<uint64_t>(b.mag[1]) << 32;
        if (!b.negative && u <= static_cast<uint64_t>(INT64_MAX)) return Value::integer(static_cast<int64_t>(u));
        if (b.negative && u <= static_cast<uint64_t>(INT64_MAX) + 1) return Value::integer(static_cast<int64_t>(0 - u));
    }
    uint32_t *limbs = rt.heap.array<uint32_t>(b.mag.size());
    std::copy(b.mag.begin(), b.mag.end(), limbs);
    BigInt *big = rt.heap.make<BigInt>();
    big->limbs = limbs;
    big->n = static_cast<uint32_t>(b.mag.size());
    big->negative = b.negative;
    Value v = Value::of(Kind::bigint);
    v.big = big;
    return v;
}

int compare_mag(const Limbs &a, const Limbs &b) {
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (size_t i = a.size(); i-- > 0;)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

void add_mag(Limbs &a, const Limbs &b) {
    if (a.size() < b.size()) a.resize(b.size());
    uint64_t carry = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        carry += a[i];
        if (i < b.size()) carry += b[i];
        a[i] = static_cast<uint32_t>(carry);
        carry >>= 32;
    }
    if (carry) a.push_back(static_cast<uint32_t>(carry));
}

void sub_mag(Limbs &a, const Limbs &b) {  // a >= b
    int64_t borrow = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        int64_t d = static_cast<int64_t>(a[i]) - (i < b.size() ? b[i] : 0) + borrow;
        a[i] = static_cast<uint32_t>(d);
        borrow = d < 0 ? -1 : 0;
    }
    trim(a);
}

Big add(Rt &rt, const Big &a, const Big &b, bool subtract) {
    bool b_negative = b.negative != subtract;
    Big r(rt);
    if (a.negative == b_negative) {
        r = a;
        add_mag(r.mag, b.mag);
    } else if (compare_mag(a.mag, b.mag) >= 0) {
        r = a;
        sub_mag(r.mag, b.mag);
    } else {
        r.mag = b.mag;
        r.negative = b_negative;
        sub_mag(r.mag, a.mag);
    }
    if (r.mag.empty()) r.negative = false;
    return r;
}

Big mul(Rt &rt, const Big &a, const Big &b) {
    Big r(rt);
    if (a.mag.size() + b.mag.size() > kMaxLimbs * 2)
        fail(Code::limit, "template makes an int of ", (a.mag.size() + b.mag.size()) * 32, " bits, limit ", kMaxLimbs * 32);
    rt.charge(a.mag.size() * b.mag.size() / 8);
    r.mag.resize(a.mag.size() + b.mag.size());
    for (size_t i = 0; i < a.mag.size(); ++i) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b.mag.size(); ++j) {
            carry += static_cast<uint64_t>(a.mag[i]) * b.mag[j] + r.mag[i + j];
            r.mag[i + j] = static_cast<uint32_t>(carry);
            carry >>= 32;
        }
        r.mag[i + b.mag.size()] = static_cast<uint32_t>(carry);
    }
    trim(r.mag);
    r.negative = a.negative != b.negative && !r.mag.empty();
    return r;
}

uint32_t div_small(Limbs &m, uint32_t d) {
    uint64_t rest = 0;
    for (size_t i = m.size(); i-- > 0;) {
        rest = rest << 32 | m[i];
        m[i] = static_cast<uint32_t>(rest / d);
        rest %= d;
    }
    trim(m);
    return static_cast<uint32_t>(rest);
}

// Magnitudes only, by shifting and subtracting a bit at a time: rare, and bounded by kMaxLimbs.
void div_mag(Rt &rt, const Limbs &a, const Limbs &b, Limbs &q, Limbs &r) {
    q.assign(a.size(), 0);
    r.clear();
    if (b.size() == 1) {
        q = a;
        uint32_t rest = div_small(q, b[0]);
        if (rest) r.push_back(rest);
        return;
    }
    rt.charge(a.size() * b.size() * 4);
    for (size_t bit = a.size() * 32; bit-- > 0;) {
        uint32_t carry = a[bit / 32] >> (bit % 32) & 1;
        for (uint32_t &limb : r) {
            uint32_t next = limb >> 31;
            limb = limb << 1 | carry;
            carry = next;
        }
        if (carry) r.push_back(carry);
        if (compare_mag(r, b) >= 0) {
            sub_mag(r, b);
            q[bit / 32] |= 1u << (bit % 32);
        }
    }
    trim(q);
}

double mag_to_double(const Limbs &m) {
    double d = 0;
    if (m.size() <= 2) {
        uint64_t u = m.empty() ? 0 : m[0];
        if (m.size() == 2) u |= static_cast<uint64_t>(m[1]) << 32;
        return static_cast<double>(u);
    }
    // The top 64 bits with a sticky bit below them round once, to nearest even.
    size_t bits = m.size() * 32;
    uint32_t top = m.back();
    int lead = __builtin_clz(top);
    size_t shift = bits - static_cast<size_t>(lead) - 64;
    uint64_t u = 0;
    for (int i = 63; i >= 0; --i) {
        size_t at = shift + static_cast<size_t>(i);
        u |= static_cast<uint64_t>(m[at / 32] >> (at % 32) & 1) << i;
    }
    bool sticky = false;
    for (size_t i = 0; i < shift && !sticky; ++i) sticky = m[i / 32] >> (i % 32) & 1;
    if (sticky) u |= 1;
    d = std::ldexp(static_cast<double>(u), static_cast<int>(std::min<size_t>(shift, 100000)));
    return d;
}

}  // namespace

double to_double(Rt &rt, const Value &v) {
    if (v.is(Kind::floating)) return v.f;
    if (!v.is(Kind::bigint)) return static_cast<double>(v.small());
    Big b = load(rt, v);
    double d = mag_to_double(b.mag);
    if (std::isinf(d)) type_error(rt, "OverflowError: int too large to convert to float");
    return b.negative ? -d : d;
}

// a / b of ints, rounded once: the quotient is taken with at least 66 bits and a sticky last one.
double big_true_div(Rt &rt, const Value &a, const Value &b) {
    Big x = load(rt, a), y = load(rt, b);
    if (x.mag.empty()) return 0;
    size_t shift_limbs = 3 + (y.mag.size() > x.mag.size() ? y.mag.size() - x.mag.size() : 0);
    x.mag.insert(x.mag.begin(), shift_limbs, 0);
    Big q(rt), r(rt);
    div_mag(rt, x.mag, y.mag, q.mag, r.mag);
    if (!r.mag.empty()) q.mag[0] |= 1;
    double d = std::ldexp(mag_to_double(q.mag), -static_cast<int>(shift_limbs * 32));
    if (std::isinf(d)) type_error(rt, "OverflowError: integer division result too large for a float");
    return x.negative != y.negative ? -d : d;
}

Value float_to_int(Rt &rt, double v) {
    if (std::isnan(v)) type_error(rt, "ValueError: cannot convert float NaN to integer");
    if (std::isinf(v)) type_error(rt, "OverflowError: cannot convert float infinity to integer");
    v = std::trunc(v);
    if (v >= -9223372036854775808.0 && v < 9223372036854775808.0) return Value::integer(static_cast<int64_t>(v));
    int e;
    double m = std::frexp(std::fabs(v), &e);
    uint64_t u = static_cast<uint64_t>(std::ldexp(m, 64));
    Big b(rt);
    size_t shift = static_cast<size_t>(e - 64);
    b.mag.assign(shift / 32 + 3, 0);
    for (int i = 0; i < 64; ++i) {
        size_t at = shift + static_cast<size_t>(i);
        if (u >> i & 1) b.mag[at / 32] |= 1u << (at % 32);
    }
    b.negative = v < 0;
    return store(rt, b);
}

Value int_from_text(Rt &rt, std::string_view s, int base, bool *ok) {
    *ok = true;
    bool negative = false;
    if (!s.empty() && (s[0] == '-' || s[0] == '+')) {
        negative = s[0] == '-';
        s.remove_prefix(1);
    }
    if (s.empty() || (s.size() > 4300 && (base & (base - 1)) != 0) || s.size() > kMaxLimbs * 32) {
        *ok = false;
        return {};
    }
    rt.charge(s.size() * s.size() / 256);
    Big b(rt);
    b.negative = negative;
    for (char c : s) {
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
        if (d >= base) {
            *ok = false;
            return {};
        }
        uint64_t carry = static_cast<uint64_t>(d);
        for (uint32_t &limb : b.mag) {
            carry += static_cast<uint64_t>(limb) * static_cast<uint64_t>(base);
            limb = static_cast<uint32_t>(carry);
            carry >>= 32;
        }
        if (carry) b.mag.push_back(static_cast<uint32_t>(carry));
    }
    return store(rt, b);
}

void int_to_text(Rt &rt, Text &out, const Value &v, int base, bool upper) {
    char small[72];
    if (!v.is(Kind::bigint)) {
        auto r = std::to_chars(small, small + sizeof small, v.small(), base);
        if (upper)
            for (char *p = small; p < r.ptr; ++p)
                if (*p >= 'a') *p = static_cast<char>(*p - 32);
        return out.add({small, static_cast<size_t>(r.ptr - small)});
    }
    Big b = load(rt, v);
    rt.charge(b.mag.size() * b.mag.size());
    String digits{Alloc<char>(rt.heap.memory(), MemTag::text)};
    if (base == 10) {
        while (!b.mag.empty()) {
            uint32_t part = div_small(b.mag, 1'000'000'000);
            for (int i = 0; i < 9 && (part || !b.mag.empty()); ++i, part /= 10) digits.push_back(static_cast<char>('0' + part % 10));
        }
        if (digits.size() > 4300) type_error(rt, "ValueError: Exceeds the limit (4300 digits) for integer string conversion");
    } else {
        while (!b.mag.empty()) {
            uint32_t d = div_small(b.mag, static_cast<uint32_t>(base));
            digits.push_back(static_cast<char>(d < 10 ? '0' + d : (upper ? 'A' : 'a') + d - 10));
        }
    }
    if (b.negative) digits.push_back('-');
    std::reverse(digits.begin(), digits.end());
    out.add(digits);
}

int big_compare(const Value &a, const Value &b) {
    if (!a.is(Kind::bigint) && !b.is(Kind::bigint)) return a.small() < b.small() ? -1 : a.small() > b.small();
    auto sign = [](const Value &v) { return v.is(Kind::bigint) ? (v.big->negative ? -1 : 1) : v.small() < 0 ? -1 : 1; };
    if (sign(a) != sign(b)) return sign(a);
    int s = sign(a);
    if (!a.is(Kind::bigint)) return -s;  // a big int is larger in magnitude than any small one
    if (!b.is(Kind::bigint)) return s;
    if (a.big->n != b.big->n) return a.big->n < b.big->n ? -s : s;
    for (uint32_t i = a.big->n; i-- > 0;)
        if (a.big->limbs[i] != b.big->limbs[i]) return a.big->limbs[i] < b.big->limbs[i] ? -s : s;
    return 0;
}

Value big_binary(Rt &rt, BinOp op, const Value &a, const Value &b) {
    Big x = load(rt, a), y = load(rt, b);
    switch (op) {
        case BinOp::add:
        case BinOp::sub: {
            Big r = add(rt, x, y, op == BinOp::sub);
            return store(rt, r);
        }
        case BinOp::mul: {
            Big r = mul(rt, x, y);
            return store(rt, r);
        }
        case BinOp::floordiv:
        case BinOp::mod: {
            if (y.mag.empty()) type_error(rt, "ZeroDivisionError: integer division or modulo by zero");
            Big q(rt), r(rt);
            div_mag(rt, x.mag, y.mag, q.mag, r.mag);
            q.negative = x.negative != y.negative;
            r.negative = x.negative;
            if (!r.mag.empty() && x.negative != y.negative) {  // floor, not truncation
                Big one = load(rt, Value::integer(1));
                q = add(rt, q, one, true);
                r = add(rt, r, y, false);
            }
            if (r.mag.empty()) r.negative = false;
            return store(rt, op == BinOp::floordiv ? q : r);
        }
        case BinOp::pow: {  // y >= 0 here
            if (y.mag.size() > 1 && !(x.mag.empty() || (x.mag.size() == 1 && x.mag[0] == 1)))
                fail(Code::limit, "template makes an int of more than ", kMaxLimbs * 32, " bits");
            Big r = load(rt, Value::integer(1));
            size_t bits = y.mag.size() * 32;
            while (bits > 0 && !(y.mag[(bits - 1) / 32] >> ((bits - 1) % 32) & 1)) --bits;
            for (size_t i = bits; i-- > 0;) {
                r = mul(rt, r, r);
                if (y.mag[i / 32] >> (i % 32) & 1) r = mul(rt, r, x);
                if (r.mag.size() > kMaxLimbs) fail(Code::limit, "template makes an int of ", r.mag.size() * 32, " bits, limit ", kMaxLimbs * 32);
            }
            return store(rt, r);
        }
        default: break;
    }
    return {};
}

std::string_view float_repr(double v, char (&buf)[40]) {
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
    char raw[40];
    auto r = std::to_chars(raw, raw + sizeof raw, v, std::chars_format::scientific);
    std::string_view s(raw, static_cast<size_t>(r.ptr - raw));
    char *o = buf;
    if (s[0] == '-') *o++ = '-', s.remove_prefix(1);
    size_t e = s.find('e');
    int exponent = 0;
    std::from_chars(s.data() + e + (s[e + 1] == '+' ? 2 : 1), s.data() + s.size(), exponent);
    char digits[24];
    int n = 0;
    for (char c : s.substr(0, e))
        if (c != '.') digits[n++] = c;
    auto put = [&](char c) { *o++ = c; };
    if (exponent >= -4 && exponent < 16) {
        if (exponent < 0) {
            put('0'), put('.');
            for (int i = -1; i > exponent; --i) put('0');
            for (int i = 0; i < n; ++i) put(digits[i]);
        } else {
            for (int i = 0; i <= exponent || i < n; ++i) {
                if (i == exponent + 1) put('.');
                put(i < n ? digits[i] : '0');
            }
            if (n <= exponent + 1) put('.'), put('0');
        }
    } else {
        put(digits[0]);
        if (n > 1) {
            put('.');
            for (int i = 1; i < n; ++i) put(digits[i]);
        }
        put('e'), put(exponent < 0 ? '-' : '+');
        int a = std::abs(exponent);
        if (a >= 100) put(static_cast<char>('0' + a / 100));
        put(static_cast<char>('0' + a / 10 % 10)), put(static_cast<char>('0' + a % 10));
    }
    return {buf, static_cast<size_t>(o - buf)};
}

namespace {
// Whitespace off both ends, decimal digits of any script to ASCII, underscores between digits dropped.
bool clean_number(std::string_view s, String &out) {
    const char *p = s.data(), *end = p + s.size();
    while (p < end) {
        int n;
        if (!char_is(decode_char(p, end, &n), kSpace)) break;
        p += n;
    }
    while (end > p) {
        const char *q = previous_char(p, end);
        int n;
        if (!char_is(decode_char(q, end, &n), kSpace)) break;
        end = q;
    }
    bool digit_before = false, underscore = false;
    while (p < end) {
        int n;
        uint32_t c = decode_char(p, end, &n);
        p += n;
        if (c == '_') {
            if (!digit_before) return false;
            underscore = true;
            digit_before = false;
            continue;
        }
        int d = decimal_value(c);
        bool alnum = d >= 0 || (c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z'));
        if (underscore && !alnum) return false;
        underscore = false;
        digit_before = alnum;
        if (d >= 0) out.push_back(static_cast<char>('0' + d));
        else if (c < 128) out.push_back(static_cast<char>(c));
        else return false;
    }
    return !underscore && !out.empty();
}
}  // namespace

bool parse_python_int(Rt &rt, const Str &s, int base, Value *out) {
    String t{Alloc<char>(rt.heap.memory(), MemTag::text)};
    if (base != 0 && (base < 2 || base > 36)) return false;
    std::string_view raw = s.view();
    if (!clean_number(raw, t)) return false;
    bool negative = t[0] == '-';
    size_t at = t[0] == '-' || t[0] == '+';
    auto prefix = [&](char c) { return t.size() > at + 2 && t[at] == '0' && (t[at + 1] | 32) == c; };
    if ((base == 16 || base == 0) && prefix('x')) at += 2, base = 16;
    else if ((base == 8 || base == 0) && prefix('o')) at += 2, base = 8;
    else if ((base == 2 || base == 0) && prefix('b')) at += 2, base = 2;
    else if (base == 0) base = 10;
    if (at >= t.size() || t[at] == '-' || t[at] == '+') return false;
    String digits = make_string(rt.heap.memory(), std::string_view(t).substr(at));
    if (negative) digits.insert(digits.begin(), '-');
    bool ok;
    *out = int_from_text(rt, digits, base, &ok);
    return ok;
}

bool parse_python_float(std::string_view s, double *out) {
    while (!s.empty() && char_is(static_cast<unsigned char>(s.front()), kSpace) && static_cast<unsigned char>(s.front()) < 128) s.remove_prefix(1);
    while (!s.empty() && static_cast<unsigned char>(s.back()) < 128 && char_is(static_cast<unsigned char>(s.back()), kSpace)) s.remove_suffix(1);
    if (s.empty() || s.size() > 1000) return false;
    char t[1008];
    size_t n = 0;
    bool digit_before = false, underscore = false;
    for (char c : s) {
        bool digit = c >= '0' && c <= '9';
        if (c == '_') {
            if (!digit_before) return false;
            underscore = true, digit_before = false;
            continue;
        }
        if (underscore && !digit) return false;
        underscore = false;
        digit_before = digit;
        t[n++] = c;
    }
    if (underscore) return false;
    const char *p = t, *end = t + n;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    if (p == end || *p == '-' || *p == '+') return false;
    auto same = [&](std::string_view w) {
        if (static_cast<size_t>(end - p) != w.size()) return false;
        for (size_t i = 0; i < w.size(); ++i)
            if ((p[i] | 32) != w[i]) return false;
        return true;
    };
    if (same("inf") || same("infinity")) return *out = negative ? -INFINITY : INFINITY, true;
    if (same("nan")) return *out = NAN, true;
    if (!((*p >= '0' && *p <= '9') || *p == '.')) return false;
    double v = 0;
    auto r = std::from_chars(p, end, v, std::chars_format::general);
    if (r.ptr != end) {
        if (!(r.ec == std::errc{} && r.ptr + 1 == end && *r.ptr == '.')) return false;  // "1."
    }
    if (r.ec == std::errc::result_out_of_range) {
        // from_chars leaves v alone: decide between 0 and inf by the exponent's sign.
        std::string_view w(p, static_cast<size_t>(end - p));
        size_t e = w.find_first_of("eE");
        v = e != std::string_view::npos && w.size() > e + 1 && w[e + 1] == '-' ? 0.0 : INFINITY;
    } else if (r.ec != std::errc{}) {
        return false;
    }
    *out = negative ? -v : v;
    return true;
}

void format_fixed(String &out, double v, char kind, int precision, bool alternate) {
    bool upper = kind == 'F' || kind == 'E' || kind == 'G';
    if (std::isnan(v)) return void(out += upper ? "NAN" : "nan");
    if (std::isinf(v)) return void(out += v < 0 ? (upper ? "-INF" : "-inf") : upper ? "INF" : "inf");
    size_t from = out.size();
    char k = static_cast<char>(kind | 32);
    out.resize(from + 400 + static_cast<size_t>(precision));
    std::chars_format how = k == 'f' ? std::chars_format::fixed : k == 'e' ? std::chars_format::scientific : std::chars_format::general;
    if (k == 'g' && precision == 0) precision = 1;
    auto r = std::to_chars(out.data() + from, out.data() + out.size(), v, how, precision);
    out.resize(static_cast<size_t>(r.ptr - out.data()));
    if (alternate && k != 'g' && precision == 0) {
        size_t e = out.find('e', from);
        out.insert(e == String::npos ? out.size() : e, ".");
    }
    if (alternate && k == 'g') {
        // '#' keeps the trailing zeros that general format drops.
        size_t e = out.find('e', from);
        size_t end = e == String::npos ? out.size() : e;
        if (std::find(out.begin() + static_cast<long>(from), out.begin() + static_cast<long>(end), '.') ==
            out.begin() + static_cast<long>(end))
            out.insert(end++, ".");
        int shown = 0;
        bool leading = true;
        for (size_t i = from; i < end; ++i)
            if (out[i] >= '0' && out[i] <= '9' && !(leading && out[i] == '0')) leading = false, ++shown;
        if (shown < precision) out.insert(end, static_cast<size_t>(precision - shown), '0');
    }
    if (upper)
        for (size_t i = from; i < out.size(); ++i)
            if (out[i] >= 'a' && out[i] <= 'z') out[i] = static_cast<char>(out[i] - 32);
}

Value round_value(Rt &rt, const Value &v, const Value &digits) {
    int64_t n = digits.is_none() ? 0 : need_index(rt, digits, "integer");
    if (v.is_undefined()) type_error(rt, "TypeError: type Undefined doesn't define __round__ method");
    if (v.is_int()) {
        if (n >= 0) return v.is(Kind::boolean) ? Value::integer(v.b) : v;
        if (n < -4000) return Value::integer(0);
        Value ten = big_binary(rt, BinOp::pow, Value::integer(10), Value::integer(-n));
        Value rest = big_binary(rt, BinOp::mod, v, ten);
        Value down = big_binary(rt, BinOp::sub, v, rest);
        int half = big_compare(big_binary(rt, BinOp::mul, rest, Value::integer(2)), ten);
        Value quotient = big_binary(rt, BinOp::floordiv, down, ten);
        bool odd = big_compare(big_binary(rt, BinOp::mod, quotient, Value::integer(2)), Value::integer(1)) == 0;
        return half > 0 || (half == 0 && odd) ? big_binary(rt, BinOp::add, down, ten) : down;
    }
    if (!v.is(Kind::floating)) type_error(rt, "TypeError: type ", type_name(v), " doesn't define __round__ method");
    double x = v.f;
    if (!std::isfinite(x)) {
        if (digits.is_none()) return float_to_int(rt, x);
        return v;
    }
    if (digits.is_none()) return float_to_int(rt, std::nearbyint(x));
    if (n > 323 || x == 0) return v;
    if (n < -308) return Value::floating(0.0 * x);
    if (n < 0) {
        double p = std::pow(10.0, static_cast<double>(-n)), y = x / p, z = std::round(y);
        if (std::fabs(y - z) == 0.5) z = 2.0 * std::round(y / 2.0);
        return Value::floating(z * p);
    }
    String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
    format_fixed(s, x, 'f', static_cast<int>(n), false);
    double r = x;
    std::from_chars(s.data(), s.data() + s.size(), r);
    return Value::floating(r);
}

}  // namespace inlay::text::jinja
