// SPDX-License-Identifier: Apache-2.0
// What a schema means, by type of value: a goal (some schemas that must hold, some that must not, all of one value) is
// worked out to plans in which nothing is left but: this language of strings, these items, these keys. Everything
// Boolean (allOf, anyOf, oneOf, not, if, enum ...) is gone at that point.
#pragma once

#include "text/grammar/languages.h"
#include "text/grammar/schema_doc.h"

namespace inlay::text::grammar {

using GoalId = uint32_t;

// A demand on one value: the schema at `node` holds (or not); or the value equals `node`.
// node null: `negated` false demands nothing, true cannot be met.
struct Demand {
    const io::Json *node = nullptr;
    bool value = false;
    bool negated = false;
    bool operator==(const Demand &) const = default;
    auto operator<=>(const Demand &) const = default;
};

// One way to fill a place: the value's goal, and what that counts for.
struct Option {
    GoalId goal;
    uint64_t bits = 0;  // obligations met
    uint32_t hits = 0;
};
using Options = Vector<Option>;

struct StringPlan {
    Lang lang;
    uint64_t min, max;  // characters; only where lang is `any`
    bool operator==(const StringPlan &) const = default;
};
struct ArrayPlan {
    explicit ArrayPlan(Memory &m) : prefix(m), rest(m) {}
    Vector<Options> prefix;
    Options rest;
    uint32_t min = 0, max = ~0u;
    uint32_t min_hits = 0, max_hits = ~0u;
    uint32_t obligations = 0;
    bool possible = false;
    bool unique = false;    // every item is one of few values, at most once
    uint32_t n_values = 0;  // how many there are, where unique
    const io::Json *unique_node = nullptr;
    const io::Json *contains_node = nullptr;
};
struct NamedProperty {
    uint32_t key;
    bool required;
    Options options;
};
struct OpenProperties {
    Lang keys;
    Options options;
};
struct ObjectPlan {
    explicit ObjectPlan(Memory &m) : named(m), open(m) {}
    Vector<NamedProperty> named;
    Vector<OpenProperties> open;
    uint32_t min = 0, max = ~0u;
    uint32_t obligations = 0;
    bool possible = false;
    uint32_t n_required = 0;
    const io::Json *min_node = nullptr;
};
struct GoalPlan {
    explicit GoalPlan(Memory &m) : strings(m), arrays(m), objects(m) {}
    bool anything = false;
    bool null_ok = false, true_ok = false, false_ok = false;
    Lang numbers = Languages::none;
    Vector<StringPlan> strings;
    Vector<ArrayPlan> arrays;
    Vector<ObjectPlan> objects;
    bool possible = false;  // some value meets it
};

class Planner {
public:
    Planner(SchemaDoc &doc, Languages &langs);
    // Plans of everything that the root schema reaches; goal 0 is the root. INVALID_ARGUMENT where nothing meets it.
    void run();

    const Deque<GoalPlan> &plans() const noexcept { return plans_; }
    std::string_view key(uint32_t k) const noexcept { return keys_[k]; }
    Languages &langs() noexcept { return langs_; }
    SchemaDoc &doc() noexcept { return doc_; }

    // For the tableau.
    GoalId goal(Vector<Demand> demands);
    uint32_t key_id(std::string_view k);
    bool disjoint(const Demand &a, const Demand &b, int type);
    void spend(uint64_t n);
    bool quick_possible(std::span<const Demand> demands, int depth);
    Memory &memory() const noexcept { return doc_.memory(); }

    // The values of a goal, where they are few: the texts they are written with. False: too many, or not listable.
    bool few_values(GoalId g, size_t max, Vector<String> &out);

private:
    void plan(GoalId g);
    void settle();
    SchemaDoc &doc_;
    Languages &langs_;
    Deque<GoalPlan> plans_;
    Deque<Vector<Demand>> goals_;
    std::unordered_multimap<uint64_t, GoalId, SeededHash, std::equal_to<>, Alloc<std::pair<const uint64_t, GoalId>>> by_hash_;
    Deque<String> keys_;
    HashMap<std::string_view, uint32_t, SeededHash, TextEqual> key_names_;
    HashMap<uint64_t, bool> disjoint_;
    uint64_t fuel_ = 2'000'000;
    int depth_ = 0;
};

}  // namespace inlay::text::grammar
