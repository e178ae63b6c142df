// SPDX-License-Identifier: Apache-2.0
// Products, complements, minimisation and listing of code point automata.
#include "text/grammar/dfa.h"

#include <algorithm>

#include "base/hash.h"

namespace inlay::text::grammar {

uint32_t Dfa::next(uint32_t s, uint32_t c) const noexcept {
    auto list = arcs(s);
    auto it = std::upper_bound(list.begin(), list.end(), c, [](uint32_t v, const Arc &a) { return v < a.lo; });
    if (it == list.begin() || c > (it - 1)->hi) return kDead;
    return (it - 1)->to;
}

bool Dfa::matches(std::string_view s) const noexcept {
    if (empty()) return false;
    uint32_t at = 0;
    for (size_t i = 0; i < s.size();) {
        uint32_t c;
        int n = decode_utf8(s, i, c);
        if (n == 0 || (at = next(at, c)) == kDead) return false;
        i += static_cast<size_t>(n);
    }
    return accept_[at];
}

bool Dfa::all() const noexcept {
    if (n_states() != 1 || !accept_[0]) return false;
    auto a = arcs(0);
    return a.size() == 2 && a[0] == Arc{0, 0xD7FF, 0} && a[1] == Arc{0xE000, kMaxCodePoint, 0};
}

// Refines {ending, not ending} until no block splits (Moore). Blocks are named in the order of discovery from the
// start, so equal languages get equal automata.
class DfaOps {
public:
    static void clean(Dfa &d) {
        Alloc<uint32_t> alloc(d.at_.get_allocator());
        uint32_t n = d.n_states();
        if (n == 0) return;
        // forward
        Vector<uint32_t> order(alloc);
        Vector<uint8_t> seen(n, 0, Alloc<uint8_t>(alloc));
        order.push_back(0);
        seen[0] = 1;
        for (size_t i = 0; i < order.size(); ++i)
            for (const Dfa::Arc &a : d.arcs(order[i]))
                if (!seen[a.to]) seen[a.to] = 1, order.push_back(a.to);
        // backward
        Vector<uint32_t> head(n, ~0u, alloc), link(alloc), from(alloc);
        for (uint32_t s : order)
            for (const Dfa::Arc &a : d.arcs(s)) {
                link.push_back(head[a.to]);
                from.push_back(s);
                head[a.to] = static_cast<uint32_t>(link.size() - 1);
            }
        Vector<uint8_t> alive(n, 0, Alloc<uint8_t>(alloc));
        Vector<uint32_t> stack(alloc);
        for (uint32_t s : order)
            if (d.accept_[s]) alive[s] = 1, stack.push_back(s);
        while (!stack.empty()) {
            uint32_t s = stack.back();
            stack.pop_back();
            for (uint32_t l = head[s]; l != ~0u; l = link[l])
                if (!alive[from[l]]) alive[from[l]] = 1, stack.push_back(from[l]);
        }
        if (!alive[0]) {
            d = Dfa(alloc.memory());
            return;
        }
        Vector<uint32_t> block = blocks(d, order, alive);
        rebuild(d, alive, block);
    }

private:
    static uint64_t signature(const Dfa &d, uint32_t s, const Vector<uint8_t> &alive, const Vector<uint32_t> &block) {
        uint64_t h = mix64(d.accept_[s], 1);
        uint32_t lo = 0, hi = 0, to = ~0u;
        for (const Dfa::Arc &a : d.arcs(s)) {
            if (!alive[a.to]) continue;
            // Adjoining arcs to one block count as one; the gap of the surrogates is no gap.
            uint32_t b = block[a.to];
            if (to == b && (a.lo == hi + 1 || (hi == 0xD7FF && a.lo == 0xE000))) {
                hi = a.hi;
                continue;
            }
            if (to != ~0u) h = mix64(h ^ to, static_cast<uint64_t>(lo) << 32 | hi);
            lo = a.lo, hi = a.hi, to = b;
        }
        if (to != ~0u) h = mix64(h ^ to, static_cast<uint64_t>(lo) << 32 | hi);
        return mix64(h, block[s]);
    }

    // Without circles one pass from the ends backwards finds the blocks (lists of texts, counted lengths).
    static bool acyclic(const Dfa &d, const Vector<uint32_t> &order, const Vector<uint8_t> &alive, Vector<uint32_t> &block) {
        Alloc<uint32_t> alloc(order.get_allocator());
        Vector<uint32_t> left(d.n_states(), 0, alloc), sorted(alloc);
        size_t n = 0;
        for (uint32_t s : order) {
            if (!alive[s]) continue;
            ++n;
            for (const Dfa::Arc &a : d.arcs(s))
                if (alive[a.to]) ++left[a.to];
        }
        if (left[0] == 0) sorted.push_back(0);
        for (size_t i = 0; i < sorted.size(); ++i)
            for (const Dfa::Arc &a : d.arcs(sorted[i]))
                if (alive[a.to] && --left[a.to] == 0) sorted.push_back(a.to);
        if (sorted.size() != n) return false;
        HashMap<uint64_t, uint32_t> names(alloc.memory());
        for (size_t i = n; i-- > 0;) {
            const uint32_t s = sorted[i];
            block[s] = 0;
            block[s] = names.emplace(signature(d, s, alive, block), static_cast<uint32_t>(names.size())).first->second;
        }
        return true;
    }

    static Vector<uint32_t> blocks(const Dfa &d, const Vector<uint32_t> &order, const Vector<uint8_t> &alive) {
        Alloc<uint32_t> alloc(order.get_allocator());
        Vector<uint32_t> block(d.n_states(), 0, alloc);
        if (acyclic(d, order, alive, block)) return block;
        for (uint32_t s : order) block[s] = d.accept_[s];
        size_t count = 0;
        // A long chain needs a pass a state; past this the automaton is right, only not the smallest.
        uint64_t fuel = 20'000'000;
        HashMap<uint64_t, uint32_t> names(alloc.memory());
        while (true) {
            uint64_t cost = d.arcs_.size() + order.size();
            if (cost > fuel) {
                for (uint32_t s : order) block[s] = s;
                break;
            }
            fuel -= cost;
            names.clear();
            Vector<uint32_t> next(d.n_states(), 0, alloc);
            for (uint32_t s : order)
                if (alive[s]) next[s] = names.emplace(signature(d, s, alive, block), static_cast<uint32_t>(names.size())).first->second;
            bool same = names.size() == count;
            count = names.size();
            block.swap(next);
            if (same) break;
        }
        return block;
    }

    static void rebuild(Dfa &d, const Vector<uint8_t> &alive, const Vector<uint32_t> &block) {
        Alloc<uint32_t> alloc(d.at_.get_allocator());
        Vector<uint32_t> name(alloc), sample(alloc);
        name.assign(d.n_states() + 2, ~0u);
        auto id = [&](uint32_t s) {
            uint32_t &n = name[block[s]];
            if (n == ~0u) n = static_cast<uint32_t>(sample.size()), sample.push_back(s);
            return n;
        };
        id(0);
        Dfa out(alloc.memory());
        for (size_t i = 0; i < sample.size(); ++i) {
            uint32_t s = sample[i];
            out.begin_state(d.accept_[s]);
            for (const Dfa::Arc &a : d.arcs(s)) {
                if (!alive[a.to]) continue;
                uint32_t to = id(a.to);
                if (out.at_.back() > out.at_[i] && out.arcs_.back().to == to && out.arcs_.back().hi + 1 == a.lo) {
                    out.arcs_.back().hi = a.hi;
                    continue;
                }
                out.arc(a.lo, a.hi, to);
            }
        }
        d = std::move(out);
    }
};

void Dfa::clean() { DfaOps::clean(*this); }

bool Dfa::finite() const {
    // Clean: every cycle is on a way to the end.
    Vector<uint32_t> left(n_states(), 0, at_.get_allocator());
    for (const Arc &a : arcs_) ++left[a.to];
    Vector<uint32_t> stack(at_.get_allocator());
    uint32_t done = 0;
    for (uint32_t s = 0; s < n_states(); ++s)
        if (left[s] == 0) stack.push_back(s);
    while (!stack.empty()) {
        uint32_t s = stack.back();
        stack.pop_back();
        ++done;
        for (const Arc &a : arcs(s))
            if (--left[a.to] == 0) stack.push_back(a.to);
    }
    return done == n_states();
}

bool Dfa::enumerate(size_t max, Vector<String> &out) const {
    if (empty()) return true;
    if (!finite()) return false;
    struct Step {
        uint32_t state, arc, c;
        size_t length;
    };
    Memory &m = at_.get_allocator().memory();
    Vector<Step> path(m);
    String text(m);
    size_t found = 0;
    auto enter = [&](uint32_t s) {
        path.push_back({s, 0, 0, text.size()});
        if (accepts(s)) {
            if (found++ == max) return false;
            out.push_back(text);
        }
        return true;
    };
    if (!enter(0)) return false;
    while (!path.empty()) {
        Step &p = path.back();
        text.resize(p.length);
        auto list = arcs(p.state);
        if (p.arc == list.size()) {
            path.pop_back();
            continue;
        }
        const Arc &a = list[p.arc];
        uint32_t c = a.lo + p.c;
        if (c == a.hi)
            ++p.arc, p.c = 0;
        else
            ++p.c;
        char utf8[4];
        text.append(utf8, static_cast<size_t>(encode_utf8(c, utf8)));
        if (!enter(a.to)) return false;
    }
    return true;
}

Dfa any_text(Memory &m) {
    Dfa d(m);
    d.begin_state(true);
    d.arc(0, 0xD7FF, 0);
    d.arc(0xE000, kMaxCodePoint, 0);
    return d;
}

Dfa no_text(Memory &m) { return Dfa(m); }

Dfa literal_text(Memory &m, std::string_view s) {
    Dfa d(m);
    uint32_t state = 0;
    for (size_t i = 0; i < s.size();) {
        uint32_t c;
        int n = decode_utf8(s, i, c);
        if (n == 0) return no_text(m);
        d.begin_state(false);
        d.arc(c, c, ++state);
        i += static_cast<size_t>(n);
    }
    d.begin_state(true);
    return d;
}

Dfa texts_of_length(Memory &m, uint64_t min, uint64_t max, const Limits &limits) {
    Dfa d(m);
    if (max < min) return d;
    uint64_t last = max == ~0ull ? min : max;
    if (last >= limits.regex_states) fail(Code::limit, "a length of ", last, " needs more than ", limits.regex_states, " states");
    for (uint64_t i = 0; i <= last; ++i) {
        d.begin_state(i >= min);
        uint32_t to = static_cast<uint32_t>(i < last ? i + 1 : i);
        if (i == last && max != ~0ull) break;
        d.arc(0, 0xD7FF, to);
        d.arc(0xE000, kMaxCodePoint, to);
    }
    return d;
}

Dfa combine(const Dfa &a, const Dfa &b, SetOp op, const Limits &limits) {
    Memory &m = a.memory();
    if (op == SetOp::intersect && (a.empty() || b.empty())) return no_text(m);
    if (op == SetOp::intersect && a.all()) return b;
    if (op != SetOp::unite && b.all()) return op == SetOp::intersect ? a : no_text(m);
    if (op != SetOp::intersect && b.empty()) return a;
    if (op == SetOp::unite && a.empty()) return b;
    if (op == SetOp::subtract && a.empty()) return a;
    Dfa out(m);
    HashMap<uint64_t, uint32_t> names(m);
    Vector<std::pair<uint32_t, uint32_t>> pairs(m);
    auto id = [&](uint32_t x, uint32_t y) -> uint32_t {
        if (op == SetOp::intersect && (x == Dfa::kDead || y == Dfa::kDead)) return Dfa::kDead;
        if (x == Dfa::kDead && (y == Dfa::kDead || op == SetOp::subtract)) return Dfa::kDead;
        auto [it, fresh] = names.emplace(static_cast<uint64_t>(x) << 32 | y, static_cast<uint32_t>(pairs.size()));
        if (fresh) {
            if (pairs.size() >= limits.regex_states) fail(Code::limit, "automaton: more than ", limits.regex_states, " states");
            pairs.push_back({x, y});
        }
        return it->second;
    };
    id(0, 0);
    uint64_t fuel = 10'000'000;
    for (size_t i = 0; i < pairs.size(); ++i) {
        auto [x, y] = pairs[i];
        bool ax = x != Dfa::kDead && a.accepts(x), ay = y != Dfa::kDead && b.accepts(y);
        out.begin_state(op == SetOp::intersect ? ax && ay : op == SetOp::unite ? ax || ay : ax && !ay);
        std::span<const Dfa::Arc> p = x == Dfa::kDead ? std::span<const Dfa::Arc>() : a.arcs(x),
                                  q = y == Dfa::kDead ? std::span<const Dfa::Arc>() : b.arcs(y);
        size_t j = 0, k = 0;
        uint32_t at = 0;
        while (j < p.size() || k < q.size()) {
            if (fuel-- == 0) fail(Code::limit, "automaton: too much work");
            // The piece from `at` in which neither side changes.
            uint32_t end = kMaxCodePoint;
            uint32_t px = Dfa::kDead, qx = Dfa::kDead;
            if (j < p.size()) {
                if (at < p[j].lo)
                    end = std::min(end, p[j].lo - 1);
                else
                    px = p[j].to, end = std::min(end, p[j].hi);
            }
            if (k < q.size()) {
                if (at < q[k].lo)
                    end = std::min(end, q[k].lo - 1);
                else
                    qx = q[k].to, end = std::min(end, q[k].hi);
            }
            if (px != Dfa::kDead || qx != Dfa::kDead) {
                uint32_t to = id(px, qx);
                if (to != Dfa::kDead) out.arc(at, end, to);
            }
            if (j < p.size() && end == p[j].hi) ++j;
            if (k < q.size() && end == q[k].hi) ++k;
            at = end + 1;
        }
    }
    out.clean();
    return out;
}

Dfa complement(const Dfa &a) {
    Memory &m = a.memory();
    Dfa out(m);
    uint32_t sink = a.n_states();
    for (uint32_t s = 0; s < a.n_states(); ++s) {
        out.begin_state(!a.accepts(s));
        uint32_t at = 0;
        auto gap = [&](uint32_t lo, uint32_t hi) {  // inclusive; leaves the surrogates out
            if (lo < 0xD800 && lo <= hi) out.arc(lo, std::min(hi, 0xD7FFu), sink);
            if (hi > 0xDFFF) out.arc(std::max(lo, 0xE000u), hi, sink);
        };
        for (const Dfa::Arc &x : a.arcs(s)) {
            if (x.lo > at) gap(at, x.lo - 1);
            out.arc(x.lo, x.hi, x.to);
            at = x.hi + 1;
        }
        if (at <= kMaxCodePoint) gap(at, kMaxCodePoint);
    }
    out.begin_state(true);
    out.arc(0, 0xD7FF, sink);
    out.arc(0xE000, kMaxCodePoint, sink);
    out.clean();
    return out;
}

}  // namespace inlay::text::grammar
