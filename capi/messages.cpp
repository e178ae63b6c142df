// SPDX-License-Identifier: Apache-2.0
#include "capi/messages.h"

#include <algorithm>
#include <optional>

#include "capi/conversation.h"
#include "capi/parser_events.h"
#include "io/json.h"
#include "text/parser/parser.h"

namespace inlay::capi {

namespace {

// What reading an answer needs, kept by all choices.
struct AnswerFacts {
    const text::Tokenizer &tokenizer;  // the engine keeps the model
    ChatRequest request;               // holds the tools
    const text::ToolFormat *format;
    bool in_reasoning, calls;
};

// Feeds the answer's text to a parser; its events take the place of the tokens'.
class ParsedAnswer final : public Answer {
public:
    ParsedAnswer(Memory &m, std::shared_ptr<const AnswerFacts> facts)
        : facts_(std::move(facts)),
          tokenizer_(facts_->tokenizer),
          stream_(text::StreamParser::create(m, facts_->format, facts_->request.tools, facts_->in_reasoning, facts_->calls)) {}

    Code poll(engine::Request &req, inlay_event &out) override {
        for (;;) {
            const Code code = events_.next(stream_, ended_, out);
            if (code == Code::ok) {
                out.user_data = user_data_;
                if (out.kind == INLAY_EVENT_FINISH) {
                    // A finished call is what the host wants to know; a cut stream keeps the engine's own reason.
                    const bool calls = out.finish == INLAY_FINISH_TOOL_CALLS && finish_ == engine::Finish::stop;
                    out.finish = calls ? INLAY_FINISH_TOOL_CALLS : static_cast<int32_t>(finish_);
                }
                return code;
            }
            if (code == Code::done) return code;
            engine::Event ev;
            const Code more = req.poll(ev);
            if (more != Code::ok) return more;
            user_data_ = ev.user_data;
            if (ev.kind == engine::EventKind::needs_token || ev.kind == engine::EventKind::prompt_logprob) {
                to_public(ev, out);
                return Code::ok;
            }
            events_.forget_taken(stream_);
            const bool failed =
                ev.kind == engine::EventKind::finish && (ev.finish == engine::Finish::error || ev.finish == engine::Finish::numeric);
            if (!ev.text.empty() && !failed) stream_.feed(ev.text);
            // Some formats are built of control tokens, which the text leaves out.
            if (ev.kind == engine::EventKind::token && tokenizer_.is_control(ev.token) && !tokenizer_.is_end(ev.token))
                stream_.feed(tokenizer_.token_text(ev.token));
            if (ev.kind == engine::EventKind::finish) {
                finish_ = ev.finish;
                stream_.finish();
                ended_ = true;
            }
        }
    }

private:
    std::shared_ptr<const AnswerFacts> facts_;
    const text::Tokenizer &tokenizer_;
    text::StreamParser stream_;
    ParserEvents events_;
    engine::Finish finish_ = engine::Finish::none;
    uint64_t user_data_ = 0;
    bool ended_ = false;
};

class ParsedAnswerReader final : public AnswerReader {
public:
    ParsedAnswerReader(Memory &m, std::shared_ptr<const AnswerFacts> facts) : memory_(m), facts_(std::move(facts)) {}
    Owned<Answer> make() const override { return make_owned<ParsedAnswer>(memory_, memory_, facts_); }

private:
    Memory &memory_;
    std::shared_ptr<const AnswerFacts> facts_;
};

// Templates ask for the tokens by name, as text.
String token_json(Memory &m, const text::Tokenizer &t) {
    String s((Alloc<char>(m)));
    s += '{';
    const std::pair<const char *, int32_t> roles[] = {
        {"bos_token", t.special().bos}, {"eos_token", t.special().eos}, {"unk_token", t.special().unk}, {"pad_token", t.special().pad}};
    for (auto [name, id] : roles) {
        if (id < 0) continue;
        if (s.size() > 1) s += ',';
        io::append_json_string(s, name);
        s += ':';
        io::append_json_string(s, t.token_text(id));
    }
    s += '}';
    return s;
}

// Does the prompt end inside an opened reasoning part?
bool opens_reasoning(std::string_view prompt) {
    while (!prompt.empty() && (prompt.back() == '\n' || prompt.back() == ' ')) prompt.remove_suffix(1);
    return prompt.ends_with("<think>") || prompt.ends_with("[THINK]");
}

// The words with which the last message ends, where it is to be continued.
std::string_view final_text(const io::Json &messages) {
    if (!messages.is_array() || messages.items().empty()) fail(Code::invalid_argument, "continue_final_message: there are no messages");
    const io::Json &last = messages.items().back();
    const io::Json *content = last.is_object() ? last.get("content") : nullptr;
    if (content && content->is_array())
        for (size_t i = content->items().size(); i-- > 0;) {
            const io::Json &part = content->items()[i];
            const io::Json *text = part.is_object() ? part.get("text") : nullptr;
            if (text && text->is_string()) return text->string();
        }
    if (!content || !content->is_string()) fail(Code::invalid_argument, "continue_final_message: the last message has no text");
    return content->string();
}
std::string_view trimmed(std::string_view s, bool right) {
    constexpr std::string_view space = " \t\n\v\f\r";
    const size_t from = std::min(s.find_first_not_of(space), s.size());
    s.remove_prefix(from);
    return right ? s.substr(0, s.find_last_not_of(space) + 1) : s;
}

// As transformers does: everything behind the last message's text is what the template says of its end.
void cut_behind(text::RenderOutput &prompt, std::string_view text) {
    const std::string_view all = prompt.text, words = trimmed(text, true), open = trimmed(text, false);
    const size_t at = all.rfind(words);
    if (at == std::string_view::npos)
        fail(Code::invalid_argument, "continue_final_message: the template does not show the last message as it is");
    const size_t end = at + (all.substr(at).starts_with(open) ? open.size() : words.size());
    prompt.text.resize(end);
    while (prompt.segments.size() > 1 && prompt.segments[prompt.segments.size() - 2].end >= end) prompt.segments.pop_back();
    if (!prompt.segments.empty()) prompt.segments.back().end = end;
}

bool has_calls(const text::ToolFormat *f) { return f && text::format_has_calls(f); }

}  // namespace

template <class T, class Make>
std::shared_ptr<const T> ChatCache::keep(Recent<T> &list, String key, Make &&make) {
    constexpr size_t most = 8;
    auto find = [&]() -> std::shared_ptr<const T> {
        for (size_t i = list.size(); i-- > 0;)
            if (list[i].first == key) {
                std::rotate(list.begin() + static_cast<ptrdiff_t>(i), list.begin() + static_cast<ptrdiff_t>(i) + 1, list.end());
                return list.back().second;
            }
        return nullptr;
    };
    {
        std::lock_guard hold(lock_);
        if (auto known = find()) return known;
    }
    std::shared_ptr<const T> made = make();  // by two threads at once, if it comes so
    std::lock_guard hold(lock_);
    if (auto known = find()) return known;
    if (list.size() == most) list.erase(list.begin());
    list.emplace_back(std::move(key), made);
    return made;
}

std::shared_ptr<const ChatCache::ParsedTemplate> ChatCache::parsed(Memory &m, std::string_view source, const Limits &limits) {
    return keep<ParsedTemplate>(templates_, make_string(m, source), [&] {
        text::Template t = text::Template::parse(m, source, limits);
        const text::MessageFit fit = text::probe_messages(m, t);
        return make_shared_in<ParsedTemplate>(m, std::move(t), fit);
    });
}

std::shared_ptr<const text::grammar::Constraint> ChatCache::grammar(Memory &m, const text::AnswerShape &s, const Limits &limits) {
    // Everything that the grammar is made from, with lengths, so that no two requests share a key.
    String key(m);
    auto part = [&](std::string_view text) {
        io::append_json_number(key, static_cast<double>(text.size()));
        key.push_back(' ');
        key.append(text);
    };
    const char flags[] = {static_cast<char>('0' + static_cast<int>(s.choice)), s.parallel ? 'p' : '-', s.in_reasoning ? 'r' : '-',
                          s.schema.allow_unknown ? 'u' : '-'};
    part({flags, sizeof flags});
    part(text::tool_format_name(s.format));
    part(s.chat_template);
    part(s.content_schema);
    if (s.tools) part(text::write_json(m, *s.tools));
    for (std::string_view w : s.schema.waived) part(w);
    part("|");
    for (std::string_view a : s.allowed) part(a);
    return keep<text::grammar::Constraint>(grammars_, std::move(key), [&] { return text::answer_grammar(m, s, limits); });
}

std::span<const text::ControlToken> ChatCache::control(const text::Tokenizer &t) {
    std::lock_guard hold(lock_);
    if (!has_control_)
        for (int32_t id = 0; id < t.n_vocab(); ++id)
            if (t.is_control(id) && !t.is_end(id)) control_.push_back({t.token_text(id), id});
    has_control_ = true;
    return control_;
}

Conversation prepare_conversation(engine::Runtime &rt, const inlay_engine &engine, std::string_view json, bool parse_answer,
                                  bool constrained) {
    Memory &m = rt.memory();
    const Limits &limits = rt.limits();
    const engine::OpenedModel &model = *engine.model;
    ChatCache &cache = *engine.chat;
    const text::Tokenizer &tokenizer = model.need_tokenizer();
    auto facts = make_shared_in<AnswerFacts>(m, AnswerFacts{tokenizer, ChatRequest(m, json, limits), nullptr, false, true});
    const ChatRequest &r = facts->request;
    if (constrained && (r.has_choice || !r.content_schema.empty()))
        fail(Code::invalid_argument, "params: a constraint beside ", r.has_choice ? "tool_choice" : "response_format");

    std::string_view source = r.chat_template;
    if (source.empty()) {
        const io::ChatTemplate *own = r.tools ? model.find_template("tool_use") : nullptr;
        if (!own) own = model.find_template("");
        if (!own) fail(Code::not_found, "the model's file has no chat template: name one in chat_template");
        source = own->text;
    } else if (std::string_view builtin = text::builtin_template(source); !builtin.empty()) {
        source = builtin;
    }
    const auto tpl = cache.parsed(m, source, limits);

    io::JsonLimits jl;
    jl.bytes = limits.request_json_bytes;
    jl.depth = limits.request_json_depth;
    Vector<text::TemplateVariable> variables((Alloc<text::TemplateVariable>(m)));
    io::JsonDocument tokens = io::JsonDocument::parse(m, token_json(m, tokenizer), jl, "tokens");
    for (const io::JsonMember &t : tokens.root().members()) variables.push_back({t.key, &t.value, true});
    io::JsonDocument generation = io::JsonDocument::parse(m, r.add_generation_prompt ? "true" : "false", jl);
    variables.push_back({"add_generation_prompt", &generation.root(), true});
    read_variables(r.doc.root(), variables);  // the caller's kwargs win
    std::optional<io::JsonDocument> fitted;
    if (tpl->fit.any()) {
        fitted.emplace(io::JsonDocument::parse(m, text::fit_messages(m, *r.messages, tpl->fit), jl, "messages"));
        for (text::TemplateVariable &v : variables)
            if (v.name == "messages") v.value = &fitted->root();
    }
    text::RenderInput in;
    in.variables = variables;
    in.now = r.now;
    text::RenderOutput prompt(m);
    render_template(tpl->tpl, m, in, prompt);
    if (r.continue_final) cut_behind(prompt, final_text(fitted ? fitted->root() : *r.messages));

    Conversation c{Vector<int32_t>(Alloc<int32_t>(m)), nullptr, nullptr};
    text::EncodeScratch scratch(m);
    text::EncodeOptions o;
    o.parse_special = true;
    o.segments = prompt.segments;
    tokenizer.encode(scratch, prompt.text, o, c.ids);
    if (tokenizer.adds_eos()) c.ids.resize(c.ids.size() - tokenizer.n_appended());

    facts->format = text::detect_tool_format(source);
    facts->in_reasoning = opens_reasoning(prompt.text);
    // An answer that must be JSON is no call, however it looks.
    facts->calls = r.content_schema.empty() || (r.tools && r.choice != text::ToolChoice::none);
    const bool calls = r.tools && has_calls(facts->format);
    if (r.choice == text::ToolChoice::required && !calls)
        fail(Code::unsupported, "tool_choice: the template shows no format of tool calls that is known");
    if (!constrained && (calls || !r.content_schema.empty())) {
        text::AnswerShape s;
        s.format = facts->format ? facts->format : text::find_tool_format("none");
        s.tools = r.tools;
        s.choice = calls ? r.choice : text::ToolChoice::none;
        s.allowed = r.allowed;
        s.parallel = r.parallel;
        s.in_reasoning = facts->in_reasoning && facts->format;
        s.chat_template = source;
        s.content_schema = r.content_schema;
        s.schema.allow_unknown = r.allow_unknown;
        s.schema.waived = r.waived;
        s.control = cache.control(tokenizer);
        c.grammar = cache.grammar(m, s, limits);
    }
    if (parse_answer && facts->format) c.reader = make_shared_in<ParsedAnswerReader>(m, m, std::move(facts));
    return c;
}

}  // namespace inlay::capi
