// SPDX-License-Identifier: Apache-2.0
// Expressions to network: Thompson's construction from the outside in (each expression is laid between two states that
// exist already), then removal of what can never end, byte classes and follow sets.
#include <algorithm>

#include "text/grammar/analysis.h"
#include "text/grammar/net.h"

namespace inlay::text::grammar {
namespace {

// The whole network of one constraint. 800,000 states are about 60 MiB while being built (BAD_INPUTS: 64 MiB a constraint).
constexpr uint32_t kMaxStates = 800'000;
constexpr uint64_t kMaxEdges = 1'200'000;

class Lowering {
public:
    Lowering(Memory &m, const Ast &ast)
        : memory_(m),
          ast_(ast),
          a_(analyse(m, ast, Limits{})),
          net_(m),
          edges_(m),
          eps_(m),
          calls_(m),
          gates_(m),
          work_(m),
          rule_frame_(ast.rules.size(), kNone, Alloc<uint32_t>(m)),
          loop_frame_(ast.nodes.size(), kNone, Alloc<uint32_t>(m)),
          pending_(m),
          runs_(m) {}

    Net run() {
        net_.gates = ast_.gates;
        frame_of(ast_.root);
        while (!pending_.empty()) {
            Pending p = pending_.back();
            pending_.pop_back();
            emit(p);
        }
        trim();
        pack();
        classes();
        follow_sets();
        return std::move(net_);
    }

private:
    struct Work {
        uint32_t expr, from, to;
    };
    struct Pending {
        uint32_t rule, expr;
        bool loop;
    };
    struct From {
        uint32_t from;
        NetEdge edge;
    };
    struct FromEps {
        uint32_t from, to;
    };
    struct FromCall {
        uint32_t from;
        NetCall call;
    };
    struct FromGate {
        uint32_t from;
        NetGate gate;
    };

    uint32_t state() {
        if (net_.final.size() >= kMaxStates) fail(Code::limit, "grammar: more than ", kMaxStates, " states");
        net_.final.push_back(0);
        net_.rule_of.push_back(current_);
        return static_cast<uint32_t>(net_.final.size() - 1);
    }
    void edge(uint32_t s, uint8_t lo, uint8_t hi, uint32_t t) {
        if (edges_.size() >= kMaxEdges) fail(Code::limit, "grammar: more than ", kMaxEdges, " edges");
        edges_.push_back({s, {t, lo, hi}});
    }
    void eps(uint32_t s, uint32_t t) {
        if (s != t) eps_.push_back({s, t});
    }
    void gate(uint32_t s, uint32_t g, uint32_t t) { gates_.push_back({s, {t, g}}); }

    uint32_t new_frame(bool nullable) {
        net_.rules.emplace_back(memory_);
        net_.rules.back().nullable = nullable;
        return static_cast<uint32_t>(net_.rules.size() - 1);
    }
    uint32_t frame_of(uint32_t rule) {
        if (rule_frame_[rule] == kNone) {
            rule_frame_[rule] = new_frame(a_.rule_nullable[rule]);
            net_.rules.back().params = ast_.rules[rule].params;
            pending_.push_back({rule_frame_[rule], ast_.rules[rule].body, false});
        }
        return rule_frame_[rule];
    }

    void emit(const Pending &p) {
        current_ = p.rule;
        uint32_t start = state();
        net_.rules[p.rule].start = start;
        uint32_t last = state();
        net_.final[last] = 1;
        if (!p.loop) {
            if (p.expr != kNone) lay(p.expr, start, last);
            return;
        }
        // One iteration from `start` to `done`; there the counter decides: round again, or out.
        const Expr &e = ast_.nodes[p.expr];
        uint32_t lo = a_.nullable[e.a] ? 0 : e.b, hi = e.c, done = state();
        lay(e.a, start, done);
        uint32_t cap = hi == kInfinite ? std::max(lo, 1u) : hi;
        Gate again, out;
        again.add_count = out.add_count = 1;
        again.count_cap = out.count_cap = cap;
        if (hi != kInfinite) again.count_hi = hi - 2;
        out.count_lo = lo > 0 ? lo - 1 : 0;
        FrameParams &f = net_.rules[p.rule].params;
        f.counted = true;
        // `again` holds up to hi - 2, `out` from lo - 1: the values of count around which behaviour changes.
        if (hi != kInfinite) f.thresholds.push_back(hi - 1);
        if (lo > 1) f.thresholds.push_back(lo - 1);
        std::sort(f.thresholds.begin(), f.thresholds.end());
        net_.gates.push_back(again);
        gate(done, static_cast<uint32_t>(net_.gates.size() - 1), start);
        net_.gates.push_back(out);
        gate(done, static_cast<uint32_t>(net_.gates.size() - 1), last);
    }

    void lay(uint32_t expr, uint32_t from, uint32_t to) {
        work_.push_back({expr, from, to});
        while (!work_.empty()) {
            Work w = work_.back();
            work_.pop_back();
            lay_one(ast_.nodes[w.expr], w.expr, w.from, w.to);
        }
    }

    void lay_one(const Expr &e, uint32_t id, uint32_t s, uint32_t t) {
        switch (e.kind) {
            case ExprKind::empty:
                eps(s, t);
                break;
            case ExprKind::never:
                break;
            case ExprKind::bytes:
                for (uint32_t i = 0; i < e.b; ++i) {
                    uint32_t next = i + 1 == e.b ? t : state();
                    uint8_t b = static_cast<uint8_t>(ast_.text[e.a + i]);
                    edge(s, b, b, next);
                    s = next;
                }
                break;
            case ExprKind::chars:
                chars(ast_.sets[e.a], s, t);
                break;
            case ExprKind::seq:
                for (uint32_t i = 0; i < e.b; ++i) {
                    uint32_t next = i + 1 == e.b ? t : state();
                    work_.push_back({ast_.kids[e.a + i], s, next});
                    s = next;
                }
                break;
            case ExprKind::alt:
                for (uint32_t i = 0; i < e.b; ++i) work_.push_back({ast_.kids[e.a + i], s, t});
                break;
            case ExprKind::repeat:
                repeat(e, id, s, t);
                break;
            case ExprKind::ref:
                if (a_.frame[e.a])
                    call(s, frame_of(e.a), t, a_.rule_nullable[e.a]);
                else if (ast_.rules[e.a].body != kNone)
                    work_.push_back({ast_.rules[e.a].body, s, t});
                break;
            case ExprKind::begin:
            case ExprKind::end:
                fail(Code::internal, "grammar: an anchor was left over");
            case ExprKind::gate:
                gate(s, e.a, t);
                break;
            case ExprKind::graph: {
                const ByteGraph &g = ast_.graphs[e.a];
                uint32_t base = static_cast<uint32_t>(net_.final.size());
                for (uint32_t i = 0; i < g.n_states; ++i) state();
                if (g.n_states > 0) eps(s, base);
                for (const ByteGraph::Edge &x : g.edges) edge(base + x.from, x.lo, x.hi, base + x.to);
                for (uint32_t f : g.finals) eps(base + f, t);
                break;
            }
        }
    }

    void call(uint32_t s, uint32_t rule, uint32_t t, bool nullable) {
        calls_.push_back({s, {rule, t}});
        if (nullable) eps(s, t);
    }

    void repeat(const Expr &e, uint32_t id, uint32_t s, uint32_t t) {
        uint32_t lo = e.b, hi = e.c;
        if (hi == 0) return eps(s, t);
        if (!unrolled(ast_, a_, e)) {
            if (loop_frame_[id] == kNone) {
                loop_frame_[id] = new_frame(false);
                pending_.push_back({loop_frame_[id], id, true});
            }
            return call(s, loop_frame_[id], t, lo == 0 || a_.nullable[e.a]);
        }
        uint32_t must = hi == kInfinite && lo > 0 ? lo - 1 : lo;
        for (uint32_t i = 0; i < must; ++i) {
            uint32_t next = hi == lo && i + 1 == must ? t : state();
            work_.push_back({e.a, s, next});
            s = next;
        }
        if (hi == kInfinite) {
            uint32_t in = state(), out = state();
            eps(s, in);
            work_.push_back({e.a, in, out});
            eps(out, in);
            eps(out, t);
            if (lo == 0) eps(s, t);
            return;
        }
        for (uint32_t i = lo; i < hi; ++i) {
            eps(s, t);
            uint32_t next = i + 1 == hi ? t : state();
            work_.push_back({e.a, s, next});
            s = next;
        }
    }

    void chars(const CharSet &set, uint32_t s, uint32_t t) {
        runs_.clear();
        for (const Interval &i : set.items()) utf8_runs(i.lo, i.hi, runs_);
        uint32_t tails[4] = {t, kNone, kNone, kNone};  // k full continuation bytes before t
        auto tail = [&](int k) {
            for (int i = 1; i <= k; ++i)
                if (tails[i] == kNone) {
                    tails[i] = state();
                    edge(tails[i], 0x80, 0xBF, tails[i - 1]);
                }
            return tails[k];
        };
        for (const ByteRun &r : runs_) {
            int full = 0;
            while (full < r.n - 1 && r.lo[r.n - 1 - full] == 0x80 && r.hi[r.n - 1 - full] == 0xBF) ++full;
            uint32_t at = s;
            for (int i = 0; i < r.n - full; ++i) {
                uint32_t next = i + 1 == r.n - full ? tail(full) : state();
                edge(at, r.lo[i], r.hi[i], next);
                at = next;
            }
        }
    }

    // Removes edges to states from which no sentence can be finished.
    void trim() {
        size_t n = net_.final.size();
        Vector<uint8_t> alive(n, 0, Alloc<uint8_t>(memory_)), rule_alive(net_.rules.size(), 0, Alloc<uint8_t>(memory_));
        Packed<uint32_t> back(memory_), callers(memory_);
        pack_list(back, eps_.size() + edges_.size() + gates_.size(), n, [&](auto &&put) {
            for (const FromEps &x : eps_) put(x.to, x.from);
            for (const From &x : edges_) put(x.edge.to, x.from);
            for (const FromGate &x : gates_) put(x.gate.to, x.from);
        });
        // calls by return state and by rule
        Packed<uint32_t> by_ret(memory_);
        auto calls = [&](auto key) {
            return [&, key](auto &&put) {
                for (size_t i = 0; i < calls_.size(); ++i) put(key(calls_[i].call), static_cast<uint32_t>(i));
            };
        };
        pack_list(by_ret, calls_.size(), n, calls([](const NetCall &c) { return c.ret; }));
        pack_list(callers, calls_.size(), net_.rules.size(), calls([](const NetCall &c) { return c.rule; }));
        Vector<uint32_t> stack(memory_);
        auto mark = [&](uint32_t s) {
            if (!alive[s]) alive[s] = 1, stack.push_back(s);
        };
        for (uint32_t s = 0; s < n; ++s)
            if (net_.final[s]) mark(s);
        while (!stack.empty()) {
            uint32_t s = stack.back();
            stack.pop_back();
            for (uint32_t f : back.of(s)) mark(f);
            for (uint32_t c : by_ret.of(s))
                if (rule_alive[calls_[c].call.rule]) mark(calls_[c].from);
            uint32_t r = net_.rule_of[s];
            if (net_.rules[r].start == s && !rule_alive[r]) {
                rule_alive[r] = 1;
                for (uint32_t c : callers.of(r))
                    if (alive[calls_[c].call.ret]) mark(calls_[c].from);
            }
        }
        if (!rule_alive[0]) fail(Code::invalid_argument, "grammar: no text is a sentence of it");
        std::erase_if(eps_, [&](const FromEps &x) { return !alive[x.from] || !alive[x.to]; });
        std::erase_if(edges_, [&](const From &x) { return !alive[x.from] || !alive[x.edge.to]; });
        std::erase_if(gates_, [&](const FromGate &x) { return !alive[x.from] || !alive[x.gate.to]; });
        std::erase_if(calls_, [&](const FromCall &x) { return !alive[x.from] || !alive[x.call.ret] || !rule_alive[x.call.rule]; });
    }

    template <class T, class Each>
    void pack_list(Packed<T> &p, size_t n_items, size_t n_keys, Each &&each) {
        p.at.assign(n_keys + 1, 0);
        p.items.resize(n_items);
        each([&](uint32_t key, const T &) { ++p.at[key + 1]; });
        for (size_t i = 0; i < n_keys; ++i) p.at[i + 1] += p.at[i];
        Vector<uint32_t> next(p.at.begin(), p.at.end(), Alloc<uint32_t>(memory_));
        each([&](uint32_t key, const T &v) { p.items[next[key]++] = v; });
    }

    void pack() {
        size_t n = net_.final.size();
        pack_list(net_.edges, edges_.size(), n, [&](auto &&put) {
            for (const From &x : edges_) put(x.from, x.edge);
        });
        pack_list(net_.eps, eps_.size(), n, [&](auto &&put) {
            for (const FromEps &x : eps_) put(x.from, x.to);
        });
        pack_list(net_.calls, calls_.size(), n, [&](auto &&put) {
            for (const FromCall &x : calls_) put(x.from, x.call);
        });
        pack_list(net_.gate_uses, gates_.size(), n, [&](auto &&put) {
            for (const FromGate &x : gates_) put(x.from, x.gate);
        });
    }

    void classes() {
        // Bytes are told apart by the sets of borders they lie between.
        bool border[257] = {};
        for (const NetEdge &e : net_.edges.items) border[e.lo] = true, border[e.hi + 1] = true;
        uint32_t c = 0;
        for (uint32_t b = 0; b < 256; ++b) {
            if (b > 0 && border[b]) ++c;
            net_.class_of[b] = static_cast<uint8_t>(c);
            if (b == 0 || border[b]) net_.class_byte[c] = static_cast<uint8_t>(b);
        }
        net_.n_classes = c + 1;
    }

    // first(state) and follow(rule), as sets of bytes, to the fixed point. Over-approximates: gates count as open.
    void follow_sets() {
        size_t n = net_.final.size(), nr = net_.rules.size();
        net_.follow.assign(nr * 4, 0);
        Vector<uint64_t> first(n * 4, 0, Alloc<uint64_t>(memory_));
        for (uint32_t s = 0; s < n; ++s)
            for (const NetEdge &e : net_.edges.of(s))
                for (uint32_t b = e.lo; b <= e.hi; ++b) first[s * 4 + (b >> 6)] |= 1ull << (b & 63);
        Vector<uint8_t> to_end(n, 0, Alloc<uint8_t>(memory_));  // reaches the end of its rule without a byte
        for (size_t s = 0; s < n; ++s) to_end[s] = net_.final[s];
        auto join = [](uint64_t *into, const uint64_t *from) {
            bool grew = false;
            for (int i = 0; i < 4; ++i) grew |= (from[i] & ~into[i]) != 0, into[i] |= from[i];
            return grew;
        };
        // A network made to need thousands of passes gets full sets instead: right, only slower masks.
        uint64_t passes = 20'000'000 / (n + 1) + 8;
        auto give_up = [&] { std::fill(net_.follow.begin(), net_.follow.end(), ~0ull); };
        for (bool again = true; again;) {
            if (passes-- == 0) return give_up();
            again = false;
            for (size_t back = n; back-- > 0;) {
                uint32_t s = static_cast<uint32_t>(back);
                auto flow = [&](uint32_t t) {
                    again |= join(&first[s * 4], &first[t * 4]);
                    if (to_end[t] && !to_end[s]) to_end[s] = 1, again = true;
                };
                for (uint32_t t : net_.eps.of(s)) flow(t);
                for (const NetGate &g : net_.gate_uses.of(s)) flow(g.to);
                for (const NetCall &c : net_.calls.of(s)) again |= join(&first[s * 4], &first[net_.rules[c.rule].start * 4]);
            }
        }
        for (bool again = true; again;) {
            if (passes-- == 0) return give_up();
            again = false;
            for (uint32_t s = 0; s < n; ++s)
                for (const NetCall &c : net_.calls.of(s)) {
                    again |= join(&net_.follow[c.rule * 4], &first[c.ret * 4]);
                    if (to_end[c.ret]) again |= join(&net_.follow[c.rule * 4], &net_.follow[net_.rule_of[s] * 4]);
                }
        }
    }

    Memory &memory_;
    const Ast &ast_;
    Analysis a_;
    Net net_;
    Vector<From> edges_;
    Vector<FromEps> eps_;
    Vector<FromCall> calls_;
    Vector<FromGate> gates_;
    Vector<Work> work_;
    Vector<uint32_t> rule_frame_, loop_frame_;
    Vector<Pending> pending_;
    Vector<ByteRun> runs_;
    uint32_t current_ = 0;
};

}  // namespace

Net lower(Memory &m, const Ast &ast, const Limits &) { return Lowering(m, ast).run(); }

}  // namespace inlay::text::grammar
