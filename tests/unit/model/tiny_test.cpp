// SPDX-License-Identifier: Apache-2.0
// The tiny models of the shared golden data: what transformers says in float32, architecture by architecture.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/json.h"
#include "support/shared.h"
#include "unit/model/bench_model.h"

using namespace inlay_test;

namespace {

std::vector<double> numbers(const io::Json &list) {
    std::vector<double> out;
    for (const io::Json &v : list.items()) out.push_back(v.number());
    return out;
}

std::string read_text(const std::string &path) {
    std::ifstream f(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("tiny models answer as transformers does in float32, whatever the chunks, threads and pauses") {
    const std::string root = shared_path("data/golden/tiny");
    if (root.empty()) {
        MESSAGE("SKIP: ../shared/data/golden/tiny is not there");
        return;
    }
    int seen = 0;
    for (const auto &entry : std::filesystem::directory_iterator(root)) {
        const std::string name = entry.path().filename().string();
        CAPTURE(name);
        Memory mem;
        std::unique_ptr<TestModel> m;
        try {
            m = std::make_unique<TestModel>(entry.path().string());
        } catch (const Error &e) {
            if (e.code() == Code::unsupported) {
                MESSAGE("SKIP: " << name << ": " << std::string(e.text()));
                continue;
            }
            FAIL(name << ": " << std::string(e.text()));
        }
        const std::string text = read_text(entry.path().string() + "/golden.json");
        auto doc = io::JsonDocument::parse(mem, text, {.bytes = 64u << 20});
        const io::Json &ids = io::need(doc.root(), "ids");
        for (size_t i = 0; i < ids.items().size(); ++i) {
            std::vector<int32_t> tokens;
            for (double v : numbers(ids.items()[i])) tokens.push_back(static_cast<int32_t>(v));
            const Result whole = m->run(tokens, {});
            double e;
            if (m->config.causal) {
                e = nmse(whole.row(static_cast<int64_t>(tokens.size()) - 1), numbers(io::need(doc.root(), "logits_last").items()[i]));
            } else {
                std::vector<float> mean(static_cast<size_t>(m->config.hidden));
                model::pool(model::Pooling::mean, whole.rows.data(), static_cast<int64_t>(tokens.size()), m->config.hidden, mean.data());
                e = nmse(mean.data(), numbers(io::need(doc.root(), "hidden_mean").items()[i]));
            }
            INFO(name << " sequence " << i << ": NMSE " << e);
            CHECK(e <= 1e-8);
            if (std::getenv("INLAY_TEST_VERBOSE")) MESSAGE(name << " sequence " << i << ": NMSE " << e);
            if (!m->config.causal) continue;
            CHECK(m->wrong_tops == 0);
            CHECK(same_bits(whole, m->run(tokens, {.chunk = 1})));
            CHECK(same_bits(whole, m->run(tokens, {.threads = 2, .chunk = 7})));
            CHECK(same_bits(whole, m->run(tokens, {.threads = 2, .budget_ns = 1})));
            for (int pauses = 1; pauses < 24; ++pauses)  // in any phase of a layer
                CHECK(same_bits(whole, m->run(tokens, {.threads = 3, .budget_ns = 1, .hurry = pauses})));
            CHECK(same_last_row(whole, m->run(tokens, {.chunk = 9, .last_only = true})));
        }
        ++seen;
    }
    CHECK(seen >= 14);
}
