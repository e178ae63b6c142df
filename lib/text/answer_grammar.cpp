// SPDX-License-Identifier: Apache-2.0
// One function for each family of formats writes its calls as expressions; what stands around them is the same for all
// but harmony, whose every text is inside of some message.
#include "text/answer_grammar.h"

#include <algorithm>

#include "text/grammar/net.h"
#include "text/grammar/schema_emit.h"
#include "text/grammar/token_trie.h"
#include "text/messages.h"
#include "text/parser/formats.h"
#include "text/parser/literals.h"

namespace inlay::text {
namespace {

using grammar::ArgumentSyntax;
using grammar::Dialect;
using grammar::ExprKind;
using grammar::Lang;
using Expr = uint32_t;

struct Tool {
    std::string_view name;
    const io::Json *parameters;  // null: takes none
    size_t index;
    Expr arguments = grammar::kNone;  // in JSON
};

// In the parser's words: white space, and the first byte that makes a text a call where no mark opens it.
constexpr std::string_view kBareObject = R"(^[\t-\r ]*\{[\t-\r ]*"(?:name"|type"[\t-\r ]*:[\t-\r ]*"function"))",
                           kBareArray = R"(^[\t-\r ]*\[[\t-\r ]*\{[\t-\r ]*"(?:name"|type"[\t-\r ]*:[\t-\r ]*"function"))",
                           kBareCalls = R"(^[\t-\r ]*\[[\t-\r ]*[A-Za-z_.\-\u0080-\u{10FFFF}][0-9A-Za-z_.\-\u0080-\u{10FFFF}]*\()";

grammar::ArgumentSyntax::Declared declared(const void *context, std::string_view key) {
    const auto *c = static_cast<const std::pair<const io::Json *, std::string_view> *>(context);
    const TextParameter p = text_parameter(find_parameter(c->first, c->second, key));
    return {p.text, p.null};
}

class Builder {
public:
    Builder(Memory &m, const AnswerShape &shape, const Limits &limits)
        : m_(m), s_(shape), f_(*shape.format), limits_(limits), e_(m, limits, dialect(f_)), ast_(e_.ast), tools_(m), coded_(m) {}

    grammar::Net run() {
        if (s_.choice != ToolChoice::none) read_tools();
        if (!s_.content_schema.empty() && s_.choice != ToolChoice::none && f_.start != Start::content && f_.start != Start::harmony)
            fail(Code::unsupported, "response_format beside tools: in the format ", f_.name,
                 " an answer in JSON can't be told from a call");
        Expr body = f_.start == Start::harmony ? harmony() : answer();
        ast_.root = ast_.rule("answer");
        ast_.rules[ast_.root].body = body;
        return grammar::lower(m_, ast_, limits_);
    }

private:
    using Parts = Vector<uint32_t>;

    static Dialect dialect(const ToolFormat &f) {
        if (f.start == Start::pythonic) return Dialect::python;
        return f.xml.call_close.empty() ? Dialect::json : Dialect::tagged;
    }
    bool in_template(std::string_view s) const { return s_.chat_template.find(s) != std::string_view::npos; }

    // ---- pieces ----

    // Text with its control tokens.
    std::string_view coded(std::string_view text) {
        String &out = coded_.emplace_back(m_);
        while (!text.empty()) {
            const ControlToken *best = nullptr;
            for (const ControlToken &t : s_.control)
                if (!t.text.empty() && text.starts_with(t.text) && (!best || t.text.size() > best->text.size())) best = &t;
            if (best) {
                grammar::append_control(out, best->id);
                text.remove_prefix(best->text.size());
            } else {
                out.push_back(text[0]);
                text.remove_prefix(1);
            }
        }
        return out;
    }
    Expr lit(std::string_view text) { return ast_.literal(coded(text)); }
    Expr seq(std::initializer_list<Expr> list) { return ast_.seq(list); }
    Expr alt(const Parts &list) { return ast_.list(ExprKind::alt, list); }
    Expr maybe(Expr e) { return ast_.repeat(e, 0, 1); }
    // White space that means nothing: enough for any layout that models were trained on, too little to get lost in.
    Expr ws() {
        grammar::CharSet set(m_);
        set.add('\t', '\n'), set.add('\r', '\r'), set.add(' ', ' ');
        set.normalise();
        return ast_.repeat(ast_.chars(std::move(set)), 0, 8);
    }
    Expr digits(uint32_t most) {
        grammar::CharSet set(m_);
        set.add('0', '9');
        return ast_.repeat(ast_.chars(std::move(set)), 1, most);
    }
    Expr letters(uint32_t n) {
        grammar::CharSet set(m_);
        set.add('0', '9'), set.add('A', 'Z'), set.add('a', 'z');
        set.normalise();
        return ast_.repeat(ast_.chars(std::move(set)), n, n);
    }
    Expr text(Lang l) {
        if (l == grammar::Languages::none) return ast_.add({ExprKind::never});
        uint64_t id = l | 1ull << 41;
        auto it = e_.lang_rule.find(id);
        if (it == e_.lang_rule.end()) {
            uint32_t rule = ast_.rule("text");
            it = e_.lang_rule.emplace(id, rule).first;
            ast_.graphs.push_back(grammar::to_utf8(m_, e_.langs[l]));
            Expr body = ast_.add({ExprKind::graph, static_cast<uint32_t>(ast_.graphs.size() - 1)});
            ast_.rules[rule].frame = true;
            ast_.rules[rule].body = body;
        }
        return ast_.ref(it->second);
    }
    Lang without(Lang l, std::string_view mark) { return e_.langs.both(l, grammar::texts_without(e_.langs, mark)); }
    // One or, where calls may be parallel, more.
    Expr some(Expr one, Expr between) { return s_.parallel ? seq({one, ast_.repeat(seq({between, one}), 0, grammar::kInfinite)}) : one; }

    // ---- tools ----

    void read_tools() {
        if (!s_.tools || !s_.tools->is_array()) fail(Code::invalid_argument, "tools is no JSON array");
        size_t index = 0;
        for (const io::Json &t : s_.tools->items()) {
            const io::Json *f = t.is_object() ? t.find("function") : nullptr;
            if (!f) f = &t;
            const io::Json *name = f->is_object() ? f->find("name") : nullptr;
            if (!name || !name->is_string() || name->string().empty()) fail(Code::invalid_argument, "tools: item ", index, " has no name");
            if (s_.allowed.empty() || std::find(s_.allowed.begin(), s_.allowed.end(), name->string()) != s_.allowed.end()) {
                for (const Tool &other : tools_)
                    if (other.name == name->string()) fail(Code::invalid_argument, "tools: two are called ", quoted{other.name});
                check_name(name->string());
                tools_.push_back({name->string(), f->get("parameters"), index});
            }
            ++index;
        }
        for (std::string_view name : s_.allowed)
            if (std::none_of(tools_.begin(), tools_.end(), [&](const Tool &t) { return t.name == name; }))
                fail(Code::invalid_argument, "tool_choice: no tool is called ", quoted{name});
        if (tools_.empty()) fail(Code::invalid_argument, "tools: the list is empty");
    }
    // Names inside of JSON strings may be any; others must end where the format says.
    void check_name(std::string_view name) const {
        bool in_string = f_.section.call_open.empty() && f_.xml.call_close.empty() && f_.start != Start::pythonic &&
                         f_.start != Start::harmony && f_.name != "mistral";
        if (in_string) return;
        bool first = true;
        for (char c : name) {
            bool digit = c >= '0' && c <= '9';
            if (!(c == '_' || c == '-' || c == '.' || (digit && !(first && f_.start == Start::pythonic)) ||
                  ((c | 32) >= 'a' && (c | 32) <= 'z') || static_cast<unsigned char>(c) >= 0x80))
                fail(Code::invalid_argument, "tools: the name ", quoted{name}, " can't be written in the format ", f_.name);
            first = false;
        }
    }

    // The arguments of a tool in the given syntax. Names beside the declared ones are written only where the schema speaks
    // of them.
    Expr arguments(const Tool &t, ArgumentSyntax syntax) {
        try {
            const io::Json *p = t.parameters;
            String source = make_string(m_, R"({"type":"object","properties":{},"additionalProperties":false})");
            if (p) source = p->is_object() && p->members().empty() ? make_string(m_, R"({"type":"object"})") : write_json(m_, *p);
            if (p && p->is_object())
                syntax.declared_only = p->find("properties") && !p->find("additionalProperties") && !p->find("patternProperties") &&
                                       !p->find("unevaluatedProperties");
            std::pair<const io::Json *, std::string_view> context{s_.tools, t.name};
            syntax.declared = declared, syntax.context = &context;
            grammar::SchemaDoc doc(m_, source, s_.schema, limits_);
            grammar::Planner planner(doc, e_.langs);
            planner.run();
            if (planner.plans()[0].anything) fail(Code::unsupported, "a schema of anything; say what the arguments are");
            if (planner.plans()[0].objects.empty()) fail(Code::invalid_argument, "its parameters are never an object");
            uint32_t rule = ast_.rule("arguments");
            Expr body = grammar::emit_arguments(e_, planner, s_.schema, syntax);
            ast_.rules[rule].body = body;
            return ast_.ref(rule);
        } catch (const Error &error) {
            if (error.code() == Code::out_of_memory) throw;
            fail_at(error.code(), error.place(), "tool ", quoted{t.name}, ": ", error.text());
        }
    }
    Expr json_arguments(Tool &t) {
        if (t.arguments == grammar::kNone) t.arguments = arguments(t, {});
        return t.arguments;
    }
    template <class Write>
    Expr each_tool(Write &&write) {
        Parts ways(m_);
        for (Tool &t : tools_) ways.push_back(write(t));
        return alt(ways);
    }

    // ---- calls ----

    // {"name": ..., KEY: {...}}
    Expr object(std::string_view key, bool type, bool id) {
        auto colon = [&] { return seq({ws(), ast_.literal(":"), ws()}); };
        auto comma = [&] { return seq({ws(), ast_.literal(","), ws()}); };
        Expr call = each_tool([&](Tool &t) {
            String name(m_);
            io::append_json_string(name, t.name);
            return seq({ast_.literal(name), comma(), ast_.literal(key), colon(), json_arguments(t)});
        });
        Parts parts(m_);
        parts.push_back(ast_.literal("{"));
        parts.push_back(ws());
        if (type) parts.push_back(maybe(seq({ast_.literal("\"type\""), colon(), ast_.literal("\"function\""), comma()})));
        parts.push_back(ast_.literal("\"name\""));
        parts.push_back(colon());
        parts.push_back(call);
        if (id) parts.push_back(maybe(seq({comma(), ast_.literal("\"id\""), colon(), ast_.literal("\""), letters(9), ast_.literal("\"")})));
        parts.push_back(ws());
        parts.push_back(ast_.literal("}"));
        uint32_t rule = ast_.rule("call");
        Expr body = ast_.list(ExprKind::seq, parts);
        ast_.rules[rule].body = body;
        return ast_.ref(rule);
    }
    Expr array(Expr item) {
        return seq({ast_.literal("["), ws(), some(item, seq({ws(), ast_.literal(","), ws()})), ws(), ast_.literal("]")});
    }
    Expr sections(const Mark &mark, const SectionStyle &x) {
        Expr one = each_tool([&](Tool &t) {
            Parts p(m_);
            p.push_back(lit(x.call_open));
            if (x.header_is_id) {
                p.push_back(seq({ast_.literal("functions."), ast_.literal(t.name), ast_.literal(":"), digits(4), lit(x.separator)}));
            } else if (x.fence == Fence::no) {
                p.push_back(seq({ast_.literal(t.name), lit(x.separator)}));
            } else {
                p.push_back(seq({ast_.literal("function"), lit(x.separator), ast_.literal(t.name), ast_.literal("\n```json\n")}));
            }
            p.push_back(json_arguments(t));
            if (!x.header_is_id && x.fence != Fence::no) p.push_back(ast_.literal("\n```"));
            p.push_back(lit(x.call_close));
            return ast_.list(ExprKind::seq, p);
        });
        return seq({lit(mark.open), ws(), some(one, ws()), ws(), lit(mark.close)});
    }
    Expr tags(const Mark &mark, const XmlStyle &x) {
        bool glm = x.name_open.empty(), list = mark.family == Family::xml_list;
        auto join = [&](std::initializer_list<std::string_view> list_of) {
            String s(m_);
            for (std::string_view part : list_of) s.append(part);
            return coded(s);
        };
        ArgumentSyntax a;
        a.kind = ArgumentSyntax::Kind::tags;
        a.open = glm ? std::string_view("\n") : join({x.name_end, "\n"});
        a.close = coded(x.call_close);
        a.before = coded(x.parameter_open);
        a.between = glm ? join({x.parameter_end, "\n", x.value_open}) : coded(x.attributes ? "\" string=\"false\">" : x.parameter_end);
        if (x.attributes) a.between_text = "\" string=\"true\">";
        a.after = join({x.value_close, "\n"});
        a.value_close = x.value_close;
        if (x.trims_newline) a.line = "\n";
        Expr one = each_tool([&](Tool &t) { return seq({lit(x.name_open), ast_.literal(t.name), arguments(t, a)}); });
        if (list) return seq({lit(mark.open), ws(), some(one, ws()), ws(), lit(mark.close)});
        Expr whole =
            seq({lit(mark.open), glm ? ast_.empty() : ws(), one, mark.close.empty() ? ast_.empty() : seq({ws(), lit(mark.close)})});
        return some(whole, ws());
    }
    Expr keyword_calls() {
        ArgumentSyntax a;
        a.kind = ArgumentSyntax::Kind::keywords;
        return array(each_tool([&](Tool &t) { return seq({ast_.literal(t.name), arguments(t, a)}); }));
    }

    // Calls behind their marks, and calls that begin the text as they are; either may be `never`.
    void calls(Parts &marked, Parts &bare) {
        auto known = [&](std::string_view mark) { return s_.chat_template.empty() || in_template(mark); };
        if (f_.start == Start::json || f_.start == Start::json_or_array) {
            bool llama = f_.start == Start::json;
            Expr one = object(llama ? "\"parameters\"" : "\"arguments\"", true, false);
            Expr next = seq({ws(), maybe(ast_.literal(";")), ws()});
            bare.push_back(llama ? some(one, next) : one);
            if (!llama) bare.push_back(array(one));
            for (const Mark &mark : f_.marks) marked.push_back(seq({lit(mark.open), ws(), some(one, next)}));
            return;
        }
        if (f_.start == Start::pythonic) {
            Expr list = keyword_calls();
            for (const Mark &mark : f_.marks)
                if (known(mark.open)) marked.push_back(seq({lit(mark.open), list, lit(mark.close)}));
            if (marked.empty() || s_.chat_template.empty()) bare.push_back(list);
            return;
        }
        for (const Mark &mark : f_.marks) switch (mark.family) {
                case Family::object:
                    // Granite's other form is Hermes', and models of that form are known by it.
                    if (f_.marks.size() == 1)
                        marked.push_back(
                            some(seq({lit(mark.open), ws(), object("\"arguments\"", false, false), ws(), lit(mark.close)}), ws()));
                    break;
                case Family::array:
                    marked.push_back(seq({lit(mark.open), ws(), array(object("\"arguments\"", false, false))}));
                    break;
                case Family::mistral: {
                    bool any = s_.chat_template.empty(), named = in_template("[ARGS]");
                    if (any || !named) marked.push_back(seq({lit(mark.open), ws(), array(object("\"arguments\"", false, true))}));
                    if (any || named)
                        marked.push_back(some(seq({lit(mark.open), each_tool([&](Tool &t) {
                                                       Expr id = maybe(seq({lit("[CALL_ID]"), letters(9)}));
                                                       return seq({ast_.literal(t.name), id, lit("[ARGS]"), json_arguments(t)});
                                                   })}),
                                              ast_.empty()));
                    break;
                }
                case Family::section:
                    if (f_.section.fence != Fence::by_header) {
                        marked.push_back(sections(mark, f_.section));
                        break;
                    }
                    for (Fence fence : {Fence::yes, Fence::no}) {
                        SectionStyle x = f_.section;
                        x.fence = fence;
                        marked.push_back(sections(mark, x));
                    }
                    break;
                case Family::xml:
                    if (mark.open != f_.xml.name_open) marked.push_back(tags(mark, f_.xml));
                    break;
                case Family::xml_list:
                    if (known(mark.open)) marked.push_back(tags(mark, f_.xml));
                    break;
                default:
                    break;
            }
    }

    // ---- what stands around them ----

    // Free text: no mark, and nothing that the parser would take for a call.
    Lang content(bool may_open_reasoning) {
        Lang l = grammar::Languages::any;
        for (const Mark &mark : f_.marks)
            if (mark.family != Family::drop) l = without(l, mark.open);
        if (may_open_reasoning && !f_.reason_open.empty()) l = without(l, f_.reason_open);
        auto not_begun = [&](std::string_view regex) { l = e_.langs.without(l, e_.langs.pattern(regex)); };
        if (f_.start == Start::json || f_.start == Start::json_or_array) not_begun(kBareObject);
        if (f_.start == Start::json_or_array) not_begun(kBareArray);
        if (f_.start == Start::pythonic) not_begun(kBareCalls);
        return l;
    }
    Expr schema() {
        grammar::SchemaDoc doc(m_, s_.content_schema, s_.schema, limits_);
        grammar::Planner planner(doc, e_.langs);
        planner.run();
        return ast_.ref(grammar::emit_value(e_, planner, s_.schema));
    }

    Expr answer() {
        bool reasons = !f_.reason_open.empty();
        bool thinks = reasons && (s_.in_reasoning || in_template(f_.reason_open) || in_template(f_.reason_close));
        Parts marked(m_), bare(m_);
        if (s_.choice != ToolChoice::none) {
            calls(marked, bare);
            if (marked.empty() && bare.empty()) fail(Code::unsupported, "the format ", f_.name, " has no tool calls");
        }
        bool must = s_.choice == ToolChoice::required;
        Expr rest = reasons ? seq({text(without(grammar::Languages::any, f_.reason_close)), lit(f_.reason_close)}) : ast_.empty();
        if (must || !s_.content_schema.empty()) {
            Parts ends(marked);
            ends.insert(ends.end(), bare.begin(), bare.end());
            if (!must) ends.push_back(schema());
            Expr end = seq({ws(), alt(ends), ws()});
            if (s_.in_reasoning) return seq({rest, end});
            return thinks ? seq({maybe(seq({ws(), lit(f_.reason_open), rest})), end}) : end;
        }
        auto end = [&](Expr before) {
            Parts ways(m_);
            ways.push_back(before);
            if (!marked.empty()) ways.push_back(seq({before, alt(marked), ws()}));
            if (!bare.empty()) ways.push_back(seq({ws(), alt(bare), ws()}));
            return alt(ways);
        };
        if (!reasons) return end(text(content(false)));
        Expr later = end(text(content(false)));
        if (s_.in_reasoning) return seq({rest, later});
        Expr first = text(content(true));
        Parts ways(m_);
        ways.push_back(end(first));
        ways.push_back(seq({first, lit(f_.reason_open), rest, later}));
        return alt(ways);
    }

    // Messages one after the other; the prompt has opened the first ("<|start|>assistant").
    Expr harmony() {
        Lang body = grammar::Languages::any;
        for (std::string_view mark : {"<|end|>", "<|return|>", "<|call|>", "<|start|>"}) body = without(body, mark);
        Expr next = lit("<|end|><|start|>assistant");
        bool must = s_.choice == ToolChoice::required;
        Expr channel = must ? ast_.literal("analysis") : ast_.alt({ast_.literal("analysis"), ast_.literal("commentary")});
        Expr before = seq({lit("<|channel|>"), channel, lit("<|message|>"), text(body), next});
        Parts ends(m_);
        if (!must)
            ends.push_back(s_.content_schema.empty() ? seq({lit("<|channel|>final<|message|>"), text(body), maybe(lit("<|return|>"))})
                                                     : seq({lit("<|channel|>final"), maybe(lit(" <|constrain|>json")), lit("<|message|>"),
                                                            schema(), maybe(lit("<|return|>"))}));
        if (s_.choice != ToolChoice::none) {
            Expr type = ast_.alt({ast_.empty(), lit(" <|constrain|>json"), ast_.literal(" json")});
            ends.push_back(
                seq({each_tool([&](Tool &t) {
                         Expr to = seq({ast_.literal(" to=functions."), ast_.literal(t.name)});
                         Expr header = ast_.alt({seq({lit("<|channel|>commentary"), to}), seq({to, lit("<|channel|>commentary")})});
                         return seq({header, type, lit("<|message|>"), json_arguments(t)});
                     }),
                     maybe(lit("<|call|>"))}));
        }
        Expr all = seq({ast_.repeat(before, 0, grammar::kInfinite), alt(ends)});
        return s_.in_reasoning ? seq({text(body), next, all}) : all;
    }

    Memory &m_;
    const AnswerShape &s_;
    const ToolFormat &f_;
    const Limits &limits_;
    grammar::Emission e_;
    grammar::Ast &ast_;
    Vector<Tool> tools_;
    Deque<String> coded_;
};

}  // namespace

std::shared_ptr<const grammar::Constraint> answer_grammar(Memory &m, const AnswerShape &shape, const Limits &limits) {
    return make_shared_in<grammar::Constraint>(m, m, Builder(m, shape, limits).run(), limits);
}

}  // namespace inlay::text
