// SPDX-License-Identifier: Apache-2.0
// Damaged model files through the whole of opening: head, configuration, weights, tokenizer, and a word through it. Any
// status will do; a crash, a hang or a leak will not (G-46 G-47 H-01 H-02 H-03 H-08 H-11 H-16).
#include <doctest/doctest.h>

#include <random>

#include "engine/opened_model.h"
#include "support/toy_gguf.h"
#include "support/toy_hf.h"
#include "text/tokenizer.h"

using namespace inlay;
using namespace inlay_test;

namespace {

struct Host {
    std::shared_ptr<engine::Runtime> rt;
    uint64_t idle = 0;
    size_t opened = 0, refused = 0;

    ToyFolder files;

    Host() {
        engine::RuntimeOptions o;
        o.io = map_hooks(files);
        o.executor = engine::ExecutorKind::caller;
        o.memory_bytes = 512u << 20;
        rt = std::make_shared<engine::Runtime>(o);
        idle = rt->memory().used();
    }
    Code open(const std::string &bytes) {
        files["m.gguf"] = bytes;
        return open_path("m.gguf");
    }
    Code open_path(const char *path) {
        Code code = Code::ok;
        try {
            Memory &m = rt->memory();
            auto file = io::open_checkpoint(rt->files(), m, path, rt->limits(), rt->log());
            engine::OpenedModel model(rt, std::move(file), {});
            if (const text::Tokenizer *t = model.tokenizer()) {
                Vector<int32_t> ids((Alloc<int32_t>(m)));
                text::EncodeScratch scratch(m);
                t->encode(scratch, "hello w\xC3\xB6rld", {}, ids);
                String back(m);
                t->decode(ids, false, back);
            }
            ++opened;
        } catch (const Error &e) {
            code = e.code();
            ++refused;
        }
        CHECK(rt->memory().used() == idle);
        return code;
    }
};

}  // namespace

TEST_CASE("hostile: every numeric field of a model at every odd value") {
    Host host;
    ToyFile f = toy_base().build();
    REQUIRE(host.open(f.bytes) == Code::ok);
    uint64_t size = f.bytes.size();
    for (auto &[name, field] : f.fields) {
        // Items of the vocabulary are alike: a few of them stand for all.
        bool item = name.find(".item[") != std::string::npos;
        if ((field.bytes != 4 && field.bytes != 8) || (item && name.find("7]") == std::string::npos)) continue;
        for (uint64_t v : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{0x7fc00000}, uint64_t{0x7f800000}, uint64_t{0xbf800000},
                           UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, uint64_t{1} << 31, uint64_t{4097}, size, size + 1, size - 1})
            host.open(ToyFile(f).set(name, v).bytes);
    }
    CHECK(host.refused > 1000);
    CHECK(host.opened > 10);
}

TEST_CASE("hostile: random damage to the head of a model") {
    Host host;
    ToyFile f = toy_base(DType::q8_0).build();
    std::mt19937 rnd(5);
    for (int n = 0; n < 1500; ++n) {
        std::string t = f.bytes;
        size_t head = rnd() % 2 ? 700 : f.data_offset, o = rnd() % head;
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
                for (unsigned k = rnd() % 5 + 1; k-- > 0;) t[rnd() % head] = static_cast<char>(t[rnd() % head] ^ (1 << rnd() % 8));
        }
        host.open(t);
    }
    CHECK(host.refused > 500);
}

TEST_CASE("hostile: random damage to each text of a folder") {
    Host host;
    ToyFolder whole = toy_hf();
    for (auto &[name, text] : whole) host.files["hf/" + name] = text;
    REQUIRE(host.open_path("hf") == Code::ok);
    std::mt19937 rnd(6);
    const std::string alphabet("{}[]\",:0123456789-+.eEtfn\\ ", 28);  // with its NUL
    for (auto &[name, text] : whole) {
        if (name == "model.safetensors") continue;
        std::string &file = host.files["hf/" + name];
        for (int n = 0; n < 400; ++n) {
            std::string t = text;
            for (unsigned k = rnd() % 3 + 1; k-- > 0;) {
                size_t o = rnd() % t.size();
                switch (rnd() % 5) {
                    case 0:
                        t.erase(o, 1 + rnd() % 8);
                        break;
                    case 1:
                        t.insert(o, 1, alphabet[rnd() % alphabet.size()]);
                        break;
                    case 2:
                        t[o] = alphabet[rnd() % alphabet.size()];
                        break;
                    case 3:
                        t.resize(o + 1);
                        break;
                    default: {
                        // A digit where a digit stood keeps the text well-formed, so that its meaning is what breaks.
                        size_t d = t.find_first_of("0123456789", o);
                        if (d != std::string::npos) t[d] = static_cast<char>('0' + rnd() % 10);
                    }
                }
                if (t.empty()) break;
            }
            file = t;
            host.open_path("hf");
        }
        file = text;
    }
    CHECK(host.open_path("hf") == Code::ok);
    CHECK(host.refused > 300);
    CHECK(host.opened > 100);
}

TEST_CASE("hostile: each number of a config at odd values, each key of a wrong type (H-01 to H-16)") {
    Host host;
    ToyFolder whole = toy_hf();
    for (auto &[name, text] : whole) host.files["hf/" + name] = text;
    for (const char *name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
        const std::string &text = whole[name];
        for (size_t at = text.find(':'); at != std::string::npos && at < 6000; at = text.find(':', at + 1)) {
            if (text[at - 1] != '"') continue;
            size_t end = text.find_first_of(",}]", at);
            bool nests = text[at + 1] == '{' || text[at + 1] == '[';
            if (nests) end = at + 1;
            for (const char *v : {"0",
                                  "1",
                                  "-1",
                                  "3",
                                  "4097",
                                  "100000",
                                  "4294967295",
                                  "9223372036854775807",
                                  "18446744073709551616",
                                  "1e309",
                                  "-0.0",
                                  "1e-45",
                                  "0.5",
                                  "null",
                                  "true",
                                  "\"x\"",
                                  "\"\"",
                                  "[]",
                                  "[1]",
                                  "{}"}) {
                // Before a nested value the odd one stands under a key of its own, which nobody knows.
                host.files[std::string("hf/") + name] =
                    nests ? text.substr(0, at + 1) + v + ",\"other\":" + text.substr(end) : text.substr(0, at + 1) + v + text.substr(end);
                host.open_path("hf");
            }
        }
        host.files[std::string("hf/") + name] = text;
    }
    CHECK(host.refused > 250);
}
