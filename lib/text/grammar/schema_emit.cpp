// SPDX-License-Identifier: Apache-2.0
// The rules of JSON texts that a planned schema admits.
#include "text/grammar/schema_emit.h"

#include <algorithm>

namespace inlay::text::grammar {
namespace {

// Keys and obligations share the 64 bits of a frame's parameter; beyond this keys come in the schema's order.
constexpr size_t kFreeOrder = 60;

class Emitter {
public:
    Emitter(Planner &p, const SchemaOptions &options)
        : p_(p), options_(options), memory_(p.memory()), ast_(memory_), goal_rule_(memory_), lang_rule_(memory_), todo_(memory_) {}

    Ast run() {
        goal_rule_.assign(p_.plans().size(), kNone);
        ast_.root = goal(0);
        while (!todo_.empty()) {
            GoalId g = todo_.back();
            todo_.pop_back();
            uint32_t body = value(p_.plans()[g]);
            ast_.rules[goal_rule_[g]].body = body;
        }
        return std::move(ast_);
    }

private:
    using Parts = Vector<uint32_t>;

    uint32_t goal(GoalId g) {
        if (p_.plans()[g].anything) return anything();
        if (goal_rule_[g] == kNone) {
            goal_rule_[g] = ast_.rule("value");
            todo_.push_back(g);
        }
        return goal_rule_[g];
    }
    bool possible(const Option &o) const { return p_.plans()[o.goal].possible; }
    bool possible(const Options &list) const {
        return std::any_of(list.begin(), list.end(), [&](const Option &o) { return possible(o); });
    }

    uint32_t set(std::initializer_list<Interval> items) {
        CharSet s(memory_);
        for (const Interval &i : items) s.add(i.lo, i.hi);
        s.normalise();
        return ast_.chars(std::move(s));
    }
    uint32_t space() { return ast_.repeat(set({{' ', ' '}, {'\t', '\n'}, {'\r', '\r'}}), 0, kInfinite); }
    uint32_t colon() { return ast_.seq({space(), ast_.literal(":"), space()}); }
    uint32_t comma() { return ast_.seq({space(), ast_.literal(","), space()}); }

    // One character of a JSON string: as it is, by a short escape, or by \u; surrogates only in pairs.
    uint32_t character() {
        if (char_rule_ != kNone) return ast_.ref(char_rule_);
        char_rule_ = ast_.rule("char");
        auto hex = [&] { return set({{'0', '9'}, {'a', 'f'}, {'A', 'F'}}); };
        auto d = [&] { return set({{'d', 'd'}, {'D', 'D'}}); };
        uint32_t plain = set({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, kMaxCodePoint}});
        uint32_t one = ast_.alt({ast_.seq({set({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}), hex(), hex(), hex()}),
                                 ast_.seq({d(), set({{'0', '7'}}), hex(), hex()})});
        uint32_t pair = ast_.seq({d(), set({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), hex(), hex(), ast_.literal("\\u"), d(),
                                  set({{'c', 'f'}, {'C', 'F'}}), hex(), hex()});
        uint32_t escape =
            ast_.seq({ast_.literal("\\"),
                      ast_.alt({set({{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}}),
                                ast_.seq({ast_.literal("u"), ast_.alt({one, pair})})})});
        uint32_t body = ast_.alt({plain, escape});
        ast_.rules[char_rule_].body = body;
        return ast_.ref(char_rule_);
    }

    // A frame of its own, so that all strings of one kind share their masks.
    uint32_t string(uint64_t min, uint64_t max) {
        uint64_t key = min << 32 ^ max ^ 1ull << 63;
        auto it = lang_rule_.find(key);
        if (it != lang_rule_.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("string");
        lang_rule_.emplace(key, rule);
        ast_.rules[rule].frame = true;
        uint32_t hi = max == ~0ull ? kInfinite : static_cast<uint32_t>(max);
        uint32_t body = ast_.seq({ast_.literal("\""), ast_.repeat(character(), static_cast<uint32_t>(min), hi), ast_.literal("\"")});
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }
    uint32_t string(Lang lang) {
        if (lang == Languages::any) return string(0, ~0ull);
        auto it = lang_rule_.find(lang);
        if (it != lang_rule_.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("string");
        lang_rule_.emplace(lang, rule);
        ByteGraph g = to_json_string(memory_, p_.langs()[lang]);
        ast_.rules[rule].frame = g.edges.size() > 64;
        ast_.graphs.push_back(std::move(g));
        uint32_t inner = ast_.add({ExprKind::graph, static_cast<uint32_t>(ast_.graphs.size() - 1)});
        uint32_t body = ast_.seq({ast_.literal("\""), inner, ast_.literal("\"")});
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }
    uint32_t number(Lang lang) {
        uint64_t key = lang | 1ull << 40;  // apart from string languages
        auto it = lang_rule_.find(key);
        if (it != lang_rule_.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("number");
        lang_rule_.emplace(key, rule);
        uint32_t body;
        auto digit = [&] { return set({{'0', '9'}}); };
        if (lang == Languages::number) {
            ast_.rules[rule].frame = true;
            uint32_t whole = ast_.alt({ast_.literal("0"), ast_.seq({set({{'1', '9'}}), ast_.repeat(digit(), 0, kInfinite)})});
            uint32_t fraction = ast_.seq({ast_.literal("."), ast_.repeat(digit(), 1, kInfinite)});
            uint32_t exponent = ast_.seq(
                {set({{'e', 'e'}, {'E', 'E'}}), ast_.repeat(set({{'+', '+'}, {'-', '-'}}), 0, 1), ast_.repeat(digit(), 1, kInfinite)});
            body = ast_.seq({ast_.repeat(ast_.literal("-"), 0, 1), whole, ast_.repeat(fraction, 0, 1), ast_.repeat(exponent, 0, 1)});
        } else {
            Languages &l = p_.langs();
            Lang written = l.without(lang, Languages::integer) == Languages::none ? l.both(lang, l.integer_text()) : lang;
            ByteGraph g = to_utf8(memory_, l[written]);
            ast_.rules[rule].frame = g.edges.size() > 64;
            ast_.graphs.push_back(std::move(g));
            body = ast_.add({ExprKind::graph, static_cast<uint32_t>(ast_.graphs.size() - 1)});
        }
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }

    uint32_t list(uint32_t open, uint32_t item, uint32_t close, bool may_be_empty) {
        // item (, item)*
        uint32_t many = ast_.seq({item, ast_.repeat(ast_.seq({comma(), item}), 0, kInfinite)});
        return ast_.seq({open, space(), may_be_empty ? ast_.repeat(many, 0, 1) : many, space(), close});
    }

    uint32_t anything() {
        if (any_rule_ != kNone) return any_rule_;
        any_rule_ = ast_.rule("json");
        uint32_t item = ast_.ref(any_rule_), member = ast_.seq({string(0, ~0ull), colon(), ast_.ref(any_rule_)});
        uint32_t body =
            ast_.alt({ast_.literal("null"), ast_.literal("true"), ast_.literal("false"), number(Languages::number), string(0, ~0ull),
                      list(ast_.literal("["), item, ast_.literal("]"), true), list(ast_.literal("{"), member, ast_.literal("}"), true)});
        ast_.rules[any_rule_].body = body;
        return any_rule_;
    }

    uint32_t value(const GoalPlan &g) {
        Parts ways(memory_);
        if (g.anything) return ast_.ref(anything());
        if (g.null_ok) ways.push_back(ast_.literal("null"));
        if (g.true_ok) ways.push_back(ast_.literal("true"));
        if (g.false_ok) ways.push_back(ast_.literal("false"));
        if (g.numbers != Languages::none) ways.push_back(number(g.numbers));
        for (const StringPlan &s : g.strings) ways.push_back(s.lang == Languages::any ? string(s.min, s.max) : string(s.lang));
        for (const ArrayPlan &a : g.arrays)
            if (a.possible) ways.push_back(array(a));
        for (const ObjectPlan &o : g.objects)
            if (o.possible) ways.push_back(object(o));
        return ast_.list(ExprKind::alt, ways);
    }

    uint32_t gate(const Gate &g, FrameParams &f) {
        // The counter values around which this gate changes its mind.
        if (g.count_lo > 0) f.thresholds.push_back(g.count_lo);
        if (g.count_hi != ~0u) f.thresholds.push_back(g.count_hi + 1);
        ast_.gates.push_back(g);
        return ast_.add({ExprKind::gate, static_cast<uint32_t>(ast_.gates.size() - 1)});
    }
    uint32_t frame(uint32_t body, FrameParams f, const char *name) {
        if (f.max_count != ~0u) {
            // The room left is compared with what is still needed: every count below the end may matter.
            uint32_t need = static_cast<uint32_t>(__builtin_popcountll(f.need_bits)) + f.min_hits + static_cast<uint32_t>(f.duties.size());
            for (uint32_t i = 0; i <= std::min(need, 64u) && i <= f.max_count; ++i)
                f.thresholds.push_back(f.max_count - i), f.thresholds.push_back(f.max_count - i + 1);
        }
        std::sort(f.thresholds.begin(), f.thresholds.end());
        f.thresholds.erase(std::unique(f.thresholds.begin(), f.thresholds.end()), f.thresholds.end());
        uint32_t rule = ast_.rule(name);
        ast_.rules[rule].frame = true;
        ast_.rules[rule].body = body;
        ast_.rules[rule].params = std::move(f);
        return ast_.ref(rule);
    }

    uint32_t array(const ArrayPlan &a) {
        bool rest = possible(a.rest);
        uint32_t prefix = 0;
        while (prefix < a.prefix.size() && possible(a.prefix[prefix])) ++prefix;
        if (prefix < a.prefix.size()) rest = false;
        uint32_t max = std::min(a.max, rest ? kInfinite : prefix);
        if (max < a.min) return ast_.add({ExprKind::never});
        uint32_t open = ast_.literal("["), close = ast_.literal("]");
        if (max == 0) return ast_.seq({open, space(), close});
        bool simple = prefix == 0 && a.obligations == 0 && a.min_hits == 0 && a.max_hits == ~0u && !a.unique;
        if (simple && max == kInfinite && a.min <= 1) return list(open, ast_.ref(goal(a.rest[0].goal)), close, a.min == 0);
        return gated_array(a, prefix, rest, max);
    }

    uint32_t gated_array(const ArrayPlan &a, uint32_t prefix, bool rest, uint32_t max) {
        FrameParams f(memory_);
        bool hits = a.min_hits > 0 || a.max_hits != ~0u;
        // An item that cannot but match takes part in the upper bound.
        if (a.max_hits != ~0u) {
            bool free = false, fixed = false;
            auto look = [&](const Options &list) {
                bool miss = false;
                for (const Option &o : list) miss |= possible(o) && o.hits == 0;
                (miss ? free : fixed) = true;
            };
            for (uint32_t i = 0; i < prefix; ++i) look(a.prefix[i]);
            if (rest) look(a.rest);
            if (fixed && free)
                p_.doc().refuse(Code::unsupported, *a.contains_node, "maxContains",
                                "is not supported where some items must match and others need not");
            if (fixed) max = std::min(max, a.max_hits);
            if (max < a.min || max < a.min_hits) return ast_.add({ExprKind::never});
        }
        // What must be met must be able to be met late: an item that can be the last one to do so stands last.
        if (hits || a.obligations > 0) {
            uint64_t before = 0;
            auto look = [&](const Options &list) {
                uint64_t can = 0;
                for (const Option &o : list)
                    if (possible(o)) can |= o.bits | (o.hits ? 1ull << 63 : 0);
                if (before & ~can)
                    p_.doc().refuse(Code::unsupported, a.contains_node ? *a.contains_node : p_.doc().root(),
                                    a.contains_node ? "contains" : "", "is not supported where only the first items can match");
                before |= can;
            };
            for (uint32_t i = 0; i < prefix; ++i) look(a.prefix[i]);
            if (rest) look(a.rest);
        }
        if (a.obligations > 1 && max != kInfinite)
            p_.doc().refuse(Code::unsupported, a.contains_node ? *a.contains_node : p_.doc().root(), a.contains_node ? "contains" : "",
                            "several demands on single items of an array of limited length are not supported");
        f.counted = true;
        f.max_count = max == kInfinite ? ~0u : max;
        f.min_hits = a.min_hits;
        f.need_bits = 0;
        for (uint32_t i = 0; i < a.obligations; ++i) f.duties.push_back({1ull << i, 0, true});
        uint32_t cap = max == kInfinite ? std::max(a.min, prefix) : ~0u;
        uint32_t hits_cap = a.max_hits == ~0u ? a.min_hits : ~0u;
        Parts items(memory_);
        auto place = [&](const Options &list, uint32_t lo, uint32_t hi) {
            for (const Option &o : list) {
                if (!possible(o)) continue;
                Gate g;
                g.count_lo = lo, g.count_hi = hi;
                g.set = o.bits;
                g.add_count = 1, g.count_cap = cap;
                g.add_hits = o.hits, g.hits_cap = hits_cap;
                if (o.hits && a.max_hits != ~0u) g.hits_hi = a.max_hits - 1;
                items.push_back(ast_.seq({gate(g, f), ast_.ref(goal(o.goal))}));
            }
        };
        for (uint32_t i = 0; i < prefix; ++i) place(a.prefix[i], i, i);
        uint64_t all_values = 0;
        if (rest && a.unique) {
            Vector<String> values(memory_);
            p_.few_values(a.rest[0].goal, 60, values);
            max = std::min<uint32_t>(max, static_cast<uint32_t>(values.size()));
            f.max_count = max;
            for (size_t i = 0; i < values.size(); ++i) {
                Gate g;
                g.clear = g.set = 1ull << i;
                g.add_count = 1;
                items.push_back(ast_.seq({gate(g, f), ast_.literal(values[i])}));
                all_values |= 1ull << i;
            }
        } else if (rest)
            place(a.rest, prefix, ~0u);
        Gate next, last;
        if (max != kInfinite) next.count_hi = max - 1;
        last.count_lo = a.min, last.hits_lo = a.min_hits;
        last.need = (1ull << a.obligations) - 1;
        uint32_t item = ast_.list(ExprKind::alt, items);
        uint32_t more = ast_.repeat(ast_.seq({space(), gate(next, f), ast_.literal(","), space(), item}), 0, kInfinite);
        uint32_t inside = ast_.repeat(ast_.seq({item, more}), 0, 1);
        uint32_t body = ast_.seq({ast_.literal("["), space(), inside, space(), gate(last, f), ast_.literal("]")});
        return frame(body, std::move(f), "array");
    }

    uint32_t object(const ObjectPlan &o) {
        Vector<const NamedProperty *> named(memory_);
        Vector<const OpenProperties *> open(memory_);
        for (const NamedProperty &n : o.named)
            if (possible(n.options))
                named.push_back(&n);
            else if (n.required)
                return ast_.add({ExprKind::never});
        for (const OpenProperties &x : o.open)
            if (possible(x.options)) open.push_back(&x);
        uint32_t max = std::min<uint32_t>(o.max, open.empty() ? static_cast<uint32_t>(named.size()) : kInfinite);
        if (max == 0)
            return o.min > 0 || o.obligations > 0 || o.n_required > 0 ? ast_.add({ExprKind::never})
                                                                      : ast_.seq({ast_.literal("{"), space(), ast_.literal("}")});
        if (!open.empty() && o.min >= o.n_required + 2) {
            const io::Json &at = o.min_node ? *o.min_node : p_.doc().root();
            p_.doc().refuse(Code::unsupported, at, o.min_node ? "minProperties" : "",
                            "counting properties of free names is not supported beyond one");
        }
        if (named.empty() && o.obligations == 0 && max == kInfinite && o.min <= 1) {
            Parts members(memory_);
            for (const OpenProperties *x : open)
                members.push_back(ast_.seq({string(x->keys), colon(), ast_.ref(goal(x->options[0].goal))}));
            return list(ast_.literal("{"), ast_.list(ExprKind::alt, members), ast_.literal("}"), o.min == 0);
        }
        bool counts = o.max < named.size() || (o.max != kInfinite && !open.empty()) || o.min > 0;
        bool free = named.size() + o.obligations <= kFreeOrder && (options_.any_key_order || counts || o.obligations > 0);
        if (!free && (counts || o.obligations > 0))
            fail(Code::limit, "schema: an object with ", named.size(), " properties and a demand on their number exceeds ", kFreeOrder);
        if (o.obligations > 1 && o.max != kInfinite)
            p_.doc().refuse(Code::unsupported, p_.doc().root(), {},
                            "several demands on single properties beside maxProperties are not supported");
        return free ? free_object(o, named, open, max) : ordered_object(named, open);
    }

    uint32_t key(uint32_t k) {
        String text(memory_);
        io::append_json_string(text, p_.key(k));
        return ast_.literal(text);
    }

    uint32_t members(const Parts &items, uint32_t next, uint32_t last) {
        uint32_t item = ast_.list(ExprKind::alt, items);
        uint32_t more = ast_.repeat(ast_.seq({space(), next, ast_.literal(","), space(), item}), 0, kInfinite);
        return ast_.seq({ast_.literal("{"), space(), ast_.repeat(ast_.seq({item, more}), 0, 1), space(), last, ast_.literal("}")});
    }

    // Keys in any order: a bit for each, set when it was written.
    uint32_t free_object(const ObjectPlan &o, const Vector<const NamedProperty *> &named, const Vector<const OpenProperties *> &open,
                         uint32_t max) {
        FrameParams f(memory_);
        uint32_t n = static_cast<uint32_t>(named.size());
        f.max_count = max == kInfinite ? ~0u : max;
        bool counting = max != kInfinite || o.min > 0;
        f.counted = counting;
        uint64_t duties = ((1ull << o.obligations) - 1) << n;
        for (uint32_t d = 0; d < o.obligations; ++d) f.duties.push_back({1ull << (n + d), 0, false});
        Parts items(memory_);
        auto member = [&](const Options &list, uint64_t bit, auto &&name) {
            for (const Option &x : list) {
                if (!possible(x)) continue;
                for (uint32_t d = 0; d < o.obligations; ++d)
                    if (x.bits >> d & 1) {
                        if (bit)
                            f.duties[d].keys |= bit;
                        else
                            f.duties[d].open = true;
                    }
                Gate g;
                g.clear = bit;
                g.set = bit | x.bits << n;
                if (counting) g.add_count = 1, g.count_cap = max == kInfinite ? o.min : ~0u;
                items.push_back(ast_.seq({gate(g, f), name(), colon(), ast_.ref(goal(x.goal))}));
            }
        };
        for (uint32_t i = 0; i < n; ++i) {
            if (named[i]->required) f.need_bits |= 1ull << i;
            member(named[i]->options, 1ull << i, [&] { return key(named[i]->key); });
        }
        for (const OpenProperties *x : open) member(x->options, 0, [&] { return string(x->keys); });
        Gate next, last;
        if (max != kInfinite) next.count_hi = max - 1;
        last.need = f.need_bits | duties;
        last.count_lo = o.min;
        uint32_t more = gate(next, f), end = gate(last, f);
        return frame(members(items, more, end), std::move(f), "object");
    }

    // Too many keys for bits: in the schema's order, the free ones last. `count` is the index of the next key.
    uint32_t ordered_object(const Vector<const NamedProperty *> &named, const Vector<const OpenProperties *> &open) {
        FrameParams f(memory_);
        f.counted = true;
        uint32_t n = static_cast<uint32_t>(named.size()), need = 0;
        Parts items(memory_);
        for (uint32_t i = 0; i < n; ++i) {
            for (const Option &x : named[i]->options) {
                if (!possible(x)) continue;
                Gate g;
                g.count_lo = need, g.count_hi = i, g.count_to = i + 1;
                items.push_back(ast_.seq({gate(g, f), key(named[i]->key), colon(), ast_.ref(goal(x.goal))}));
            }
            if (named[i]->required) need = i + 1;
        }
        for (const OpenProperties *x : open)
            for (const Option &o : x->options) {
                if (!possible(o)) continue;
                Gate g;
                g.count_lo = need, g.count_to = n;
                items.push_back(ast_.seq({gate(g, f), string(x->keys), colon(), ast_.ref(goal(o.goal))}));
            }
        Gate next, last;
        if (open.empty()) next.count_hi = n - 1;
        last.count_lo = need;
        uint32_t more = gate(next, f), end = gate(last, f);
        return frame(members(items, more, end), std::move(f), "object");
    }

    Planner &p_;
    const SchemaOptions &options_;
    Memory &memory_;
    Ast ast_;
    Vector<uint32_t> goal_rule_;
    HashMap<uint64_t, uint32_t> lang_rule_;
    Vector<GoalId> todo_;
    uint32_t any_rule_ = kNone, char_rule_ = kNone;
};

}  // namespace

Ast emit_schema(Planner &p, const SchemaOptions &options) { return Emitter(p, options).run(); }

}  // namespace inlay::text::grammar
