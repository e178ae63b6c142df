// SPDX-License-Identifier: Apache-2.0
// A file whose bytes are sound may still make no sense: the validator says so and says where.
#include "engine/validate_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay_test;

namespace {

std::vector<std::string> problems(const ToyFile &f) {
    std::string path = "/tmp/inlay-validate-XXXXXX";
    int fd = mkstemp(path.data());
    REQUIRE(fd >= 0);
    std::ofstream(path, std::ios::binary) << f.bytes;
    close(fd);
    engine::RuntimeOptions o;
    o.executor = engine::ExecutorKind::caller;
    engine::Runtime rt(o);
    std::vector<std::string> out;
    for (auto &p : engine::validate_file(rt, path)) out.push_back(std::string(p.where) + ": " + std::string(p.what));
    std::remove(path.c_str());
    return out;
}

bool one_that_says(const std::vector<std::string> &p, const std::string &text) {
    return p.size() == 1 && p[0].find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("validate_file: a sound toy has no problems") { CHECK(problems(toy_base(DType::q8_0).build()).empty()); }

TEST_CASE("validate_file: a model that contradicts itself (G-43 G-44)") {
    auto renamed = [](const std::string &name, const std::string &to) {
        ToyFile f = toy_base().build();
        auto at = f.field("tensor:" + name + ".name");
        f.bytes.replace(at.offset, at.bytes, to);
        return problems(f);
    };
    CHECK(one_that_says(renamed("token_embd.weight", "token_embd.weighT"), "token_embd.weight"));
    CHECK(one_that_says(renamed("blk.1.attn_q.weight", "blk.1.attn_q.weighT"), "blk.1.attn_q.weight"));
    auto shape = problems(toy_base().build().set("kv:llama.feed_forward_length.value", 96));
    CHECK(one_that_says(shape, "ffn_"));
    CHECK(one_that_says(problems(toy_base().build().set("kv:llama.attention.head_count.value", 0)), "head_count"));
    ToyFile unknown = toy_base().build();
    unknown.bytes.replace(unknown.field("kv:general.architecture.value").offset, 5, "other");
    CHECK(problems(unknown).empty());  // not a fault of the file
}

TEST_CASE("validate_file: a tokenizer that cannot be built") {
    auto p = problems(toy_base().build().set("kv:tokenizer.ggml.eos_token_id.value", 100'000));
    REQUIRE(p.size() >= 1);
    CHECK(p[0].find("eos_token_id") != std::string::npos);
}
