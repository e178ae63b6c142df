// SPDX-License-Identifier: Apache-2.0
// From leaves of the tableau to plans: which goal each item and each key has, which keys are open; and which goals can
// be met at all (the least fixed point, so that a schema that only an infinite value meets is refused).
#include "text/grammar/schema_plan.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "text/grammar/tableau.h"

namespace inlay::text::grammar {

using io::Json;

// One compilation: goals and plans of them all; 10,000 is what a schema of 2 MiB of real tools needs ten times over.
constexpr size_t kMaxGoals = 20'000;
constexpr size_t kMaxPlans = 1'024;     // leaves of one type of one goal
constexpr size_t kMaxNamed = 10'000;    // keys of one object
constexpr uint32_t kMaxPrefix = 4'096;  // items with goals of their own

Planner::Planner(SchemaDoc &doc, Languages &langs)
    : doc_(doc),
      langs_(langs),
      plans_(doc.memory()),
      goals_(doc.memory()),
      by_hash_(doc.memory()),
      keys_(doc.memory()),
      key_names_(doc.memory()),
      disjoint_(doc.memory()) {}

void Planner::spend(uint64_t n) {
    if (n > fuel_) fail(Code::limit, "schema: working it out needs more steps than the limit allows");
    fuel_ -= n;
}

uint32_t Planner::key_id(std::string_view k) {
    auto it = key_names_.find(k);
    if (it != key_names_.end()) return it->second;
    keys_.push_back(make_string(memory(), k));
    uint32_t id = static_cast<uint32_t>(keys_.size() - 1);
    key_names_.emplace(std::string_view(keys_.back()), id);
    return id;
}

GoalId Planner::goal(Vector<Demand> d) {
    std::erase_if(
        d, [](const Demand &x) { return x == no_demand() || (x.node && !x.value && x.node->is_bool() && x.node->boolean() != x.negated); });
    std::sort(d.begin(), d.end());
    d.erase(std::unique(d.begin(), d.end()), d.end());
    uint64_t h = d.size();
    for (const Demand &x : d) h = mix64(h, reinterpret_cast<uintptr_t>(x.node) * 4 + x.value * 2 + x.negated);
    for (auto [it, end] = by_hash_.equal_range(h); it != end; ++it)
        if (goals_[it->second] == d) return it->second;
    if (goals_.size() >= kMaxGoals) fail(Code::limit, "schema: more than ", kMaxGoals, " different places for values");
    goals_.push_back(std::move(d));
    GoalId id = static_cast<GoalId>(goals_.size() - 1);
    by_hash_.emplace(h, id);
    return id;
}

bool Planner::quick_possible(std::span<const Demand> demands, int depth) {
    for (const Demand &d : demands)
        if (d == impossible()) return false;
    if (depth <= 0) return true;
    for (int type = 0; type < kTypes; ++type) {
        Tableau t(*this, doc_, static_cast<ValueType>(type));
        bool found = false;
        int looked = 0;
        Vector<Demand> inner(memory());
        t.run(demands, [&](const Facts &f) {
            bool ok = ++looked <= 64;
            if (!ok) return found = true, false;  // too many to look at: taken as possible
            if (type == kArray)
                for (uint32_t i = 0; i < std::min<uint64_t>(f.min, 8) && ok; ++i) {
                    inner.clear();
                    for (const ItemFact &x : f.items)
                        if (x.from <= i && i < x.to) inner.push_back(x.demand);
                    ok = quick_possible(inner, depth - 1);
                }
            if (type == kObject)
                for (uint32_t k : f.required) {
                    inner.clear();
                    for (const KeyFact &x : f.props)
                        if (x.single ? x.key == k : langs_[x.keys].matches(keys_[k])) inner.push_back(x.demand);
                    if (!(ok = quick_possible(inner, depth - 1))) break;
                }
            found = ok;
            return !found;
        });
        if (found) return true;
    }
    return false;
}

bool Planner::disjoint(const Demand &a, const Demand &b, int type) {
    // Deeper than this the question costs more than the answer saves; "not known" is always right.
    if (depth_ >= 3) return false;
    uint64_t key = mix64(reinterpret_cast<uintptr_t>(a.node), reinterpret_cast<uintptr_t>(b.node)) * kTypes + static_cast<uint64_t>(type);
    auto it = disjoint_.find(key);
    if (it != disjoint_.end()) return it->second;
    ++depth_;
    Demand two[2] = {a, b};
    // One type only: both schemas' values of it.
    Tableau t(*this, doc_, static_cast<ValueType>(type));
    bool possible = false;
    int looked = 0;
    Vector<Demand> inner(memory());
    t.run(two, [&](const Facts &f) {
        bool ok = true;
        if (++looked > 64) return possible = true, false;
        if (type == kArray)
            for (uint32_t i = 0; i < std::min<uint64_t>(f.min, 8) && ok; ++i) {
                inner.clear();
                for (const ItemFact &x : f.items)
                    if (x.from <= i && i < x.to) inner.push_back(x.demand);
                ok = quick_possible(inner, 2);
            }
        else
            for (uint32_t k : f.required) {
                inner.clear();
                for (const KeyFact &x : f.props)
                    if (x.single ? x.key == k : langs_[x.keys].matches(keys_[k])) inner.push_back(x.demand);
                if (!(ok = quick_possible(inner, 2))) break;
            }
        possible = ok;
        return !possible;
    });
    --depth_;
    disjoint_.emplace(key, !possible);
    return !possible;
}

namespace {

bool bad(std::span<const Demand> d) {
    for (const Demand &x : d)
        if (x == impossible() || (x.node && !x.value && x.node->is_bool() && x.node->boolean() == x.negated)) return true;
    return false;
}

// Every way to meet some of the obligations with one value, and the way that meets none.
struct Obligation {
    Demand demand;
    bool here;  // can be met at this place
};
Options options(Planner &p, std::span<const Demand> base, std::span<const Obligation> list) {
    Memory &m = p.memory();
    Options out(m);
    if (bad(base)) return out;
    for (uint64_t set = 0; set < 1ull << list.size(); ++set) {
        Vector<Demand> d(base.begin(), base.end(), Alloc<Demand>(m));
        bool fits = true;
        for (size_t i = 0; i < list.size(); ++i)
            if (set >> i & 1) fits &= list[i].here, d.push_back(list[i].demand);
        if (fits && !bad(d)) out.push_back({p.goal(std::move(d)), set, 0});
    }
    return out;
}

void plan_array(Planner &p, const Facts &f, GoalPlan &out) {
    Memory &m = p.memory();
    SchemaDoc &doc = p.doc();
    uint32_t prefix = 0;
    for (const ItemFact &i : f.items) {
        prefix = std::max(prefix, i.to == kInfinite ? i.from : i.to);
    }
    // Obligations: one counted `contains` at most; the others only "at least one".
    const ContainsFact *counted = nullptr;
    Vector<const ContainsFact *> some(m);
    Vector<ItemFact> items(f.items);
    for (const ContainsFact &c : f.contains) {
        if (c.max == 0) {  // none matches: all do not
            items.push_back({c.from, kInfinite, {c.demand.node, c.demand.value, !c.demand.negated}});
            if (c.min > 0) return;
            prefix = std::max(prefix, c.from);
            continue;
        }
        if (c.min == 0 && c.max == kInfinite) continue;
        if (c.max == kInfinite && c.min == 1) {
            some.push_back(&c);
            continue;
        }
        if (counted) doc.refuse(Code::unsupported, *c.node, "contains", "two counted contains of one array are not supported");
        counted = &c;
        if (c.from != 0) doc.refuse(Code::unsupported, *c.node, "contains", "is not supported at this place");
    }
    if (some.size() > 4 || (!some.empty() && counted))
        doc.refuse(Code::unsupported, some[0]->node ? *some[0]->node : doc.root(), {}, "too many demands on single items");
    for (const ContainsFact *c : some) prefix = std::max(prefix, c->from);
    prefix = static_cast<uint32_t>(std::min<uint64_t>(prefix, f.max));
    if (prefix > kMaxPrefix) fail(Code::limit, "schema: more than ", kMaxPrefix, " items with schemas of their own");
    ArrayPlan a(m);
    a.min = static_cast<uint32_t>(std::min<uint64_t>(f.min, kInfinite));
    a.max = static_cast<uint32_t>(std::min<uint64_t>(f.max, kInfinite));
    a.obligations = static_cast<uint32_t>(some.size());
    if (counted) a.min_hits = counted->min, a.max_hits = counted->max;
    a.unique = f.unique && a.max > 1;
    auto place = [&](uint32_t i) {
        Vector<Demand> base(m);
        for (const ItemFact &x : items)
            if (x.from <= i && i < x.to) base.push_back(x.demand);
        if (counted) {
            Options o(m);
            if (bad(base)) return o;
            Vector<Demand> hit(base), miss(base);
            hit.push_back(counted->demand);
            // With an upper bound an item that matches must be counted; else counting is free to choose.
            if (counted->max != kInfinite) miss.push_back({counted->demand.node, counted->demand.value, !counted->demand.negated});
            if (!bad(hit)) o.push_back({p.goal(std::move(hit)), 0, 1});
            if (!bad(miss)) o.push_back({p.goal(std::move(miss)), 0, 0});
            return o;
        }
        Vector<Obligation> list(m);
        for (const ContainsFact *c : some) list.push_back({c->demand, c->from <= i});
        return options(p, base, list);
    };
    for (uint32_t i = 0; i < prefix; ++i) a.prefix.push_back(place(i));
    if (f.max > prefix) a.rest = place(prefix);
    if (a.unique && (counted || !some.empty()))
        doc.refuse(Code::unsupported, *f.unique_node, "uniqueItems", "is not supported beside contains");
    a.unique_node = f.unique_node;
    if (a.unique && !a.prefix.empty())
        doc.refuse(Code::unsupported, *f.unique_node, "uniqueItems", "is not supported beside items of different schemas");
    if (counted)
        a.contains_node = counted->node;
    else if (!some.empty())
        a.contains_node = some[0]->node;
    out.arrays.push_back(std::move(a));
}

void plan_object(Planner &p, const Facts &f, GoalPlan &out) {
    Memory &m = p.memory();
    SchemaDoc &doc = p.doc();
    Languages &langs = p.langs();
    if (f.exists.size() > 4)
        doc.refuse(Code::unsupported, f.exists[0].node ? *f.exists[0].node : doc.root(), {}, "too many demands on single properties");
    Vector<uint32_t> named(f.required.begin(), f.required.end(), Alloc<uint32_t>(m));
    for (const KeyFact &k : f.props)
        if (k.single) named.push_back(k.key);
    // In the schema's order, which is that of the keys' first mention.
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    if (named.size() > kMaxNamed) fail(Code::limit, "schema: an object has ", named.size(), " properties, limit ", kMaxNamed);
    ObjectPlan o(m);
    o.obligations = static_cast<uint32_t>(f.exists.size());
    o.max = static_cast<uint32_t>(std::min<uint64_t>(f.max, kInfinite));
    Vector<Vector<Demand>> single(named.size(), Vector<Demand>(m), Alloc<Vector<Demand>>(m));
    Vector<Lang> split(m);
    for (const KeyFact &k : f.props) {
        if (k.single) {
            single[static_cast<size_t>(std::lower_bound(named.begin(), named.end(), k.key) - named.begin())].push_back(k.demand);
            continue;
        }
        p.spend(named.size());
        for (size_t i = 0; i < named.size(); ++i)
            if (langs[k.keys].matches(p.key(named[i]))) single[i].push_back(k.demand);
        if (k.keys != Languages::none && std::find(split.begin(), split.end(), k.keys) == split.end()) split.push_back(k.keys);
    }
    for (const ExistsFact &e : f.exists)
        if (e.keys != Languages::none && std::find(split.begin(), split.end(), e.keys) == split.end()) split.push_back(e.keys);
    auto obligations = [&](auto &&inside) {
        Vector<Obligation> list(m);
        for (const ExistsFact &e : f.exists) list.push_back({e.demand, inside(e.keys)});
        return list;
    };
    Vector<std::string_view> names(m);
    uint32_t required = 0;
    for (size_t i = 0; i < named.size(); ++i) {
        names.push_back(p.key(named[i]));
        bool must = f.needs(named[i]);
        Options opt = options(p, single[i], obligations([&](Lang l) { return langs[l].matches(p.key(named[i])); }));
        if (opt.empty() && must) return;
        required += must;
        if (!opt.empty()) o.named.push_back({named[i], must, std::move(opt)});
    }
    // The other keys, cut along every language that a fact speaks of.
    Vector<Lang> cells(m);
    cells.push_back(langs.without(Languages::any, langs.texts(names)));
    for (Lang s : split) {
        size_t n = cells.size();
        if (n > 64) doc.refuse(Code::limit, doc.root(), {}, "too many overlapping key patterns");
        for (size_t i = 0; i < n; ++i) {
            Lang in = langs.both(cells[i], s), outside = langs.without(cells[i], s);
            cells[i] = in;
            if (outside != Languages::none) cells.push_back(outside);
        }
        std::erase(cells, Languages::none);
    }
    for (Lang c : cells) {
        if (c == Languages::none) continue;
        auto covers = [&](Lang l) { return langs.both(c, l) != Languages::none; };
        Vector<Demand> base(m);
        for (const KeyFact &k : f.props)
            if (!k.single && covers(k.keys)) base.push_back(k.demand);
        Options opt = options(p, base, obligations(covers));
        if (!opt.empty()) o.open.push_back({c, std::move(opt)});
    }
    if (f.min > kInfinite - 1) return;
    o.n_required = required;
    o.min_node = f.min_node;
    o.min = static_cast<uint32_t>(f.min) > required ? static_cast<uint32_t>(f.min) : 0;
    if (f.required.size() > f.max) return;
    out.objects.push_back(std::move(o));
}

}  // namespace

void Planner::plan(GoalId g) {
    Vector<Demand> demands(goals_[g]);
    GoalPlan out(memory());
    out.anything = demands.empty();
    if (!bad(demands) && !out.anything)
        for (int type = 0; type < kTypes; ++type) {
            Tableau t(*this, doc_, static_cast<ValueType>(type));
            size_t leaves = 0;
            t.run(demands, [&](const Facts &f) {
                if (++leaves > kMaxPlans) fail(Code::limit, "schema: more than ", kMaxPlans, " alternatives of one value");
                switch (type) {
                    case kNull:
                        out.null_ok = true;
                        return false;
                    case kTrue:
                        out.true_ok = true;
                        return false;
                    case kFalse:
                        out.false_ok = true;
                        return false;
                    case kNumber:
                        out.numbers = langs_.either(out.numbers, f.lang);
                        return true;
                    case kString: {
                        StringPlan s{f.lang, f.min, f.max};
                        if (s.lang != Languages::any && (s.min > 0 || s.max != ~0ull)) {
                            s.lang = langs_.both(s.lang, langs_.length(s.min, s.max));
                            s.min = 0, s.max = ~0ull;
                        }
                        if (s.lang == Languages::none) return true;
                        if (std::find(out.strings.begin(), out.strings.end(), s) == out.strings.end()) out.strings.push_back(s);
                        return true;
                    }
                    case kArray:
                        plan_array(*this, f, out);
                        return true;
                    default:
                        plan_object(*this, f, out);
                        return true;
                }
            });
        }
    // Languages without lengths are one language.
    for (size_t i = 0; i + 1 < out.strings.size();) {
        StringPlan &a = out.strings[i], &b = out.strings.back();
        if (a.min == 0 && a.max == ~0ull && b.min == 0 && b.max == ~0ull) {
            a.lang = langs_.either(a.lang, b.lang);
            out.strings.pop_back();
        } else
            ++i;
    }
    plans_.push_back(std::move(out));
}

bool Planner::few_values(GoalId g, size_t max, Vector<String> &out) {
    const GoalPlan &p = plans_[g];
    if (p.anything || !p.arrays.empty() || !p.objects.empty()) return false;
    if (p.null_ok) out.push_back(make_string(memory(), "null"));
    if (p.true_ok) out.push_back(make_string(memory(), "true"));
    if (p.false_ok) out.push_back(make_string(memory(), "false"));
    Lang whole = langs_.both(p.numbers, langs_.integer_text());
    if (langs_.without(p.numbers, Languages::integer) != Languages::none || !langs_[whole].enumerate(max, out)) return false;
    for (const StringPlan &s : p.strings) {
        Vector<String> texts(memory());
        if ((s.lang == Languages::any && s.max > 0) || !langs_[s.lang == Languages::any ? langs_.text("") : s.lang].enumerate(max, texts))
            return false;
        for (const String &t : texts) {
            String quoted_text(memory());
            io::append_json_string(quoted_text, t);
            if (std::find(out.begin(), out.end(), quoted_text) == out.end()) out.push_back(std::move(quoted_text));
        }
    }
    return out.size() <= max;
}

void Planner::settle() {
    for (GoalPlan &g : plans_)
        for (ArrayPlan &a : g.arrays)
            if (a.unique && !a.rest.empty()) {
                Vector<String> values(memory());
                if (!few_values(a.rest[0].goal, 60, values))
                    doc_.refuse(Code::unsupported, *a.unique_node, "uniqueItems",
                                "is supported where the items are of at most 60 listed values");
                a.n_values = static_cast<uint32_t>(values.size());
            }
    auto some = [&](const Options &o) {
        for (const Option &x : o)
            if (plans_[x.goal].possible) return true;
        return false;
    };
    auto array = [&](const ArrayPlan &a) {
        uint64_t length = 0, hits = 0;
        uint64_t met = 0;
        bool rest = some(a.rest);
        if (a.unique && rest) return a.n_values >= a.min;
        for (const Options &o : a.prefix) {
            if (!some(o)) break;
            ++length;
            for (const Option &x : o)
                if (plans_[x.goal].possible) met |= x.bits;
            for (const Option &x : o)
                if (x.hits && plans_[x.goal].possible) {
                    ++hits;
                    break;
                }
        }
        bool open = length == a.prefix.size() && rest;
        if (open) {
            for (const Option &x : a.rest)
                if (plans_[x.goal].possible) {
                    met |= x.bits;
                    if (x.hits) hits += a.max == kInfinite ? kInfinite : a.max - a.prefix.size();
                }
            length = a.max;
        }
        return std::min<uint64_t>(length, a.max) >= a.min && hits >= a.min_hits && std::popcount(met) >= static_cast<int>(a.obligations);
    };
    auto object = [&](const ObjectPlan &o) {
        uint64_t met = 0, n = 0;
        bool open = false;
        auto look = [&](const Options &list) {
            for (const Option &x : list)
                if (plans_[x.goal].possible) met |= x.bits;
        };
        for (const NamedProperty &x : o.named) {
            bool ok = some(x.options);
            if (!ok && x.required) return false;
            n += ok;
            look(x.options);
        }
        for (const OpenProperties &x : o.open) open |= some(x.options), look(x.options);
        return (open || n >= o.min) && o.max >= o.min && std::popcount(met) >= static_cast<int>(o.obligations) &&
               (o.obligations == 0 || o.max > 0);
    };
    for (bool again = true; again;) {
        again = false;
        for (size_t i = plans_.size(); i-- > 0;) {
            GoalPlan &g = plans_[i];
            if (g.possible) continue;
            spend(1 + g.arrays.size() + g.objects.size());
            bool ok = g.anything || g.null_ok || g.true_ok || g.false_ok || g.numbers != Languages::none || !g.strings.empty();
            for (size_t k = 0; k < g.arrays.size() && !ok; ++k) ok = array(g.arrays[k]);
            for (size_t k = 0; k < g.objects.size() && !ok; ++k) ok = object(g.objects[k]);
            if (ok) g.possible = again = true;
        }
    }
    for (GoalPlan &g : plans_) {
        for (ArrayPlan &a : g.arrays) a.possible = array(a);
        for (ObjectPlan &o : g.objects) o.possible = object(o);
    }
}

void Planner::run() {
    Vector<Demand> root(memory());
    root.push_back({&doc_.root(), false, false});
    goal(std::move(root));
    for (GoalId g = 0; g < goals_.size(); ++g) plan(g);
    settle();
    if (!plans_[0].possible) fail(Code::invalid_argument, "schema: no value satisfies it");
}

}  // namespace inlay::text::grammar
