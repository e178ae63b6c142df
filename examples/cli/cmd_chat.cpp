// SPDX-License-Identifier: Apache-2.0
// chat: a conversation in the terminal. The whole conversation is submitted each turn; the engine's prefix cache makes
// that cost only the new part.
#include <cstdio>
#include <fstream>
#include <iostream>

#include <unistd.h>

#include "commands.h"
#include "request_options.h"

namespace cli {

namespace {

struct Turn {
    std::string role, content;
};

std::string as_json(const std::vector<Turn> &turns) {
    std::string m = "[";
    for (const Turn &t : turns) {
        if (m.size() > 1) m += ',';
        m += "{\"role\":";
        append_string(m, t.role);
        m += ",\"content\":";
        append_string(m, t.content);
        m += '}';
    }
    return m + "]";
}

constexpr const char *help_text =
    "/help            this list\n"
    "/reset           forget the conversation\n"
    "/system TEXT     set the system message and start again\n"
    "/save FILE       write the conversation as JSON\n"
    "/load FILE       read one back\n"
    "/stats           tokens and times of the last answer\n"
    "/quit            leave (or Ctrl-D)\n";

}  // namespace

int cmd_chat(const Words &words) {
    Args a;
    Common c;
    RequestOptions o;
    std::string system;
    o.declare(a);
    a.text("--system", &system, "system message");
    c.declare(a, true);
    parse_or_help(a, words, "chat -m MODEL [options]");

    auto rt = open_runtime(c);
    auto model = open_model(c, rt.get());
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = 1;
    if (!c.ctx) ep.n_ctx = std::min<uint32_t>(model_info(model.get()).n_ctx, 8192);  // a 128k context would reserve gigabytes
    if (o.use_lookup) ep.lookup_tokens = 8;
    auto engine = open_engine(c, model.get(), ep);
    inlay_request_params p;
    o.fill(rt.get(), p);
    p.flags |= INLAY_REQUEST_RAW_ANSWER;

    std::vector<Turn> turns;
    auto reset = [&] {
        turns.clear();
        if (!system.empty()) turns.push_back({"system", system});
    };
    reset();
    Outcome last;
    bool terminal = isatty(0);
    if (!c.quiet) std::fprintf(stderr, "%s · /help for commands\n", model_info(model.get()).name);
    for (std::string line;;) {
        if (terminal) std::fprintf(stderr, "> ");
        if (!std::getline(std::cin, line)) break;
        if (line.empty()) continue;
        if (line[0] == '/') {
            std::string word = line.substr(0, line.find(' ')), rest = line.size() > word.size() ? line.substr(word.size() + 1) : "";
            if (word == "/help") std::fprintf(stderr, "%s", help_text);
            else if (word == "/quit") break;
            else if (word == "/reset") reset();
            else if (word == "/system") system = rest, reset();
            else if (word == "/save") {
                std::ofstream f(rest, std::ios::binary);
                f << as_json(turns) << "\n";
                std::fprintf(stderr, f ? "saved\n" : "can't write '%s'\n", rest.c_str());
            } else if (word == "/load") {
                try {
                    Value v = parse_json(read_file(rest));
                    turns.clear();
                    for (const Value &m : v.items) {
                        const Value *role = m.find("role"), *content = m.find("content");
                        if (role && content) turns.push_back({role->text, content->text});
                    }
                    std::fprintf(stderr, "%zu messages\n", turns.size());
                } catch (const Failure &f) {
                    std::fprintf(stderr, "%s\n", f.message.c_str());
                } catch (const std::string &s) {
                    std::fprintf(stderr, "%s\n", s.c_str());
                }
            } else if (word == "/stats") {
                std::fprintf(stderr, "prompt %u tokens (%u cached), answer %u tokens, first after %.0f ms, %.0f ms in all\n", last.info.prompt_tokens,
                             last.info.cached_tokens, last.info.completion_tokens, static_cast<double>(last.info.ttft_us) * 1e-3,
                             static_cast<double>(last.info.latency_us) * 1e-3);
            } else std::fprintf(stderr, "no command %s (/help)\n", word.c_str());
            continue;
        }
        turns.push_back({"user", line});
        std::string m = "{\"messages\":" + as_json(turns) + "}";
        inlay_request *raw = nullptr;
        try {
            check([&](inlay_error *e) { return inlay_request_submit_messages(engine.get(), m.data(), m.size(), &p, &raw, e); });
        } catch (const Failure &f) {
            std::fprintf(stderr, "%s\n", f.message.c_str());
            turns.pop_back();
            continue;
        }
        Handle<inlay_request> req(raw);
        last = run_to_end(engine.get(), req.get(), [&](std::string_view s) {
            std::fwrite(s.data(), 1, s.size(), stdout);
            std::fflush(stdout);
        });
        std::printf("\n");
        turns.push_back({"assistant", last.text});
        if (interrupted()) return 130;
    }
    return 0;
}

}  // namespace cli
