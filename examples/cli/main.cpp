// SPDX-License-Identifier: Apache-2.0
// inlay: the library's command line and its first user. Knows include/inlay and nothing else of the library.
#include <cstdio>
#include <cstring>

#include "commands.h"
#include "session.h"

namespace cli {

void parse_or_help(Args &a, const Words &words, const char *usage) {
    if (words.size() == 1 && (words[0] == "--help" || words[0] == "-h")) throw HelpText{std::string("usage: inlay ") + usage + "\n" + a.help()};
    a.parse(words);
}

namespace {

struct Command {
    const char *name;
    int (*run)(const Words &);
    const char *about;
};

constexpr Command commands[] = {
    {"generate", cmd_generate, "stream a completion"},
    {"chat", cmd_chat, "talk to a model"},
    {"batch", cmd_batch, "many requests, JSON lines, through one batched engine"},
    {"tokenize", cmd_tokenize, "text to token ids, a JSON string a line"},
    {"detokenize", cmd_detokenize, "token ids to text, an array a line"},
    {"render", cmd_render, "conversations through a chat template"},
    {"match", cmd_match, "texts against a grammar, JSON Schema or expression"},
    {"parse", cmd_parse, "answers into content, reasoning and tool calls"},
    {"score", cmd_score, "logits and log probabilities of given ids"},
    {"perplexity", cmd_perplexity, "perplexity of a text"},
    {"embed", cmd_embed, "sentence embeddings"},
    {"info", cmd_info, "what a file holds, and the memory it would take"},
    {"validate", cmd_validate, "check a file to its last byte"},
    {"models", cmd_models, "models known by name"},
    {"pull", cmd_pull, "fetch a model by name"},
    {"bench", cmd_bench, "measure prefill and decode"},
};

void print_help(FILE *to) {
    std::fprintf(to, "inlay %s: language models on the CPU\n\nusage: inlay COMMAND [options]\n\n", inlay_version());
    for (const Command &c : commands) std::fprintf(to, "  %-11s %s\n", c.name, c.about);
    std::fprintf(to, "\n`inlay help COMMAND` lists a command's options.\n");
}

int print_failure(bool json, const char *status, const std::string &message, const inlay_error *e) {
    if (!json) {
        std::fprintf(stderr, "inlay: %s\n", message.c_str());
        return 1;
    }
    Object o;
    o.text("status", status).text("message", message);
    if (e && e->offset >= 0 && (e->line || e->offset)) o.integer("offset", e->offset);
    if (e && e->line) o.integer("line", e->line).integer("column", e->column);
    if (e && e->pointer[0]) o.text("pointer", e->pointer);
    std::string out = Object().raw("error", o.str()).str() + "\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
    return 1;
}

int run(int argc, char **argv) {
    Words words(argv + 1, argv + argc);
    if (words.empty() || words[0] == "-h" || words[0] == "--help") {
        print_help(words.empty() ? stderr : stdout);
        return words.empty() ? 2 : 0;
    }
    if (words[0] == "--version") {
        std::printf("inlay %s (ABI %d)\n", inlay_version(), inlay_abi_version());
        return 0;
    }
    bool help = words[0] == "help";
    if (help) words.erase(words.begin());
    if (words.empty()) {
        print_help(stdout);
        return 0;
    }
    const std::string name = words[0];
    words.erase(words.begin());
    bool json = false;
    for (const std::string &w : words) json |= w == "--json";
    for (const Command &c : commands) {
        if (name != c.name) continue;
        try {
            return c.run(help ? Words{"--help"} : words);
        } catch (const HelpText &h) {
            std::fwrite(h.text.data(), 1, h.text.size(), stdout);
            return 0;
        } catch (const Usage &u) {
            if (json) print_failure(true, "INLAY_E_INVALID_ARGUMENT", u.text, nullptr);
            else std::fprintf(stderr, "inlay %s: %s (see `inlay help %s`)\n", c.name, u.text.c_str(), c.name);
            return 2;
        } catch (const Failure &f) {
            if (f.status == INLAY_E_CANCELLED && interrupted()) return 130;
            return print_failure(json, inlay_status_name(f.status), f.message, &f.error);
        } catch (const std::string &s) {
            return print_failure(json, "INLAY_E_FORMAT", s, nullptr);
        } catch (const std::bad_alloc &) {
            return print_failure(json, "INLAY_E_OUT_OF_MEMORY", "out of memory", nullptr);
        } catch (const std::exception &e) {
            return print_failure(json, "INLAY_E_INTERNAL", e.what(), nullptr);
        }
    }
    std::fprintf(stderr, "inlay: no command is called '%s' (see `inlay help`)\n", name.c_str());
    return 2;
}

}  // namespace
}  // namespace cli

int main(int argc, char **argv) {
    cli::watch_interrupt();
    int rc = cli::run(argc, argv);
    return rc == 0 && cli::interrupted() ? 130 : rc;
}
