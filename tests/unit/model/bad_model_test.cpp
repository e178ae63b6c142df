// SPDX-License-Identifier: Apache-2.0
// Rows H, G-43 and G-44 of the bad inputs: every hyper-parameter and tensor that could be wrong is a status with a
// message, never a crash; and a toy GGUF of each weight type runs with the same bits however it is cut.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "support/toy_gguf.h"
#include "unit/model/bench_model.h"
#include "unit/tensor/weights.h"

using namespace inlay_test;

namespace {

struct Toy {
    std::string arch = "llama", label = "llama";  // label: what the file says it is
    DType type = DType::f32;
    uint32_t layers = 2, hidden = 64, heads = 4, heads_kv = 2, ff = 96, vocab = 80;
    std::map<std::string, std::function<void(ToyGguf &)>> keys;  // by key without prefix: replaces (null: leaves out)
    std::map<std::string, std::function<void(ToyGguf &)>> tensors;

    template <class T>
    Toy &key(const std::string &name, T value) {
        keys[name] = [full = arch + "." + name, value](ToyGguf &g) { g.kv(full, value); };
        return *this;
    }
    template <class T>
    Toy &list(const std::string &name, std::vector<T> value) {
        keys[name] = [full = arch + "." + name, value](ToyGguf &g) { g.array(full, value); };
        return *this;
    }
    Toy &no_key(const std::string &name) {
        keys[name] = nullptr;
        return *this;
    }
    Toy &no_tensor(const std::string &name) {
        tensors[name] = nullptr;
        return *this;
    }
    Toy &tensor(const std::string &name, DType t, std::vector<uint64_t> dims) {
        tensors[name] = [name, t, dims](ToyGguf &g) { g.tensor(name, t, dims); };
        return *this;
    }

    ToyFile build() const {
        ToyGguf g;
        g.kv("general.architecture", label);
        auto put = [&](const char *name, auto value) {
            auto it = keys.find(name);
            if (it == keys.end())
                g.kv(arch + "." + name, value);
            else if (it->second)
                it->second(g);
        };
        put("block_count", layers);
        put("context_length", uint32_t{128});
        put("embedding_length", hidden);
        put("feed_forward_length", ff);
        put("attention.head_count", heads);
        put("attention.head_count_kv", heads_kv);
        put("attention.layer_norm_rms_epsilon", 1e-5f);
        for (const auto &[name, fn] : keys)
            if (fn && !std::ranges::count(std::initializer_list<std::string>{"block_count", "context_length", "embedding_length",
                                                                             "feed_forward_length", "attention.head_count",
                                                                             "attention.head_count_kv", "attention.layer_norm_rms_epsilon"},
                                          name))
                fn(g);
        auto t = [&](const std::string &name, DType d, std::vector<uint64_t> dims) {
            auto it = tensors.find(name);
            if (it == tensors.end())
                g.tensor(name, d, dims);
            else if (it->second)
                it->second(g);
        };
        const uint64_t kv = hidden / heads * heads_kv;
        t("token_embd.weight", type, {hidden, vocab});
        for (uint32_t i = 0; i < layers; ++i) {
            const std::string b = "blk." + std::to_string(i) + ".";
            t(b + "attn_norm.weight", DType::f32, {hidden});
            t(b + "attn_q.weight", type, {hidden, hidden});
            t(b + "attn_k.weight", type, {hidden, kv});
            t(b + "attn_v.weight", type, {hidden, kv});
            t(b + "attn_output.weight", type, {hidden, hidden});
            t(b + "ffn_norm.weight", DType::f32, {hidden});
            t(b + "ffn_gate.weight", type, {hidden, ff});
            t(b + "ffn_up.weight", type, {hidden, ff});
            t(b + "ffn_down.weight", type, {ff, hidden});
        }
        t("output_norm.weight", DType::f32, {hidden});
        for (const auto &[name, fn] : tensors)
            if (fn && name.starts_with("extra")) fn(g);
        return g.build();
    }
};

struct Opened {
    Code code = Code::ok;
    std::string text;
};

Opened open(const ToyFile &f, model::LayerRange range = {}) {
    Memory mem;
    Opened o;
    try {
        auto file = io::open_gguf(mem, io::memory_source(mem, f.span()), Limits{}, Log{});
        const model::Architecture &arch = model::find_architecture(*file);
        const model::Config c = model::read_config(*file, arch);
        model::Weights w(mem, *file, arch, c, range);
        thread::SerialExecutor serial;
        w.load(*file, serial);
    } catch (const Error &e) {
        o = {e.code(), std::string(e.text())};
    }
    CHECK(mem.used() == 0);
    return o;
}

void refused(const Toy &t, Code code, const std::string &part) {
    const Opened o = open(t.build());
    INFO(o.text);
    CHECK(o.code == code);
    CHECK(o.text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a toy GGUF opens, and of its tensors only the extra ones may be left out") {
    CHECK(open(Toy{}.build()).code == Code::ok);
    CHECK(open(Toy{}.tensor("extra.weight", DType::f32, {7}).build()).code == Code::ok);
    refused(Toy{}.no_tensor("token_embd.weight").key("vocab_size", uint32_t{80}), Code::format,
            "mismatch: tensor 'token_embd.weight' is missing");
    refused(Toy{}.no_tensor("blk.1.attn_q.weight"), Code::format, "mismatch: tensor 'blk.1.attn_q.weight' is missing");
    refused(Toy{}.no_tensor("output_norm.weight"), Code::format, "'output_norm.weight' is missing");
    refused(Toy{}.tensor("blk.1.ffn_down.weight", DType::f32, {64, 96}), Code::format,
            "mismatch: tensor 'blk.1.ffn_down.weight' is [96, 64], [64, 96] is needed");
    refused(Toy{}.tensor("blk.1.attn_q.weight", DType::f32, {64, 65}), Code::format, "mismatch: ");
    refused(Toy{}.tensor("blk.1.attn_q.weight", DType::i32, {64, 64}), Code::format, "mismatch: ");
    refused(Toy{}.tensor("blk.1.attn_q.weight", DType::f32, {4096}), Code::format, "mismatch: ");
    refused(Toy{}.tensor("blk.0.attn_norm.weight", DType::i32, {64}), Code::format, "mismatch: ");
    refused(Toy{}.tensor("blk.0.attn_norm.weight", DType::f32, {63}), Code::format, "[64] is needed");
}

TEST_CASE("hyper-parameters out of range are refused by name") {
    for (uint32_t n : {0u, 4097u, 100000u, 0xffffffffu}) {
        const Opened o = open(Toy{}.key("block_count", n).build());
        INFO(o.text);
        CHECK((o.code == Code::limit || o.code == Code::format));
    }
    refused(Toy{}.key("block_count", uint32_t{3}), Code::format, "mismatch: tensor 'blk.2.");
    refused(Toy{}.key("attention.head_count", uint32_t{0}), Code::format, "head_count");
    refused(Toy{}.key("attention.head_count_kv", uint32_t{0}), Code::format, "head count");
    refused(Toy{}.key("attention.head_count_kv", uint32_t{3}), Code::format, "no multiple");
    refused(Toy{}.key("embedding_length", uint32_t{0}), Code::format, "");
    refused(Toy{}.key("embedding_length", uint32_t{1}), Code::format, "no multiple");
    refused(Toy{}.key("embedding_length", uint32_t{0x80000000u}), Code::limit, "embedding_length");
    refused(Toy{}.list("attention.head_count", std::vector<uint32_t>{4}), Code::format, "1 items for 2 layers");
    refused(Toy{}.list("attention.head_count", std::vector<uint32_t>{4, 4, 4}), Code::format, "3 items for 2 layers");
    refused(Toy{}.list("attention.head_count", std::vector<float>{4, 4}), Code::format, "must be an integer");
    refused(Toy{}.list("attention.head_count", std::vector<int32_t>{4, -4}), Code::format, "head count is -4");
    refused(Toy{}.list("feed_forward_length", std::vector<int32_t>{96, 0}), Code::format, "feed-forward length is 0");
    refused(Toy{}.key("expert_count", uint32_t{0x80000000u}), Code::limit, "expert_count");
    refused(Toy{}.key("expert_count", uint32_t{4}).key("expert_used_count", uint32_t{0}), Code::format, "experts used 0");
    refused(Toy{}.key("expert_count", uint32_t{4}).key("expert_used_count", uint32_t{5}), Code::format, "experts used 5");
    refused(Toy{}.key("expert_count", uint32_t{4}).key("expert_used_count", uint32_t{2}), Code::format, "mismatch: ");
    for (uint64_t n : {uint64_t{0}, uint64_t{0xffffffffu}, uint64_t{1} << 63})
        refused(Toy{}.key("context_length", n), Code::limit, "context");
    for (uint32_t n : {1u, 3u, 18u, 0u}) refused(Toy{}.key("rope.dimension_count", n), Code::format, "rope dimensions");
    for (float f : {0.0f, -1.0f, std::nanf(""), INFINITY, 1e-45f}) refused(Toy{}.key("rope.freq_base", f), Code::format, "rope base");
    for (float f : {0.0f, -1.0f, std::nanf(""), 1e30f}) refused(Toy{}.key("attention.layer_norm_rms_epsilon", f), Code::format, "epsilon");
    for (const std::string &s : {std::string(), std::string("llama\0x", 7), std::string("../../x"), std::string(1 << 20, 'a')}) {
        Toy t;
        t.label = s;
        const Opened o = open(t.build());
        CHECK(o.code == Code::unsupported);
        CHECK(o.text.size() < 512);
    }
    refused(Toy{}.key("rope.scaling.type", "spiral"), Code::unsupported, "'spiral'");
    refused(Toy{}.tensor("extra", DType::f32, {2}).key("attention.key_length", uint32_t{5000}).key("rope.dimension_count", uint32_t{16}),
            Code::limit, "key length");
}

TEST_CASE("a required key of any wrong type is FORMAT") {
    for (const char *name :
         {"block_count", "context_length", "embedding_length", "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
        const bool real = std::string(name).ends_with("epsilon");
        CAPTURE(name);
        std::vector<Toy> toys = {Toy{}.key(name, std::string("64")), Toy{}.key(name, true), Toy{}.list(name, std::vector<float>{1, 2}),
                                 Toy{}.list(name, std::vector<std::string>{"a", "b"}), Toy{}.no_key(name)};
        if (!real)
            toys.push_back(Toy{}.key(name, 64.0f)), toys.push_back(Toy{}.key(name, 64.0)), toys.push_back(Toy{}.key(name, int32_t{-1})),
                toys.push_back(Toy{}.key(name, int64_t{-5}));
        for (const Toy &t : toys) {
            const Opened o = open(t.build());
            INFO(o.text);
            CHECK(o.code == Code::format);
        }
    }
}

TEST_CASE("every weight type has the same logits on every tier, with any cut and any cache") {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("inlay-toy-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".gguf"))
                                 .string();
    std::vector<int32_t> ids;
    for (int i = 0; i < 49; ++i) ids.push_back(i * 7 % 80);  // above where the tiers change to their tiles of many tokens
    std::string tiers;
    for (DType type : test::kPackable) {
        Toy t;
        t.type = type;
        if (dtype_info(type)->block == 256) t.hidden = 256, t.ff = 512;
        const ToyFile f = t.build();
        std::ofstream(path, std::ios::binary).write(f.bytes.data(), static_cast<std::streamsize>(f.bytes.size()));
        CAPTURE(dtype_name(type));
        TestModel m(path);
        const bool one = type != DType::q5_0;  // KV types and weight types meet in no kernel
        for (kernels::KvType kv : {kernels::KvType::f32, kernels::KvType::f16, kernels::KvType::bf16, kernels::KvType::q8_0}) {
            if (one && kv != kernels::KvType::f16) continue;
            const Result whole = m.run(ids, {.kv = kv, .cpu = "scalar"});
            for (float v : whole.rows) REQUIRE(std::isfinite(v));
            for (int i = 1; i < static_cast<int>(cpu::Tier::count_); ++i) {
                const auto tier = static_cast<cpu::Tier>(i);
                if (!cpu::detect_tiers().has(tier) || !kernels::tier_built(tier)) continue;
                const char *name = cpu::tier_name(tier);
                if (tiers.find(std::string(" ") + name + " ") == std::string::npos) tiers += std::string(" ") + name + " ";
                CAPTURE(name);
                CHECK(same_bits(whole, m.run(ids, {.kv = kv, .cpu = name})));
                CHECK(same_bits(whole, m.run(ids, {.chunk = 5, .kv = kv, .cpu = name})));
            }
            CHECK(same_bits(whole, m.run(ids, {.threads = 2, .chunk = 4, .kv = kv})));
            CHECK(same_bits(whole, m.run(ids, {.threads = 2, .kv = kv, .budget_ns = 1})));
        }
    }
    MESSAGE("tiers:" << tiers);
    std::filesystem::remove(path);
}

TEST_CASE("feed-forward widths of any length have the same logits, whoever rounds a group of their columns") {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("inlay-ff-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".gguf"))
                                 .string();
    std::vector<int32_t> ids;
    for (int i = 0; i < 90; ++i) ids.push_back(i * 7 % 80);  // more tokens than share groups between slices
    struct Case {
        DType type, up;  // up apart: gate and up are two matrices
        uint32_t ff;
    };
    // Less than a group; one and a little; some; no whole panels (16), so that up begins within gate's last one.
    for (const Case &c : {Case{DType::q5_0, DType::q5_0, 32}, Case{DType::q5_0, DType::q8_0, 288}, Case{DType::q8_0, DType::q8_0, 1056},
                          Case{DType::q4_0, DType::f16, 800}, Case{DType::f16, DType::f16, 300}, Case{DType::f32, DType::f16, 523},
                          Case{DType::f32, DType::f32, 7}, Case{DType::f16, DType::f16, 1024}}) {
        Toy t;
        t.type = c.type;
        t.ff = c.ff;
        for (uint32_t i = 0; i < t.layers; ++i) t.tensor("blk." + std::to_string(i) + ".ffn_up.weight", c.up, {t.hidden, t.ff});
        const ToyFile f = t.build();
        std::ofstream(path, std::ios::binary).write(f.bytes.data(), static_cast<std::streamsize>(f.bytes.size()));
        CAPTURE(dtype_name(c.type));
        CAPTURE(c.ff);
        TestModel m(path);
        const Result one = m.run(ids, {.chunk = 1});
        for (float v : one.rows) REQUIRE(std::isfinite(v));
        for (int threads = 1; threads <= 4; ++threads)
            for (int chunk : {1, 2, 33, 90}) {
                CAPTURE(threads);
                CAPTURE(chunk);
                CHECK(same_bits(one, m.run(ids, {.threads = threads, .chunk = chunk})));
                if (chunk == 33 || chunk == 90) CHECK(same_bits(one, m.run(ids, {.threads = threads, .chunk = chunk, .budget_ns = 1})));
            }
    }
    std::filesystem::remove(path);
}

TEST_CASE("a head's tops are those of its logits") {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("inlay-head-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".gguf"))
                                 .string();
    std::vector<int32_t> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(i * 7 % 250);
    for (uint32_t vocab : {250u, 256u, 260u, 1000u, 5121u}) {
        Toy t;
        t.type = DType::q8_0;
        t.vocab = vocab;
        const ToyFile f = t.build();
        std::ofstream(path, std::ios::binary).write(f.bytes.data(), static_cast<std::streamsize>(f.bytes.size()));
        CAPTURE(vocab);
        TestModel m(path);
        const Result one = m.run(ids, {.chunk = 1});
        for (int threads = 1; threads <= 4; ++threads) {
            CHECK(same_bits(one, m.run(ids, {.threads = threads})));
            CHECK(same_bits(one, m.run(ids, {.threads = threads, .chunk = 3, .budget_ns = 1})));
        }
        CHECK(m.wrong_tops == 0);
    }
    std::filesystem::remove(path);
}

TEST_CASE("weights that are no numbers load, and are told when the caller asks") {
    for (DType type : {DType::f32, DType::f16, DType::q8_0}) {
        Toy t;
        t.type = type;
        for (const char *name : {"data:blk.1.ffn_up.weight", "data:blk.0.attn_norm.weight"}) {
            ToyFile f = t.build();
            const size_t at = f.field(name).offset;
            const bool f32 = type == DType::f32 || std::string(name).find("norm") != std::string::npos;
            f.bytes.replace(at, f32 ? 4 : 2, f32 ? std::string("\0\0\xc0\x7f", 4) : std::string("\0\x7e", 2));
            for (bool validate : {false, true}) {
                Memory mem;
                auto file = io::open_gguf(mem, io::memory_source(mem, f.span()), Limits{}, Log{});
                const model::Architecture &arch = model::find_architecture(*file);
                const model::Config c = model::read_config(*file, arch);
                model::Weights w(mem, *file, arch, c, {});
                thread::SerialExecutor serial;
                std::string text;
                try {
                    w.load(*file, serial, {}, validate);
                } catch (const Error &e) {
                    CHECK(e.code() == Code::format);
                    text = e.text();
                }
                CHECK(text.starts_with("numeric: ") == validate);
            }
        }
    }
}

TEST_CASE("two parts of a model give the bits of the whole, and hidden states travel between them") {
    Toy t;
    t.type = DType::q8_0;
    t.layers = 4;
    const ToyFile f = t.build();
    Memory mem;
    auto file = io::open_gguf(mem, io::memory_source(mem, f.span()), Limits{}, Log{});
    const model::Architecture &arch = model::find_architecture(*file);
    const model::Config c = model::read_config(*file, arch);
    thread::SerialExecutor serial;
    kernels::KernelTable table = kernels::build_table(cpu::detect_tiers());
    const model::Machine machine{&table, &serial};
    std::vector<int32_t> ids, blocks = {0, 1, 2};
    for (int i = 0; i < 21; ++i) ids.push_back(i * 7 % 80);

    auto run = [&](model::LayerRange range, const float *hidden) {
        model::Weights w(mem, *file, arch, c, range);
        w.load(*file, serial);
        std::vector<kv::LayerShape> shapes(static_cast<size_t>(w.range().end - w.range().begin), {2, c.head_k, c.head_v});
        kv::Store store(mem, kv::Layout(mem, kernels::KvType::f32, shapes), 3);
        const uint64_t before = mem.used();
        model::Forward forward(mem, machine, c, w, &store, {.rows = 32, .segments = 2, .head_rows = 32});
        const uint64_t told = model::Forward::bytes(mem, c, w, {.rows = 32, .segments = 2, .head_rows = 32}, 1), real = mem.used() - before;
        CHECK(told <= real);
        CHECK(real - told < 160 * 1024);  // tables of slices and of rows
        model::Segment s;
        s.tokens = ids.data();
        s.hidden = hidden;
        s.n = static_cast<int32_t>(ids.size());
        s.pages = blocks.data();
        s.n_blocks = 3;
        forward.begin({&s, 1});
        forward.advance();
        const bool head = static_cast<bool>(w.head);
        if (head) forward.begin_head(0, s.n), forward.advance_head();
        std::vector<float> out;
        for (int32_t i = 0; i < s.n; ++i)
            out.insert(out.end(), head ? forward.logits(i) : forward.hidden(i),
                       (head ? forward.logits(i) + c.vocab : forward.hidden(i) + c.hidden));
        return out;
    };
    const std::vector<float> whole = run({}, nullptr), middle = run({0, 1}, nullptr), rest = run({1, 4}, middle.data());
    REQUIRE(whole.size() == rest.size());
    CHECK(std::memcmp(whole.data(), rest.data(), whole.size() * sizeof(float)) == 0);
    CHECK(open(f, {2, 2}).code == Code::invalid_argument);
    CHECK(open(f, {0, 5}).code == Code::invalid_argument);
}

TEST_CASE("loading tells its progress and stops when asked, leaving nothing behind") {
    Toy t;
    const ToyFile f = t.build();
    Memory mem;
    {
        auto file = io::open_gguf(mem, io::memory_source(mem, f.span()), Limits{}, Log{});
        const model::Architecture &arch = model::find_architecture(*file);
        const model::Config c = model::read_config(*file, arch);
        thread::SerialExecutor serial;
        model::Weights w(mem, *file, arch, c, {});
        uint64_t seen = 0;
        auto note = [](void *u, uint64_t done, uint64_t total) -> int32_t {
            *static_cast<uint64_t *>(u) = done;
            return done > total;
        };
        const uint64_t before = mem.used();
        w.load(*file, serial, {&seen, note});
        CHECK(seen == w.file_bytes());
        CHECK(mem.used() - before >= w.bytes());
        CHECK(mem.used() - before < w.bytes() + 16 * 1024);
        model::Weights again(mem, *file, arch, c, {});
        auto stop = [](void *, uint64_t, uint64_t) -> int32_t { return 1; };
        try {
            again.load(*file, serial, {nullptr, stop});
            FAIL("it went on");
        } catch (const Error &e) {
            CHECK(e.code() == Code::cancelled);
        }
    }
    CHECK(mem.used() == 0);
}

TEST_CASE("each failing allocation of load and pass is OUT_OF_MEMORY and leaks nothing") {
    struct Failing {
        int64_t left;
        static void *alloc(void *user, size_t bytes, size_t align) {
            Failing &f = *static_cast<Failing *>(user);
            return f.left-- > 0 ? std::aligned_alloc(align < 8 ? 8 : align, (bytes + align - 1) / align * align) : nullptr;
        }
        static void free(void *, void *p, size_t, size_t) { std::free(p); }
    };
    Toy t;
    t.type = DType::q4_0;
    const ToyFile f = t.build();
    const std::vector<int32_t> ids = {1, 2, 3}, blocks = {0};
    kernels::KernelTable table = kernels::build_table(cpu::detect_tiers());
    bool whole = false;
    for (int64_t n = 0; !whole; ++n) {
        REQUIRE(n < 5000);
        Failing failing{n};
        Memory mem(MemoryHooks{&failing, Failing::alloc, Failing::free});
        try {
            auto file = io::open_gguf(mem, io::memory_source(mem, f.span()), Limits{}, Log{});
            const model::Architecture &arch = model::find_architecture(*file);
            const model::Config c = model::read_config(*file, arch);
            model::Weights w(mem, *file, arch, c, {});
            thread::SerialExecutor serial;
            w.load(*file, serial);
            const std::vector<kv::LayerShape> shapes(2, {2, c.head_k, c.head_v});
            kv::Store store(mem, kv::Layout(mem, kernels::KvType::f16, shapes), 1);
            model::Forward forward(mem, model::Machine{&table, &serial}, c, w, &store, {.rows = 4, .segments = 1, .head_rows = 4});
            model::Segment s;
            s.tokens = ids.data();
            s.n = 3;
            s.pages = blocks.data();
            s.n_blocks = 1;
            forward.begin({&s, 1});
            forward.advance();
            forward.begin_head(0, 3);
            forward.advance_head();
            const uint64_t before = mem.allocations();
            forward.begin({&s, 1});
            forward.advance();
            CHECK(mem.allocations() == before);  // nothing in the steady state
            whole = true;
        } catch (const Error &e) {
            CHECK(e.code() == Code::out_of_memory);
        }
        CHECK(mem.used() == 0);
    }
}
