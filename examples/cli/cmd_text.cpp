// SPDX-License-Identifier: Apache-2.0
// render, match and parse: the text layer without a model.
#include <cstdio>
#include <cstring>

#include "commands.h"
#include "request_options.h"

namespace cli {

namespace {

std::string error_object(const Failure &f) {
    Object o;
    o.text("status", inlay_status_name(f.status)).text("message", f.message);
    if (f.error.line) o.integer("line", f.error.line).integer("column", f.error.column);
    return Object().raw("error", o.str()).str();
}

// "2026-01-02T03:04:05" → year … second.
void parse_time(const std::string &s, inlay_render_params &p) {
    int n = 0;
    if (std::sscanf(s.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &p.year, &p.month, &p.day, &p.hour, &p.minute, &p.second, &n) < 6)
        throw Usage{"--now: '" + s + "' is not of the form 2026-01-02T03:04:05"};
}

}  // namespace

int cmd_render(const Words &words) {
    Args a;
    Common c;
    std::string file, now;
    bool normalize = false, extended = false;
    a.text("--template", &file, "a Jinja file, or a built-in name: chatml, llama2, llama3, mistral, gemma, phi3, zephyr, vicuna, alpaca, raw");
    a.text("--now", &now, "what the clock shows: 2026-01-02T03:04:05");
    a.flag("--normalize", &normalize, "fit the messages to the template first");
    a.flag("--extended", &extended, "allow append, pop and from_json");
    c.declare(a, true);
    parse_or_help(a, words, "render --template FILE < LINES");
    auto rt = open_runtime(c);
    std::string source;
    if (!file.empty()) {
        FILE *probe = std::fopen(file.c_str(), "rb");
        if (probe) {
            std::fclose(probe);
            source = read_file(file);
        } else {
            source = file;  // a built-in name, or an error that says so
        }
    } else {
        if (c.model.empty()) throw Usage{"one of --template and -m"};
        std::string path = model_path(c.model);
        inlay_model_params mp;
        inlay_model_params_init(&mp, sizeof mp);
        mp.flags = INLAY_MODEL_NO_WEIGHTS;
        inlay_model *m = nullptr;
        check([&](inlay_error *e) { return inlay_model_open(rt.get(), path.data(), path.size(), &mp, &m, e); });
        Handle<inlay_model> model(m);
        source = read_text([&](char *o, size_t *n, inlay_error *e) { return inlay_model_get_template(model.get(), "", 0, o, n, e); });
    }
    inlay_template *raw = nullptr;
    check([&](inlay_error *e) { return inlay_template_create(rt.get(), source.data(), source.size(), &raw, e); });
    Handle<inlay_template> tpl(raw);
    inlay_render_params p{};
    p.struct_size = sizeof p;
    p.flags = (normalize ? INLAY_RENDER_NORMALIZE : 0u) | (extended ? INLAY_RENDER_EXTENDED : 0u);
    if (!now.empty()) parse_time(now, p);
    for (std::string line; read_line(line) && !interrupted();) {
        std::string out;
        try {
            std::string text = read_text([&](char *o, size_t *n, inlay_error *e) {
                return inlay_template_render(tpl.get(), line.data(), line.size(), &p, o, n, e);
            }, 1 << 16);
            out = Object().text("rendered", text).str();
        } catch (const Failure &f) {
            out = error_object(f);
        }
        out += '\n';
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return 0;
}

int cmd_match(const Words &words) {
    Args a;
    Common c;
    std::string grammar, schema, regex, unknown = "reject";
    a.text("--grammar", &grammar, "a GBNF file");
    a.text("--json-schema", &schema, "a JSON Schema file");
    a.text("--regex", &regex, "a regular expression; the whole text matches");
    a.text("--unknown-keywords", &unknown, "reject (default) or allow");
    c.declare(a, false);
    parse_or_help(a, words, "match --grammar FILE | --json-schema FILE | --regex R < LINES");
    if (unknown != "reject" && unknown != "allow") throw Usage{"--unknown-keywords: '" + unknown + "' is none of reject, allow"};
    auto rt = open_runtime(c);
    Handle<inlay_constraint> constraint;
    try {
        constraint = make_constraint(rt.get(), grammar, schema, regex, {}, unknown == "allow");
    } catch (const Failure &f) {
        Object o;
        o.text("status", inlay_status_name(f.status)).text("message", f.message);
        if (f.error.line) o.integer("offset", f.error.offset).integer("line", f.error.line).integer("column", f.error.column);
        if (!schema.empty()) o.text("pointer", f.error.pointer);
        std::printf("%s\n", Object().raw("error", o.str()).str().c_str());
        return 1;
    }
    if (!constraint) throw Usage{"one of --grammar, --json-schema and --regex"};
    for (std::string line; read_line(line) && !interrupted();) {
        Value v = parse_json(line);
        if (v.kind != Value::string) fail(INLAY_E_FORMAT, "a line is no JSON string: " + line.substr(0, 40));
        int32_t accept = 0;
        uint64_t at = 0;
        check([&](inlay_error *e) { return inlay_constraint_match(constraint.get(), v.text.data(), v.text.size(), &accept, &at, e); });
        std::printf("%s\n", Object().boolean("accept", accept).integer("at", static_cast<int64_t>(at)).str().c_str());
    }
    return 0;
}

namespace {

struct Call {
    std::string name, id, arguments;
    bool has_id = false, done = false, bad = false;
};

std::string parse_answer(inlay_runtime *rt, const std::string &format, const std::string &tools, const std::string &text, bool in_reasoning, bool bytes) {
    inlay_parser *raw = nullptr;
    check([&](inlay_error *e) {
        return inlay_parser_create(rt, format.data(), format.size(), tools.empty() ? nullptr : tools.data(), tools.size(),
                                   in_reasoning ? INLAY_PARSER_IN_REASONING : 0u, &raw, e);
    });
    Handle<inlay_parser> parser(raw);
    std::string content, reasoning;
    std::vector<Call> calls;
    std::vector<std::string> malformed;
    bool complete = true;
    auto drain = [&] {
        for (;;) {
            inlay_event ev{};
            ev.struct_size = sizeof ev;
            if (check([&](inlay_error *e) { return inlay_parser_poll(parser.get(), &ev, e); }) != INLAY_OK) return;
            std::string_view s(ev.text ? ev.text : "", ev.n_text);
            if (ev.kind == INLAY_EVENT_CONTENT) content += s;
            else if (ev.kind == INLAY_EVENT_REASONING) reasoning += s;
            else if (ev.kind == INLAY_EVENT_MALFORMED) {
                malformed.emplace_back(s);
                if (ev.call_index < calls.size()) calls[ev.call_index].bad = true;
            }
            else if (ev.kind == INLAY_EVENT_FINISH) complete = ev.finish == INLAY_FINISH_STOP || ev.finish == INLAY_FINISH_TOOL_CALLS;
            else {
                if (calls.size() <= ev.call_index) calls.resize(ev.call_index + 1);
                Call &call = calls[ev.call_index];
                if (ev.kind == INLAY_EVENT_TOOL_CALL) {
                    call.name = s;
                    call.has_id = ev.call_id != nullptr;
                    if (ev.call_id) call.id.assign(ev.call_id, ev.n_call_id);
                } else if (ev.kind == INLAY_EVENT_TOOL_ARGUMENTS) call.arguments += s;
                else if (ev.kind == INLAY_EVENT_TOOL_END) {
                    call.done = true;
                    if (ev.call_id) call.has_id = true, call.id.assign(ev.call_id, ev.n_call_id);  // some formats write it last
                }
            }
        }
    };
    for (size_t i = 0; i < text.size();) {
        size_t n = bytes ? 1 : text.size();
        check([&](inlay_error *e) { return inlay_parser_parse(parser.get(), text.data() + i, n, e); });
        i += n;
        drain();
    }
    check([&](inlay_error *e) { return inlay_parser_parse(parser.get(), nullptr, 0, e); });
    drain();
    std::string list, bad, open = "null";
    for (const Call &call : calls) {
        if (call.bad) continue;
        if (!call.done) {
            open = Object().text("name", call.name).text("arguments_text", call.arguments).str();
            continue;
        }
        Object o;
        o.text("name", call.name).raw("arguments", call.arguments.empty() ? "{}" : call.arguments);
        if (call.has_id) o.text("id", call.id);
        list += (list.empty() ? "" : ",") + o.str();
    }
    for (const std::string &m : malformed) {
        if (!bad.empty()) bad += ',';
        append_string(bad, m);
    }
    Object o;
    o.text("content", content).text("reasoning", reasoning).raw("tool_calls", "[" + list + "]").boolean("complete", complete);
    return o.raw("open_call", open).raw("malformed", "[" + bad + "]").str();
}

}  // namespace

int cmd_parse(const Words &words) {
    Args a;
    Common c;
    std::string format, tools_file;
    bool bytes = false;
    a.text("--format", &format, "hermes, qwen3_coder, llama3_json, pythonic, mistral, deepseek, granite, glm, kimi_k2, harmony, think, json");
    a.text("--tools", &tools_file, "a JSON file with the tools that were offered");
    a.flag("--bytes", &bytes, "feed byte by byte");
    c.declare(a, false);
    parse_or_help(a, words, "parse --format NAME < LINES");
    if (format.empty()) throw Usage{"--format is missing"};
    auto rt = open_runtime(c);
    std::string tools = tools_file.empty() ? "" : read_file(tools_file);
    for (std::string line; read_line(line) && !interrupted();) {
        Value v = parse_json(line);
        const Value *text = v.find("text"), *open = v.find("starts_in_reasoning");
        if (!text || text->kind != Value::string) fail(INLAY_E_INVALID_ARGUMENT, "a line has no \"text\"");
        std::string out = parse_answer(rt.get(), format, tools, text->text, open && open->flag, bytes) + "\n";
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return 0;
}

}  // namespace cli
