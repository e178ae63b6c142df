// SPDX-License-Identifier: Apache-2.0
// The rows S of the catalogue: the safetensors container and the folder around it.
#include "io/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "io_support.h"
#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay::io;
using namespace inlay_test;

namespace {

Outcome read_bytes(const std::string &s, const Limits &limits = {}) {
    return outcome_of([&](Memory &m) {
        Arena names(m);
        Vector<TensorInfo> out{Alloc<TensorInfo>(m)};
        CopySource source(s);
        read_safetensors(m, source, 0, limits, names, out);
    });
}
Outcome header(const std::string &h, size_t data = 0, const Limits &limits = {}) {
    return read_bytes(toy_safetensors(h, std::string(data, 'd')), limits);
}
std::string entry(const std::string &name, const std::string &dtype, const std::string &shape, const std::string &offsets) {
    return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}
Outcome with_offsets(const std::string &o) { return header("{" + entry("a", "\"F32\"", "[4]", o) + "}", 16); }
Outcome with_shape(const std::string &s, const std::string &o = "[0,16]") { return header("{" + entry("a", "\"F32\"", s, o) + "}", 16); }
Outcome with_dtype(const std::string &t, const std::string &s = "[4]", const std::string &o = "[0,16]", size_t data = 16) {
    return header("{" + entry("a", t, s, o) + "}", data);
}

}  // namespace

TEST_CASE("safetensors: what is written is read, in the order of the data") {
    std::string h =
        R"({"__metadata__":{"format":"pt","n":"é\n"}, "b\u0062\u00e9" : {"shape":[2,3],"dtype":"F16","data_offsets":[4,16],"extra":[1,{"x":null}]},
        "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )";
    std::string file = toy_safetensors(h, "0123456789abcdef");
    Memory m;
    Arena names(m);
    Vector<TensorInfo> out{Alloc<TensorInfo>(m)};
    CopySource source(file);
    read_safetensors(m, source, 3, {}, names, out);
    REQUIRE(out.size() == 2);
    CHECK(out[0].name == "a");
    CHECK(out[0].n_dims == 0);
    CHECK(out[0].elements == 1);
    CHECK(out[1].name == "bb\xC3\xA9");
    CHECK(out[1].dtype == DType::f16);
    CHECK(out[1].shape[0] == 2);
    CHECK(out[1].shape[1] == 3);
    CHECK(out[1].source == 3);
    CHECK(out[1].offset == 8 + h.size() + 4);
    CHECK(out[1].bytes == 12);
    CHECK(header("{}").code == Code::ok);
    CHECK(header("{ \n}\t ").code == Code::ok);
}

TEST_CASE("safetensors: lengths and prefixes (S-01 S-03)") {
    std::string s = toy_safetensors("{" + entry("a", "\"F32\"", "[4]", "[0,16]") + "}", std::string(16, 'd'));
    for (size_t n = 0; n < s.size(); ++n) CHECK_MESSAGE(read_bytes(s.substr(0, n)).truncated(), n);
    auto declared = [&](uint64_t n) { return read_bytes(toy_safetensors("{}", "", n)); };
    CHECK(declared(UINT64_MAX).code == Code::limit);
    CHECK(declared(1ull << 63).code == Code::limit);
    CHECK(declared(100'000'001).code == Code::limit);
    CHECK(declared(3).truncated());
    CHECK(declared(0).code == Code::format);
    for (auto &o : {declared(UINT64_MAX), declared(3)}) CHECK(o.peak < 1000);
    Limits l;
    l.st_header_bytes = 10;
    CHECK(header("{}        ", 0, l).code == Code::ok);
    CHECK(header("{}         ", 0, l).code == Code::limit);
}

TEST_CASE("safetensors: hostile headers of 100 MB cost a window (S-04 S-17)") {
    auto big = [](const std::string &piece) {
        std::string h;
        while (h.size() < 100'000'000) h += piece;
        h.resize(100'000'000);
        auto o = header(h);
        CHECK(o.peak < (1u << 20));
        return o.code;
    };
    CHECK(big("[") == Code::limit);
    CHECK(big(" ") == Code::format);
    CHECK(big("{\"a\":") == Code::limit);
    CHECK(with_shape("[" + std::string(10'000'000, '1') + "]").code == Code::limit);
    auto deep = [](int n) {
        Limits l;
        return header("{\"a\":{\"x\":" + std::string(n, '[') + std::string(n, ']') +
                          ",\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                      0, l)
            .code;
    };
    CHECK(deep(5) == Code::ok);
    CHECK(deep(6) == Code::ok);  // 2 + 6 = the limit of 8
    CHECK(deep(7) == Code::limit);
}

TEST_CASE("safetensors: form of the header (S-06 S-07)") {
    std::string e = entry("a", "\"F32\"", "[4]", "[0,16]"), f = entry("b", "\"F32\"", "[0]", "[0,0]");
    for (const std::string &h :
         std::vector<std::string>{" {" + e + "}",
                                  "{" + e + "}" + std::string(3, '\0'),
                                  "[" + e + "]",
                                  "{" + e,
                                  "{" + e + ",}",
                                  "{" + e + "}}",
                                  "{" + e + " " + f + "}",
                                  "{" + e + "," + entry("a", "\"F32\"", "[0]", "[0,0]") + "}",
                                  std::string(R"({"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
                                  std::string(R"({"a":{"dtype":"F32","shape":[4],"shape":[4],"data_offsets":[0,16]}})"),
                                  std::string(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"data_offsets":[0,16]}})"),
                                  "{\"__metadata__\":{},\"__metadata__\":{}," + e + "}",
                                  "{\"__metadata__\":{\"a\":1}," + e + "}",
                                  "{\"__metadata__\":[]," + e + "}",
                                  std::string(R"({"a":{"dtype":"F32","shape":[4]}})"),
                                  std::string(R"({"a":{}})"),
                                  std::string(R"({"a":[]})"),
                                  std::string(R"({"a":7})"),
                                  "{\"\":" + e.substr(4) + "}",
                                  "{\"\\u0000\":" + e.substr(4) + "}",
                                  "{\"\\ud800\":" + e.substr(4) + "}",
                                  "{\"\xff\":" + e.substr(4) + "}",
                                  "{\"\xED\xA0\x80\":" + e.substr(4) + "}",
                                  "{\"a\nb\":" + e.substr(4) + "}",
                                  "{\"\\q\":" + e.substr(4) + "}",
                                  "{" + e + "}x",
                                  "{a:1}",
                                  "{\"x\":nul}"})
        CHECK_MESSAGE(header(h, 16).code == Code::format, h);
    CHECK(header("{" + e + "," + f + "}  ", 16).code == Code::ok);
}

TEST_CASE("safetensors: offsets (S-10 S-11 S-13)") {
    CHECK(with_offsets("[0,16]").code == Code::ok);
    for (const char *o : {"[4,0]", "[-1,16]", "[0.5,16]", "[\"0\",16]", "[1e2,16]", "[0,18446744073709551616]", "[0]", "[]", "[0,8,16]",
                          "0", "null", "[00,16]", "[0,16.0]", "[0,12]", "[4,20]", "[0,+16]", "[-0,16]"})
        CHECK_MESSAGE(with_offsets(o).code == Code::format, o);
    CHECK(header("{" + entry("a", "\"F32\"", "[4]", "[0,16]") + "}", 15).truncated());
    CHECK(header("{" + entry("a", "\"F32\"", "[4]", "[0,16]") + "}", 17).code == Code::format);
    CHECK(header("{" + entry("a", "\"F32\"", "[4]", "[4,20]") + "}", 20).code == Code::format);
    std::string a = entry("a", "\"F32\"", "[4]", "[0,16]"), b = entry("b", "\"F32\"", "[4]", "[8,24]"),
                c = entry("c", "\"F32\"", "[4]", "[16,32]");
    CHECK(header("{" + a + "," + c + "}", 32).code == Code::ok);
    CHECK(header("{" + c + "," + a + "}", 32).code == Code::ok);
    CHECK(header("{" + a + "," + b + "}", 24).code == Code::format);
    CHECK(header("{" + a + "," + b + "}", 32).code == Code::format);
    std::string z0 = entry("z", "\"F32\"", "[0,7]", "[0,0]"), z16 = entry("z", "\"F32\"", "[0]", "[16,16]"),
                z8 = entry("z", "\"F32\"", "[0]", "[8,8]");
    for (auto &[z, code] : {std::pair{z0, Code::ok}, std::pair{z16, Code::ok}, std::pair{z8, Code::format}}) {
        CHECK(header("{" + z + "," + a + "," + c + "}", 32).code == code);
        CHECK(header("{" + a + "," + z + "," + c + "}", 32).code == code);
        CHECK(header("{" + c + "," + a + "," + z + "}", 32).code == code);
    }
    std::string many = "{";
    for (int i = 0; i < 100'000; ++i) many += (i ? "," : "") + entry("t" + std::to_string(i), "\"F32\"", "[200,200]", "[0,160000]");
    auto o = header(many + "}", 160'000);
    CHECK(o.code == Code::format);
    CHECK(o.peak < (1u << 20));
    std::string same = "{";
    for (int i = 0; i < 50'000; ++i)
        same += (i ? "," : "") +
                entry("t" + std::to_string(i % 49'999), "\"I8\"", "[1]", "[" + std::to_string(i) + "," + std::to_string(i + 1) + "]");
    auto twice = header(same + "}", 50'000);
    CHECK(twice.code == Code::format);
    CHECK(twice.peak < (16u << 20) + 3 * same.size() / 2);
}

TEST_CASE("safetensors: shapes and types (S-14 S-15)") {
    for (const char *s : {"[2,18446744073709551614]", "[2,9223372036854775807]", "[-1]", "[1e3]", "[0,9223372036854775808]", "[4.0]", "4",
                          "[\"4\"]", "[[4]]", "[3]", "[1099511627776,1099511627776]"}) {
        Code c = with_shape(s).code;
        CHECK_MESSAGE((c == Code::format || c == Code::limit), s);
    }
    std::string dims = "[4";
    for (int i = 1; i < 8; ++i) dims += ",1";
    CHECK(with_shape(dims + "]").code == Code::ok);
    CHECK(with_shape(dims + ",1]").code == Code::limit);
    for (const char *t : {"\"F33\"", "\"f32\"", "\"\"", "7", "null", "\"F32 \"", "\"F32F32F32F32F32F32\""})
        CHECK_MESSAGE(with_dtype(t).code == Code::format, t);
    CHECK(with_dtype("\"C64\"", "[2]").code == Code::unsupported);
    CHECK(with_dtype("\"F4\"", "[32]").code == Code::ok);
    CHECK(with_dtype("\"F4\"", "[31]").code == Code::format);
    CHECK(with_dtype("\"F6_E2M3\"", "[4]", "[0,3]", 3).code == Code::ok);
    for (const char *t : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"})
        CHECK(with_dtype("\"" + std::string(t) + "\"", "[16]").code == Code::ok);
    for (const char *t : {"U16", "I16", "F16", "BF16"}) CHECK(with_dtype("\"" + std::string(t) + "\"", "[8]").code == Code::ok);
    for (const char *t : {"U64", "I64", "F64"}) CHECK(with_dtype("\"" + std::string(t) + "\"", "[2]").code == Code::ok);
    Limits l;
    l.st_tensors = 2;
    std::string two = entry("a", "\"F32\"", "[0]", "[0,0]") + "," + entry("b", "\"F32\"", "[0]", "[0,0]");
    CHECK(header("{" + two + "}", 0, l).code == Code::ok);
    CHECK(header("{" + two + "," + entry("c", "\"F32\"", "[0]", "[0,0]") + "}", 0, l).code == Code::limit);
}

TEST_CASE("safetensors: random damage ends in a status") {
    std::string s = toy_safetensors(R"({"__metadata__":{"f":"pt"},)" + entry("a", "\"F32\"", "[4]", "[0,16]") + "," +
                                        entry("b\\u00e9", "\"BF16\"", "[2,2]", "[16,24]") + "}",
                                    std::string(24, 'd'));
    std::mt19937 rnd(2);
    for (size_t i = 0; i < s.size() - 24; ++i)
        for (int bit = 0; bit < 8; ++bit) {
            std::string t = s;
            t[i] = static_cast<char>(t[i] ^ (1 << bit));
            read_bytes(t);
        }
    for (int n = 0; n < 3000; ++n) {
        std::string t = s;
        size_t o = rnd() % (s.size() - 24);
        switch (rnd() % 4) {
            case 0:
                t.resize(rnd() % t.size());
                break;
            case 1:
                t.erase(o, 1 + rnd() % 20);
                break;
            case 2:
                t.insert(o, std::string(1 + rnd() % 20, "{}[]\",:0\\u\xff"[rnd() % 12]));
                break;
            default:
                for (int k = 0; k < 3; ++k) t[8 + rnd() % (s.size() - 32)] = "{}[]\",:0-e\\u"[rnd() % 12];
        }
        read_bytes(t);
    }
}

TEST_CASE("folder: one file, shards, and what an index may say (S-19)") {
    FileSystem files;
    TempFolder dir;
    auto open = [&] { return outcome_of([&](Memory &m) { open_checkpoint(files, m, dir.path(), {}, {}); }); };
    CHECK(open().code == Code::not_found);
    dir.write("config.json", R"({"model_type":"llama","vocab_size":4})");
    CHECK(open().code == Code::ok);
    auto file = [&](const char *name) {
        return toy_safetensors("{" + entry(name, "\"F32\"", "[4]", "[0,16]") + "}", std::string(16, *name));
    };
    dir.write("model.safetensors", file("a"));
    {
        Memory m;
        auto w = open_checkpoint(files, m, dir.path() + "/", {}, {});
        CHECK(w->kind() == WeightsFile::Kind::hf);
        CHECK(w->gguf() == nullptr);
        CHECK(w->config()->find("vocab_size")->integer() == 4);
        CHECK(w->find("a")->shape[0] == 4);
        CHECK_FALSE(w->side_json("generation_config.json", {}).has_value());
    }
    std::filesystem::remove(dir / "model.safetensors");
    dir.write("m-1.safetensors", file("a"));
    dir.write("m-2.safetensors", file("b"));
    auto index = [&](const std::string &map) {
        dir.write("model.safetensors.index.json", "{\"metadata\":{\"total_size\":32},\"weight_map\":" + map + "}");
        return open();
    };
    CHECK(index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})").code == Code::ok);
    {
        Memory m;
        auto w = open_checkpoint(files, m, dir.path(), {}, {});
        CHECK(w->n_sources() == 2);
        std::string data(16, 0);
        w->read(*w->find("b"), 0, std::as_writable_bytes(std::span(data)));
        CHECK(data == std::string(16, 'b'));
    }
    for (const char *bad : {"../../etc/passwd", "/etc/passwd", "\\\\\\\\host\\\\x", "a/b", "..", ".", "", "C:x", "CON", "nul.safetensors",
                            "a\\u0000b", "a\\nb"})
        CHECK_MESSAGE(index("{\"a\":\"" + std::string(bad) + "\"}").code == Code::invalid_argument, bad);
    CHECK(index(R"({"a":"m-1.safetensors","b":"m-3.safetensors"})").code == Code::not_found);
    CHECK(index(R"({"a":"m-2.safetensors","b":"m-1.safetensors"})").mismatch());
    CHECK(index(R"({"a":"m-1.safetensors","c":"m-2.safetensors"})").mismatch());
    CHECK(index(R"({"a":7})").code == Code::format);
    CHECK(index("[]").code == Code::format);
    CHECK(index(R"({"a":"m-1.safetensors","a":"m-2.safetensors"})").code == Code::format);
    dir.write("m-2.safetensors", file("a"));
    CHECK(index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})").mismatch());
    std::string many = "{";
    for (int i = 0; i < 5'000; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"s" + std::to_string(i) + "\"";
    CHECK(index(many + "}").code == Code::limit);
    // Links: inside the folder and into a hub cache's blobs, but not elsewhere.
    namespace fs = std::filesystem;
    dir.write("m-2.safetensors", file("b"));
    fs::create_symlink("m-2.safetensors", dir / "in.safetensors");
    CHECK(index(R"({"a":"m-1.safetensors","b":"in.safetensors"})").code == Code::ok);
    TempFolder other;
    other.write("b.safetensors", file("b"));
    fs::create_symlink(other / "b.safetensors", dir / "out.safetensors");
    CHECK(index(R"({"a":"m-1.safetensors","b":"out.safetensors"})").code == Code::invalid_argument);
    fs::create_symlink("../x", dir / "up.safetensors");
    CHECK(index(R"({"b":"up.safetensors"})").code == Code::invalid_argument);
    fs::create_directories(other / "hub/blobs");
    fs::create_directories(other / "hub/snapshots/s");
    other.write("hub/blobs/0123", file("a"));
    other.write("hub/snapshots/s/config.json", "{}");
    other.write("hub/snapshots/s/model.safetensors.index.json", R"({"weight_map":{"a":"m.safetensors"}})");
    fs::create_symlink("../../blobs/0123", other / "hub/snapshots/s/m.safetensors");
    CHECK(outcome_of([&](Memory &m) { open_checkpoint(files, m, other / "hub/snapshots/s", {}, {}); }).code == Code::ok);
}

TEST_CASE("folder: chat templates come from their three places") {
    FileSystem files;
    TempFolder dir;
    dir.write("config.json", "{}");
    auto names = [&] {
        Memory m;
        auto w = open_checkpoint(files, m, dir.path(), {}, {});
        std::string s;
        for (auto &t : w->chat_templates()) s += std::string(t.name) + "=" + std::string(t.text) + ";";
        return s;
    };
    CHECK(names() == "");
    dir.write("tokenizer_config.json", R"({"chat_template":"one"})");
    CHECK(names() == "default=one;");
    dir.write("tokenizer_config.json",
              R"({"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"},{"name":7}]})");
    CHECK(names() == "default=d;tool_use=t;");
    dir.write("chat_template.jinja", "file");
    CHECK(names() == "default=file;tool_use=t;");
    std::string g = toy_base()
                        .kv("tokenizer.chat_template.rag", "r")
                        .kv("tokenizer.chat_template", "plain")
                        .array("tokenizer.chat_templates", std::vector<std::string>{"rag"})
                        .build()
                        .bytes;
    Memory m;
    auto w = open_gguf(m, memory_source(m, as_bytes(g)), {}, {});
    auto t = w->chat_templates();
    REQUIRE(t.size() == 2);
    CHECK(t[0].text == "plain");
    CHECK(t[1].name == "rag");
}
