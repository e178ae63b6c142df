// SPDX-License-Identifier: Apache-2.0
// Interning of automata, and the number languages.
#include "text/grammar/languages.h"

#include <algorithm>

#include "base/hash.h"

namespace inlay::text::grammar {
namespace {

// Builds an automaton over "-.0123456789" from a state encoded in 64 bits.
constexpr uint64_t kStop = ~0ull;
template <class Next, class Accept>
Dfa build(Memory &m, uint64_t start, const Limits &limits, Next &&next, Accept &&accept) {
    Dfa d(m);
    HashMap<uint64_t, uint32_t> names(m);
    Vector<uint64_t> keys(m);
    auto id = [&](uint64_t k) {
        auto [it, fresh] = names.emplace(k, static_cast<uint32_t>(keys.size()));
        if (fresh) keys.push_back(k);
        return it->second;
    };
    id(start);
    for (size_t i = 0; i < keys.size(); ++i) {
        if (keys.size() > limits.regex_states) fail(Code::limit, "number: more than ", limits.regex_states, " states");
        uint64_t k = keys[i];
        d.begin_state(accept(k));
        for (char c : std::string_view("-.0123456789")) {
            uint64_t to = next(k, c);
            if (to != kStop) d.arc(static_cast<uint32_t>(c), static_cast<uint32_t>(c), id(to));
        }
    }
    d.clean();
    return d;
}

// Where a number's text stands: the skeleton that all number automata share.
enum Phase : uint64_t { begin, after_sign, after_zero, in_whole, after_point, in_fraction };

uint64_t advance(uint64_t phase, char c) noexcept {
    bool digit = c >= '0' && c <= '9';
    switch (phase) {
        case begin:
            if (c == '-') return after_sign;
            [[fallthrough]];
        case after_sign:
            return c == '0' ? after_zero : digit ? in_whole : kStop;
        case after_zero:
            return c == '.' ? after_point : kStop;
        case in_whole:
            return digit ? in_whole : c == '.' ? after_point : kStop;
        case after_point:
        case in_fraction:
            return digit ? in_fraction : kStop;
        default:
            return kStop;
    }
}
bool complete(uint64_t phase) noexcept { return phase == after_zero || phase == in_whole || phase == in_fraction; }

}  // namespace

Decimal parse_decimal(Memory &m, std::string_view t) {
    Decimal d(m);
    if (t.starts_with('-')) d.negative = true, t.remove_prefix(1);
    size_t e = t.find_first_of("eE");
    int64_t exponent = 0;
    if (e != t.npos) {
        std::string_view x = t.substr(e + 1);
        bool minus = x.starts_with('-');
        if (minus || x.starts_with('+')) x.remove_prefix(1);
        for (char c : x)
            if ((exponent = exponent * 10 + (c - '0')) > 4096) fail(Code::limit, "the number ", quoted{t}, " has an exponent beyond 4096");
        if (minus) exponent = -exponent;
        t = t.substr(0, e);
    }
    size_t point = t.find('.');
    String digits(m);
    digits.append(t.substr(0, point));
    int64_t at = static_cast<int64_t>(digits.size());
    if (point != t.npos) digits.append(t.substr(point + 1));
    at += exponent;
    if (at < 0) digits.insert(0, static_cast<size_t>(-at), '0'), at = 0;
    if (at > static_cast<int64_t>(digits.size())) digits.append(static_cast<size_t>(at) - digits.size(), '0');
    d.whole.append(digits, 0, static_cast<size_t>(at));
    d.fraction.append(digits, static_cast<size_t>(at));
    size_t lead = d.whole.find_first_not_of('0');
    if (lead == String::npos)
        d.whole = "0";
    else
        d.whole.erase(0, lead);
    while (d.fraction.ends_with('0')) d.fraction.pop_back();
    if (d.is_zero()) d.negative = false;
    return d;
}

Languages::Languages(Memory &m, const Limits &limits) : memory_(m), limits_(limits), dfas_(m), ops_(m), patterns_(m), by_hash_(m) {
    add(no_text(m));
    add(any_text(m));
    add(build(
        m, begin, limits, [](uint64_t k, char c) { return advance(k, c); }, complete));
    // A fraction of zeros alone is an integer.
    add(build(
        m, begin, limits, [](uint64_t k, char c) { return (k == after_point || k == in_fraction) && c != '0' ? kStop : advance(k, c); },
        complete));
}

Lang Languages::add(Dfa d) {
    uint64_t h = d.n_states();
    for (uint32_t s = 0; s < d.n_states(); ++s) {
        h = mix64(h, d.accepts(s));
        for (const Dfa::Arc &a : d.arcs(s)) h = mix64(h ^ a.lo, static_cast<uint64_t>(a.hi) << 32 | a.to);
    }
    for (auto [it, end] = by_hash_.equal_range(h); it != end; ++it)
        if (dfas_[it->second] == d) return it->second;
    // 64 MiB of automata at most: about 30 bytes a state.
    if ((states_ += d.n_states()) > 1'000'000) fail(Code::limit, "schema: its automata have more than 1000000 states");
    Lang id = static_cast<Lang>(dfas_.size());
    dfas_.push_back(std::move(d));
    by_hash_.emplace(h, id);
    return id;
}

Lang Languages::op(Lang a, Lang b, SetOp o) {
    if (a == b) return o == SetOp::subtract ? none : a;
    if (o != SetOp::subtract && a > b) std::swap(a, b);
    uint64_t key = static_cast<uint64_t>(a) << 34 | static_cast<uint64_t>(b) << 2 | static_cast<uint64_t>(o);
    auto it = ops_.find(key);
    if (it != ops_.end()) return it->second;
    Lang r = add(a == any && o == SetOp::subtract ? complement(dfas_[b]) : combine(dfas_[a], dfas_[b], o, limits_));
    ops_.emplace(key, r);
    return r;
}

Lang Languages::pattern(std::string_view regex) {
    auto it = patterns_.find(regex);
    if (it != patterns_.end()) return it->second;
    Lang l = add(regex_dfa(memory_, regex, true, limits_));
    patterns_.emplace(make_string(memory_, regex), l);
    return l;
}

Lang Languages::text(std::string_view s) { return add(literal_text(memory_, s)); }
Lang Languages::length(uint64_t min, uint64_t max) {
    return min == 0 && max == ~0ull ? any : add(texts_of_length(memory_, min, max, limits_));
}

Lang Languages::texts(std::span<const std::string_view> list, bool integers) {
    // A tree of code points; sorted input makes every node's arcs come in order.
    Vector<std::string_view> sorted(list.begin(), list.end(), Alloc<std::string_view>(memory_));
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    struct Group {
        size_t first, last, depth;  // sorted[first, last) share `depth` bytes
    };
    Vector<Group> groups(memory_);
    Dfa d(memory_);
    if (!sorted.empty())
        groups.push_back({0, sorted.size(), 0});
    else
        return none;
    if (integers) groups.push_back({0, 0, 1}), groups.push_back({0, 0, 2});  // behind the point, and behind a zero there
    for (size_t g = 0; g < groups.size(); ++g) {
        Group x = groups[g];
        if (groups.size() > 400'000) fail(Code::limit, "schema: its strings have too many characters");
        if (x.first == x.last) {
            d.begin_state(x.depth == 2);
            d.arc('0', '0', 2);
            continue;
        }
        bool ends = sorted[x.first].size() == x.depth;
        d.begin_state(ends);
        if (ends && integers) d.arc('.', '.', 1);
        for (size_t i = x.first + ends; i < x.last;) {
            uint32_t c = 0, other = 0;
            int n = decode_utf8(sorted[i], x.depth, c);
            if (n == 0) fail(Code::format, "schema: a string is not UTF-8");
            size_t j = i + 1;
            while (j < x.last && decode_utf8(sorted[j], x.depth, other) && other == c) ++j;
            d.arc(c, c, static_cast<uint32_t>(groups.size()));
            groups.push_back({i, j, x.depth + static_cast<size_t>(n)});
            i = j;
        }
    }
    d.clean();
    return add(std::move(d));
}

Lang Languages::at_least(std::string_view bound, bool strictly) {
    Decimal b = parse_decimal(memory_, bound);
    // Key: phase | sign | order so far (0 less, 1 equal, 2 greater) | digits compared.
    auto pack = [](uint64_t phase, uint64_t minus, uint64_t order, uint64_t n) { return phase | minus << 3 | order << 4 | n << 8; };
    size_t wn = b.whole.size(), fn = b.fraction.size();
    auto next = [&](uint64_t k, char c) -> uint64_t {
        uint64_t phase = k & 7, minus = k >> 3 & 1, order = k >> 4 & 3, n = k >> 8;
        uint64_t to = advance(phase, c);
        if (to == kStop) return kStop;
        if (c == '-') return pack(to, 1, 1, 0);
        if (to == after_zero || to == in_whole) {
            if (n < wn) {
                if (order == 1) order = c < b.whole[n] ? 0 : c > b.whole[n] ? 2 : 1;
                ++n;
            } else
                order = 2, n = wn + 1;  // more digits than the bound has
            return pack(to, minus, order, n);
        }
        if (to == after_point) {
            if (n < wn) order = 0;
            return pack(to, minus, order, 0);
        }
        if (order == 1) {
            char want = n < fn ? b.fraction[n] : '0';
            order = c < want ? 0 : c > want ? 2 : 1;
            n = std::min<uint64_t>(n + 1, fn);
        }
        return pack(to, minus, order, order == 1 ? n : 0);
    };
    auto accept = [&](uint64_t k) {
        uint64_t phase = k & 7, minus = k >> 3 & 1, order = k >> 4 & 3, n = k >> 8;
        if (!complete(phase)) return false;
        if (phase == after_zero || phase == in_whole) {
            if (n < wn)
                order = 0;
            else if (order == 1 && fn > 0)
                order = 0;
        } else if (order == 1 && n < fn)
            order = 0;
        // order: |text| against |bound|
        if (!b.negative) {
            if (minus) return order == 1 && b.is_zero() && !strictly;
            return order == 2 || (order == 1 && !strictly);
        }
        if (!minus) return true;
        return order == 0 || (order == 1 && !strictly);
    };
    return add(build(memory_, pack(begin, 0, 1, 0), limits_, next, accept));
}

Lang Languages::equal(std::string_view value) { return both(at_least(value, false), at_most(value, false)); }

bool Languages::multiple_of(std::string_view divisor, Lang &out) {
    Decimal d = parse_decimal(memory_, divisor);
    String digits(d.whole);
    digits.append(d.fraction);
    uint64_t k = 0, places = d.fraction.size();
    for (char c : digits)
        if ((k = k * 10 + static_cast<uint64_t>(c - '0')) > 10'000) return false;  // a state a remainder
    if (k == 0 || places > 32) return false;
    auto pack = [](uint64_t phase, uint64_t rest, uint64_t n) { return phase | rest << 3 | n << 32; };
    auto next = [&](uint64_t s, char c) -> uint64_t {
        uint64_t phase = s & 7, rest = s >> 3 & 0x1fffffff, n = s >> 32;
        uint64_t to = advance(phase, c);
        if (to == kStop) return kStop;
        if (to == after_zero || to == in_whole) return pack(to, (rest * 10 + static_cast<uint64_t>(c - '0')) % k, 0);
        if (to == in_fraction) {
            if (n < places) return pack(to, (rest * 10 + static_cast<uint64_t>(c - '0')) % k, n + 1);
            return c == '0' ? s - phase + to : kStop;
        }
        return pack(to, rest, 0);
    };
    auto accept = [&](uint64_t s) {
        uint64_t phase = s & 7, rest = s >> 3 & 0x1fffffff, n = s >> 32;
        if (!complete(phase)) return false;
        for (; n < places; ++n) rest = rest * 10 % k;
        return rest == 0;
    };
    out = add(build(memory_, pack(begin, 0, 0), limits_, next, accept));
    return true;
}

}  // namespace inlay::text::grammar
