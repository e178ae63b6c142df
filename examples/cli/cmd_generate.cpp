// SPDX-License-Identifier: Apache-2.0
// generate: one prompt, one streamed answer.
#include <algorithm>
#include <cstdio>

#include "commands.h"
#include "request_options.h"

namespace cli {

namespace {

std::vector<int32_t> parse_ids(const std::string &text) {
    Value v = parse_json(text);
    std::vector<int32_t> ids;
    if (v.kind != Value::array) throw Usage{"--ids: not an array"};
    for (const Value &x : v.items) {
        if (x.kind != Value::integer || x.whole < INT32_MIN || x.whole > INT32_MAX) throw Usage{"--ids: not an array of token ids"};
        ids.push_back(static_cast<int32_t>(x.whole));
    }
    return ids;
}

}  // namespace

std::string conversation(const std::string &system, const std::string &user) {
    std::string m = "{\"messages\":[";
    if (!system.empty()) {
        m += "{\"role\":\"system\",\"content\":";
        append_string(m, system);
        m += "},";
    }
    m += "{\"role\":\"user\",\"content\":";
    append_string(m, user);
    return m + "}]}";
}

namespace {

// The members beside the messages, from the options that have them.
std::string with_tools(std::string conversation, const std::string &tools, const std::string &choice, const std::string &kwargs, const std::string &now,
                       bool one_call) {
    conversation.pop_back();
    auto member = [&](const char *name, const std::string &json) { conversation += ",\"" + std::string(name) + "\":" + json; };
    auto text = [](const std::string &s) {
        std::string out;
        append_string(out, s);
        return out;
    };
    if (!tools.empty()) member("tools", read_file(tools));
    const bool mode = choice == "none" || choice == "auto" || choice == "required";
    if (!choice.empty()) member("tool_choice", mode ? text(choice) : "{\"type\":\"function\",\"function\":{\"name\":" + text(choice) + "}}");
    if (one_call) member("parallel_tool_calls", "false");
    if (!kwargs.empty()) member("kwargs", kwargs);
    if (!now.empty()) member("now", text(now));
    return conversation + "}";
}

std::string calls_json(const std::vector<ToolCall> &calls) {
    std::string s = "[";
    for (const ToolCall &c : calls) {
        if (!c.done) continue;
        if (s.size() > 1) s += ',';
        Object o;
        std::string arguments = c.arguments;  // in strings a line end is escaped
        std::replace_if(arguments.begin(), arguments.end(), [](char x) { return x == '\n' || x == '\r'; }, ' ');
        o.text("name", c.name).raw("arguments", arguments);
        if (!c.id.empty()) o.text("id", c.id);
        s += o.str();
    }
    return s + "]";
}

}  // namespace

int cmd_generate(const Words &words) {
    Args a;
    Common c;
    RequestOptions o;
    std::string prompt, file, ids_text, system, tools, choice, kwargs, now;
    bool chat = false, one_call = false;
    int64_t chunk = 0;
    a.text("--prompt", &prompt, "the prompt");
    a.alias("-p", "--prompt");
    a.text("--file", &file, "a file with the prompt; - = standard input");
    a.alias("-f", "--file");
    a.text("--ids", &ids_text, "the prompt as token ids, taken as they are: [1,2,3]");
    a.flag("--chat", &chat, "the prompt is a user's message: apply the model's chat template");
    a.text("--system", &system, "system message, with --chat");
    a.text("--tools", &tools, "with --chat: a JSON file with the array of tools that the model may call");
    a.text("--tool-choice", &choice, "none, auto (default), required, or the name of a tool");
    a.flag("--no-parallel", &one_call, "one tool call at most");
    a.text("--kwargs", &kwargs, "with --chat: a JSON object of variables for the template");
    a.text("--now", &now, "with --chat: what the template's clock shows: 2026-01-02T03:04:05");
    a.integer("--chunk", &chunk, 0, 1 << 20, "prompt tokens a pass");
    o.declare(a);
    c.declare(a, true);
    parse_or_help(a, words, "generate -m MODEL -p TEXT [options]");
    if (a.given("--prompt") + a.given("--file") + a.given("--ids") != 1) throw Usage{"one of -p, -f and --ids"};
    if (a.given("--file")) prompt = read_file(file);
    if (!chat && (!tools.empty() || !choice.empty() || !kwargs.empty() || !now.empty() || one_call))
        throw Usage{"--tools, --tool-choice, --no-parallel, --kwargs and --now go with --chat"};

    auto rt = open_runtime(c);
    double t0 = now_ms();
    auto model = open_model(c, rt.get());
    Handle<inlay_model> draft;
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = static_cast<uint32_t>(std::max<int64_t>({1, o.best_of, o.beams}));
    ep.chunk = static_cast<uint32_t>(chunk);
    if (o.use_lookup) ep.lookup_tokens = 8;
    if (!o.draft.empty()) {
        Common dc = c;
        dc.model = o.draft;
        draft = open_model(dc, rt.get());
        ep.draft = draft.get();
    }
    // A cache for this prompt and answer, not for the model's whole context: no text has more tokens than bytes.
    const inlay_model_info mi = model_info(model.get());
    if (!c.ctx) {
        const uint64_t answer = o.max_tokens ? static_cast<uint64_t>(o.max_tokens) : 4096;
        const uint64_t listed = tools.empty() ? 0 : 2 * read_file(tools).size();  // templates print them with indentation
        c.ctx = static_cast<int64_t>(std::min<uint64_t>(mi.n_ctx, prompt.size() + system.size() + ids_text.size() + listed + answer + 1024));
    }
    auto engine = open_engine(c, model.get(), ep);
    double load_ms = now_ms() - t0;

    inlay_request_params p;
    o.fill(rt.get(), p);
    if (tools.empty()) p.flags |= INLAY_REQUEST_RAW_ANSWER;
    inlay_request *raw = nullptr;
    if (a.given("--ids")) {
        std::vector<int32_t> ids = parse_ids(ids_text);
        check([&](inlay_error *e) { return inlay_request_submit(engine.get(), ids.data(), ids.size(), &p, &raw, e); });
    } else if (chat) {
        std::string m = with_tools(conversation(system, prompt), tools, choice, kwargs, now, one_call);
        check([&](inlay_error *e) { return inlay_request_submit_messages(engine.get(), m.data(), m.size(), &p, &raw, e); });
    } else {
        check([&](inlay_error *e) { return inlay_request_submit_text(engine.get(), prompt.data(), prompt.size(), &p, &raw, e); });
    }
    Handle<inlay_request> req(raw);
    Outcome r = run_to_end(engine.get(), req.get(), [&](std::string_view s) {
        if (c.json) return;
        std::fwrite(s.data(), 1, s.size(), stdout);
        std::fflush(stdout);
    });
    if (!r.error.empty()) fail(INLAY_E_INTERNAL, r.error);

    double prefill_ms = static_cast<double>(r.info.prefill_us) * 1e-3, total_ms = static_cast<double>(r.info.latency_us) * 1e-3;
    double ttft_ms = static_cast<double>(r.info.ttft_us) * 1e-3, decode_ms = total_ms - ttft_ms;
    double prefill_tps = prefill_ms > 0 ? (r.info.prompt_tokens - r.info.cached_tokens) * 1e3 / prefill_ms : 0;
    double decode_tps = decode_ms > 0 && r.info.completion_tokens > 1 ? (r.info.completion_tokens - 1) * 1e3 / decode_ms : 0;
    inlay_runtime_info ri{};
    ri.struct_size = sizeof ri;
    check([&](inlay_error *e) { return inlay_runtime_get_info(rt.get(), &ri, e); });
    if (c.json) {
        Object t;
        t.number("load_ms", load_ms).number("prefill_ms", prefill_ms).number("decode_ms", decode_ms).number("prefill_tps", prefill_tps);
        t.number("decode_tps", decode_tps).number("ttft_ms", ttft_ms);
        Object out;
        out.text("text", r.text).ids("ids", r.ids).integer("prompt_tokens", r.info.prompt_tokens);
        out.integer("completion_tokens", r.info.completion_tokens).text("finish_reason", finish_name(r.finish));
        if (!tools.empty()) out.text("reasoning", r.reasoning).raw("tool_calls", calls_json(r.calls));
        out.raw("timings", t.str()).integer("peak_bytes", static_cast<int64_t>(ri.memory_peak));
        std::printf("%s\n", out.str().c_str());
    } else {
        for (const ToolCall &call : r.calls)
            if (call.done) std::printf("%s%s(%s)", r.text.empty() && &call == &r.calls.front() ? "" : "\n", call.name.c_str(), call.arguments.c_str());
        std::printf("\n");
        if (!c.quiet)
            std::fprintf(stderr, "\n[load %.0f ms · prompt %u tokens, %.1f tokens/s · answer %u tokens, %.1f tokens/s · peak %.0f MB · %s]\n",
                         load_ms, r.info.prompt_tokens, prefill_tps, r.info.completion_tokens, decode_tps,
                         static_cast<double>(ri.memory_peak) * 1e-6, finish_name(r.finish));
    }
    return interrupted() ? 130 : 0;
}

}  // namespace cli
