// SPDX-License-Identifier: Apache-2.0
// The tableau: for one type of value, takes a goal's demands apart until only plain facts are left, forking where a
// keyword offers alternatives. Each leaf is one conjunction of facts; the goal's values of that type are the union of
// the leaves. A heap stack of branches, no recursion.
#pragma once

#include "text/grammar/schema_plan.h"

namespace inlay::text::grammar {

enum ValueType : int { kNull, kTrue, kFalse, kNumber, kString, kArray, kObject, kTypes };

struct ItemFact {
    uint32_t from, to;  // items [from, to) meet the demand
    Demand demand;
};
struct ContainsFact {
    Demand demand;
    uint32_t from, min, max;  // how many items from `from` on meet it
    const io::Json *node;
};
struct KeyFact {
    bool single;
    uint32_t key;   // when single
    Lang keys;      // else
    Demand demand;  // what properties of these keys meet
};
struct ExistsFact {
    Lang keys;
    Demand demand;  // some property of these keys meets it
    const io::Json *node;
};
// For unevaluatedProperties and unevaluatedItems: what the schemas of a scope have looked at.
struct Evaluated {
    uint32_t scope;
    bool items;
    bool single;
    uint32_t key;  // single key, or how many leading items (~0: all)
    Lang keys;
};
struct Unevaluated {
    uint32_t scope;
    bool items;
    const io::Json *node, *schema;
};

struct Facts {
    explicit Facts(Memory &m) : items(m), contains(m), props(m), required(m), exists(m), evaluated(m), unevaluated(m), needed_(m) {}
    Lang lang = 0;                  // numbers, strings
    uint64_t min = 0, max = ~0ull;  // characters, items, properties
    bool unique = false;
    const io::Json *unique_node = nullptr, *min_node = nullptr;
    Vector<ItemFact> items;
    Vector<ContainsFact> contains;
    Vector<KeyFact> props;
    Vector<uint32_t> required;  // each key once: by need()
    Vector<ExistsFact> exists;
    Vector<Evaluated> evaluated;
    Vector<Unevaluated> unevaluated;

    bool needs(uint32_t key) const noexcept { return key / 64 < needed_.size() && (needed_[key / 64] >> (key % 64) & 1); }
    void need(uint32_t key) {
        if (needs(key)) return;
        if (key / 64 >= needed_.size()) needed_.resize(key / 64 + 1, 0);
        needed_[key / 64] |= 1ull << (key % 64);
        required.push_back(key);
    }

private:
    Vector<uint64_t> needed_;  // the same as bits
};

class Tableau {
public:
    Tableau(Planner &p, SchemaDoc &doc, ValueType type);
    // Calls leaf(facts) for each leaf until it returns false.
    template <class Leaf>
    void run(std::span<const Demand> demands, Leaf &&leaf) {
        begin(demands);
        while (next())
            if (!leaf(facts())) return;
    }

private:
    // What a literal says: a schema or value (or one keyword of a schema) holds or not, or a plain fact.
    enum class What : uint8_t { demand, keyword, present, length, item, property, some_property, contains };
    struct Literal {
        What what = What::demand;
        bool negated = false;
        bool value = false;
        Keyword keyword = Keyword::unknown;
        const io::Json *node = nullptr;
        uint32_t key = kNone;  // present, property: the key; item: the index; some_property: the keys' language; else a member's index
        uint32_t scope = kNone;
        uint32_t depth = 0;             // of in-place applications, to find loops
        uint64_t min = 0, max = ~0ull;  // length, contains
        Demand demand = {};             // item, property, some_property, contains
    };
    using Literals = Vector<Literal>;
    struct Branch {
        explicit Branch(Memory &m) : todo(m), forks(m), facts(m) {}
        Literals todo, forks;
        size_t next_fork = 0;  // those before it are done
        Facts facts;
    };
    enum class Outcome : uint8_t { done, dead, fork };

    void begin(std::span<const Demand> demands);
    bool next();
    const Facts &facts() const noexcept { return leaf_.facts; }

    // Applies a literal to the branch, or lists alternatives (each a conjunction) in `ways_`.
    Outcome apply(const Literal &l, Branch &b);
    Outcome plain_fact(const Literal &l, Branch &b);
    Outcome dependency(const Literal &l, Branch &b, const io::JsonMember &m);
    Outcome one_of(const Literal &l, Branch &b);
    Outcome whole(const Literal &l, Branch &b);
    Outcome value(const Literal &l, Branch &b);
    Outcome keyword(const Literal &l, Branch &b);
    Outcome number_keyword(const Literal &l, Branch &b);
    Outcome string_keyword(const Literal &l, Branch &b);
    Outcome array_keyword(const Literal &l, Branch &b);
    Outcome object_keyword(const Literal &l, Branch &b);
    Outcome logic_keyword(const Literal &l, Branch &b);
    bool unevaluated(Branch &b);
    bool relevant(Keyword k) const noexcept;

    Literal lit(const Literal &from, const io::Json &node, bool negated) const {
        Literal l;
        l.negated = negated;
        l.node = &node;
        l.scope = negated ? kNone : from.scope;
        l.depth = from.depth + 1;
        return l;
    }
    Literal fact(What what, uint32_t key, Demand d = {}) const {
        Literal l;
        l.what = what;
        l.key = key;
        l.demand = d;
        return l;
    }
    Literal present(uint32_t key, bool yes) const {
        Literal l = fact(What::present, key);
        l.negated = !yes;
        return l;
    }
    Literal between(What what, uint64_t min, uint64_t max) const {
        Literal l = fact(what, kNone);
        l.min = min, l.max = max;
        return l;
    }
    void way(std::initializer_list<Literal> list) { ways_.emplace_back(list, Alloc<Literal>(memory_)); }
    Outcome restrict(Branch &b, Lang l, bool negated, Lang all);
    Outcome bounds(Branch &b, uint64_t min, uint64_t max, bool negated);
    void seen(Branch &b, const Literal &l, Evaluated e);
    uint64_t count(const Literal &l, const char *name) const;
    const io::Json &member(const Literal &l, std::string_view name) const { return *l.node->find(name); }
    Lang properties_language(const io::Json &node);

    Planner &p_;
    SchemaDoc &doc_;
    Languages &langs_;
    Memory &memory_;
    ValueType type_;
    Vector<Branch> stack_;
    Branch leaf_;
    Vector<Literals> ways_;
    Vector<uint32_t> scope_parent_;
};

Demand no_demand();
Demand impossible();

}  // namespace inlay::text::grammar
