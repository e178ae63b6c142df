// SPDX-License-Identifier: Apache-2.0
// Models with flipped options (tests/golden/variants.json): their weights are made here by the formula that
// tests/golden/make_variants.py used, so a clone without any data proves every architecture against transformers.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/json.h"
#include "support/shared.h"
#include "unit/model/bench_model.h"

using namespace inlay_test;

namespace {

std::vector<float> weight(std::string_view name, const std::vector<int64_t> &shape) {
    uint64_t h = 0xcbf29ce484222325u;
    for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    const bool is_weight = name.ends_with("weight");
    const bool norm = is_weight && (name.find("norm") != name.npos || name.find("Norm") != name.npos || name.find(".ln_") != name.npos ||
                                    name.find("emb_ln") != name.npos);
    std::vector<float> out(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
        uint64_t z = (h + static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        const float u = static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
        out[static_cast<size_t>(i)] = u * 0.25f + (shape.size() == 1 && norm ? 1.0f : 0.0f);
    }
    return out;
}

void write_folder(const std::filesystem::path &dir, std::string_view config, const io::Json &tensors) {
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "config.json", std::ios::binary) << config;
    std::string header = "{", data;
    for (const auto &t : tensors.members()) {
        std::vector<int64_t> shape;
        for (const io::Json &d : t.value.items()) shape.push_back(*d.integer());
        const std::vector<float> w = weight(t.key, shape);
        header += (header.size() > 1 ? ",\"" : "\"") + std::string(t.key) + "\":{\"dtype\":\"F32\",\"shape\":[";
        for (size_t i = 0; i < shape.size(); ++i) header += (i ? "," : "") + std::to_string(shape[i]);
        header += "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
        data.append(reinterpret_cast<const char *>(w.data()), w.size() * sizeof(float));
        header += std::to_string(data.size()) + "]}";
    }
    header += "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t n = header.size();
    std::ofstream f(dir / "model.safetensors", std::ios::binary);
    f.write(reinterpret_cast<const char *>(&n), 8);
    f << header << data;
}

}  // namespace

TEST_CASE("variants of every architecture answer as transformers does") {
    std::ifstream f(std::string(INLAY_SOURCE_ROOT) + "/tests/golden/variants.json", std::ios::binary);
    REQUIRE(f);
    const std::filesystem::path dir = std::filesystem::temp_directory_path() /
                                      ("inlay-variants-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    std::string line;
    int seen = 0;
    while (std::getline(f, line)) {
        if (line.size() < 3) continue;
        if (line.back() == ',') line.pop_back();
        Memory mem;
        auto doc = io::JsonDocument::parse(mem, line, {.bytes = 64u << 20});
        const std::string name(io::need(doc.root(), "name").string());
        INFO(name);
        const size_t from = line.find("\"config\":") + 9, to = line.find(",\"tensors\":");
        write_folder(dir, std::string_view(line).substr(from, to - from), io::need(doc.root(), "tensors"));
        try {
            TestModel m(dir.string());
            const auto ids = io::need(doc.root(), "ids").items(), want = io::need(doc.root(), "want").items();
            for (size_t i = 0; i < ids.size(); ++i) {
                std::vector<int32_t> tokens;
                for (const io::Json &v : ids[i].items()) tokens.push_back(static_cast<int32_t>(*v.integer()));
                std::vector<double> row;
                for (const io::Json &v : want[i].items()) row.push_back(v.number());
                const Result whole = m.run(tokens, {});
                std::vector<float> mean(static_cast<size_t>(m.config.hidden));
                const float *got = whole.row(static_cast<int64_t>(tokens.size()) - 1);
                if (!m.config.causal) {
                    model::pool(model::Pooling::mean, whole.rows.data(), static_cast<int64_t>(tokens.size()), m.config.hidden, mean.data());
                    got = mean.data();
                }
                const double e = nmse(got, row);
                INFO("sequence " << i << ": NMSE " << e);
                CHECK(e <= 1e-8);
                if (!m.config.causal) continue;
                CHECK(same_bits(whole, m.run(tokens, {.threads = 2, .chunk = 5})));
                CHECK(same_last_row(whole, m.run(tokens, {.threads = 2, .chunk = 5, .last_only = true})));
            }
        } catch (const Error &e) {
            FAIL_CHECK(std::string(e.text()));
        }
        ++seen;
    }
    std::filesystem::remove_all(dir);
    CHECK(seen >= 42);
}
