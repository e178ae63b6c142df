// SPDX-License-Identifier: Apache-2.0
// Passes over the rules before lowering; each is a loop over an order of rules found once.
#include "text/grammar/analysis.h"

#include <algorithm>

namespace inlay::text::grammar {
namespace {

// Enough for any grammar of 1 MiB in a handful of passes; a chain made to need thousands of passes ends here.
constexpr uint64_t kPassFuel = 40'000'000;

class Analyser {
public:
    Analyser(Memory &m, const Ast &ast) : memory_(m), ast_(ast), out_(m), nodes_at_(m), nodes_(m), refs_(m), order_(m) {}

    Analysis run() {
        collect();
        depth_first();
        nullability();
        left_recursion();
        sizes();
        return std::move(out_);
    }

private:
    // The expressions of every rule, children first, packed by rule; and how often each rule is named.
    void collect() {
        out_.nullable.assign(ast_.nodes.size(), 0);
        out_.size.assign(ast_.nodes.size(), 0);
        out_.rule_nullable.assign(ast_.rules.size(), 0);
        out_.frame.assign(ast_.rules.size(), 0);
        refs_.assign(ast_.rules.size(), 0);
        Vector<uint32_t> stack(memory_);
        nodes_at_.push_back(0);
        for (const Rule &r : ast_.rules) {
            size_t first = nodes_.size();
            if (r.body != kNone) stack.push_back(r.body);
            while (!stack.empty()) {
                uint32_t n = stack.back();
                stack.pop_back();
                nodes_.push_back(n);
                const Expr &e = ast_.nodes[n];
                if (e.kind == ExprKind::seq || e.kind == ExprKind::alt)
                    for (uint32_t i = 0; i < e.b; ++i) stack.push_back(ast_.kids[e.a + i]);
                else if (e.kind == ExprKind::repeat)
                    stack.push_back(e.a);
                else if (e.kind == ExprKind::ref)
                    ++refs_[e.a];
            }
            std::reverse(nodes_.begin() + static_cast<ptrdiff_t>(first), nodes_.end());
            nodes_at_.push_back(static_cast<uint32_t>(nodes_.size()));
        }
    }

    std::span<const uint32_t> nodes_of(uint32_t rule) const {
        return {nodes_.data() + nodes_at_[rule], nodes_at_[rule + 1] - nodes_at_[rule]};
    }

    // Rules, callees first as far as cycles allow; the target of an edge back up the path becomes a frame.
    void depth_first() {
        Vector<uint8_t> colour(ast_.rules.size(), 0, Alloc<uint8_t>(memory_));
        struct Step {
            uint32_t rule, next;
        };
        Vector<Step> stack(memory_);
        auto from = [&](uint32_t root) {
            if (colour[root]) return;
            colour[root] = 1;
            stack.push_back({root, 0});
            while (!stack.empty()) {
                Step &s = stack.back();
                auto list = nodes_of(s.rule);
                bool down = false;
                while (s.next < list.size()) {
                    const Expr &e = ast_.nodes[list[s.next++]];
                    if (e.kind != ExprKind::ref) continue;
                    if (colour[e.a] == 1)
                        out_.frame[e.a] = 1;
                    else if (colour[e.a] == 0) {
                        colour[e.a] = 1;
                        stack.push_back({e.a, 0});
                        down = true;
                        break;
                    }
                }
                if (down) continue;
                colour[stack.back().rule] = 2;
                order_.push_back(stack.back().rule);
                stack.pop_back();
            }
        };
        from(ast_.root);
        for (uint32_t r = 0; r < ast_.rules.size(); ++r) from(r);
    }

    bool node_nullable(const Expr &e) const {
        switch (e.kind) {
            case ExprKind::empty:
            case ExprKind::begin:
            case ExprKind::end:
            case ExprKind::gate:
                return true;
            case ExprKind::seq:
                for (uint32_t i = 0; i < e.b; ++i)
                    if (!out_.nullable[ast_.kids[e.a + i]]) return false;
                return true;
            case ExprKind::alt:
                for (uint32_t i = 0; i < e.b; ++i)
                    if (out_.nullable[ast_.kids[e.a + i]]) return true;
                return false;
            case ExprKind::repeat:
                return e.b == 0 || out_.nullable[e.a];
            case ExprKind::ref:
                return out_.rule_nullable[e.a];
            case ExprKind::graph:
                return ast_.graphs[e.a].empty();
            default:
                return false;
        }
    }

    void nullability() {
        uint64_t fuel = kPassFuel;
        for (bool again = true; again;) {
            again = false;
            for (uint32_t r : order_) {
                auto list = nodes_of(r);
                if (list.size() > fuel) fail(Code::limit, "grammar: its rules hang together too deeply");
                fuel -= list.size();
                for (uint32_t n : list) out_.nullable[n] = node_nullable(ast_.nodes[n]);
                if (!list.empty() && out_.nullable[ast_.rules[r].body] && !out_.rule_nullable[r]) out_.rule_nullable[r] = 1, again = true;
            }
        }
    }

    // The rules that `r` can begin with.
    void first_rules(uint32_t r, Vector<uint32_t> &stack, Vector<uint32_t> &out) const {
        out.clear();
        if (ast_.rules[r].body != kNone) stack.push_back(ast_.rules[r].body);
        while (!stack.empty()) {
            const Expr e = ast_.nodes[stack.back()];
            stack.pop_back();
            if (e.kind == ExprKind::ref)
                out.push_back(e.a);
            else if (e.kind == ExprKind::repeat) {
                if (e.c > 0) stack.push_back(e.a);
            } else if (e.kind == ExprKind::alt)
                for (uint32_t i = 0; i < e.b; ++i) stack.push_back(ast_.kids[e.a + i]);
            else if (e.kind == ExprKind::seq)
                for (uint32_t i = 0; i < e.b; ++i) {
                    stack.push_back(ast_.kids[e.a + i]);
                    if (!out_.nullable[ast_.kids[e.a + i]]) break;
                }
        }
    }

    void left_recursion() {
        Vector<uint8_t> colour(ast_.rules.size(), 0, Alloc<uint8_t>(memory_));
        struct Step {
            uint32_t rule;
            size_t next, end;  // of `found`
        };
        Vector<Step> path(memory_);
        Vector<uint32_t> found(memory_), scratch(memory_), first(memory_);
        auto enter = [&](uint32_t r) {
            colour[r] = 1;
            first_rules(r, scratch, first);
            size_t at = found.size();
            found.insert(found.end(), first.begin(), first.end());
            path.push_back({r, at, found.size()});
        };
        for (uint32_t root = 0; root < ast_.rules.size(); ++root) {
            if (colour[root]) continue;
            enter(root);
            while (!path.empty()) {
                Step &s = path.back();
                if (s.next == s.end) {
                    colour[s.rule] = 2;
                    path.pop_back();
                    found.resize(path.empty() ? 0 : path.back().end);
                    continue;
                }
                uint32_t to = found[s.next++];
                if (colour[to] == 0)
                    enter(to);
                else if (colour[to] == 1)
                    fail_at(Code::format, ast_.rules[to].place, "grammar: left recursion: the rule ", quoted{ast_.rules[to].name},
                            " can begin with itself", path.back().rule == to ? "" : " through ",
                            path.back().rule == to ? quoted{""} : quoted{ast_.rules[path.back().rule].name});
            }
        }
    }

    uint64_t own_size(const Expr &e) const {
        constexpr uint64_t cap = 1ull << 40;
        uint64_t s = 0;
        switch (e.kind) {
            case ExprKind::bytes:
                return e.b;
            case ExprKind::chars:
                return ast_.sets[e.a].items().size() + 3;
            case ExprKind::seq:
            case ExprKind::alt:
                for (uint32_t i = 0; i < e.b; ++i) s += out_.size[ast_.kids[e.a + i]];
                return std::min(cap, s + 1);
            case ExprKind::repeat:
                if (!unrolled(ast_, out_, e)) return 2;
                return std::min(cap, out_.size[e.a] * (e.c == kInfinite ? std::max(e.b, 1u) : e.c) + 2);
            case ExprKind::ref:
                return out_.frame[e.a] ? 1 : ast_.rules[e.a].body == kNone ? 1 : out_.size[ast_.rules[e.a].body];
            case ExprKind::graph:
                return ast_.graphs[e.a].n_states;
            default:
                return 1;
        }
    }

    void sizes() {
        uint64_t total = 0;
        for (uint32_t r = 0; r < ast_.rules.size(); ++r)
            if (ast_.rules[r].frame) out_.frame[r] = 1;
        out_.frame[ast_.root] = 1;
        for (uint32_t r : order_) {
            for (uint32_t n : nodes_of(r)) out_.size[n] = own_size(ast_.nodes[n]);
            if (out_.frame[r] || ast_.rules[r].body == kNone) continue;
            uint64_t s = out_.size[ast_.rules[r].body], copies = s * refs_[r];
            // Melted when that costs little; beyond 200,000 states in all only what is tiny.
            bool melt = refs_[r] <= 1 || s <= 8 || ((s <= 64 || copies <= 4096) && total + copies <= 200'000);
            if (!melt)
                out_.frame[r] = 1;
            else if (refs_[r] > 1)
                total += copies;
        }
    }

    Memory &memory_;
    const Ast &ast_;
    Analysis out_;
    Vector<uint32_t> nodes_at_, nodes_;
    Vector<uint32_t> refs_, order_;
};

}  // namespace

bool unrolled(const Ast &, const Analysis &a, const Expr &e) noexcept {
    uint64_t n = e.c == kInfinite ? e.b : e.c;
    return n <= 1 || a.size[e.a] * n <= kUnrollStates;
}

Analysis analyse(Memory &m, const Ast &ast, const Limits &) { return Analyser(m, ast).run(); }

}  // namespace inlay::text::grammar
