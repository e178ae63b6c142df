// SPDX-License-Identifier: Apache-2.0
// What loading holds: the packed weights and a staging buffer a thread, never a second copy of the file; and the work that is
// done beside it.
#include <doctest/doctest.h>

#include <atomic>

#include "engine/opened_model.h"
#include "engine/runtime.h"
#include "support/shared.h"
#include "support/toy_gguf.h"
#include "unit/io/io_support.h"
#include "unit/model/bench_model.h"

using namespace inlay_test;

namespace {

// A llama of 22 MB of q8_0, of which no second copy could hide in what is allowed below.
std::string large_toy() {
    ToyGguf g;
    g.kv("general.architecture", "llama").kv("llama.block_count", uint32_t{2}).kv("llama.context_length", uint32_t{128});
    g.kv("llama.embedding_length", uint32_t{1024}).kv("llama.feed_forward_length", uint32_t{2048});
    g.kv("llama.attention.head_count", uint32_t{8}).kv("llama.attention.head_count_kv", uint32_t{8}).kv("llama.vocab_size", uint32_t{256});
    g.kv("llama.attention.layer_norm_rms_epsilon", 1e-5f).kv("llama.rope.freq_base", 10000.0f);
    using D = DType;
    g.tensor("token_embd.weight", D::q8_0, {1024, 256}).tensor("output_norm.weight", D::f32, {1024});
    for (int i = 0; i < 2; ++i) {
        const std::string p = "blk." + std::to_string(i) + ".";
        for (const char *name : {"attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight"}) g.tensor(p + name, D::q8_0, {1024, 1024});
        g.tensor(p + "ffn_gate.weight", D::q8_0, {1024, 2048}).tensor(p + "ffn_up.weight", D::q8_0, {1024, 2048});
        g.tensor(p + "ffn_down.weight", D::q8_0, {2048, 1024});
        g.tensor(p + "attn_norm.weight", D::f32, {1024}).tensor(p + "ffn_norm.weight", D::f32, {1024});
    }
    return g.build().bytes;
}

}  // namespace

TEST_CASE("load: memory is the packed weights and a staging buffer a thread") {
    TempFolder dir;
    const std::string path = dir.write("m.gguf", large_toy());
    for (int threads : {1, 4}) {
        Memory mem;
        io::FileSystem files;
        {
            auto file = io::open_checkpoint(files, mem, path, Limits{}, Log{});
            const model::Architecture &arch = model::find_architecture(*file);
            const model::Config c = model::read_config(*file, arch);
            model::Weights w(mem, *file, arch, c, {});
            thread::Pool pool(mem, {.threads = threads});
            const uint64_t before = mem.used();
            w.load(*file, pool);
            REQUIRE(mem.used(MemTag::weights) > 20'000'000);
            // A staging buffer is 256 KiB, or 16 rows where those are more; a weight block is rounded up to 2 MiB pages.
            const uint64_t over = mem.peak() - before - mem.used(MemTag::weights);
            CHECK(over <= static_cast<uint64_t>(threads) * (256u << 10) + (64u << 10));
            CHECK(mem.used(MemTag::weights) <= w.bytes() + (2u << 20));
        }
        CHECK(mem.used() == 0);
    }
}

TEST_CASE("load: a real model's peak is at most 64 MB over its packed weights, tokenizer and all") {
    for (const char *name : {"gemma3-270m", "qwen2.5-0.5b"}) {
        const std::string path = model_path(name);
        if (path.empty()) {
            MESSAGE("SKIP ", name, " is not here (inlay pull ", name, ")");
            continue;
        }
        engine::RuntimeOptions options;
        options.n_threads = 2;
        auto rt = engine::make_runtime(options);
        {
            Owned<io::WeightsFile> file = io::open_checkpoint(rt->files(), rt->memory(), path, rt->limits(), rt->log());
            engine::OpenedModel model(rt, std::move(file), {});
            CHECK(rt->memory().peak() - rt->memory().used(MemTag::weights) <= 64'000'000);
        }
    }
}

TEST_CASE("load: what is done beside it is done once, and what it throws is thrown") {
    TempFolder dir;
    const std::string path = dir.write("m.gguf", toy_base(DType::q8_0).build().bytes);
    Memory mem;
    io::FileSystem files;
    auto file = io::open_checkpoint(files, mem, path, Limits{}, Log{});
    const model::Architecture &arch = model::find_architecture(*file);
    const model::Config c = model::read_config(*file, arch);
    for (int threads : {1, 3}) {
        thread::Pool pool(mem, {.threads = threads});
        std::atomic<int> calls{0};
        model::Weights good(mem, *file, arch, c, {}), bad(mem, *file, arch, c, {});
        good.load(*file, pool, {}, false, {&calls, [](void *n) { ++*static_cast<std::atomic<int> *>(n); }});
        CHECK(good.loaded());
        CHECK(calls == 1);
        Code code = Code::ok;
        try {
            bad.load(*file, pool, {}, false, {nullptr, [](void *) { fail(Code::limit, "beside"); }});
        } catch (const Error &e) {
            code = e.code();
        }
        CHECK(code == Code::limit);
        CHECK(!bad.loaded());
    }
}
