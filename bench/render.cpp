// SPDX-License-Identifier: Apache-2.0
// bench_render [TEMPLATE]...
// Processor time of rendering a conversation of 100 messages (50 questions, 50 answers of 200 characters each), for each
// built-in template and each file given; fitting the messages and parsing the JSON not counted, as they are not in a step.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "text/messages.h"

using namespace inlay;

int main(int argc, char **argv) {
    Memory m;
    std::string messages = "[";
    for (int i = 0; i < 100; ++i) {
        messages += std::string(i ? "," : "") + R"({"role":")" + (i % 2 ? "assistant" : "user") + R"(","content":")";
        for (int k = 0; k < 25; ++k) messages += "word " + std::to_string(100 + k % 10).substr(1) + ". ";
        messages += "\"}";
    }
    messages += "]";
    auto measure = [&](const char *name, std::string_view source) {
        try {
            text::Template t = text::Template::parse(m, source);
            const text::MessageFit fit = text::probe_messages(m, t);
            io::JsonDocument raw = io::JsonDocument::parse(m, messages, {});
            io::JsonDocument doc = io::JsonDocument::parse(m, text::fit_messages(m, raw.root(), fit), {});
            io::JsonDocument extra = io::JsonDocument::parse(m, R"([true,"<s>","</s>"])", {});
            const text::TemplateVariable variables[] = {{"messages", &doc.root()}, {"tools"}, {"add_generation_prompt", &extra.root().items()[0]},
                                                        {"bos_token", &extra.root().items()[1], true}, {"eos_token", &extra.root().items()[2], true}};
            text::RenderInput in;
            in.variables = variables;
            double best = 1e9;
            size_t bytes = 0;
            for (int i = 0; i < 50; ++i) {
                text::RenderOutput out(m);
                const std::clock_t a = std::clock();
                t.render_or_throw(m, in, out);
                best = std::min(best, static_cast<double>(std::clock() - a) / CLOCKS_PER_SEC);
                bytes = out.text.size();
            }
            std::printf("%-40s %6.0f us, %zu bytes\n", name, best * 1e6, bytes);
        } catch (const Error &e) {
            std::printf("%-40s %.*s\n", name, static_cast<int>(e.text().size()), e.text().data());
        }
    };
    for (const char *name : {"chatml", "llama2", "llama3", "mistral", "gemma", "phi3", "zephyr", "vicuna", "alpaca", "raw"})
        measure(name, text::builtin_template(name));
    for (int i = 1; i < argc; ++i) {
        std::ifstream f(argv[i], std::ios::binary);
        const std::string source{std::istreambuf_iterator<char>(f), {}};
        const std::string path = argv[i];
        measure(path.substr(path.rfind('/') + 1).c_str(), source);
    }
}
