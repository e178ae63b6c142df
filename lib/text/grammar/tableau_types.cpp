// SPDX-License-Identifier: Apache-2.0
// The keywords that speak of one type: numbers, strings, arrays, objects; and unevaluated*.
#include <algorithm>

#include "text/grammar/tableau.h"

namespace inlay::text::grammar {

using io::Json;
using io::JsonMember;

uint64_t Tableau::count(const Literal &l, const char *name) const {
    const Json &v = member(l, name);
    if (!v.is_number()) doc_.refuse(Code::format, *l.node, name, "must be a number");
    Decimal d = parse_decimal(memory_, v.number_text());
    if (d.negative || !d.is_integer()) doc_.refuse(Code::format, *l.node, name, "must be a whole number, not negative");
    uint64_t n = 0;
    for (char c : d.whole) n = std::min<uint64_t>(n * 10 + static_cast<uint64_t>(c - '0'), 1ull << 40);
    if (n >= 1ull << 31) doc_.refuse(Code::limit, *l.node, name, "the limit is 2147483647");
    return n;
}

Tableau::Outcome Tableau::number_keyword(const Literal &l, Branch &b) {
    const char *name = l.keyword == Keyword::minimum             ? "minimum"
                       : l.keyword == Keyword::maximum           ? "maximum"
                       : l.keyword == Keyword::exclusive_minimum ? "exclusiveMinimum"
                       : l.keyword == Keyword::exclusive_maximum ? "exclusiveMaximum"
                                                                 : "multipleOf";
    const Json &v = member(l, name);
    if (!v.is_number()) doc_.refuse(Code::format, *l.node, name, "must be a number");
    std::string_view t = v.number_text();
    Lang lang = Languages::none;
    switch (l.keyword) {
        case Keyword::minimum:
            lang = langs_.at_least(t, false);
            break;
        case Keyword::exclusive_minimum:
            lang = langs_.at_least(t, true);
            break;
        case Keyword::maximum:
            lang = langs_.at_most(t, false);
            break;
        case Keyword::exclusive_maximum:
            lang = langs_.at_most(t, true);
            break;
        default: {
            Decimal d = parse_decimal(memory_, t);
            if (d.negative || d.is_zero()) doc_.refuse(Code::format, *l.node, name, "must be greater than 0");
            if (!langs_.multiple_of(t, lang))
                doc_.refuse(Code::unsupported, *l.node, name, "the divisor ", quoted{t}, " has too many digits");
        }
    }
    return restrict(b, lang, l.negated, Languages::number);
}

Tableau::Outcome Tableau::string_keyword(const Literal &l, Branch &b) {
    switch (l.keyword) {
        case Keyword::min_length:
            return bounds(b, count(l, "minLength"), ~0ull, l.negated);
        case Keyword::max_length:
            return bounds(b, 0, count(l, "maxLength"), l.negated);
        case Keyword::pattern: {
            const Json &v = member(l, "pattern");
            if (!v.is_string()) doc_.refuse(Code::format, *l.node, "pattern", "must be a string");
            Lang lang = 0;
            try {
                lang = langs_.pattern(v.string());
            } catch (const Error &e) {
                doc_.refuse(e.code(), *l.node, "pattern", e.text());
            }
            return restrict(b, lang, l.negated, Languages::any);
        }
        default: {
            const Json &v = member(l, "format");
            if (!v.is_string()) doc_.refuse(Code::format, *l.node, "format", "must be a string");
            Lang lang;
            if (!langs_.format(v.string(), lang))
                doc_.refuse(Code::unsupported, *l.node, "format", "the format ", quoted{v.string()}, " is not supported");
            return restrict(b, lang, l.negated, Languages::any);
        }
    }
}

void Tableau::seen(Branch &b, const Literal &l, Evaluated e) {
    if (l.scope == kNone || l.negated) return;
    e.scope = l.scope;
    b.facts.evaluated.push_back(e);
}

Tableau::Outcome Tableau::array_keyword(const Literal &l, Branch &b) {
    const Json &node = *l.node;
    auto from_item = [&](uint32_t from, const Json &schema) {
        if (!l.negated)
            b.facts.items.push_back({from, kInfinite, {&schema, false, false}});
        else
            b.facts.contains.push_back({{&schema, false, true}, from, 1, kInfinite, &node});
        seen(b, l, {0, true, false, kInfinite, 0});
        return Outcome::done;
    };
    auto prefix = [&](std::span<const Json> list) {
        if (l.negated) {
            for (uint32_t i = 0; i < list.size(); ++i) way({fact(What::item, i, {&list[i], false, true})});
            return Outcome::fork;
        }
        for (uint32_t i = 0; i < list.size(); ++i) b.facts.items.push_back({i, i + 1, {&list[i], false, false}});
        seen(b, l, {0, true, false, static_cast<uint32_t>(list.size()), 0});
        return Outcome::done;
    };
    switch (l.keyword) {
        case Keyword::min_items:
            return bounds(b, count(l, "minItems"), ~0ull, l.negated);
        case Keyword::max_items:
            return bounds(b, 0, count(l, "maxItems"), l.negated);
        case Keyword::prefix_items: {
            const Json &v = member(l, "prefixItems");
            if (!v.is_array()) doc_.refuse(Code::format, node, "prefixItems", "must be a list of schemas");
            return prefix(v.items());
        }
        case Keyword::items: {
            const Json &v = member(l, "items");
            if (v.is_array()) return prefix(v.items());
            const Json *p = doc_.draft7() ? nullptr : node.find("prefixItems");
            return from_item(p && p->is_array() ? static_cast<uint32_t>(p->items().size()) : 0, v);
        }
        case Keyword::additional_items: {
            const Json *items = node.find("items");
            if (items && items->is_array()) return from_item(static_cast<uint32_t>(items->items().size()), member(l, "additionalItems"));
            if (!doc_.draft7())
                doc_.refuse(Code::unsupported, node, "additionalItems", "has no meaning in this draft without a list of items");
            return l.negated ? Outcome::dead : Outcome::done;
        }
        case Keyword::unique_items: {
            const Json &v = member(l, "uniqueItems");
            if (!v.is_bool()) doc_.refuse(Code::format, node, "uniqueItems", "must be true or false");
            if (!v.boolean()) return l.negated ? Outcome::dead : Outcome::done;
            if (l.negated) doc_.refuse(Code::unsupported, node, "uniqueItems", "is not supported under a negation");
            b.facts.unique = true;
            b.facts.unique_node = &node;
            return Outcome::done;
        }
        case Keyword::contains: {
            bool counts = !doc_.draft7();
            uint64_t min = counts && node.find("minContains") ? count(l, "minContains") : 1;
            uint64_t max = counts && node.find("maxContains") ? count(l, "maxContains") : kInfinite;
            Demand d{&member(l, "contains"), false, false};
            if (l.negated) {
                if (min > 0) {
                    Literal few = between(What::contains, 0, min - 1);
                    few.demand = d, few.node = &node;
                    way({few});
                }
                if (max != kInfinite) {
                    Literal many = between(What::contains, max + 1, kInfinite);
                    many.demand = d, many.node = &node;
                    way({many});
                }
                return Outcome::fork;
            }
            if (l.scope != kNone && !doc_.draft7()) {
                // The items that match count as evaluated: that differs from item to item.
                for (uint32_t s = l.scope; s != kNone; s = scope_parent_[s]) b.facts.evaluated.push_back({s, true, true, 0, 0});
            }
            if (max < min) return Outcome::dead;
            if (min == 0 && max == kInfinite) return Outcome::done;
            b.facts.contains.push_back({d, 0, static_cast<uint32_t>(min), static_cast<uint32_t>(max), &node});
            return Outcome::done;
        }
        default:  // unevaluatedItems
            if (l.negated) doc_.refuse(Code::unsupported, node, "unevaluatedItems", "is not supported under a negation");
            b.facts.unevaluated.push_back({l.scope, true, &node, &member(l, "unevaluatedItems")});
            if (scope_parent_[l.scope] != kNone) b.facts.evaluated.push_back({scope_parent_[l.scope], true, false, kInfinite, 0});
            return Outcome::done;
    }
}

// The keys that `properties` and `patternProperties` of a schema speak of.
Lang Tableau::properties_language(const Json &node) {
    Lang keys = Languages::none;
    if (const Json *p = node.find("properties"); p && p->is_object()) {
        Vector<std::string_view> names(memory_);
        for (const JsonMember &m : p->members()) names.push_back(m.key);
        keys = langs_.texts(names);
    }
    if (const Json *p = node.find("patternProperties"); p && p->is_object())
        for (const JsonMember &m : p->members()) keys = langs_.either(keys, langs_.pattern(m.key));
    return keys;
}

Tableau::Outcome Tableau::dependency(const Literal &l, Branch &b, const JsonMember &m) {
    uint32_t k = p_.key_id(m.key);
    const char *name = l.keyword == Keyword::dependent_required ? "dependentRequired"
                       : l.keyword == Keyword::dependencies     ? "dependencies"
                                                                : "dependentSchemas";
    if (m.value.is_array() && l.keyword != Keyword::dependent_schemas) {
        Literals with(memory_);
        with.push_back(present(k, true));
        for (const Json &x : m.value.items()) {
            if (!x.is_string()) doc_.refuse(Code::format, *l.node, name, "must name properties");
            if (l.negated)
                way({present(k, true), present(p_.key_id(x.string()), false)});
            else
                with.push_back(present(p_.key_id(x.string()), true));
        }
        if (!l.negated) {
            way({present(k, false)});
            ways_.push_back(std::move(with));
        }
        return Outcome::fork;
    }
    if (l.keyword == Keyword::dependent_required) doc_.refuse(Code::format, *l.node, name, "must hold lists of names");
    if (l.negated) {
        way({present(k, true), lit(l, m.value, true)});
        return Outcome::fork;
    }
    way({present(k, false)});
    way({present(k, true), lit(l, m.value, false)});
    (void)b;
    return Outcome::fork;
}

Tableau::Outcome Tableau::object_keyword(const Literal &l, Branch &b) {
    const Json &node = *l.node;
    auto map = [&](const char *name) -> std::span<const JsonMember> {
        const Json &v = member(l, name);
        if (!v.is_object()) doc_.refuse(Code::format, node, name, "must be an object");
        return v.members();
    };
    auto language = [&](Lang keys, Demand d) {
        if (!l.negated)
            b.facts.props.push_back({false, 0, keys, d});
        else {
            d.negated = !d.negated;
            b.facts.exists.push_back({keys, d, &node});
        }
        return Outcome::done;
    };
    auto pattern = [&](std::string_view p) {
        try {
            return langs_.pattern(p);
        } catch (const Error &e) {
            doc_.refuse(e.code(), node, "patternProperties", e.text());
        }
    };
    switch (l.keyword) {
        case Keyword::required: {
            const Json &v = member(l, "required");
            if (!v.is_array()) doc_.refuse(Code::format, node, "required", "must be a list of names");
            for (const Json &x : v.items()) {
                if (!x.is_string()) doc_.refuse(Code::format, node, "required", "must be a list of names");
                uint32_t k = p_.key_id(x.string());
                if (l.negated)
                    way({present(k, false)});
                else
                    b.todo.push_back(present(k, true));
            }
            return l.negated ? Outcome::fork : Outcome::done;
        }
        case Keyword::properties:
            for (const JsonMember &m : map("properties")) {
                uint32_t k = p_.key_id(m.key);
                if (l.negated) {
                    way({fact(What::property, k, {&m.value, false, true})});
                    continue;
                }
                if (m.value.is_bool() && !m.value.boolean())
                    b.todo.push_back(present(k, false));
                else
                    b.facts.props.push_back({true, k, 0, {&m.value, false, false}});
                seen(b, l, {0, false, true, k, 0});
            }
            return l.negated ? Outcome::fork : Outcome::done;
        case Keyword::pattern_properties:
            for (const JsonMember &m : map("patternProperties")) {
                Lang keys = pattern(m.key);
                if (l.negated)
                    way({fact(What::some_property, keys, {&m.value, false, true})});
                else
                    language(keys, {&m.value, false, false});
                seen(b, l, {0, false, false, 0, keys});
            }
            return l.negated ? Outcome::fork : Outcome::done;
        case Keyword::additional_properties: {
            if (const Json *p = node.find("patternProperties"); p && p->is_object())
                for (const JsonMember &m : p->members()) pattern(m.key);
            Lang keys = langs_.without(Languages::any, properties_language(node));
            seen(b, l, {0, false, false, 0, keys});
            return language(keys, {&member(l, "additionalProperties"), false, false});
        }
        case Keyword::property_names: {
            Tableau names(p_, doc_, kString);
            Lang good = Languages::none;
            Demand d{&member(l, "propertyNames"), false, false};
            names.run({&d, 1}, [&](const Facts &f) {
                good = langs_.either(good, langs_.both(f.lang, langs_.length(f.min, f.max)));
                return true;
            });
            return language(langs_.without(Languages::any, good), impossible());
        }
        case Keyword::min_properties:
            b.facts.min_node = &node;
            return bounds(b, count(l, "minProperties"), ~0ull, l.negated);
        case Keyword::max_properties:
            return bounds(b, 0, count(l, "maxProperties"), l.negated);
        case Keyword::dependent_required:
        case Keyword::dependent_schemas:
        case Keyword::dependencies: {
            auto members = map(l.keyword == Keyword::dependent_required ? "dependentRequired"
                               : l.keyword == Keyword::dependencies     ? "dependencies"
                                                                        : "dependentSchemas");
            if (l.key != kNone) return dependency(l, b, members[l.key]);
            for (uint32_t i = 0; i < members.size(); ++i) {
                Literal one = l;
                one.key = i;
                if (l.negated)
                    ways_.emplace_back(1, one, Alloc<Literal>(memory_));
                else
                    b.todo.push_back(one);
            }
            return l.negated ? Outcome::fork : Outcome::done;
        }
        default:  // unevaluatedProperties
            if (l.negated) doc_.refuse(Code::unsupported, node, "unevaluatedProperties", "is not supported under a negation");
            b.facts.unevaluated.push_back({l.scope, false, &node, &member(l, "unevaluatedProperties")});
            if (scope_parent_[l.scope] != kNone) b.facts.evaluated.push_back({scope_parent_[l.scope], false, false, 0, Languages::any});
            return Outcome::done;
    }
}

bool Tableau::unevaluated(Branch &b) {
    Facts &f = b.facts;
    for (const Unevaluated &u : f.unevaluated) {
        Lang keys = Languages::none;
        Vector<std::string_view> names(memory_);
        uint32_t items = 0;
        for (const Evaluated &e : f.evaluated) {
            bool inside = false;
            for (uint32_t s = e.scope; s != kNone && !inside; s = scope_parent_[s]) inside = s == u.scope;
            if (!inside || e.items != u.items) continue;
            if (u.items) {
                if (e.single) doc_.refuse(Code::unsupported, *u.node, "unevaluatedItems", "is not supported beside contains");
                items = std::max(items, e.key);
            } else if (e.single)
                names.push_back(p_.key(e.key));
            else
                keys = langs_.either(keys, e.keys);
        }
        Demand d{u.schema, false, false};
        if (u.items) {
            if (items != kInfinite) f.items.push_back({items, kInfinite, d});
        } else
            f.props.push_back({false, 0, langs_.without(Languages::any, langs_.either(keys, langs_.texts(names))), d});
    }
    return true;
}

}  // namespace inlay::text::grammar
