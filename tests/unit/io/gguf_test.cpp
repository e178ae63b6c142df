// SPDX-License-Identifier: Apache-2.0
// The rows G of the catalogue of bad inputs, by generators. The ids stand beside the checks.
#include <doctest/doctest.h>

#include <random>

#include "io_support.h"
#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay::io;
using namespace inlay_test;

namespace {

Outcome broken(const std::string &field, uint64_t value) { return open_bytes(toy_base().build().set(field, value).bytes); }

std::string u64(uint64_t v) { return std::string(reinterpret_cast<const char *>(&v), 8); }
std::string u32(uint32_t v) { return std::string(reinterpret_cast<const char *>(&v), 4); }

}  // namespace

TEST_CASE("gguf: what the toy writer wrote is what is read") {
    ToyGguf g = toy_base();
    g.kv("a.u8", uint8_t{250}).kv("a.i8", int8_t{-3}).kv("a.u16", uint16_t{60000}).kv("a.i16", int16_t{-300}).kv("a.i32", int32_t{-7});
    g.kv("a.u64", uint64_t{1} << 63).kv("a.i64", int64_t{-5}).kv("a.f64", 2.5).kv("a.no", false).kv("a.empty", "");
    g.array("a.list", std::vector<int32_t>{1, -2, 3}).array("a.none", std::vector<uint64_t>{}).array("a.bools", std::vector<uint8_t>{1, 0});
    ToyFile f = g.build();
    Memory m;
    for (bool direct : {true, false}) {
        auto source = direct ? memory_source(m, f.span()) : Owned<Source>(make_owned<CopySource>(m, f.bytes));
        auto w = open_gguf(m, std::move(source), {}, {});
        const Gguf &r = *w->gguf();
        CHECK(r.version() == 3);
        CHECK(r.data_offset() == f.data_offset);
        CHECK(r.need_string("general.architecture") == "llama");
        CHECK(r.need_int("llama.block_count") == 2);
        CHECK(r.need_double("llama.rope.freq_base") == 10000.0);
        CHECK(r.get_bool("tokenizer.ggml.add_bos_token", false));
        CHECK(r.need_int("a.u8") == 250);
        CHECK(r.need_int("a.i8") == -3);
        CHECK(r.need_int("a.u16") == 60000);
        CHECK(r.need_int("a.i16") == -300);
        CHECK(r.need_int("a.i32") == -7);
        CHECK(r.need_int("a.i64") == -5);
        CHECK(r.need_double("a.f64") == 2.5);
        CHECK(r.get_bool("a.no", true) == false);
        CHECK(r.need_string("a.empty") == "");
        CHECK_FALSE(r.find("a.u64")->integer().has_value());
        CHECK(r.find("a.u64")->number() == 9223372036854775808.0);
        CHECK(outcome_of([&](Memory &) { r.need_int("a.u64"); }).code == Code::format);
        CHECK(outcome_of([&](Memory &) { r.need_int("a.f64"); }).code == Code::format);
        CHECK(outcome_of([&](Memory &) { r.need_string("a.list"); }).code == Code::format);
        CHECK(outcome_of([&](Memory &) { r.need("none.such"); }).code == Code::format);
        CHECK(r.get_int("none.such", 9) == 9);
        auto list = r.find("a.list")->as<int32_t>();
        REQUIRE(list.size() == 3);
        CHECK(list[1] == -2);
        CHECK(r.find("a.list")->as<uint32_t>().empty());
        CHECK(r.find("a.none")->count() == 0);
        const GgufValue *tokens = r.find("tokenizer.ggml.tokens");
        REQUIRE(tokens->is_string_array());
        CHECK(tokens->count() == 512);
        CHECK(tokens->string(0) == "<unk>");
        CHECK(tokens->string(258) == "<0xFF>");
        CHECK(tokens->string(259) == "a");
        CHECK(r.find("tokenizer.ggml.scores")->number(260) == -1);
        CHECK(w->tensors().size() == 21);
        const TensorInfo *t = w->find("blk.1.ffn_down.weight");
        REQUIRE(t);
        CHECK(t->n_dims == 2);
        CHECK(t->shape[0] == 64);
        CHECK(t->shape[1] == 128);
        CHECK(t->elements == 64 * 128);
        CHECK(t->offset == f.field("data:blk.1.ffn_down.weight").offset);
        std::string data(t->bytes, 0);
        w->read(*t, 0, std::as_writable_bytes(std::span(data)));
        CHECK(data == f.bytes.substr(t->offset, t->bytes));
        CHECK(w->in_memory(*t).size() == (direct ? t->bytes : 0));
        CHECK(outcome_of([&](Memory &) { w->read(*t, 1, std::as_writable_bytes(std::span(data))); }).code == Code::internal);
        CHECK(w->find("blk.2.ffn_down.weight") == nullptr);
    }
    CHECK(m.used() == 0);
}

TEST_CASE("gguf: every weight type opens, version 2 too, and a file without tensors") {
    for (int id = 0; id < 64; ++id) {
        const DTypeInfo *info = dtype_info(id);
        if (!info) continue;
        ToyGguf g;
        g.kv("general.architecture", "x").tensor("w", info->type, {256, 3}).tensor("v", info->type, {256});
        auto o = open_bytes(g.build().bytes);
        CHECK_MESSAGE(o.code == Code::ok, (info->name + (": " + o.text)));
    }
    ToyGguf old = toy_base();
    old.version = 2;
    CHECK(open_bytes(old.build().bytes).code == Code::ok);
    ToyGguf text;
    text.kv("general.architecture", "llama");
    CHECK(open_bytes(text.build().bytes).code == Code::ok);
    CHECK(open_bytes(ToyGguf().build().bytes).code == Code::ok);
}

TEST_CASE("gguf: prefixes and cut data are truncated (G-01 G-03 G-04)") {
    ToyGguf small;
    small.kv("general.architecture", "llama")
        .array("k", std::vector<std::string>{"a", "bc"})
        .tensor("w", DType::q8_0, {64, 4})
        .tensor("v", DType::f32, {8});
    ToyFile f = small.build();
    for (size_t n = 0; n < f.bytes.size(); ++n) {
        auto o = open_bytes(f.bytes.substr(0, n));
        CHECK_MESSAGE(o.truncated(), n << " " << o.text);
    }
    std::string base = toy_base().build().bytes;
    for (size_t cut : {size_t{1}, size_t{31}, size_t{32}, size_t{4096}, base.size() / 2})
        CHECK(open_bytes(base.substr(0, base.size() - cut)).truncated());
}

TEST_CASE("gguf: other files are named (G-05), versions refused (G-06)") {
    struct {
        const char *magic;
        size_t n;
        const char *says;
    } cases[] = {{"FUGG", 4, "big-endian"},
                 {"gguf", 4, "lower case"},
                 {"GGJT", 4, "GGJT"},
                 {"GGLA", 4, "GGLA"},
                 {"\x89PNG\r\n", 6, "PNG"},
                 {"PK\x03\x04", 4, "ZIP"},
                 {"\x7f"
                  "ELF",
                  4, "ELF"},
                 {"{\"a\":1}", 7, "JSON"},
                 {"version https://git-lfs.github.com", 34, "LFS"}};
    for (auto &c : cases) {
        auto o = open_bytes(std::string(c.magic, c.n) + std::string(100, '\1'));
        CHECK(o.code == Code::format);
        CHECK_MESSAGE(o.text.find(c.says) != std::string::npos, o.text);
    }
    CHECK(open_bytes(toy_safetensors("{\"a\":1}", "")).text.find("safetensors") != std::string::npos);
    CHECK(open_bytes("whatever it is").code == Code::format);
    for (uint32_t v : {0u, 1u, 4u, 0x7fffffffu, 0x03000000u}) CHECK(broken("version", v).code == Code::unsupported);
    CHECK(broken("version", 0x03000000u).text.find("big-endian") != std::string::npos);
}

TEST_CASE("gguf: counts (G-09 G-15)") {
    size_t n_kv = 19, n_tensors = 21;
    CHECK(broken("n_kv", UINT64_MAX).code == Code::limit);
    CHECK(broken("n_tensors", UINT64_MAX).code == Code::limit);
    for (int delta : {-1, 1}) {
        CHECK(broken("n_kv", n_kv + delta).code != Code::ok);
        CHECK(broken("n_tensors", n_tensors + delta).code == (delta < 0 ? Code::ok : Code::format));
    }
    Limits l;
    l.gguf_kv = n_kv;
    l.gguf_tensors = n_tensors;
    CHECK(open_bytes(toy_base().build().bytes, l).code == Code::ok);
    l.gguf_kv = n_kv - 1;
    CHECK(open_bytes(toy_base().build().bytes, l).code == Code::limit);
    l.gguf_kv = n_kv + 1;
    l.gguf_tensors = n_tensors - 1;
    CHECK(open_bytes(toy_base().build().bytes, l).code == Code::limit);
    auto many = [](uint32_t n) {
        std::string s = "GGUF" + u32(3) + u64(0) + u64(n);
        for (uint32_t i = 0; i < n; ++i) {
            std::string key(8, 'k');
            std::memcpy(key.data() + 4, "0000", 4);
            for (int d = 7, v = static_cast<int>(i); d >= 1; --d, v /= 10) key[d] = static_cast<char>('0' + v % 10);
            s += u64(8) + key + u32(7) + '\1';
        }
        return s;
    };
    CHECK(open_bytes(many(1'000'000)).code == Code::limit);
    CHECK(open_bytes(many(65'536)).code == Code::ok);
    CHECK(open_bytes(many(65'537)).code == Code::limit);
}

TEST_CASE("gguf: keys (G-11 G-12 G-14)") {
    std::string len = "kv:general.name.key.len";
    uint64_t rest = toy_base().build().bytes.size();
    CHECK(broken(len, UINT64_MAX).truncated());
    CHECK(broken(len, 1ull << 63).truncated());
    CHECK(broken(len, rest).truncated());
    CHECK(broken(len, 65'536).code == Code::limit);
    CHECK(open_bytes("GGUF" + u32(3) + u64(0) + u64(1) + u64(0) + u32(7) + '\1').code == Code::format);
    auto with_key = [](const std::string &key) {
        return open_bytes(ToyGguf().kv(key, true).kv("pad", std::string(70'000, 'x')).build().bytes);
    };
    CHECK(with_key(std::string(65'535, 'k')).code == Code::ok);
    CHECK(with_key(std::string(65'536, 'k')).code == Code::limit);
    CHECK(with_key(std::string("a\0b", 3)).code == Code::format);
    CHECK(with_key("\xff").code == Code::format);
    auto twice = open_bytes(toy_base().kv("general.architecture", "gemma").build().bytes);
    CHECK(twice.code == Code::format);
    CHECK(twice.text.find("general.architecture") != std::string::npos);
}

TEST_CASE("gguf: values (G-18 G-19 G-21 G-23)") {
    for (uint64_t type : {uint64_t{13}, uint64_t{255}, uint64_t{0xffffffff}}) {
        CHECK(broken("kv:general.name.type", type).code == Code::format);
        CHECK(broken("kv:tokenizer.ggml.scores.array.type", type).code == Code::format);
    }
    auto nested = [&](int depth) {
        std::string raw;
        for (int i = 0; i < depth; ++i) raw += u32(9) + u64(1);
        return open_bytes(ToyGguf().kv_raw("deep", 9, raw + u32(0) + u64(0)).build().bytes);
    };
    CHECK(nested(1).code == Code::unsupported);
    CHECK(nested(10'000).code == Code::unsupported);
    for (uint8_t b : {2, 0x80, 0xff}) {
        CHECK(broken("kv:tokenizer.ggml.add_bos_token.value", b).code == Code::format);
        ToyGguf g;
        std::string items(200'000, '\1');
        items[199'999] = static_cast<char>(b);
        g.kv_raw("flags", 9, u32(7) + u64(items.size()) + items);
        auto o = open_bytes(g.build().bytes);
        CHECK(o.code == Code::format);
        CHECK(o.text.find(std::to_string(24 + 8 + 5 + 4 + 12 + 199'999)) != std::string::npos);
    }
    CHECK(broken("kv:tokenizer.ggml.tokens.array.len", UINT64_MAX).code == Code::limit);
    CHECK(broken("kv:tokenizer.ggml.tokens.array.len", 16'777'217).code == Code::limit);
    CHECK(broken("kv:tokenizer.ggml.tokens.array.len", 16'777'216).truncated());
    CHECK(broken("kv:tokenizer.ggml.scores.array.len", 16'777'216).truncated());
    CHECK(broken("kv:tokenizer.ggml.tokens.item[3].len", 1ull << 62).truncated());
    // Many empty strings: 8 bytes each in the file, 4 in memory.
    std::string empties = ToyGguf().kv_raw("e", 9, u32(8) + u64(2'000'000) + std::string(16'000'000, '\0')).build().bytes;
    auto o = open_bytes(empties);
    CHECK(o.code == Code::ok);
    CHECK(o.peak <= empties.size() / 2 + (1u << 20));
    Limits l;
    l.gguf_string_bytes = 100;
    CHECK(open_bytes(ToyGguf().kv("s", std::string(100, 'x')).build().bytes, l).code == Code::ok);
    CHECK(open_bytes(ToyGguf().kv("s", std::string(101, 'x')).build().bytes, l).code == Code::limit);
    l = {};
    l.gguf_array = 50;
    CHECK(open_bytes(ToyGguf().array("a", std::vector<int32_t>(50)).build().bytes, l).code == Code::ok);
    CHECK(open_bytes(ToyGguf().array("a", std::vector<int32_t>(51)).build().bytes, l).code == Code::limit);
    l = {};
    std::string text = ToyGguf().kv("s", std::string(1000, 'x')).build().bytes;
    l.gguf_metadata_bytes = text.size();
    CHECK(open_bytes(text, l).code == Code::ok);
    l.gguf_metadata_bytes = text.size() - 1;
    CHECK(open_bytes(text, l).code == Code::limit);
}

TEST_CASE("gguf: alignment (G-25 G-27)") {
    for (uint32_t a : {0u, 1u, 3u, 4u, 12u, 13u, 48u, 0x20000u, 0x80000000u, 0xffffffffu}) {
        CHECK_MESSAGE(open_bytes(toy_base().kv("general.alignment", a).build().bytes).code == Code::format, a);
    }
    for (uint32_t a : {8u, 16u, 32u, 64u, 4096u, 65536u}) {
        ToyGguf g = toy_base();
        g.alignment = a;
        CHECK_MESSAGE(open_bytes(g.kv("general.alignment", a).build().bytes).code == Code::ok, a);
    }
    CHECK(open_bytes(toy_base().kv("general.alignment", uint64_t{32}).build().bytes).code == Code::format);
    CHECK(open_bytes(toy_base().kv("general.alignment", "32").build().bytes).code == Code::format);
    CHECK(open_bytes(toy_base().array("general.alignment", std::vector<uint32_t>{32}).build().bytes).code == Code::format);
    // Offsets laid out for 32 in a file that says 64: they differ as soon as a size is an odd multiple of 32.
    ToyGguf g;
    g.kv("general.alignment", uint32_t{64}).tensor("a", DType::f32, {8}).tensor("b", DType::f32, {8});
    CHECK(open_bytes(g.build().bytes).code == Code::format);
}

TEST_CASE("gguf: shapes and types (G-30 G-32 G-33 G-35 G-36)") {
    auto one = [](DType type, std::vector<uint64_t> dims) {
        return open_bytes(ToyGguf().tensor("t", type, std::move(dims), std::string(4096, 'x')).build().bytes);
    };
    CHECK(one(DType::f32, {0}).code == Code::format);
    CHECK(one(DType::f32, {64, 0}).code == Code::format);
    CHECK(one(DType::f32, {}).code == Code::format);
    CHECK(one(DType::f32, {2, 2, 2, 2}).code == Code::ok);
    CHECK(one(DType::f32, {2, 2, 2, 2, 2}).code == Code::limit);
    CHECK(one(DType::f32, {0x3FFFFFFFFFFFFFFF}).code == Code::limit);
    CHECK(one(DType::f32, {1ull << 40}).truncated());
    CHECK(one(DType::f32, {(1ull << 40) + 1}).code == Code::limit);
    CHECK(one(DType::f64, {1ull << 31, 1ull << 30}).code == Code::limit);
    CHECK(one(DType::f32, {1ull << 40, 1ull << 40}).code == Code::limit);
    CHECK(one(DType::q4_0, {33}).code == Code::format);
    CHECK(one(DType::q4_k, {128}).code == Code::format);
    CHECK(one(DType::q4_0, {1ull << 63}).code == Code::limit);
    std::string type = "tensor:output.weight.type";
    for (uint32_t t : {4u, 5u, 31u, 32u, 33u, 36u, 9u, 15u}) CHECK(broken(type, t).code == Code::unsupported);
    CHECK(broken(type, 4).text.find("Q4_2") != std::string::npos);
    for (uint32_t t : {255u, 0xffffffffu, 0x7fffffffu, 40u, 100u}) CHECK(broken(type, t).code == Code::format);
}

TEST_CASE("gguf: offsets (G-37 G-39 G-40)") {
    ToyFile f = toy_base().build();
    for (uint64_t v :
         {uint64_t{1}, uint64_t{33}, UINT64_MAX, UINT64_MAX - 31, static_cast<uint64_t>(f.bytes.size() - f.data_offset), uint64_t{1} << 63})
        CHECK(broken("tensor:blk.0.attn_q.weight.offset", v).code == Code::format);
    // Two entries change places: their offsets stand in another order.
    ToyFile g = ToyGguf().tensor("aa", DType::f32, {8}).tensor("bb", DType::f32, {8}).build();
    CHECK(open_bytes(g.bytes).code == Code::ok);
    CHECK(open_bytes(ToyFile(g).set("tensor:aa.offset", 32).set("tensor:bb.offset", 0).bytes).code == Code::format);
    auto hole = open_bytes(ToyFile(g).set("tensor:bb.offset", 1u << 30).bytes);
    CHECK(hole.code == Code::format);
    CHECK(hole.peak < (1u << 20));
    CHECK(open_bytes(f.bytes + "x").code == Code::ok);
    std::string log;
    Log sink([](void *user, int32_t, const char *text, size_t n) { static_cast<std::string *>(user)->append(text, n); }, &log,
             LogLevel::info);
    outcome_of([&](Memory &m) {
        std::string more = f.bytes + "x";
        open_gguf(m, memory_source(m, as_bytes(more)), {}, sink);
    });
    CHECK(log.find("1 bytes after its last tensor") != std::string::npos);
}

TEST_CASE("gguf: tensor names (G-41)") {
    auto named = [](const std::string &name) { return open_bytes(ToyGguf().tensor(name, DType::f32, {8}).build().bytes).code; };
    CHECK(named(std::string(64, 'n')) == Code::ok);
    CHECK(named(std::string(65, 'n')) == Code::ok);
    CHECK(named(std::string(255, 'n')) == Code::ok);
    CHECK(named(std::string(256, 'n')) == Code::limit);
    CHECK(named("") == Code::format);
    CHECK(named(std::string("a\0b", 3)) == Code::format);
    CHECK(named("\xC0\x80") == Code::format);
    CHECK(named("t\xC3\xA9") == Code::ok);
    CHECK(broken("tensor:output.weight.name.len", UINT64_MAX).truncated());
    ToyGguf twice;
    twice.tensor("a", DType::f32, {8}).tensor("a", DType::f32, {8});
    CHECK(open_bytes(twice.build().bytes).code == Code::format);
}

TEST_CASE("gguf: every numeric field at every odd value (G-47)") {
    ToyGguf small;
    small.kv("general.architecture", "llama")
        .kv("general.alignment", uint32_t{32})
        .array("k", std::vector<std::string>{"a", "bc"})
        .array("f", std::vector<float>{1, 2});
    small.tensor("w", DType::q8_0, {64, 4}).tensor("v", DType::f32, {8});
    ToyFile f = small.build();
    uint64_t size = f.bytes.size();
    size_t refused = 0;
    for (auto &[name, field] : f.fields) {
        if (field.bytes != 4 && field.bytes != 8) continue;
        for (uint64_t v :
             {uint64_t{0}, uint64_t{1}, UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, uint64_t{1} << 31, size, size + 1, size - 1})
            refused += open_bytes(ToyFile(f).set(name, v).bytes).code != Code::ok;
    }
    CHECK(refused > 100);
}

TEST_CASE("gguf: flipped bits and random damage end in a status (G-46)") {
    ToyGguf small;
    small.kv("general.architecture", "llama")
        .kv("general.alignment", uint32_t{32})
        .array("k", std::vector<std::string>{"a", "bc", ""})
        .array("b", std::vector<bool>{});
    small.tensor("w", DType::q8_0, {64, 4}).tensor("v", DType::f32, {8}).tensor("u", DType::q6_k, {256, 2});
    std::string s = small.build().bytes;
    for (size_t i = 0; i < 400; ++i)  // the head of this file and a little of its data
        for (int bit = 0; bit < 8; ++bit) {
            std::string t = s;
            t[i] = static_cast<char>(t[i] ^ (1 << bit));
            open_bytes(t);
        }
    std::mt19937 rnd(1);
    for (int n = 0; n < 3000; ++n) {
        std::string t = s;
        size_t o = rnd() % 400;
        switch (rnd() % 4) {
            case 0:
                t.resize(rnd() % t.size());
                break;
            case 1:
                t.erase(o, 1 + rnd() % 64);
                break;
            case 2:
                t.insert(o, std::string(1 + rnd() % 64, static_cast<char>(rnd())));
                break;
            default:
                for (int k = 0; k < 6; ++k) t[rnd() % 400] = static_cast<char>(rnd());
        }
        auto o2 = open_bytes(t);
        CHECK(o2.peak < (16u << 20));
    }
}

TEST_CASE("gguf: splits are one checkpoint, and contradictions are named") {
    TempFolder dir;
    auto part = [](int no, int count, int total, std::vector<std::string> names) {
        ToyGguf g;
        if (no == 0) g.kv("general.architecture", "llama");
        g.kv("split.no", static_cast<uint16_t>(no))
            .kv("split.count", static_cast<uint16_t>(count))
            .kv("split.tensors.count", int32_t{total});
        for (auto &n : names) g.tensor(n, DType::f32, {8});
        return g.build().bytes;
    };
    auto path = [&](int i) { return "m-0000" + std::to_string(i) + "-of-00003.gguf"; };
    dir.write(path(1), part(0, 3, 3, {"a"}));
    dir.write(path(2), part(1, 3, 3, {"b", "c"}));
    dir.write(path(3), part(2, 3, 3, {}));
    FileSystem files;
    auto open = [&](const std::string &name) { return outcome_of([&](Memory &m) { open_checkpoint(files, m, dir / name, {}, {}); }); };
    CHECK(open(path(1)).code == Code::ok);
    CHECK(open(path(2)).code == Code::ok);
    {
        Memory m;
        auto w = open_checkpoint(files, m, dir / path(2), {}, {});
        CHECK(w->tensors().size() == 3);
        CHECK(w->n_sources() == 3);
        CHECK(w->find("c")->source == 1);
        CHECK(w->gguf()->need_string("general.architecture") == "llama");
        std::string data(32, 0);
        w->read(*w->find("c"), 0, std::as_writable_bytes(std::span(data)));
        CHECK(data == ToyGguf::fill(DType::f32, {8}, "c"));
    }
    dir.write(path(3), part(1, 3, 3, {}));
    CHECK(open(path(1)).mismatch());
    dir.write(path(3), part(2, 4, 3, {}));
    CHECK(open(path(1)).mismatch());
    dir.write(path(3), part(2, 3, 3, {"d"}));
    CHECK(open(path(1)).mismatch());
    dir.write(path(3), part(2, 3, 3, {"a"}));
    CHECK(open(path(1)).mismatch());
    std::filesystem::remove(dir / path(3));
    CHECK(open(path(1)).code == Code::not_found);
    dir.write("other.gguf", part(0, 3, 3, {"a"}));
    CHECK(open("other.gguf").mismatch());
    std::string alone = part(0, 3, 3, {"a"});
    CHECK(outcome_of([&](Memory &m) { open_gguf(m, memory_source(m, as_bytes(alone)), {}, {}); }).code == Code::unsupported);
    std::string many = ToyGguf().kv("split.count", uint32_t{100'000}).build().bytes;
    CHECK(outcome_of([&](Memory &m) { open_gguf(m, memory_source(m, as_bytes(many)), {}, {}); }).code == Code::limit);
}
