// SPDX-License-Identifier: Apache-2.0
// The sidecar file of packed weights: the same bits as loading, made anew when stale, refused and left alone when damaged.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "base/hash.h"
#include "support/toy_gguf.h"
#include "unit/io/io_support.h"
#include "unit/model/bench_model.h"

using namespace inlay_test;
namespace fs = std::filesystem;

namespace {

std::string read_all(const std::string &path) {
    std::ifstream f(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(f), {}};
}

struct Toy {
    TempFolder dir;
    std::string model = dir.write("m.gguf", toy_base(DType::q8_0).build().bytes), pack = dir / "m.pack";

    struct Loaded {
        bool mapped = false;
        Code code = Code::ok;
        std::string text, bits;  // of every panel and small tensor
    };
    // As OpenedModel does: the pack if it can be used, else the model and then the pack.
    Loaded open(bool validate = false, model::LayerRange range = {}, int threads = 1) {
        Loaded out;
        Memory mem;
        try {
            io::FileSystem files;
            auto file = io::open_checkpoint(files, mem, model, Limits{}, Log{});
            const model::Architecture &arch = model::find_architecture(*file);
            const model::Config c = model::read_config(*file, arch);
            model::Weights w(mem, *file, arch, c, range);
            thread::Pool pool(mem, {.threads = threads});
            out.mapped = w.load_pack(*file, files, pack, pool, {}, validate, Log{});
            if (!out.mapped) {
                w.load(*file, pool);
                w.write_pack(*file, pack, pool);
            }
            CHECK(w.loaded());
            auto add = [&](const model::Linear &l) {
                for (int i = 0; i < l.n_parts; ++i) {
                    const tensor::PackedMatrix &m = w.matrix(l.parts[i].matrix);
                    out.bits.append(reinterpret_cast<const char *>(m.panel(0)), m.bytes());
                }
                if (l.bias) out.bits.append(reinterpret_cast<const char *>(w.f32(l.bias)), static_cast<size_t>(l.bias.n) * 4);
            };
            for (int32_t i = w.range().begin; i < w.range().end; ++i) {
                const model::LayerWeights &l = w.layer(i);
                for (const model::Linear *x : {&l.qkv, &l.o, &l.gate_up, &l.down}) add(*x);
                out.bits.append(reinterpret_cast<const char *>(w.f32(l.attn_norm.weight)), static_cast<size_t>(l.attn_norm.weight.n) * 4);
            }
            add(w.head);
        } catch (const Error &e) {
            out.code = e.code();
            out.text = e.text();
        }
        CHECK(mem.used() == 0);
        return out;
    }
    // A pack with these bytes; what opening makes of it. FORMAT leaves it as it is.
    Loaded with(const std::string &bytes, bool validate = false) {
        dir.write("m.pack", bytes);
        Loaded l = open(validate);
        if (l.code != Code::ok) CHECK(read_all(pack) == bytes);
        return l;
    }
};

// The head's own checksum made right again: damage by somebody who knows the format.
void seal(std::string &pack) {
    uint64_t head_bytes, zero = 0;
    std::memcpy(&head_bytes, pack.data() + 16, 8);
    std::memcpy(pack.data() + 112, &zero, 8);
    const uint64_t sum = hash_bytes(pack.data(), static_cast<size_t>(std::min<uint64_t>(head_bytes, pack.size())), 0x9c6e6877736c46e3u);
    std::memcpy(pack.data() + 112, &sum, 8);
}

}  // namespace

TEST_CASE("pack: made once, then mapped, with the bits of loading") {
    Toy t;
    const Toy::Loaded first = t.open();
    CHECK(!first.mapped);
    REQUIRE(first.code == Code::ok);
    for (bool validate : {false, true})
        for (int threads : {1, 3}) {
            const Toy::Loaded again = t.open(validate, {}, threads);
            INFO(again.text);
            CHECK(again.mapped);
            CHECK(again.bits == first.bits);
        }
    CHECK(std::distance(fs::directory_iterator(t.dir.path()), {}) == 2);  // no temporary file is left
}

TEST_CASE("pack: stale ones are made anew") {
    Toy t;
    t.open();
    const std::string made = read_all(t.pack);
    SUBCASE("the model was written again") {
        fs::last_write_time(t.model, fs::last_write_time(t.model) + std::chrono::seconds(1));
        CHECK(!t.open().mapped);
        CHECK(read_all(t.pack) != made);
    }
    SUBCASE("other bytes of the same length at the same time") {
        auto when = fs::last_write_time(t.model);
        std::string bytes = read_all(t.model);
        bytes[bytes.size() - 3] ^= 1;
        t.dir.write("m.gguf", bytes);
        fs::last_write_time(t.model, when);
        CHECK(!t.open().mapped);
    }
    SUBCASE("other layers") { CHECK(!t.open(false, {0, 1}).mapped); }
    SUBCASE("another version, another key") {
        for (size_t at : {size_t{8}, size_t{32}, size_t{40}, size_t{64}}) {
            std::string b = made;
            b[at] ^= 1;
            seal(b);
            const Toy::Loaded l = t.with(b);
            CHECK(l.code == Code::ok);
            CHECK(!l.mapped);
            CHECK(read_all(t.pack) == made);
        }
    }
    CHECK(t.open(false, {}).code == Code::ok);
}

TEST_CASE("pack: damage is an error, and what is no pack is never overwritten") {
    Toy t;
    REQUIRE(t.open().code == Code::ok);
    const std::string made = read_all(t.pack);
    uint64_t head_bytes;
    std::memcpy(&head_bytes, made.data() + 16, 8);
    REQUIRE(head_bytes < 4096);
    SUBCASE("any bit of the head") {
        for (size_t i = 0; i < head_bytes; ++i) {
            std::string b = made;
            b[i] ^= static_cast<char>(1 << i % 8);
            const Toy::Loaded l = t.with(b);
            INFO(i);
            // Bytes 8..11 are the version: of another one nothing else is known.
            CHECK(l.code == (i >= 8 && i < 12 ? Code::ok : Code::format));
            CHECK(!l.mapped);
        }
    }
    SUBCASE("cut short, or longer") {
        for (size_t n : {size_t{0}, size_t{1}, size_t{7}, size_t{127}, size_t{128}, static_cast<size_t>(head_bytes) - 1, static_cast<size_t>(head_bytes),
                         made.size() - 4096, made.size() - 1}) {
            INFO(n);
            CHECK(t.with(made.substr(0, n)).code == Code::format);
        }
        CHECK(t.with(made + "x").code == Code::format);
    }
    SUBCASE("fields that lie, under a right checksum") {
        auto lie = [&](size_t at, uint64_t value, size_t bytes = 8) {
            std::string b = made;
            std::memcpy(b.data() + at, &value, bytes);
            seal(b);
            INFO(at << " " << value);
            const Toy::Loaded l = t.with(b);
            CHECK(l.code == Code::format);
        };
        for (uint64_t v : {uint64_t{0}, uint64_t{1}, uint64_t{0x7fffffff}, uint64_t{0xffffffff}}) lie(12, v, 4);
        for (uint64_t v : {uint64_t{0}, uint64_t{127}, head_bytes + 48, UINT64_MAX}) lie(16, v);
        for (uint64_t v : {uint64_t{0}, uint64_t{4096}, made.size() * 2, UINT64_MAX}) lie(24, v);
        for (size_t entry = 128; entry < head_bytes; entry += 48)
            for (size_t field : {0, 4, 8, 16, 24, 32})
                for (uint64_t v : {uint64_t{77}, UINT64_MAX, UINT64_MAX - 4095, uint64_t{1} << 63 | 5}) lie(entry + field, v, field < 8 ? 4 : 8);
        lie(120, 1);
    }
    SUBCASE("data: compared when asked, and of the small tensors always") {
        for (size_t at : {size_t{4096}, made.size() / 2, made.size() - 4096}) {
            std::string b = made;
            b[at] ^= 0x10;
            INFO(at);
            CHECK(t.with(b, true).code == Code::format);
            CHECK(t.with(b).code == (at == made.size() - 4096 ? Code::format : Code::ok));  // the last section holds the small ones
        }
    }
    SUBCASE("a NaN that was packed before anybody asked") {
        std::string b = made;
        const uint16_t nan = 0x7e00;
        std::memcpy(b.data() + 4096, &nan, 2);  // the first panel's first scale
        const Toy::Loaded l = t.with(b, true);
        CHECK(l.code == Code::format);
    }
    SUBCASE("not a pack") {
        CHECK(t.with(read_all(t.model)).code == Code::format);
        CHECK(t.with("").code == Code::format);
    }
}

TEST_CASE("pack: where it cannot be") {
    Toy t;
    t.pack = t.dir / "no/such/folder.pack";
    CHECK(t.open().code == Code::not_found);
    t.pack = t.dir.path();
    CHECK(t.open().code == Code::invalid_argument);
    // From memory nobody can tell whether the model changed.
    Memory mem;
    ToyFile toy = toy_base().build();
    auto file = io::open_gguf(mem, io::memory_source(mem, toy.span()), Limits{}, Log{});
    const model::Architecture &arch = model::find_architecture(*file);
    const model::Config c = model::read_config(*file, arch);
    model::Weights w(mem, *file, arch, c, {});
    thread::SerialExecutor serial;
    try {
        w.load_pack(*file, io::FileSystem(), t.dir / "x.pack", serial, {}, false, Log{});
        FAIL("a pack of a model in memory");
    } catch (const Error &e) {
        CHECK(e.code() == Code::unsupported);
    }
}
