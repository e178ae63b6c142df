// SPDX-License-Identifier: Apache-2.0
// Files that other people's programs wrote: they must open, and say what we know they hold.
#include <doctest/doctest.h>

#include <filesystem>

#include "io/weights_file.h"
#include "support/shared.h"

using namespace inlay;
using namespace inlay::io;

TEST_CASE("real: every shared vocabulary and tiny model opens") {
    std::string vocabs = inlay_test::shared_path("data/vocabs"), tiny = inlay_test::shared_path("data/golden/tiny");
    if (vocabs.empty() || tiny.empty()) {
        MESSAGE("SKIP: no shared data beside the checkout");
        return;
    }
    FileSystem files;
    Memory m;
    size_t n = 0;
    for (auto &e : std::filesystem::directory_iterator(vocabs)) {
        if (e.path().extension() != ".gguf") continue;
        auto w = open_checkpoint(files, m, e.path().string(), {}, {});
        CHECK(w->kind() == WeightsFile::Kind::gguf);
        CHECK(w->gguf()->find("tokenizer.ggml.tokens")->is_string_array());
        CHECK(w->gguf()->find("tokenizer.ggml.tokens")->count() > 1000);
        ++n;
    }
    for (auto &e : std::filesystem::directory_iterator(tiny)) {
        auto w = open_checkpoint(files, m, e.path().string(), {}, {});
        CHECK(w->kind() == WeightsFile::Kind::hf);
        REQUIRE(w->config());
        CHECK(w->config()->get("model_type")->is_string());
        CHECK(w->tensors().size() > 5);
        ++n;
    }
    CHECK(n > 10);
}

TEST_CASE("real: a fetched GGUF model") {
    std::string path = inlay_test::model_path("gemma3-270m");
    if (path.empty()) {
        MESSAGE("SKIP: gemma3-270m is not fetched");
        return;
    }
    FileSystem files;
    Memory m;
    auto w = open_checkpoint(files, m, path, {}, {}, OpenMode::map);
    CHECK(w->gguf()->need_string("general.architecture") == "gemma3");
    const TensorInfo *t = w->find("token_embd.weight");
    REQUIRE(t);
    CHECK(t->n_dims == 2);
    CHECK(t->shape[0] == w->gguf()->find("tokenizer.ggml.tokens")->count());
    CHECK(t->shape[1] == 640);
    CHECK(w->in_memory(*t).size() == t->bytes);
    CHECK(w->find("no such tensor") == nullptr);
    MESSAGE("heap of the open head: " << m.used() << " bytes, peak " << m.peak());
}
