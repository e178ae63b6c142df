// SPDX-License-Identifier: Apache-2.0
// The rules of the texts that a planned schema admits: JSON, or the near-JSON that tool calls are written in.
#include "text/grammar/schema_emit.h"

#include <algorithm>

namespace inlay::text::grammar {
namespace {

// Keys and obligations share the 64 bits of a frame's parameter; beyond this keys come in the schema's order.
constexpr size_t kFreeOrder = 60;

// Names between tags, free ones more narrowly, and names of keyword arguments.
constexpr std::string_view kTagName = R"(^[^<>"\s](?:[^<>"\r\n]*[^<>"\s])?$)", kFreeTagName = "^[A-Za-z_][A-Za-z0-9_.-]*$",
                           kWordName = "^[A-Za-z0-9_\\u0080-\\u{10FFFF}]+$";

class Emitter {
public:
    Emitter(Emission &e, Planner &p, const SchemaOptions &options)
        : e_(e), p_(p), options_(options), memory_(p.memory()), ast_(e.ast), dialect_(e.dialect), goal_rule_(memory_), todo_(memory_) {
        goal_rule_.assign(p_.plans().size(), kNone);
    }

    // The rule of the whole value.
    uint32_t run() {
        uint32_t root = goal(0);
        finish();
        return root;
    }
    // The arguments of a call: the ways in which the value is an object, in a syntax of their own.
    uint32_t arguments(const ArgumentSyntax &syntax) {
        syntax_ = &syntax;
        Parts ways(memory_);
        for (const ObjectPlan &o : p_.plans()[0].objects)
            if (o.possible) ways.push_back(object(o));
        syntax_ = nullptr;
        uint32_t all = ast_.list(ExprKind::alt, ways);
        finish();
        return all;
    }

private:
    using Parts = Vector<uint32_t>;

    void finish() {
        while (!todo_.empty()) {
            GoalId g = todo_.back();
            todo_.pop_back();
            uint32_t body = value(p_.plans()[g]);
            ast_.rules[goal_rule_[g]].body = body;
        }
    }

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

    // One character of a JSON string: as it is, by a short escape, or by \u; surrogates only in pairs. Python reads
    // neither \/ nor pairs as JSON does. Between tags a "<" is written as \u003c here (but see string()).
    uint32_t character() {
        if (e_.char_rule != kNone) return ast_.ref(e_.char_rule);
        e_.char_rule = ast_.rule("char");
        auto hex = [&] { return set({{'0', '9'}, {'a', 'f'}, {'A', 'F'}}); };
        auto d = [&] { return set({{'d', 'd'}, {'D', 'D'}}); };
        bool python = dialect_ == Dialect::python;
        uint32_t plain = dialect_ == Dialect::tagged ? set({{0x20, 0x21}, {0x23, '<' - 1}, {'<' + 1, 0x5B}, {0x5D, kMaxCodePoint}})
                                                     : set({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, kMaxCodePoint}});
        uint32_t one = ast_.alt({ast_.seq({set({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}), hex(), hex(), hex()}),
                                 ast_.seq({d(), set({{'0', '7'}}), hex(), hex()})});
        uint32_t pair = ast_.seq({d(), set({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), hex(), hex(), ast_.literal("\\u"), d(),
                                  set({{'c', 'f'}, {'C', 'F'}}), hex(), hex()});
        uint32_t escape = ast_.seq({ast_.literal("\\"), ast_.alt({set({{'"', '"'},
                                                                       {'\\', '\\'},
                                                                       {python ? uint32_t{'n'} : uint32_t{'/'}, python ? uint32_t{'n'} : uint32_t{'/'}},
                                                                       {'b', 'b'},
                                                                       {'f', 'f'},
                                                                       {'n', 'n'},
                                                                       {'r', 'r'},
                                                                       {'t', 't'}}),
                                                                  ast_.seq({ast_.literal("u"), python ? one : ast_.alt({one, pair})})})});
        uint32_t body = ast_.alt({plain, escape});
        ast_.rules[e_.char_rule].body = body;
        return ast_.ref(e_.char_rule);
    }

    // A frame of its own, so that all strings of one kind share their masks.
    uint32_t string(uint64_t min, uint64_t max) {
        uint64_t key = min << 32 ^ max ^ 1ull << 63;
        auto it = e_.lang_rule.find(key);
        if (it != e_.lang_rule.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("string");
        e_.lang_rule.emplace(key, rule);
        ast_.rules[rule].frame = true;
        uint32_t hi = max == ~0ull ? kInfinite : static_cast<uint32_t>(max);
        uint32_t inside = ast_.repeat(character(), static_cast<uint32_t>(min), hi);
        if (dialect_ == Dialect::tagged && min == 0 && hi == kInfinite) {
            // "<" as it is, unless a "/" follows; strings of counted length do without.
            auto lt = [&](uint32_t lo) { return ast_.repeat(ast_.literal("<"), lo, kInfinite); };
            uint32_t next = set({{0x20, 0x21}, {0x23, '/' - 1}, {'/' + 1, '<' - 1}, {'<' + 1, 0x5B}, {0x5D, kMaxCodePoint}});
            uint32_t escaped =
                ast_.seq({ast_.literal("\\"),
                          set({{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}})});
            inside = ast_.seq({ast_.repeat(ast_.alt({character(), ast_.seq({lt(1), ast_.alt({next, escaped})})}), 0, kInfinite), lt(0)});
        }
        uint32_t body = ast_.seq({ast_.literal("\""), inside, ast_.literal("\"")});
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }
    uint32_t string(Lang lang) {
        if (lang == Languages::any) return string(0, ~0ull);
        auto it = e_.lang_rule.find(lang);
        if (it != e_.lang_rule.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("string");
        e_.lang_rule.emplace(lang, rule);
        Lang plain = lang, escaped = Languages::none;
        if (dialect_ == Dialect::tagged) {
            Languages &l = p_.langs();
            plain = l.both(lang, texts_without(l, "</"));
            escaped = l.without(lang, plain);
        }
        Parts ways(memory_);
        ast_.rules[rule].frame = false;
        for (bool escape : {false, true}) {
            Lang part = escape ? escaped : plain;
            if (part == Languages::none) continue;
            ByteGraph g = to_json_string(memory_, p_.langs()[part], escape);
            if (g.edges.size() > 64) ast_.rules[rule].frame = true;
            ways.push_back(graph(std::move(g)));
        }
        uint32_t body = ast_.seq({ast_.literal("\""), ast_.list(ExprKind::alt, ways), ast_.literal("\"")});
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }
    uint32_t graph(ByteGraph g) {
        ast_.graphs.push_back(std::move(g));
        return ast_.add({ExprKind::graph, static_cast<uint32_t>(ast_.graphs.size() - 1)});
    }
    uint32_t word(std::string_view json) {
        if (dialect_ == Dialect::python) json = json == "null" ? "None" : json == "true" ? "True" : json == "false" ? "False" : json;
        return written(json);
    }
    // JSON text, in which a "<" can only stand inside a string.
    uint32_t written(std::string_view json) {
        if (dialect_ != Dialect::tagged || json.find("</") == json.npos) return ast_.literal(json);
        String s(memory_);
        for (char c : json)
            if (c == '<')
                s.append("\\u003c");
            else
                s.push_back(c);
        return ast_.literal(s);
    }
    uint32_t number(Lang lang) {
        uint64_t key = lang | 1ull << 40;  // apart from string languages
        auto it = e_.lang_rule.find(key);
        if (it != e_.lang_rule.end()) return ast_.ref(it->second);
        uint32_t rule = ast_.rule("number");
        e_.lang_rule.emplace(key, rule);
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
            body = graph(std::move(g));
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
        if (e_.any_rule != kNone) return e_.any_rule;
        e_.any_rule = ast_.rule("json");
        uint32_t item = ast_.ref(e_.any_rule), member = ast_.seq({string(0, ~0ull), colon(), ast_.ref(e_.any_rule)});
        uint32_t body =
            ast_.alt({word("null"), word("true"), word("false"), number(Languages::number), string(0, ~0ull),
                      list(ast_.literal("["), item, ast_.literal("]"), true), list(ast_.literal("{"), member, ast_.literal("}"), true)});
        ast_.rules[e_.any_rule].body = body;
        return e_.any_rule;
    }

    uint32_t value(const GoalPlan &g) {
        Parts ways(memory_);
        if (g.anything) return ast_.ref(anything());
        if (g.null_ok) ways.push_back(word("null"));
        if (g.true_ok) ways.push_back(word("true"));
        if (g.false_ok) ways.push_back(word("false"));
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
                items.push_back(ast_.seq({gate(g, f), word(values[i])}));
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
        bool closed = syntax_ && syntax_->declared_only && o.min <= named.size() && o.obligations == 0;
        for (const OpenProperties &x : o.open)
            if (!closed && possible(x.options)) open.push_back(&x);
        uint32_t max = std::min<uint32_t>(o.max, open.empty() ? static_cast<uint32_t>(named.size()) : kInfinite);
        if (max == 0) {
            if (o.min > 0 || o.obligations > 0 || o.n_required > 0) return ast_.add({ExprKind::never});
            Parts nothing(memory_);
            return members(nothing, ast_.empty(), ast_.empty());
        }
        if (!open.empty() && o.min >= o.n_required + 2) {
            const io::Json &at = o.min_node ? *o.min_node : p_.doc().root();
            p_.doc().refuse(Code::unsupported, at, o.min_node ? "minProperties" : "",
                            "counting properties of free names is not supported beyond one");
        }
        if (!syntax_ && named.empty() && o.obligations == 0 && max == kInfinite && o.min <= 1) {
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

    bool plain_names() const { return syntax_ && syntax_->kind != ArgumentSyntax::Kind::object; }
    uint32_t key(uint32_t k) {
        if (plain_names()) {
            bool word = syntax_->kind == ArgumentSyntax::Kind::keywords;
            if (!p_.langs()[p_.langs().pattern(word ? kWordName : kTagName)].matches(p_.key(k)))
                fail(Code::unsupported, "the property ", quoted{p_.key(k)}, " has a name that this format of calls can't write");
            return ast_.literal(p_.key(k));
        }
        String text(memory_);
        io::append_json_string(text, p_.key(k));
        return written(text);
    }
    uint32_t open_key(Lang keys) {
        if (!plain_names()) return string(keys);
        Languages &l = p_.langs();
        return graph(
            to_utf8(memory_, l[l.both(keys, l.pattern(syntax_->kind == ArgumentSyntax::Kind::keywords ? kWordName : kFreeTagName))]));
    }

    // A name and its value. `k`: a listed name, which may have a declared type.
    uint32_t member(uint32_t gate, uint32_t name, GoalId value, uint32_t k) {
        if (!syntax_ || syntax_->kind == ArgumentSyntax::Kind::object) return ast_.seq({gate, name, colon(), ast_.ref(goal(value))});
        if (syntax_->kind == ArgumentSyntax::Kind::keywords) return ast_.seq({gate, name, ast_.literal("="), ast_.ref(goal(value))});
        const ArgumentSyntax &x = *syntax_;
        const GoalPlan &g = p_.plans()[value];
        ArgumentSyntax::Declared d;
        if (k != kNone && x.declared) d = x.declared(x.context, p_.key(k));
        Parts ways(memory_);
        auto way = [&](std::string_view between, uint32_t v) {
            ways.push_back(ast_.seq({tag(between), ast_.literal(x.line), v, ast_.literal(x.line)}));
        };
        bool told = !x.between_text.empty();  // text and JSON are told apart in the tag
        bool only_text =
            !g.anything && g.numbers == Languages::none && !g.null_ok && !g.true_ok && !g.false_ok && g.arrays.empty() && g.objects.empty();
        if (told ? g.anything || !g.strings.empty() : d.text) way(told ? x.between_text : x.between, plain_text(g, !told && d.null));
        if (told ? !only_text : !d.text) way(x.between, ast_.ref(goal(value)));
        return ast_.seq({gate, tag(x.before), name, ast_.list(ExprKind::alt, ways), tag(x.after)});
    }
    uint32_t tag(std::string_view text) {
        Parts parts(memory_);
        while (!text.empty()) {
            size_t n = std::min(text.find('\n'), text.size());
            parts.push_back(n ? ast_.literal(text.substr(0, n)) : ast_.repeat(ast_.literal("\n"), 0, 1));
            text.remove_prefix(n ? n : 1);
        }
        return ast_.list(ExprKind::seq, parts);
    }
    // The strings of a plan as they are, up to the tag that ends them.
    uint32_t plain_text(const GoalPlan &g, bool null) {
        Languages &l = p_.langs();
        Lang all = g.anything ? Languages::any : Languages::none;
        for (const StringPlan &s : g.strings) all = l.either(all, s.lang == Languages::any ? l.length(s.min, s.max) : s.lang);
        all = l.both(all, texts_without(l, syntax_->value_close));
        Parts ways(memory_);
        if (null) {
            all = l.without(all, l.pattern("^[\\t-\\r ]*(?:null|None)[\\t-\\r ]*$"));
            if (g.null_ok || g.anything) ways.push_back(ast_.literal("null"));
        }
        if (all != Languages::none) {
            uint64_t id = all | 1ull << 41;  // apart from JSON strings and numbers
            auto it = e_.lang_rule.find(id);
            if (it == e_.lang_rule.end()) {
                uint32_t rule = ast_.rule("text");
                it = e_.lang_rule.emplace(id, rule).first;
                ast_.rules[rule].frame = true;
                uint32_t body = graph(to_utf8(memory_, l[all]));
                ast_.rules[rule].body = body;
            }
            ways.push_back(ast_.ref(it->second));
        }
        return ast_.list(ExprKind::alt, ways);
    }

    // A gate stands before the byte that it allows, so never two at one place. Tags have no byte between members: there
    // `next` is part of each item's own gate.
    uint32_t members(const Parts &items, uint32_t next, uint32_t last) {
        uint32_t item = ast_.list(ExprKind::alt, items);
        if (syntax_ && syntax_->kind == ArgumentSyntax::Kind::tags) {
            uint32_t open = tag(syntax_->open), close = tag(syntax_->close);
            return items.empty() ? ast_.seq({open, last, close}) : ast_.seq({open, ast_.repeat(item, 0, kInfinite), last, close});
        }
        bool call = plain_names();
        uint32_t open = ast_.literal(call ? "(" : "{"), close = ast_.literal(call ? ")" : "}");
        if (items.empty()) return ast_.seq({open, space(), last, close});
        uint32_t more = ast_.repeat(ast_.seq({space(), next, ast_.literal(","), space(), item}), 0, kInfinite);
        return ast_.seq({open, space(), ast_.repeat(ast_.seq({item, more}), 0, 1), space(), last, close});
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
        auto add = [&](const Options &list, uint64_t bit, uint32_t k, auto &&name) {
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
                if (counting && max != kInfinite) g.count_hi = max - 1;
                uint32_t pass = gate(g, f);
                items.push_back(member(pass, name(), x.goal, k));
            }
        };
        for (uint32_t i = 0; i < n; ++i) {
            if (named[i]->required) f.need_bits |= 1ull << i;
            add(named[i]->options, 1ull << i, named[i]->key, [&] { return key(named[i]->key); });
        }
        for (const OpenProperties *x : open) add(x->options, 0, kNone, [&] { return open_key(x->keys); });
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
                uint32_t pass = gate(g, f);
                items.push_back(member(pass, key(named[i]->key), x.goal, named[i]->key));
            }
            if (named[i]->required) need = i + 1;
        }
        for (const OpenProperties *x : open)
            for (const Option &o : x->options) {
                if (!possible(o)) continue;
                Gate g;
                g.count_lo = need, g.count_to = n;
                uint32_t pass = gate(g, f);
                items.push_back(member(pass, open_key(x->keys), o.goal, kNone));
            }
        Gate next, last;
        if (open.empty()) next.count_hi = n - 1;
        last.count_lo = need;
        uint32_t more = gate(next, f), end = gate(last, f);
        return frame(members(items, more, end), std::move(f), "object");
    }

    Emission &e_;
    Planner &p_;
    const SchemaOptions &options_;
    Memory &memory_;
    Ast &ast_;
    const Dialect dialect_;
    const ArgumentSyntax *syntax_ = nullptr;  // while the outermost object of a call is written
    Vector<uint32_t> goal_rule_;
    Vector<GoalId> todo_;
};

}  // namespace

Emission::Emission(Memory &m, const Limits &limits, Dialect d) : ast(m), langs(m, limits), dialect(d), lang_rule(m) {}

Lang texts_without(Languages &langs, std::string_view mark) {
    String regex(langs.memory());
    for (char c : mark) {
        if (std::string_view("^$\\.*+?()[]{}|/").find(c) != std::string_view::npos) regex.push_back('\\');
        regex.push_back(c);
    }
    return langs.without(Languages::any, langs.pattern(regex));
}

uint32_t emit_value(Emission &e, Planner &p, const SchemaOptions &options) { return Emitter(e, p, options).run(); }

uint32_t emit_arguments(Emission &e, Planner &p, const SchemaOptions &options, const ArgumentSyntax &syntax) {
    return Emitter(e, p, options).arguments(syntax);
}

}  // namespace inlay::text::grammar
