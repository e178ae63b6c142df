// SPDX-License-Identifier: Apache-2.0
// The probe and the fitting. Probes use words that no template holds, so that finding them proves they came through.
#include "text/messages.h"

#include "text/parser/json_scan.h"

namespace inlay::text {

namespace {

constexpr std::string_view kTools =
    R"([{"type":"function","function":{"name":"qzfunc","description":"d",)"
    R"("parameters":{"type":"object","properties":{"qzparam":{"type":"string","description":"d"}},"required":["qzparam"]}}}])";

struct Probe {
    bool ok = false;
    String text;
};

Probe ask(Memory &m, const Template &t, std::string_view messages, bool tools) {
    Probe p{false, String(Alloc<char>(m, MemTag::text))};
    io::JsonDocument doc = io::JsonDocument::parse(m, messages, {}), tool_doc = io::JsonDocument::parse(m, kTools, {});
    io::JsonDocument extra = io::JsonDocument::parse(m, R"([true, "<s>", "</s>"])", {});
    const TemplateVariable variables[] = {{"messages", &doc.root()}, {"tools", tools ? &tool_doc.root() : nullptr}, {"documents"},
                                          {"add_generation_prompt", &extra.root().items()[0]}, {"bos_token", &extra.root().items()[1], true},
                                          {"eos_token", &extra.root().items()[2], true}};
    RenderInput in;
    in.variables = variables;
    in.now = {2026, 1, 1, 0, 0, 0};
    RenderOutput out(m);
    try {
        p.ok = t.render(m, in, out);
        p.text = out.text;
    } catch (const Error &e) {
        if (e.code() == Code::out_of_memory) throw;
        p.ok = false;  // over a cap: as good as a refusal
    }
    return p;
}

bool has(const Probe &p, std::string_view w) { return p.ok && p.text.find(w.data(), 0, w.size()) != String::npos; }

// {user, assistant with one call, its result}: `arguments` and `content` as JSON.
String call_conversation(Memory &m, std::string_view arguments, std::string_view content) {
    String s{Alloc<char>(m, MemTag::text)};
    s += R"([{"role":"user","content":"qzask"},{"role":"assistant","content":)";
    s += content;
    s += R"(,"tool_calls":[{"id":"call00001","type":"function","function":{"name":"qzfunc","arguments":)";
    s += arguments;
    s += R"(}}]},{"role":"tool","name":"qzfunc","tool_call_id":"call00001","content":"qzresult"}])";
    return s;
}

}  // namespace

MessageFit probe_messages(Memory &m, const Template &t) {
    MessageFit fit;
    // Content. A part that is printed as Python or JSON has not been understood.
    Probe plain = ask(m, t, R"([{"role":"user","content":"qzword"}])", false);
    Probe parts = ask(m, t, R"([{"role":"user","content":[{"type":"text","text":"qzword"}]}])", false);
    bool plain_good = has(plain, "qzword"), parts_good = has(parts, "qzword") && !has(parts, "'text'") && !has(parts, "\"text\"");
    // Where both are taken but come out differently, the plain text is what was meant.
    if (plain_good && (!parts_good || parts.text != plain.text)) fit.join_parts = true;
    else if (!plain_good && parts_good) fit.make_parts = true;

    String wrapped = make_string(m, fit.make_parts ? R"([{"type":"text","text":""}])" : "\"\"");
    std::string_view text = wrapped;
    Probe object = ask(m, t, call_conversation(m, R"({"qzkey":"qzvalue"})", text), true);
    Probe string = ask(m, t, call_conversation(m, R"("{\"qzkey\": \"qzvalue\"}")", text), true);
    auto shows = [&](const Probe &p) { return has(p, "qzvalue") && has(p, "qzkey"); };
    bool object_good = shows(object) && !has(object, "'qzkey'"), string_good = shows(string) && !has(string, "\\\"qzkey");
    if (object_good && (!string_good || object.text != string.text)) fit.parse_arguments = true;
    else if (string_good && !object_good && object.ok) fit.print_arguments = true;
    else if (string_good && !object.ok) fit.print_arguments = true;

    std::string_view arguments = fit.print_arguments ? R"("{\"qzkey\": \"qzvalue\"}")" : R"({"qzkey":"qzvalue"})";
    Probe empty = ask(m, t, call_conversation(m, arguments, text), true), null = ask(m, t, call_conversation(m, arguments, "null"), true);
    if (empty.ok && (!null.ok || null.text != empty.text)) fit.empty_null = true;
    if (!empty.ok && !null.ok) {  // a template without tools may still print None
        Probe none = ask(
            m, t, R"([{"role":"user","content":"qzask"},{"role":"assistant","content":null},{"role":"user","content":"qzword"}])", false);
        fit.empty_null = !none.ok || has(none, "None");
    }
    return fit;
}

namespace {

// Writes a JSON tree, one container a frame, so that its depth is no concern of the C stack.
class Writer {
public:
    Writer(Memory &m, String &out) : out_(out), stack_(Alloc<Frame>(m, MemTag::text)) {}
    void value(const io::Json &root) {
        open(root);
        while (!stack_.empty()) {
            Frame &f = stack_.back();
            bool array = f.node->is_array();
            size_t n = array ? f.node->items().size() : f.node->members().size();
            if (f.next == n) {
                out_.push_back(array ? ']' : '}');
                stack_.pop_back();
                continue;
            }
            if (f.next) out_ += ", ";
            size_t i = f.next++;
            if (!array) {
                io::append_json_string(out_, f.node->members()[i].key);
                out_ += ": ";
            }
            open(array ? f.node->items()[i] : f.node->members()[i].value);
        }
    }

private:
    struct Frame {
        const io::Json *node;
        size_t next;
    };
    void open(const io::Json &j) {
        switch (j.kind()) {
            case io::JsonKind::null: out_ += "null"; return;
            case io::JsonKind::boolean: out_ += j.boolean() ? "true" : "false"; return;
            case io::JsonKind::number: out_.append(j.number_text()); return;
            case io::JsonKind::string: io::append_json_string(out_, j.string()); return;
            default:
                out_.push_back(j.is_array() ? '[' : '{');
                stack_.push_back({&j, 0});
        }
    }
    String &out_;
    Vector<Frame> stack_;
};

bool all_text(const io::Json &content) {
    if (!content.is_array()) return false;
    for (const io::Json &p : content.items()) {
        if (p.is_string()) continue;
        const io::Json *type = p.is_object() ? p.find("type") : nullptr, *text = p.is_object() ? p.find("text") : nullptr;
        if (!text || !text->is_string() || (type && (!type->is_string() || type->string() != "text"))) return false;
    }
    return true;
}

void write_content(Memory &m, String &out, const io::Json &c, const MessageFit &fit) {
    if (c.is_null() && fit.empty_null) {
        out += fit.make_parts ? R"([{"type": "text", "text": ""}])" : "\"\"";
    } else if (c.is_string() && fit.make_parts) {
        out += R"([{"type": "text", "text": )";
        io::append_json_string(out, c.string());
        out += "}]";
    } else if (fit.join_parts && all_text(c)) {
        String joined{Alloc<char>(m, MemTag::text)};
        bool first = true;
        for (const io::Json &p : c.items()) {
            if (!first) joined.push_back('\n');
            first = false;
            joined.append(p.is_string() ? p.string() : p.find("text")->string());
        }
        io::append_json_string(out, joined);
    } else {
        Writer(m, out).value(c);
    }
}

void write_arguments(Memory &m, String &out, const io::Json &a, const MessageFit &fit) {
    if (a.is_string() && fit.parse_arguments) {
        std::string_view s = a.string();
        while (!s.empty() && (s.front() == ' ' || s.front() == '\n')) s.remove_prefix(1);
        if (s.empty()) return void(out += "{}");
        if (s[0] == '{' && is_json(m, s)) return void(out.append(s));
    } else if (a.is_object() && fit.print_arguments) {
        String text{Alloc<char>(m, MemTag::text)};
        Writer(m, text).value(a);
        return io::append_json_string(out, text);
    }
    Writer(m, out).value(a);
}

// One object, with one member's value written by `write`.
template <class Write>
void write_object(String &out, const io::Json &o, Write write) {
    out.push_back('{');
    bool first = true;
    for (const io::JsonMember &x : o.members()) {
        if (!first) out += ", ";
        first = false;
        io::append_json_string(out, x.key);
        out += ": ";
        write(x);
    }
    out.push_back('}');
}

void write_call(Memory &m, String &out, const io::Json &call, const MessageFit &fit) {
    if (!call.is_object()) return Writer(m, out).value(call);
    write_object(out, call, [&](const io::JsonMember &x) {
        if (x.key == "function" && x.value.is_object())
            write_object(out, x.value, [&](const io::JsonMember &y) {
                if (y.key == "arguments") write_arguments(m, out, y.value, fit);
                else Writer(m, out).value(y.value);
            });
        else if (x.key == "arguments") write_arguments(m, out, x.value, fit);
        else Writer(m, out).value(x.value);
    });
}

}  // namespace

String write_json(Memory &m, const io::Json &j) {
    String out{Alloc<char>(m, MemTag::text)};
    Writer(m, out).value(j);
    return out;
}

String fit_messages(Memory &m, const io::Json &messages, const MessageFit &fit) {
    if (!messages.is_array()) fail(Code::invalid_argument, "messages is no JSON array");
    String out{Alloc<char>(m, MemTag::text)};
    out.push_back('[');
    bool first = true;
    for (const io::Json &msg : messages.items()) {
        if (!first) out += ", ";
        first = false;
        if (!msg.is_object()) {
            Writer(m, out).value(msg);
            continue;
        }
        write_object(out, msg, [&](const io::JsonMember &x) {
            if (x.key == "content") {
                write_content(m, out, x.value, fit);
            } else if (x.key == "tool_calls" && x.value.is_array()) {
                out.push_back('[');
                for (size_t i = 0; i < x.value.items().size(); ++i) {
                    if (i) out += ", ";
                    write_call(m, out, x.value.items()[i], fit);
                }
                out.push_back(']');
            } else {
                Writer(m, out).value(x.value);
            }
        });
        if (fit.empty_null && !msg.find("content")) {
            out.pop_back();
            if (!msg.members().empty()) out += ", ";
            out += fit.make_parts ? R"("content": [{"type": "text", "text": ""}]})" : R"("content": ""})";
        }
    }
    out.push_back(']');
    return out;
}

}  // namespace inlay::text
