// SPDX-License-Identifier: Apache-2.0
// bench_grammar MODEL [SCHEMA TEXT]...
// Compile and mask times of constraints over a model's vocabulary, in CPU time. TEXT is written token by token (greedily
// the longest that the mask allows); a mask is made before each. "first": a fresh constraint, "again": all masks known.
// --suite FOLDER... does so with every schema and valid text of JSON Schema test suites, and sums up. --dump FILE writes the
// vocabulary (length u32, bytes) for bench/grammar_peers.py.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "engine/opened_model.h"
#include "text/grammar/masks.h"
#include "text/messages.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

double now_us() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}
std::string read(const char *path) {
    std::ifstream f(path, std::ios::binary);
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
}

// What the bench writes when it is given no files.
const char *const kOwn[][3] = {
    {"person",
     R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"email":{"type":"string",
        "format":"email"},"tags":{"type":"array","items":{"type":"string"},"maxItems":10},"address":{"type":"object","properties":{
        "street":{"type":"string","maxLength":100},"city":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}$"}},
        "required":["street","city"]}},"required":["name","age","email"],"additionalProperties":false})",
     R"({"name": "John Smith the third", "age": 42, "email": "john.smith@example.com", "tags": ["alpha", "beta gamma"], "address": )"
     R"({"street": "12 Long Road of the many words", "city": "New York", "zip": "10001"}})"},
    {"any object", R"({"type":"object"})",
     "{\n  \"title\": \"A tale of two cities\",\n  \"chapters\": [\n    {\"n\": 1, \"text\": \"It was the best of times, it was the worst of times\\n\"},\n"
     "    {\"n\": 2.5e3, \"text\": \"日本語 and more \\\"quoted\\\" text\", \"ok\": true, \"none\": null}\n  ]\n}"},
};

void print(const char *name, const char *pass, std::vector<double> us) {
    const double first = us.front();
    double sum = 0;
    for (double u : us) sum += u;
    std::sort(us.begin(), us.end());
    std::printf("%-12s %-6s %5zu masks: first %8.1f  mean %7.1f  p50 %7.1f  p90 %7.1f  p99 %7.1f  max %7.1f us\n", name, pass, us.size(), first,
                sum / static_cast<double>(us.size()), us[us.size() / 2], us[us.size() * 9 / 10], us[us.size() * 99 / 100], us.back());
}

using Ids = std::map<std::string_view, uint32_t>;

// Mask times before each token of `text`, in microseconds; `wrote`: how far the constraint let it.
std::vector<double> write(const std::shared_ptr<const Constraint> &constraint, Masks &masks, const Ids &ids, std::string_view text, size_t &wrote) {
    std::vector<uint64_t> mask(masks.words());
    Matcher matcher(constraint);
    std::vector<double> us;
    for (wrote = 0;;) {
        double t = now_us();
        masks.fill(matcher, mask);
        us.push_back(now_us() - t);
        size_t n = std::min<size_t>(24, text.size() - wrote);
        for (; n > 0; --n) {
            auto it = ids.find(text.substr(wrote, n));
            if (it != ids.end() && (mask[it->second / 64] >> (it->second % 64) & 1)) break;
        }
        if (n == 0) return us;
        matcher.accept_bytes(text.substr(wrote, n));
        wrote += n;
    }
}

double part(std::vector<double> &v, double q) {
    std::sort(v.begin(), v.end());
    return v.empty() ? 0 : v[std::min(v.size() - 1, static_cast<size_t>(q * static_cast<double>(v.size())))];
}

void suite(Memory &m, const std::vector<std::string> &folders, const std::shared_ptr<const TokenTrie> &trie, const Ids &ids) {
    std::vector<double> compile, first, cold, warm;
    std::vector<std::pair<double, std::string>> slowest;
    size_t refused = 0, texts = 0;
    for (const std::string &folder : folders)
        for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
            if (entry.path().extension() != ".json") continue;
            io::JsonDocument doc = io::JsonDocument::parse(m, read(entry.path().c_str()), {});
            for (const io::Json &group : doc.root().items()) try {
                    const String schema = text::write_json(m, io::need(group, "schema"));
                    double t = now_us();
                    auto constraint = Constraint::from_json_schema(m, schema, {.allow_unknown = true}, Limits{});
                    compile.push_back(now_us() - t);
                    Masks &masks = constraint->masks_for(trie);
                    bool fresh = true;
                    for (const io::Json &test : io::need(group, "tests").items()) {
                        if (!io::get_bool(test, "valid", false)) continue;
                        const String data = text::write_json(m, io::need(test, "data"));
                        size_t wrote;
                        for (auto *to : {&cold, &warm}) {
                            std::vector<double> us = write(constraint, masks, ids, data, wrote);
                            if (fresh) first.push_back(us[0]);
                            fresh = false;
                            if (to == &cold)
                                slowest.emplace_back(*std::max_element(us.begin(), us.end()),
                                                     entry.path().filename().string() + ": " + std::string(io::get_string(group, "description", "")));
                            to->insert(to->end(), us.begin(), us.end());
                        }
                        ++texts;
                    }
                } catch (const Error &) {
                    ++refused;
                }
        }
    std::printf("%zu schemas (%zu refused), %zu texts\n", compile.size(), refused, texts);
    std::printf("compile     p50 %.2f  p99 %.2f  max %.2f ms\n", part(compile, 0.5) / 1e3, part(compile, 0.99) / 1e3, part(compile, 1) / 1e3);
    std::printf("first mask  p50 %.2f  p99 %.2f  max %.2f ms\n", part(first, 0.5) / 1e3, part(first, 0.99) / 1e3, part(first, 1) / 1e3);
    for (auto *v : {&cold, &warm})
        std::printf("%s %zu masks: p50 %.1f  p90 %.1f  p99 %.1f  max %.1f us\n",
                    v == &cold ? "first pass " : "second pass", v->size(), part(*v, 0.5),
                    part(*v, 0.9), part(*v, 0.99), part(*v, 1));
    std::sort(slowest.rbegin(), slowest.rend());
    for (size_t i = 0; i < slowest.size() && (i < 5 || slowest[i].first > 1000); ++i)
        std::printf("  %8.1f us  %s\n", slowest[i].first, slowest[i].second.c_str());
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return std::fprintf(stderr, "bench_grammar MODEL [SCHEMA TEXT]... | MODEL --suite FOLDER... | MODEL --dump FILE\n"), 2;
    Memory m;
    engine::RuntimeOptions options;
    engine::Runtime rt(options);
    auto tokenizer = engine::open_tokenizer(rt, argv[1]);
    std::vector<std::string_view> bytes(static_cast<size_t>(tokenizer->n_vocab()));
    Ids by_bytes;
    for (uint32_t id = 0; id < bytes.size(); ++id) {
        if (tokenizer->is_control(static_cast<int32_t>(id))) continue;
        bytes[id] = tokenizer->token_bytes(static_cast<int32_t>(id));
        by_bytes.emplace(bytes[id], id);
    }
    if (argc == 4 && std::string_view(argv[2]) == "--dump") {
        std::ofstream out(argv[3], std::ios::binary);
        for (std::string_view b : bytes) {
            const uint32_t n = static_cast<uint32_t>(b.size());
            out.write(reinterpret_cast<const char *>(&n), 4).write(b.data(), static_cast<std::streamsize>(n));
        }
        return 0;
    }
    double t = now_us();
    auto trie = TokenTrie::build(m, bytes);
    std::printf("%zu tokens, tree of %u nodes (%u without plain text) in %.0f ms\n", bytes.size(),
                trie->n_nodes(), trie->rest()->n_nodes(), (now_us() - t) / 1e3);
    if (argc > 3 && std::string_view(argv[2]) == "--suite") return suite(m, {argv + 3, argv + argc}, trie, by_bytes), 0;
    std::vector<std::vector<std::string>> cases;
    for (auto &c : kOwn) cases.push_back({c[0], c[1], c[2]});
    if (argc > 2) cases.clear();
    for (int i = 2; i + 1 < argc; i += 2) cases.push_back({argv[i], read(argv[i]), read(argv[i + 1])});
    for (auto &c : cases) try {
            double compile = 1e30;
            for (int i = 0; i < 5; ++i) {
                t = now_us();
                Constraint::from_json_schema(m, c[1], {.allow_unknown = true}, Limits{});
                compile = std::min(compile, now_us() - t);
            }
            std::printf("%-12s compile %.2f ms\n", c[0].c_str(), compile / 1e3);
            auto constraint = Constraint::from_json_schema(m, c[1], {.allow_unknown = true}, Limits{});
            Masks &masks = constraint->masks_for(trie);
            size_t wrote;
            for (const char *pass : {"first", "again"}) print(c[0].c_str(), pass, write(constraint, masks, by_bytes, c[2], wrote));
            if (wrote < c[2].size()) std::printf("%-12s wrote %zu of %zu bytes\n", c[0].c_str(), wrote, c[2].size());
        } catch (const Error &e) {
            std::printf("%s: %.*s\n", c[0].c_str(), static_cast<int>(e.text().size()), e.text().data());
        }
}
