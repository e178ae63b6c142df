// SPDX-License-Identifier: Apache-2.0
// Rows T of BAD_INPUTS.md: hostile vocabularies, tokenizer.json and .model files, hostile texts. Each names its row.
#include <doctest/doctest.h>

#include <cmath>
#include <ctime>
#include <functional>

#include "support/toy_gguf.h"
#include "text/bpe.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_hf.h"
#include "text/tokenizer_sp.h"
#include "tokenizer_support.h"

using namespace inlay_test;
using namespace inlay;
using text::EncodeScratch;
using text::Tokenizer;

namespace {

// "ok", or the status and message that fn() fails with.
struct Outcome {
    Code code = Code::ok;
    std::string text;
};
Outcome outcome(const std::function<void()> &fn) {
    try {
        fn();
    } catch (const Error &e) {
        return {e.code(), std::string(e.text())};
    }
    return {};
}
bool mismatch(const Outcome &o) { return o.code == Code::format && o.text.starts_with("mismatch:"); }
bool truncated(const Outcome &o) { return o.code == Code::format && o.text.starts_with("truncated:"); }

const std::vector<std::string> kBytes = [] {
    std::vector<std::string> v;
    const char *hex = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b) v.push_back(std::string("<0x") + hex[b >> 4] + hex[b & 15] + ">");
    return v;
}();

// A SentencePiece vocabulary: unk, BOS, EOS, bytes, then `pieces` with falling scores.
struct Spm {
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    std::vector<float> scores;
    std::vector<int32_t> types{2, 3, 3};
    explicit Spm(const std::vector<std::string> &pieces = {"▁", "a", "b", "ab", "▁a", "▁ab"}) {
        for (const std::string &b : kBytes) tokens.push_back(b), types.push_back(6);
        for (const std::string &p : pieces) tokens.push_back(p), types.push_back(1);
        for (size_t i = 0; i < tokens.size(); ++i) scores.push_back(-static_cast<float>(i));
    }
    ToyGguf gguf() const {
        ToyGguf g;
        g.kv("tokenizer.ggml.model", "llama").array("tokenizer.ggml.tokens", tokens).array("tokenizer.ggml.scores", scores);
        g.array("tokenizer.ggml.token_type", types)
            .kv<uint32_t>("tokenizer.ggml.bos_token_id", 1)
            .kv<uint32_t>("tokenizer.ggml.eos_token_id", 2);
        return g;
    }
};

std::vector<std::string> byte_chars() {
    std::vector<std::string> v;
    for (int b = 0; b < 256; ++b) {
        char s[4];
        v.emplace_back(s, text::utf8_write(text::char_of_byte(static_cast<unsigned char>(b)), s));
    }
    return v;
}
// A byte-level vocabulary with the results of the merges behind the bytes.
ToyGguf bpe(const std::vector<std::string> &more = {"ab"}, const std::vector<std::string> &merges = {"a b"}, const char *pre = "gpt-2") {
    std::vector<std::string> tokens = byte_chars();
    for (const std::string &t : more) tokens.push_back(t);
    ToyGguf g;
    g.kv("tokenizer.ggml.model", "gpt2").array("tokenizer.ggml.tokens", tokens).array("tokenizer.ggml.merges", merges);
    if (pre) g.kv("tokenizer.ggml.pre", pre);
    return g;
}

Owned<Tokenizer> open(Memory &m, const ToyGguf &g, const Limits &limits = {}) {
    ToyFile f = g.build();
    auto source = io::memory_source(m, f.span());
    Log log;
    auto file = io::Gguf::read(m, *source, limits, log);
    return text::tokenizer_from_gguf(m, *file, limits, log);
}
Outcome opens(const ToyGguf &g, const Limits &limits = {}) {
    return outcome([&] {
        Memory m;
        open(m, g, limits);
        CHECK(m.used() == 0);
    });
}
Outcome opens_json(const std::string &json) {
    return outcome([&] {
        Memory m;
        Limits limits;
        auto doc = io::JsonDocument::parse(m, json, text::tokenizer_json_limits(limits));
        text::tokenizer_from_hf(m, doc.root(), nullptr, limits, Log());
    });
}
Outcome opens_model(const std::string &bytes) {
    return outcome([&] {
        Memory m;
        text::tokenizer_from_sp(m, bytes, nullptr, Limits(), Log());
    });
}

std::string hf_bpe(const std::string &extra = "", const std::string &pre = "null", const std::string &normalizer = "null",
                   const std::string &vocab = R"({"a":0,"b":1,"ab":2})", const std::string &merges = R"(["a b"])") {
    return R"({"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + pre + extra + R"(,"model":{"type":"BPE","vocab":)" + vocab +
           R"(,"merges":)" + merges + "}}";
}
std::string split(const std::string &regex) {
    return R"({"type":"Split","pattern":{"Regex":")" + regex + R"("},"behavior":"Isolated","invert":false})";
}

// Protobuf, as far as a SentencePiece model needs it.
std::string varint(uint64_t v) {
    std::string s;
    for (; v >= 0x80; v >>= 7) s.push_back(static_cast<char>(v | 0x80));
    return s + static_cast<char>(v);
}
std::string field(uint64_t number, const std::string &bytes) { return varint(number << 3 | 2) + varint(bytes.size()) + bytes; }
std::string number(uint64_t number, uint64_t v) { return varint(number << 3) + varint(v); }
std::string piece(const std::string &text, uint64_t type = 1) {
    float score = -1;
    return field(1, field(1, text) + varint(2 << 3 | 5) + std::string(reinterpret_cast<const char *>(&score), 4) + number(3, type));
}
std::string sp_model(const std::string &more = "", uint64_t model = 2) {
    return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("▁") + piece("a") + piece("▁a") + more +
           field(2, number(3, model));
}

double seconds_of(const std::function<void()> &fn) {
    std::clock_t a = std::clock();
    fn();
    return static_cast<double>(std::clock() - a) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("the toy vocabularies open and encode") {
    Memory m;
    EncodeScratch s(m);
    auto spm = open(m, Spm().gguf());
    CHECK(encode(s, *spm, "ab ab", true, false) == Ids{1, 264, 264});
    CHECK(encode(s, *spm, "c", false, false) == Ids{259, 3 + 'c'});
    CHECK(decode(m, *spm, {1, 264, 264}, true) == "ab ab");
    auto b = open(m, bpe());
    CHECK(encode(s, *b, "abb", true, false) == Ids{256, 'b'});
    CHECK(opens_json(hf_bpe()).code == Code::ok);
    CHECK(opens_model(sp_model()).text == "");
    CHECK(opens_model(sp_model("", 1)).text == "");
}

TEST_CASE("T-01 tokens: none, one, beyond the limit") {
    Spm none;
    none.tokens.clear(), none.scores.clear(), none.types.clear();
    CHECK(mismatch(opens(none.gguf())));
    ToyGguf one;
    one.kv("tokenizer.ggml.model", "llama")
        .array("tokenizer.ggml.tokens", std::vector<std::string>{"a"})
        .array<float>("tokenizer.ggml.scores", {0});
    CHECK(opens(one).text == "");
    Limits limits;
    limits.vocab = Spm().tokens.size();
    CHECK(opens(Spm().gguf(), limits).code == Code::ok);
    --limits.vocab;
    CHECK(opens(Spm().gguf(), limits).code == Code::limit);
}

TEST_CASE("T-02 scores of another type or length") {
    auto with = [](auto scores) {
        Spm v;
        ToyGguf g;
        g.kv("tokenizer.ggml.model", "llama").array("tokenizer.ggml.tokens", v.tokens).array("tokenizer.ggml.scores", scores);
        return opens(g);
    };
    size_t n = Spm().tokens.size();
    CHECK(with(std::vector<uint8_t>(n)).code == Code::format);
    CHECK(with(std::vector<double>(n)).code == Code::format);
    CHECK(with(std::vector<int32_t>(n)).code == Code::format);
    for (size_t wrong : {n - 1, n + 1, size_t{0}}) CHECK(mismatch(with(std::vector<float>(wrong))));
    CHECK(with(std::vector<float>(n, NAN)).code == Code::format);
}

TEST_CASE("T-04 special ids outside of the vocabulary; none at all") {
    for (const char *key : {"unknown_token_id", "padding_token_id", "eot_token_id", "cls_token_id"}) {
        std::string name = std::string("tokenizer.ggml.") + key;
        CHECK(opens(Spm().gguf().kv<uint32_t>(name, static_cast<uint32_t>(Spm().tokens.size()))).code == Code::format);
        CHECK(opens(Spm().gguf().kv<int32_t>(name, -1)).code == Code::format);
        CHECK(opens(Spm().gguf().kv<uint32_t>(name, 0xffffffffu)).code == Code::format);
        CHECK(opens(Spm().gguf().kv(name, "1")).code == Code::format);
    }
    Memory m;
    ToyGguf one;
    one.kv("tokenizer.ggml.model", "llama")
        .array("tokenizer.ggml.tokens", std::vector<std::string>{"a"})
        .array<float>("tokenizer.ggml.scores", {0});
    auto t = open(m, one);
    CHECK(t->special().bos == -1);
    CHECK(t->special().eos == -1);
    EncodeScratch s(m);
    CHECK(encode(s, *t, "", true, false).empty());
}

TEST_CASE("T-05 BOS asked for and not there") {
    ToyGguf g = bpe();
    CHECK(opens(g.kv("tokenizer.ggml.add_bos_token", true)).code == Code::format);
}

TEST_CASE("T-06 token texts") {
    CHECK(opens(Spm({"a", "b", "a"}).gguf()).code == Code::format);
    CHECK(opens(Spm({std::string(65536, 'x')}).gguf()).text == "");
    CHECK(opens(Spm({std::string(65537, 'x')}).gguf()).code == Code::limit);
    CHECK(opens(Spm({"", "a", ""}).gguf()).text == "");
}

TEST_CASE("T-09 merges") {
    CHECK(opens(bpe({"ab"}, {"a b"})).text == "");
    for (const char *bad : {"ab", "a b c", "a ", " b", "", "q€ b", "a q€", "b a"}) {
        CAPTURE(bad);
        CHECK(opens(bpe({"ab"}, {bad})).code == Code::format);
    }
    CHECK(opens(bpe({"ab"}, {"a b", "a b"})).code == Code::format);
    Limits limits;
    limits.merges = 1;
    CHECK(opens(bpe({"ab", "cd"}, {"a b"}), limits).code == Code::ok);
    CHECK(opens(bpe({"ab", "cd"}, {"a b", "c d"}), limits).code == Code::limit);
}

TEST_CASE("T-11 character maps") {
    auto with = [](const std::string &blob) {
        Spm v;
        std::vector<uint8_t> bytes(blob.begin(), blob.end());
        return opens(v.gguf().array("tokenizer.ggml.precompiled_charsmap", bytes).kv("tokenizer.ggml.model2", "x"));
    };
    auto map = [](const std::string &blob) {
        return outcome([&] {
            Memory m;
            text::CharsMap c(m, blob);
            for (const char *t : {"", "a", "\xff", "\xC3\xA9", "abcdefgh"}) {
                auto hit = c.longest(t);
                CHECK(hit.size <= std::string(t).size());
            }
        });
    };
    (void)with;
    for (size_t n = 0; n < 4; ++n) CHECK(truncated(map(std::string(n, '\0'))));
    for (size_t n = 4; n < 9; ++n) CHECK(map(std::string(n, '\0')).code == Code::format);
    auto blob = [](std::vector<uint32_t> units, std::string text) {
        std::string s(4 + units.size() * 4, '\0');
        uint32_t n = static_cast<uint32_t>(units.size() * 4);
        std::memcpy(s.data(), &n, 4);
        std::memcpy(s.data() + 4, units.data(), n);
        return s + text;
    };
    std::string big = blob({0}, std::string(1, '\0'));
    big[0] = '\x7f';
    CHECK(map(big).code == Code::format);                                  // larger than the blob
    CHECK(map(blob({0}, "abc")).code == Code::format);                     // no NUL
    CHECK(map(blob({0}, std::string("\xff\0", 2))).code == Code::format);  // not UTF-8
    // Units of every kind of bits: nodes outside, cycles, values beyond the text. None may lead out of the blob.
    uint32_t x = 12345;
    for (int round = 0; round < 2000; ++round) {
        std::vector<uint32_t> units;
        for (int i = 0; i < 300; ++i) x = x * 1664525u + 1013904223u, units.push_back(x ^ (x >> 7));
        CHECK(map(blob(units, std::string("x\0", 2))).code == Code::ok);
    }
}

TEST_CASE("T-13 pre-tokenizers that we do not know") {
    for (const char *pre : {"no-such", "", "GPT-2"}) CHECK(opens(bpe({"ab"}, {"a b"}, pre)).code == Code::unsupported);
    CHECK(opens(bpe({"ab"}, {"a b"}, nullptr)).code == Code::unsupported);
    CHECK(opens(bpe({"ab"}, {"a b"}, std::string(1 << 20, 'x').c_str())).code == Code::unsupported);
}

TEST_CASE("T-15 tokenizer.json: cut, deep, large, duplicate keys, BOM") {
    std::string json = hf_bpe(R"(,"added_tokens":[{"id":3,"content":"<s>","special":true}])");
    REQUIRE(opens_json(json).text == "");
    for (size_t n = 0; n < json.size(); n += 1 + json.size() / 100) CHECK(opens_json(json.substr(0, n)).code == Code::format);
    CHECK(opens_json(hf_bpe("", std::string(10'000, '[') + std::string(10'000, ']'))).code == Code::limit);
    CHECK(opens_json(R"({"model":{},"model":{}})").code == Code::format);
    std::string deep = R"({"type":"NFC"})";
    for (int i = 0; i < 20; ++i) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
    CHECK(opens_json(hf_bpe("", "null", deep)).text == "");
    Limits limits;
    limits.tokenizer_json_bytes = json.size() - 1;
    CHECK(outcome([&] {
              Memory m;
              io::JsonDocument::parse(m, json, text::tokenizer_json_limits(limits));
          }).code == Code::limit);
    for (const char *wrong :
         {"[]", "1", "{}", R"({"model":1})", R"({"model":{"type":"BPE"}})", R"({"model":{"type":"BPE","vocab":[],"merges":[]}})",
          R"({"model":{"type":"BPE","vocab":{"a":"0"},"merges":[]}})", R"({"model":{"type":"BPE","vocab":{"a":0},"merges":{}}})"})
        CHECK(opens_json(wrong).code == Code::format);
    CHECK(opens_json(R"({"model":{"type":"Magic","vocab":{}}})").code == Code::unsupported);
}

TEST_CASE("T-17 added tokens") {
    auto with = [](const std::string &list) { return opens_json(hf_bpe(R"(,"added_tokens":[)" + list + "]")); };
    CHECK(with(R"({"id":3,"content":"x"},{"id":4,"content":"xy"},{"id":5,"content":"yx"})").text == "");
    CHECK(with(R"({"id":3,"content":""})").code == Code::format);
    CHECK(with(R"({"id":3,"content":")" + std::string(1 << 20, 'x') + "\"}").code == Code::limit);
    CHECK(with(R"({"id":2000000000,"content":"x"})").code == Code::format);
    CHECK(with(R"({"id":-1,"content":"x"})").code == Code::format);
    CHECK(with(R"({"id":0,"content":"x"})").code == Code::format);
    CHECK(with(R"({"id":3,"content":"x"},{"id":3,"content":"y"})").code == Code::format);
    CHECK(with(R"({"id":3,"content":"a"})").code == Code::format);  // "a" is token 0
    CHECK(with(R"({"content":"x"})").code == Code::format);
    std::string many;
    for (int i = 0; i < 65'537; ++i)
        many += (i ? "," : "") + std::string(R"({"id":)") + std::to_string(i + 3) + R"(,"content":"t)" + std::to_string(i) + "\"}";
    CHECK(with(many).code == Code::limit);
}

TEST_CASE("T-18 Split patterns") {
    for (const char *regex : {"(a+)+$", "(.*)*x", "\\\\p{L}{1,1000000}", "(a)\\\\1", "(((", "", "a"}) {
        CAPTURE(regex);
        CHECK(opens_json(hf_bpe("", split(regex))).code == Code::unsupported);
    }
    std::string alternation = "a";
    while (alternation.size() < (1 << 20)) alternation += "|ab";
    CHECK(opens_json(hf_bpe("", split(alternation))).code == Code::limit);
    CHECK(opens_json(hf_bpe("", split("\\\\p{N}{1,3}"))).text == "");
    CHECK(opens_json(hf_bpe("", R"({"type":"Nonsense"})")).code == Code::unsupported);
    CHECK(opens_json(hf_bpe("", "null", R"({"type":"Nonsense"})")).code == Code::unsupported);
}

TEST_CASE("T-21 .model files") {
    std::string good = sp_model();
    int refused = 0;
    for (size_t n = 0; n < good.size(); ++n) {
        Outcome o = opens_model(good.substr(0, n));
        refused += o.code == Code::format;
        // Cut between two fields it is a shorter model; it then lacks its type and is read as Unigram.
        CHECK((o.code == Code::format || o.code == Code::ok));
    }
    CHECK(refused > static_cast<int>(good.size() * 8 / 10));
    CHECK(truncated(opens_model(good + "\x0a\x85")));
    CHECK(truncated(opens_model(good + "\x80")));
    CHECK(opens_model(good + "\x08" + std::string(10, '\x80') + "\x01").code == Code::format);  // 11-byte varint
    CHECK(truncated(opens_model(good + "\x0a" + std::string(8, '\x80') + "\x80\x01")));         // length 2^63
    CHECK(opens_model(good + number(1, 5)).code == Code::format);                               // pieces as varint
    CHECK(opens_model(good + "\x0b").code == Code::format);                                     // group
    CHECK(opens_model(good + "\x0e").code == Code::format);                                     // wire type 6
    CHECK(opens_model(good + number(0, 5)).code == Code::format);                               // field 0
    CHECK(opens_model(good + piece("")).code == Code::format);
    CHECK(opens_model(good + piece("a")).code == Code::format);  // duplicate
    CHECK(opens_model(good + piece("x", 9)).code == Code::format);
    CHECK(opens_model(good + piece("x", 2)).code == Code::format);  // a second unknown
    CHECK(opens_model(good + number(77, 1)).text == "");            // unknown fields pass
    CHECK(opens_model(sp_model("", 3)).code == Code::unsupported);
    std::string empties;
    for (int i = 0; i < 5'000'000; ++i) empties.append("\x0a\x00", 2);
    CHECK(opens_model(empties).code == Code::limit);
}

TEST_CASE("T-22, T-25 long texts: linear time, constant stack") {
    Memory m;
    EncodeScratch s(m);
    auto spm = open(m, Spm({"▁", "a", "aa", "aaaa", "aaaaaaaa", "aaa", "'s", "\n\n"}).gguf());
    std::vector<std::string> more{"aa", "aaaa", "aaaaaaaa", "ab", "aab"}, merges{"a a", "aa aa", "aaaa aaaa", "a b", "aa b"};
    auto b = open(m, bpe(more, merges, "llama-bpe"));
    const char *units[] = {"a", "\n", " ", "^", "7", "\xCC\x81", "\xF0\x9F\x98\x80\xE2\x80\x8D", "'s", "ab", "\t\n", " a", "\xFF"};
    for (const char *unit : units) {
        CAPTURE(unit);
        auto repeat = [&](size_t bytes) {
            std::string t;
            while (t.size() < bytes) t += unit;
            return t;
        };
        std::string small = repeat(1 << 17), large = repeat(1 << 20);
        for (const auto *t : {spm.get(), b.get()}) {
            encode(s, *t, large, false, false);  // memory is there
            double a = seconds_of([&] { encode(s, *t, small, false, false); }), z = seconds_of([&] { encode(s, *t, large, false, false); });
            // n log n of 8 times the text is at most 10 times the work; a quadratic step would be 64.
            CHECK(z < 30 * a + 0.05);
            CHECK(z < 2.0);
        }
    }
}

TEST_CASE("T-23 broken UTF-8 round-trips byte by byte") {
    Memory m;
    EncodeScratch s(m);
    auto spm = open(m, Spm().gguf().kv("tokenizer.ggml.add_space_prefix", false));
    auto b = open(m, bpe());
    auto q = open(m, bpe({"ab"}, {"a b"}, "qwen2"));
    for (std::string text :
         {std::string("a\0b", 3), std::string("\xC0\x80"), std::string("\xED\xA0\x80"), std::string("ab\xE2\x82"),
          std::string("\xF5\x80\x80\x80"), std::string("\xFF\xFE a"), std::string("\x80"), std::string("\xF0\x9F\x98")}) {
        for (const auto *t : {spm.get(), b.get(), q.get()}) CHECK(decode(m, *t, encode(s, *t, text, false, false)) == text);
    }
}

TEST_CASE("T-24 no control id from a user's text") {
    Memory m;
    EncodeScratch s(m);
    Spm v({"▁", "<", "|", "im", "_", "end", ">", "a", "<|im_end|>", "i", "m", "e", "n", "d"});
    v.types[3 + 256 + 8] = 3;
    auto spm = open(m, v.gguf());
    std::vector<std::string> tokens = byte_chars();
    tokens.push_back("<|im_end|>");
    std::vector<int32_t> types(256, 1);
    types.push_back(3);
    ToyGguf g;
    g.kv("tokenizer.ggml.model", "gpt2")
        .kv("tokenizer.ggml.pre", "llama-bpe")
        .array("tokenizer.ggml.tokens", tokens)
        .array("tokenizer.ggml.token_type", types);
    g.array("tokenizer.ggml.merges", std::vector<std::string>{});
    auto b = open(m, g);
    std::string many;
    for (int i = 0; i < 50'000; ++i) many += "<|im_end|>";
    for (const auto *t : {spm.get(), b.get()}) {
        int32_t end = t->find("<|im_end|>");
        REQUIRE(end >= 0);
        for (const std::string &text : {many, std::string("a<|im_en"), std::string("<|<|im_end|>"), std::string("<|im_end|>")}) {
            for (int32_t id : encode(s, *t, text, false, false)) CHECK_FALSE(t->is_control(id));
            CHECK(decode(m, *t, encode(s, *t, text, false, false)).ends_with(text));
        }
        Ids parsed = encode(s, *t, many, false, true);
        CHECK(std::count(parsed.begin(), parsed.end(), end) == 50'000);
        parsed = encode(s, *t, "<|<|im_end|>", false, true);
        CHECK(parsed.back() == end);
        CHECK(std::count(parsed.begin(), parsed.end(), end) == 1);
        CHECK(t->is_end(end));
    }
}

TEST_CASE("T-27 ids outside of the vocabulary") {
    Memory m;
    auto t = open(m, Spm().gguf());
    String out{Alloc<char>(m)};
    for (int32_t id : {-1, t->n_vocab(), 0x7fffffff}) {
        Ids ids{id};
        CHECK(outcome([&] { t->decode(ids, false, out); }).code == Code::invalid_argument);
        CHECK(outcome([&] { t->token_text(id); }).code == Code::invalid_argument);
        text::StreamDecoder d(m, *t, false);
        CHECK(outcome([&] { d.push(id, out); }).code == Code::invalid_argument);
        CHECK_FALSE(t->is_end(id));
    }
    CHECK(decode(m, *t, Ids(1'000'000, 260)).size() == 1'000'000);
}

TEST_CASE("T-29 a text beyond 2^31 - 1 bytes") {
    Memory m;
    EncodeScratch s(m);
    auto t = open(m, Spm().gguf());
    Vector<int32_t> ids{Alloc<int32_t>(m)};
    // The length alone decides: nothing is read.
    std::string_view huge("x", (size_t{1} << 31) + 16);
    CHECK(outcome([&] { t->encode(s, huge, {}, ids); }).code == Code::limit);
    CHECK(ids.empty());
}
