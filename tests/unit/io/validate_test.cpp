// SPDX-License-Identifier: Apache-2.0
// The validator finds each planted fault and names its place (G-54), and nothing in a sound file.
#include "io/validate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "io/finite.h"
#include "io_support.h"
#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay::io;
using namespace inlay_test;

namespace {

std::vector<std::pair<std::string, std::string>> problems(const std::string &path) {
    std::vector<std::pair<std::string, std::string>> out;
    Memory m;
    FileSystem files;
    {
        for (auto &p : validate_checkpoint(files, m, path, {}, {})) out.emplace_back(p.where, p.what);
    }
    CHECK(m.used() == 0);
    return out;
}

}  // namespace

TEST_CASE("finite: every scale of every type is looked at") {
    for (int id = 0; id < 64; ++id) {
        const DTypeInfo *info = dtype_info(id);
        if (!info) continue;
        std::string data = ToyGguf::fill(info->type, {256, 40}, std::string(info->name));
        REQUIRE_MESSAGE(!first_not_finite(info->type, as_bytes(data)).has_value(), std::string(info->name));
        size_t step = static_cast<size_t>(info->block_bytes), blocks = data.size() / step;
        for (int at : ToyGguf::scale_offsets(info->type))
            for (size_t b : {size_t{0}, blocks / 2, blocks - 1})
                for (uint16_t bad : {0x7c00, 0xfc00, 0x7e01}) {
                    std::string t = data;
                    std::memcpy(t.data() + b * step + static_cast<size_t>(at), &bad, 2);
                    CHECK_MESSAGE(first_not_finite(info->type, as_bytes(t)) == b, std::string(info->name));
                }
    }
    std::vector<float> f(5000, 1.0f);
    auto bytes = [&] { return std::as_bytes(std::span(f)); };
    CHECK_FALSE(first_not_finite(DType::f32, bytes()));
    f[4999] = -INFINITY;
    CHECK(first_not_finite(DType::f32, bytes()) == 4999);
    f[1025] = NAN;
    CHECK(first_not_finite(DType::f32, bytes()) == 1025);
    std::string mx(17 * 3, '\0');
    mx[17] = '\xff';
    CHECK(first_not_finite(DType::mxfp4, as_bytes(mx)) == 1);
    std::string iq1m(56, '\0');  // scale 0x7c00: top nibbles 0 0 c 7
    iq1m[53] = '\xc0';
    iq1m[55] = '\x70';
    CHECK(first_not_finite(DType::iq1_m, as_bytes(iq1m)) == 0);
}

TEST_CASE("validate: sound files have no problems, broken ones say where") {
    TempFolder dir;
    for (DType t : {DType::f32, DType::q8_0, DType::q4_0, DType::bf16})
        CHECK(problems(dir.write("ok.gguf", toy_base(t).build().bytes)).empty());
    ToyFile f = toy_base(DType::q8_0).build();
    auto with = [&](ToyFile t) { return problems(dir.write("bad.gguf", t.bytes)); };
    ToyFile scale = f;
    size_t at = scale.field("data:blk.1.attn_k.weight").offset + 34 * 5;
    scale.bytes[at] = 0, scale.bytes[at + 1] = 0x7c;
    auto p = with(scale);
    REQUIRE(p.size() == 1);
    CHECK(p[0].first == "tensor 'blk.1.attn_k.weight'");
    CHECK(p[0].second.find("block 5") != std::string::npos);
    p = with(ToyFile(f).set("kv:llama.rope.freq_base.value", 0x7fc00000));
    REQUIRE(p.size() == 1);
    CHECK(p[0].first == "key 'llama.rope.freq_base'");
    p = with(ToyFile(f).set("kv:tokenizer.ggml.bos_token_id.value", 512));
    REQUIRE(p.size() == 1);
    CHECK(p[0].first == "key 'tokenizer.ggml.bos_token_id'");
    p = with(ToyFile(f).set("version", 9));
    REQUIRE(p.size() == 1);
    CHECK(p[0].first == "offset 4");
    ToyFile cut = f;
    cut.bytes.resize(cut.bytes.size() - 100);
    p = with(cut);
    REQUIRE(p.size() == 1);
    CHECK(p[0].second.starts_with("truncated:"));
    CHECK(outcome_of([&](Memory &m) { validate_checkpoint(FileSystem(), m, dir / "none", {}, {}); }).code == Code::not_found);
    CHECK(outcome_of([&](Memory &m) {
              ValidateProgress stop{nullptr, [](void *, double) { return false; }};
              validate_checkpoint(FileSystem(), m, dir.write("ok.gguf", f.bytes), {}, {}, stop);
          }).code == Code::cancelled);
}

TEST_CASE("validate: at most so many problems, in constant memory") {
    TempFolder dir;
    ToyGguf g;
    for (int i = 0; i < 300; ++i) g.tensor("t" + std::to_string(i), DType::f16, {64}, std::string(128, '\xff'));
    auto p = problems(dir.write("many.gguf", g.build().bytes));
    REQUIRE(p.size() == 101);
    CHECK(p[100].second.find("more") != std::string::npos);
    ToyGguf big;
    big.tensor("big", DType::f16, {1u << 23}, std::string(16u << 20, '\0'));
    std::string path = dir.write("big.gguf", big.build().bytes);
    Memory m;
    CHECK(validate_checkpoint(FileSystem(), m, path, {}, {}).empty());
    CHECK(m.peak() < (2u << 20));
}

TEST_CASE("validate: folders") {
    TempFolder dir;
    dir.write("config.json", "{}");
    std::string one =
        toy_safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[2],"data_offsets":[8,10]}})",
                        std::string(10, '\0'));
    dir.write("model.safetensors", one);
    CHECK(problems(dir.path()).empty());
    dir.write("tokenizer.json", "{\"a\":");
    auto p = problems(dir.path());
    REQUIRE(p.size() == 1);
    CHECK(p[0].first == "tokenizer.json");
    dir.write("tokenizer.json", "{}");
    one[one.size() - 1] = 2;
    one[one.size() - 3] = '\x7f', one[one.size() - 4] = '\xc0';
    dir.write("model.safetensors", one);
    p = problems(dir.path());
    REQUIRE(p.size() == 2);
    CHECK(p[0].first == "tensor 'a'");
    CHECK(p[0].second.find("element 1") != std::string::npos);
    CHECK(p[1].first == "tensor 'b'");
    std::filesystem::remove(dir / "model.safetensors");
    CHECK(problems(dir.path()).size() == 1);
    dir.write("model.safetensors.index.json", R"({"weight_map":{"a":"../x"}})");
    CHECK(problems(dir.path()).size() == 1);
}
