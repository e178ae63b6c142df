// SPDX-License-Identifier: Apache-2.0
// From source texts to constraints.
#include "text/grammar/constraint.h"

#include "text/grammar/dfa.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/regex.h"
#include "text/grammar/schema_emit.h"

namespace inlay::text::grammar {

Constraint::Constraint(Memory &m, Net net, const Limits &limits)
    : memory_(m), limits_(limits), net_(std::move(net)), tables_(make_shared_in<Tables>(m, m, net_)), masks_(m) {}

std::shared_ptr<const Constraint> Constraint::from_gbnf(Memory &m, std::string_view source, const Limits &limits) {
    return make_shared_in<Constraint>(m, m, lower(m, parse_gbnf(m, source, limits), limits), limits);
}

std::shared_ptr<const Constraint> Constraint::from_regex(Memory &m, std::string_view source, const Limits &limits) {
    Ast ast(m);
    bool anchors;
    uint32_t body = parse_regex(ast, source, limits, anchors);
    if (anchors) {
        // ^ and $ are conditions on the position: resolved in the automaton over characters.
        ast.graphs.push_back(to_utf8(m, regex_dfa(m, source, false, limits)));
        body = ast.add({ExprKind::graph, 0});
    }
    ast.root = ast.rule("regex");
    ast.rules[ast.root].body = body;
    return make_shared_in<Constraint>(m, m, lower(m, ast, limits), limits);
}

std::shared_ptr<const Constraint> Constraint::from_json_schema(Memory &m, std::string_view source, const SchemaOptions &options,
                                                               const Limits &limits) {
    SchemaDoc doc(m, source, options, limits);
    Emission e(m, limits);
    Planner planner(doc, e.langs);
    planner.run();
    e.ast.root = emit_value(e, planner, options);
    return make_shared_in<Constraint>(m, m, lower(m, e.ast, limits), limits);
}

std::shared_ptr<const Constraint> Constraint::json_object(Memory &m, const Limits &limits) {
    return from_json_schema(m, R"({"type":"object"})", {}, limits);
}

std::shared_ptr<const Constraint> Constraint::from_choices(Memory &m, std::span<const std::string_view> choices, const Limits &limits) {
    if (choices.empty()) fail(Code::invalid_argument, "choices: the list is empty");
    size_t total = 0;
    for (std::string_view c : choices) total += c.size();
    if (total > limits.grammar_bytes) fail(Code::limit, "choices: ", total, " bytes exceed the limit ", limits.grammar_bytes);
    Ast ast(m);
    Vector<uint32_t> items(m);
    for (std::string_view c : choices) items.push_back(ast.literal(c));
    ast.root = ast.rule("choices");
    ast.rules[ast.root].body = ast.list(ExprKind::alt, items);
    return make_shared_in<Constraint>(m, m, lower(m, ast, limits), limits);
}

}  // namespace inlay::text::grammar
