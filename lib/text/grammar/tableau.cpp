// SPDX-License-Identifier: Apache-2.0
// Branches, whole schemas, values and the Boolean keywords. The keywords of one type are in tableau_types.cpp.
#include "text/grammar/tableau.h"

#include <algorithm>

namespace inlay::text::grammar {

using io::Json;
using io::JsonMember;

Demand no_demand() { return {}; }
Demand impossible() { return {nullptr, false, true}; }

// In-place applications this deep (a reference that leads back to itself without entering a value) never end.
constexpr uint32_t kInPlace = 256;
// Subsets of anyOf are looked at one by one where unevaluated* needs to know all that hold: 2^6 branches at most.
constexpr size_t kSubsets = 6;

Tableau::Tableau(Planner &p, SchemaDoc &doc, ValueType type)
    : p_(p),
      doc_(doc),
      langs_(p.langs()),
      memory_(p.memory()),
      type_(type),
      stack_(memory_),
      leaf_(memory_),
      ways_(memory_),
      scope_parent_(memory_) {}

void Tableau::begin(std::span<const Demand> demands) {
    stack_.clear();
    Branch b(memory_);
    b.facts.lang = type_ == kNumber ? Languages::number : Languages::any;
    for (const Demand &d : demands) {
        Literal l;
        l.negated = d.negated;
        l.value = d.value;
        l.node = d.node;
        if (!d.node) {
            if (d.negated) return;
            continue;
        }
        b.todo.push_back(l);
    }
    stack_.push_back(std::move(b));
}

bool Tableau::next() {
    while (!stack_.empty()) {
        Branch b = std::move(stack_.back());
        stack_.pop_back();
        bool dead = false;
        while (!dead && (!b.todo.empty() || b.next_fork < b.forks.size())) {
            bool forking = b.todo.empty();
            Literal l = forking ? b.forks[b.next_fork] : b.todo.back();
            if (forking)
                ++b.next_fork;
            else
                b.todo.pop_back();
            ways_.clear();
            Outcome o = apply(l, b);
            p_.spend(1 + ways_.size());
            if (o == Outcome::done) continue;
            if (o == Outcome::dead || ways_.empty()) {
                dead = true;
            } else if (ways_.size() == 1 || forking) {
                for (size_t i = 1; i < ways_.size(); ++i) {
                    // A copy: literals are the large part of it.
                    p_.spend(8 + 4 * (b.todo.size() + b.forks.size()) + b.facts.props.size() + b.facts.items.size() + b.facts.required.size());
                    stack_.push_back(b);
                    stack_.back().todo.insert(stack_.back().todo.end(), ways_[i].begin(), ways_[i].end());
                }
                b.todo.insert(b.todo.end(), ways_[0].begin(), ways_[0].end());
            } else
                b.forks.push_back(l);
        }
        if (dead || !unevaluated(b)) continue;
        leaf_ = std::move(b);
        return true;
    }
    return false;
}

Tableau::Outcome Tableau::apply(const Literal &l, Branch &b) {
    switch (l.what) {
        case What::demand:
            return l.value ? value(l, b) : whole(l, b);
        case What::keyword:
            return keyword(l, b);
        default:
            return plain_fact(l, b);
    }
}

Tableau::Outcome Tableau::whole(const Literal &l, Branch &b) {
    const Json &node = *l.node;
    if (node.is_bool()) return node.boolean() != l.negated ? Outcome::done : Outcome::dead;
    if (!node.is_object()) doc_.refuse(Code::format, node, {}, "a schema must be an object or a boolean");
    if (l.depth > kInPlace) doc_.refuse(Code::invalid_argument, node, {}, "the schema refers to itself without end");
    bool only_ref = doc_.draft7() && node.find("$ref");
    Literal k = l;
    k.what = What::keyword;
    if (!l.negated && !only_ref && !doc_.draft7() &&
        ((type_ == kObject && node.find("unevaluatedProperties")) || (type_ == kArray && node.find("unevaluatedItems")))) {
        k.scope = static_cast<uint32_t>(scope_parent_.size());
        scope_parent_.push_back(l.scope);
    }
    if (const Json *props = type_ == kObject && !l.negated && !only_ref ? node.find("properties") : nullptr; props && props->is_object())
        for (const JsonMember &m : props->members()) p_.key_id(m.key);  // keys are numbered in the schema's order
    for (const JsonMember &m : node.members()) {
        k.keyword = doc_.keyword(m.key);
        if (only_ref && k.keyword != Keyword::ref) continue;
        if (!relevant(k.keyword)) continue;
        if (l.negated)
            ways_.emplace_back(1, k, Alloc<Literal>(memory_));
        else
            b.todo.push_back(k);
    }
    return l.negated ? Outcome::fork : Outcome::done;
}

bool Tableau::relevant(Keyword k) const noexcept {
    switch (k) {
        case Keyword::annotation:
        case Keyword::unknown:
        case Keyword::then:
        case Keyword::else_:
        case Keyword::min_contains:
        case Keyword::max_contains:
            return false;
        case Keyword::minimum:
        case Keyword::maximum:
        case Keyword::exclusive_minimum:
        case Keyword::exclusive_maximum:
        case Keyword::multiple_of:
            return type_ == kNumber;
        case Keyword::min_length:
        case Keyword::max_length:
        case Keyword::pattern:
        case Keyword::format:
            return type_ == kString;
        case Keyword::min_items:
        case Keyword::max_items:
        case Keyword::prefix_items:
        case Keyword::items:
        case Keyword::additional_items:
        case Keyword::unique_items:
        case Keyword::contains:
        case Keyword::unevaluated_items:
            return type_ == kArray;
        case Keyword::required:
        case Keyword::properties:
        case Keyword::pattern_properties:
        case Keyword::additional_properties:
        case Keyword::property_names:
        case Keyword::min_properties:
        case Keyword::max_properties:
        case Keyword::dependent_required:
        case Keyword::dependent_schemas:
        case Keyword::dependencies:
        case Keyword::unevaluated_properties:
            return type_ == kObject;
        default:
            return true;
    }
}

Tableau::Outcome Tableau::value(const Literal &l, Branch &b) {
    const Json &v = *l.node;
    bool here = (v.is_null() && type_ == kNull) || (v.is_bool() && type_ == (v.boolean() ? kTrue : kFalse)) ||
                (v.is_number() && type_ == kNumber) || (v.is_string() && type_ == kString) || (v.is_array() && type_ == kArray) ||
                (v.is_object() && type_ == kObject);
    if (!here) return l.negated ? Outcome::done : Outcome::dead;
    auto equal = [&](const Json &x, bool negated) { return Demand{&x, true, negated}; };
    switch (type_) {
        case kNumber:
            return restrict(b, langs_.equal(v.number_text()), l.negated, Languages::number);
        case kString:
            return restrict(b, langs_.text(v.string()), l.negated, Languages::any);
        case kArray: {
            uint32_t n = static_cast<uint32_t>(v.items().size());
            if (!l.negated) {
                for (uint32_t i = 0; i < n; ++i) b.facts.items.push_back({i, i + 1, equal(v.items()[i], false)});
                return bounds(b, n, n, false);
            }
            if (n > 0) way({between(What::length, 0, n - 1)});
            way({between(What::length, n + 1, ~0ull)});
            for (uint32_t i = 0; i < n; ++i) way({fact(What::item, i, equal(v.items()[i], true))});
            return Outcome::fork;
        }
        case kObject: {
            Vector<std::string_view> names(memory_);
            for (const JsonMember &m : v.members()) names.push_back(m.key);
            Lang others = langs_.without(Languages::any, langs_.texts(names));
            for (const JsonMember &m : v.members()) {
                uint32_t k = p_.key_id(m.key);
                if (l.negated) {
                    way({present(k, false)});
                    way({fact(What::property, k, equal(m.value, true))});
                } else {
                    b.facts.need(k);
                    b.facts.props.push_back({true, k, 0, equal(m.value, false)});
                }
            }
            if (l.negated) {
                way({fact(What::some_property, others)});
                return Outcome::fork;
            }
            b.facts.props.push_back({false, 0, others, impossible()});
            return Outcome::done;
        }
        default:
            return l.negated ? Outcome::dead : Outcome::done;
    }
}

Tableau::Outcome Tableau::plain_fact(const Literal &l, Branch &b) {
    Facts &f = b.facts;
    switch (l.what) {
        case What::present:
            if (!l.negated) {
                for (const KeyFact &k : f.props)
                    if (k.single && k.key == l.key && k.demand == impossible()) return Outcome::dead;
                f.need(l.key);
                return Outcome::done;
            }
            if (f.needs(l.key)) return Outcome::dead;
            f.props.push_back({true, l.key, 0, impossible()});
            return Outcome::done;
        case What::length:
            return bounds(b, l.min, l.max, false);
        case What::item:
            f.items.push_back({l.key, l.key + 1, l.demand});
            return bounds(b, static_cast<uint64_t>(l.key) + 1, ~0ull, false);
        case What::property:
            for (const KeyFact &k : f.props)
                if (k.single && k.key == l.key && k.demand == impossible()) return Outcome::dead;
            f.need(l.key);
            f.props.push_back({true, l.key, 0, l.demand});
            return Outcome::done;
        case What::some_property:
            f.exists.push_back({l.key, l.demand, l.node});
            return Outcome::done;
        case What::contains:
            f.contains.push_back(
                {l.demand, 0, static_cast<uint32_t>(l.min), static_cast<uint32_t>(std::min<uint64_t>(l.max, kInfinite)), l.node});
            return Outcome::done;
        default:
            return Outcome::done;
    }
}

Tableau::Outcome Tableau::restrict(Branch &b, Lang l, bool negated, Lang all) {
    b.facts.lang = langs_.both(b.facts.lang, negated ? langs_.without(all, l) : l);
    return b.facts.lang == Languages::none ? Outcome::dead : Outcome::done;
}

Tableau::Outcome Tableau::bounds(Branch &b, uint64_t min, uint64_t max, bool negated) {
    if (negated) {  // only ever one-sided
        if (max == ~0ull) {
            if (min == 0) return Outcome::dead;
            max = min - 1, min = 0;
        } else
            min = max + 1, max = ~0ull;
    }
    b.facts.min = std::max(b.facts.min, min);
    b.facts.max = std::min(b.facts.max, max);
    return b.facts.min > b.facts.max ? Outcome::dead : Outcome::done;
}

Tableau::Outcome Tableau::keyword(const Literal &l, Branch &b) {
    switch (l.keyword) {
        case Keyword::type:
        case Keyword::const_:
        case Keyword::enum_:
        case Keyword::ref:
        case Keyword::dynamic_ref:
        case Keyword::all_of:
        case Keyword::not_:
        case Keyword::any_of:
        case Keyword::one_of:
        case Keyword::if_:
            return logic_keyword(l, b);
        default:
            break;
    }
    switch (type_) {
        case kNumber:
            return number_keyword(l, b);
        case kString:
            return string_keyword(l, b);
        case kArray:
            return array_keyword(l, b);
        default:
            return object_keyword(l, b);
    }
}

Tableau::Outcome Tableau::logic_keyword(const Literal &l, Branch &b) {
    const Json &node = *l.node;
    auto list = [&](const char *name) -> std::span<const Json> {
        const Json &v = member(l, name);
        if (!v.is_array() || v.items().empty()) doc_.refuse(Code::format, node, name, "must be a list of schemas, not empty");
        return v.items();
    };
    switch (l.keyword) {
        case Keyword::type: {
            static constexpr std::string_view names[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
            const Json &t = member(l, "type");
            bool mine = false, whole_numbers = false;
            auto one = [&](const Json &x) {
                if (!x.is_string()) doc_.refuse(Code::format, node, "type", "must be a name or a list of names");
                std::string_view n = x.string();
                if (n == "integer")
                    whole_numbers |= type_ == kNumber;
                else if (std::find(std::begin(names), std::end(names), n) == std::end(names))
                    doc_.refuse(Code::format, node, "type", "unknown type ", quoted{n});
                mine |= n == names[type_];
            };
            if (t.is_array()) {
                if (t.items().empty()) doc_.refuse(Code::format, node, "type", "the list is empty");
                for (const Json &x : t.items()) one(x);
            } else
                one(t);
            if (type_ == kNumber && !mine && whole_numbers) return restrict(b, Languages::integer, l.negated, Languages::number);
            return mine != l.negated ? Outcome::done : Outcome::dead;
        }
        case Keyword::const_: {
            Literal v = l;
            v.what = What::demand, v.value = true, v.node = &member(l, "const");
            return value(v, b);
        }
        case Keyword::enum_: {
            const Json &e = member(l, "enum");
            if (!e.is_array()) doc_.refuse(Code::format, node, "enum", "must be a list");
            if (type_ == kString) {
                Vector<std::string_view> texts(memory_);
                for (const Json &x : e.items())
                    if (x.is_string()) texts.push_back(x.string());
                return restrict(b, langs_.texts(texts), l.negated, Languages::any);
            }
            if (type_ == kNumber) {
                Vector<Lang> parts(memory_);
                Vector<std::string_view> whole(memory_);
                Deque<String> texts(memory_);
                for (const Json &x : e.items()) {
                    if (!x.is_number()) continue;
                    Decimal d = parse_decimal(memory_, x.number_text());
                    if (!d.is_integer()) {
                        parts.push_back(langs_.equal(x.number_text()));
                        continue;
                    }
                    if (d.negative || d.is_zero()) {
                        texts.push_back(make_string(memory_, "-"));
                        texts.back().append(d.whole);
                        whole.push_back(texts.back());
                    }
                    if (!d.negative) texts.push_back(d.whole), whole.push_back(texts.back());
                }
                parts.push_back(langs_.texts(whole, true));
                // Pairs of pairs: adding one after the other would be quadratic.
                for (; parts.size() > 1;) {
                    size_t half = (parts.size() + 1) / 2;
                    for (size_t i = half; i < parts.size(); ++i) parts[i - half] = langs_.either(parts[i - half], parts[i]);
                    parts.resize(half);
                }
                return restrict(b, parts.empty() ? Languages::none : parts[0], l.negated, Languages::number);
            }
            for (const Json &x : e.items()) {
                Literal v = l;
                v.what = What::demand, v.value = true, v.node = &x;
                if (type_ == kArray ? x.is_array() : type_ == kObject ? x.is_object() : x.is_null() || x.is_bool()) {
                    if (l.negated)
                        b.todo.push_back(v);
                    else
                        ways_.emplace_back(1, v, Alloc<Literal>(memory_));
                }
            }
            return l.negated ? Outcome::done : Outcome::fork;
        }
        case Keyword::ref:
        case Keyword::dynamic_ref: {
            const char *name = l.keyword == Keyword::ref ? "$ref" : "$dynamicRef";
            const Json &v = member(l, name);
            if (!v.is_string()) doc_.refuse(Code::format, node, name, "must be a string");
            b.todo.push_back(lit(
                l, l.keyword == Keyword::ref ? doc_.resolve(node, v.string(), name) : doc_.resolve_dynamic(node, v.string()), l.negated));
            return Outcome::done;
        }
        case Keyword::all_of:
            for (const Json &x : list("allOf")) {
                if (l.negated)
                    way({lit(l, x, true)});
                else
                    b.todo.push_back(lit(l, x, false));
            }
            return l.negated ? Outcome::fork : Outcome::done;
        case Keyword::not_:
            b.todo.push_back(lit(l, member(l, "not"), !l.negated));
            return Outcome::done;
        case Keyword::any_of: {
            auto ways = list("anyOf");
            if (l.negated) {
                for (const Json &x : ways) b.todo.push_back(lit(l, x, true));
                return Outcome::done;
            }
            if (l.scope == kNone || ways.size() == 1) {
                for (const Json &x : ways) way({lit(l, x, false)});
                return Outcome::fork;
            }
            if (ways.size() > kSubsets)
                doc_.refuse(Code::unsupported, node, "anyOf", "more than ", kSubsets, " branches under unevaluated* are not supported");
            for (size_t set = 1; set < 1u << ways.size(); ++set) {
                Literals w(memory_);
                for (size_t i = 0; i < ways.size(); ++i) w.push_back(lit(l, ways[i], !(set >> i & 1)));
                ways_.push_back(std::move(w));
            }
            return Outcome::fork;
        }
        case Keyword::one_of:
            return one_of(l, b);
        default: {  // if
            const Json &cond = member(l, "if"), *then = node.find("then"), *other = node.find("else");
            if (!then && !other && (l.negated || l.scope == kNone)) return l.negated ? Outcome::dead : Outcome::done;
            Literal yes = lit(l, cond, false), no = lit(l, cond, true);
            if (l.negated) yes.scope = kNone;
            auto half = [&](const Literal &c, const Json *s) {
                if (s)
                    way({c, lit(l, *s, l.negated)});
                else if (!l.negated)
                    way({c});
            };
            half(yes, then);
            half(no, other);
            return Outcome::fork;
        }
    }
}

Tableau::Outcome Tableau::one_of(const Literal &l, Branch &) {
    const Json &v = member(l, "oneOf");
    if (!v.is_array() || v.items().empty()) doc_.refuse(Code::format, *l.node, "oneOf", "must be a list of schemas, not empty");
    auto all = v.items();
    p_.spend(4 * static_cast<uint64_t>(all.size()) * all.size());  // each is listed beside each
    auto apart = [&](size_t i, size_t j) {
        // Strings and numbers have exact complements that cost little; objects and arrays fork for each keyword.
        return (type_ == kArray || type_ == kObject) && p_.disjoint({&all[i], false, false}, {&all[j], false, false}, type_);
    };
    if (!l.negated) {
        for (size_t i = 0; i < all.size(); ++i) {
            Literals w(memory_);
            for (size_t j = 0; j < all.size(); ++j)
                if (j != i && !apart(std::min(i, j), std::max(i, j))) w.push_back(lit(l, all[j], true));
            w.push_back(lit(l, all[i], false));
            ways_.push_back(std::move(w));
        }
        return Outcome::fork;
    }
    Literals none(memory_);
    for (const Json &x : all) none.push_back(lit(l, x, true));
    ways_.push_back(std::move(none));
    for (size_t i = 0; i < all.size(); ++i)
        for (size_t j = i + 1; j < all.size(); ++j)
            if (!apart(i, j)) {
                Literal a = lit(l, all[i], false), c = lit(l, all[j], false);
                a.scope = c.scope = kNone;
                way({a, c});
            }
    return Outcome::fork;
}

}  // namespace inlay::text::grammar
