// SPDX-License-Identifier: Apache-2.0
#include "capi/messages.h"

#include <optional>

#include "capi/conversation.h"
#include "capi/parser_events.h"
#include "io/json.h"
#include "text/messages.h"
#include "text/parser/parser.h"

namespace inlay::capi {

namespace {

// Feeds the answer's text to a parser; its events take the place of the tokens'.
class ParsedAnswer final : public Answer {
public:
    ParsedAnswer(const text::Tokenizer &tokenizer, std::optional<io::JsonDocument> doc, const text::ToolFormat *format,
                 const io::Json *tools, bool in_reasoning, Memory &m)
        : tokenizer_(tokenizer), doc_(std::move(doc)), stream_(text::StreamParser::create(m, format, tools, in_reasoning)) {}

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
    const text::Tokenizer &tokenizer_;     // the engine keeps the model
    std::optional<io::JsonDocument> doc_;  // holds the tools
    text::StreamParser stream_;
    ParserEvents events_;
    engine::Finish finish_ = engine::Finish::none;
    uint64_t user_data_ = 0;
    bool ended_ = false;
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

}  // namespace

Conversation prepare_conversation(engine::Runtime &rt, const engine::OpenedModel &model, std::string_view json, bool parse_answer) {
    Memory &m = rt.memory();
    const Limits &limits = rt.limits();
    const text::Tokenizer &tokenizer = model.need_tokenizer();
    io::JsonLimits jl;
    jl.bytes = limits.request_json_bytes;
    jl.depth = limits.request_json_depth;
    std::optional<io::JsonDocument> doc(io::JsonDocument::parse(m, json, jl, "conversation"));
    const io::Json &messages = io::need(doc->root(), "messages");
    const io::Json *tools = doc->root().get("tools");
    if (tools && tools->is_array() && tools->items().size() > limits.tools)
        fail(Code::limit, "tools: ", tools->items().size(), " exceed ", limits.tools);

    const io::ChatTemplate *own = tools ? model.find_template("tool_use") : nullptr;
    if (!own) own = model.find_template("");
    if (!own) fail(Code::not_found, "the model's file has no chat template");
    const text::Template tpl = text::Template::parse(m, own->text, limits);

    Vector<text::TemplateVariable> variables((Alloc<text::TemplateVariable>(m)));
    io::JsonDocument tokens = io::JsonDocument::parse(m, token_json(m, tokenizer), jl, "tokens");
    for (const io::JsonMember &t : tokens.root().members()) variables.push_back({t.key, &t.value, true});
    io::JsonDocument yes = io::JsonDocument::parse(m, "true", jl);
    variables.push_back({"add_generation_prompt", &yes.root(), true});
    read_variables(doc->root(), variables);  // the caller's kwargs win
    std::optional<io::JsonDocument> fitted;
    if (const text::MessageFit fit = text::probe_messages(m, tpl); fit.any()) {
        fitted.emplace(io::JsonDocument::parse(m, text::fit_messages(m, messages, fit), jl, "messages"));
        for (text::TemplateVariable &v : variables)
            if (v.name == "messages") v.value = &fitted->root();
    }
    text::RenderInput in;
    in.variables = variables;
    text::RenderOutput prompt(m);
    in.now.month = 0;  // no clock: strftime_now() is undefined, and templates ask whether it is there
    render_template(tpl, m, in, prompt);

    Conversation c{Vector<int32_t>(Alloc<int32_t>(m)), nullptr};
    text::EncodeScratch scratch(m);
    text::EncodeOptions o;
    o.parse_special = true;
    o.segments = prompt.segments;
    tokenizer.encode(scratch, prompt.text, o, c.ids);
    if (tokenizer.adds_eos()) c.ids.resize(c.ids.size() - tokenizer.n_appended());
    const text::ToolFormat *format = parse_answer ? text::detect_tool_format(own->text) : nullptr;
    if (format) c.answer = make_owned<ParsedAnswer>(m, tokenizer, std::move(doc), format, tools, opens_reasoning(prompt.text), m);
    return c;
}

}  // namespace inlay::capi
