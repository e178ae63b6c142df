// SPDX-License-Identifier: Apache-2.0
// Against the originals' answers that are part of the project (tests/golden/tokenizer, by make.py): pre-tokenizers,
// normal forms, tokenizer.json and .model files; then the streaming decoder and stop strings, which have no original.
#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <map>

#include "io/utf8.h"
#include "support/shared.h"
#include "text/bpe.h"
#include "text/messages.h"
#include "text/stop_strings.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_hf.h"
#include "tokenizer_support.h"

using namespace inlay_test;
using namespace inlay;
using text::EncodeScratch;

namespace {

const std::string kFolder = std::string(INLAY_SOURCE_ROOT) + "/tests/golden/tokenizer/";

// Calls f(row) for each line of a .jsonl file; gives the number of lines.
template <class F>
int each_row(Memory &m, const std::string &name, const F &f) {
    int n = 0;
    for (const std::string &line : split(read_file(kFolder + name), "\n")) {
        if (line.empty()) continue;
        auto doc = io::JsonDocument::parse(m, line, {});
        f(doc.root());
        ++n;
    }
    return n;
}

Owned<text::Tokenizer> open(Memory &m, const std::string &name) {
    return text::tokenizer_from_path(m, io::FileSystem(), kFolder + name, Limits(), Log());
}

std::string stream(Memory &m, const text::Tokenizer &t, const Ids &ids) {
    String out{Alloc<char>(m)};
    text::StreamDecoder d(m, t, true);
    for (int32_t id : ids) d.push(id, out);
    d.finish(out);
    return std::string(out);
}

}  // namespace

TEST_CASE("pre-tokenizers cut as their patterns do") {
    Memory m;
    int n = each_row(m, "cuts.jsonl", [&](const io::Json &row) {
        std::string_view text = row.find("text")->string(), name = row.find("name")->string();
        CAPTURE(name);
        CAPTURE(text);
        const text::NamedPreTokenizer *pre = text::find_pretokenizer(name);
        REQUIRE(pre);
        std::vector<int64_t> want, got;
        for (const io::Json &e : row.find("ends")->items()) want.push_back(*e.integer());
        text::for_each_word(pre->cut, text, [&](std::string_view w) { got.push_back(w.data() + w.size() - text.data()); });
        CHECK(got == want);
    });
    CHECK(n > 800);
}

TEST_CASE("normal forms") {
    Memory m;
    EncodeScratch s(m);
    int n = each_row(m, "forms.jsonl", [&](const io::Json &row) {
        using Kind = text::NormStep::Kind;
        std::string_view text = row.find("text")->string(), name = row.find("name")->string();
        CAPTURE(name);
        CAPTURE(text);
        text::Normalizer norm(m);
        norm.add(name == "nfc"    ? Kind::nfc
                 : name == "nfd"  ? Kind::nfd
                 : name == "nfkc" ? Kind::nfkc
                 : name == "nfkd" ? Kind::nfkd
                                  : Kind::lowercase);
        CHECK(norm.apply(s, s.segment, text, true, true) == row.find("out")->string());
    });
    CHECK(n == 200);
}

TEST_CASE("small tokenizers answer as their originals") {
    Memory m;
    EncodeScratch s(m);  // one for all: the word cache must know its owner
    std::map<std::string, Owned<text::Tokenizer>> open_files;
    int n = each_row(m, "cases.jsonl", [&](const io::Json &row) {
        std::string file(row.find("file")->string());
        if (!open_files.contains(file)) open_files[file] = open(m, file);
        const text::Tokenizer &t = *open_files[file];
        std::string_view text = row.find("text")->string();
        bool special = row.find("special")->boolean();
        CAPTURE(file);
        CAPTURE(text);
        CAPTURE(special);
        Ids want;
        for (const io::Json &i : row.find("ids")->items()) want.push_back(static_cast<int32_t>(*i.integer()));
        std::vector<uint32_t> begins;
        Ids got = encode(s, t, text, special, special, &begins);
        CHECK(show(got) == show(want));
        for (size_t i = 0; i < begins.size(); ++i) CHECK((begins[i] <= text.size() && (i == 0 || begins[i] >= begins[i - 1])));
        if (const io::Json *d = row.find("decoded")) CHECK(stream(m, t, got) == d->string());
        if (file == "bytes.json" && text::is_inert(text, text::NormalForm::nfc) && !special && text.find("<tag>") == text.npos)
            CHECK(decode(m, t, got) == text);
    });
    CHECK(n > 1000);
}

// The parts that folders held before tokenizer.json, taken from the golden files: vocab.txt; vocab.json and merges.txt.
TEST_CASE("folders of vocab.txt, and of vocab.json with merges.txt") {
    Memory m;
    const io::FileSystem files;  // outlives what is opened through it
    EncodeScratch s(m);
    const auto root = std::filesystem::temp_directory_path() / ("inlay-parts-" + std::to_string(::getpid()));
    auto put = [&](const char *folder, const char *name, std::string_view text) {
        std::filesystem::create_directories(root / folder);
        std::ofstream(root / folder / name, std::ios::binary) << text;
    };
    auto from_folder = [&](const char *folder) {
        auto file = io::open_checkpoint(files, m, (root / folder).string(), Limits(), Log());
        return text::tokenizer_from_checkpoint(m, *file, Limits(), Log());
    };
    auto added_list = [&](const io::Json &tokenizer) {
        std::string list;
        for (const io::Json &a : tokenizer.find("added_tokens")->items()) {
            list += (list.empty() ? "" : ",") + ("\"" + std::string(a.find("id")->number_text())) + "\":" + std::string(text::write_json(m, a));
        }
        return "\"added_tokens_decoder\":{" + list + "}";
    };
    auto doc = io::JsonDocument::parse(m, read_file(kFolder + "wordpiece.json"), text::tokenizer_json_limits({}));
    const auto vocab = doc.root().find("model")->find("vocab")->members();
    std::vector<std::string> by_id(vocab.size());
    for (const io::JsonMember &x : vocab) by_id[static_cast<size_t>(*x.value.integer())] = std::string(x.key);
    std::string lines;
    for (const std::string &t : by_id) lines += t + "\n";
    put("bert", "vocab.txt", lines);
    put("bert", "tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"cls_token\":\"[CLS]\"," + added_list(doc.root()) + "}");

    auto bpe = io::JsonDocument::parse(m, read_file(kFolder + "prefix.json"), text::tokenizer_json_limits({}));
    std::string merges = "#version: 0.2\n";
    for (const io::Json &x : bpe.root().find("model")->find("merges")->items())
        merges += std::string(x.items()[0].string()) + " " + std::string(x.items()[1].string()) + "\r\n";
    put("gpt2", "vocab.json", std::string(text::write_json(m, *bpe.root().find("model")->find("vocab"))));
    put("gpt2", "merges.txt", merges);
    put("gpt2", "tokenizer_config.json", "{\"add_prefix_space\":true," + added_list(bpe.root()) + "}");
    {
        auto bert = from_folder("bert"), gpt2 = from_folder("gpt2");
        REQUIRE(bert);
        REQUIRE(gpt2);
        int n = each_row(m, "cases.jsonl", [&](const io::Json &row) {
            std::string_view file = row.find("file")->string(), text = row.find("text")->string();
            if (file != "wordpiece.json" && file != "prefix.json") return;
            bool special = row.find("special")->boolean();
            CAPTURE(file);
            CAPTURE(text);
            Ids want;
            for (const io::Json &i : row.find("ids")->items()) want.push_back(static_cast<int32_t>(*i.integer()));
            CHECK(show(encode(s, file == "wordpiece.json" ? *bert : *gpt2, text, special, special)) == show(want));
        });
        CHECK(n > 1000);
        CHECK(bert->special().cls == bert->find("[CLS]"));
    }
    // Roberta's front and back; what is not known is refused by its name.
    put("gpt2", "tokenizer_config.json", R"({"tokenizer_class":"CLIPTokenizer"})");
    CHECK_THROWS_AS(from_folder("gpt2"), Error);
    put("bert", "tokenizer_config.json", R"({"tokenizer_class":"BertJapaneseTokenizer"})");
    CHECK_THROWS_AS(from_folder("bert"), Error);
    put("gpt2", "vocab.json", R"({"<s>":0,"</s>":1,"a":2,"b":3,"ab":4,"<unk>":5})");
    put("gpt2", "merges.txt", "a b\n");
    put("gpt2", "tokenizer_config.json", R"({"tokenizer_class":"RobertaTokenizerFast"})");
    CHECK(show(encode(s, *from_folder("gpt2"), "abb", true, false)) == show(Ids{0, 4, 3, 1}));
    std::filesystem::remove_all(root);
}

TEST_CASE("offsets lead back through normalisation") {
    Memory m;
    EncodeScratch s(m);
    auto t = open(m, "wordpiece.json");
    std::vector<uint32_t> begins;
    std::string text = "The  <tag>Ca\xCC\x81t \xE4\xBB\x8A";  // a mark that goes, an ideograph that is set apart
    Ids ids = encode(s, *t, text, true, true, &begins);
    REQUIRE(ids.size() == begins.size());
    CHECK(begins.front() == 0);
    CHECK(begins.back() == text.size());  // [SEP]
    for (size_t i = 0; i < ids.size(); ++i)
        if (t->token_text(ids[i]) == "<tag>") CHECK(begins[i] == text.find("<tag>"));
    CHECK(begins[ids.size() - 2] == text.find("\xE4\xBB\x8A"));
}

TEST_CASE("streamed text is whole characters, whatever the cut") {
    Memory m;
    EncodeScratch s(m);
    for (const char *file : {"bytes.json", "fallback.json", "bpe.model"}) {
        CAPTURE(file);
        auto t = open(m, file);
        std::string text = "a\xF0\x9F\x98\x80 \xE6\xBC\xA2\xE5\xAD\x97 caf\xC3\xA9 \xF0\x9F\x91\xA9\xE2\x80\x8D";
        Ids ids = encode(s, *t, text, false, false);
        String out{Alloc<char>(m)};
        text::StreamDecoder d(m, *t, true);
        for (int32_t id : ids) {
            d.push(id, out);
            CHECK(io::utf8_valid_prefix(out) == out.size());
            CHECK(text.starts_with(std::string(out)));
            CHECK(d.pending_bytes() < 4);
        }
        d.finish(out);
        CHECK(std::string(out) == text);
    }
    // Cut off, then something else: byte pieces are replaced one by one, larger tokens as one sequence.
    auto bytes = open(m, "bytes.json"), fallback = open(m, "fallback.json");
    auto byte = [](const text::Tokenizer &t, unsigned char b) {
        char c[4];
        return t.kind_name() == "bpe" && t.decode_kind() == text::DecodeKind::bytes
                   ? t.find({c, text::utf8_write(text::char_of_byte(b), c)})
                   : t.vocab().find_byte(b);
    };
    CHECK(stream(m, *bytes, {byte(*bytes, 0xE6), byte(*bytes, 0xBC), byte(*bytes, 'a')}) ==
          "\xEF\xBF\xBD"
          "a");
    CHECK(stream(m, *fallback, {byte(*fallback, 0xE6), byte(*fallback, 0xBC), byte(*fallback, 'a')}) ==
          "\xEF\xBF\xBD\xEF\xBF\xBD"
          "a");
    CHECK(stream(m, *bytes, {byte(*bytes, 0xE6)}) == "\xEF\xBF\xBD");
    CHECK(stream(m, *bytes, {byte(*bytes, 0xFF), byte(*bytes, 0xC3), byte(*bytes, 0xA9)}) == "\xEF\xBF\xBD\xC3\xA9");
}

TEST_CASE("stop strings are held back exactly as far as needed") {
    Memory m;
    auto run = [&](std::vector<std::string_view> stops, const std::string &text, size_t step) {
        text::StopStrings stop(m, stops, Limits());
        text::StopStrings::State state;
        String out{Alloc<char>(m)};
        for (size_t i = 0; i < text.size(); i += step) {
            bool done = stop.push(state, std::string_view(text).substr(i, step), out);
            if (done) break;
            // What is held is the longest end of the text that begins a stop string.
            std::string seen = text.substr(0, i + step);
            size_t longest = 0;
            for (std::string_view s : stops)
                for (size_t k = 1; k < s.size() && k <= seen.size(); ++k)
                    if (seen.ends_with(s.substr(0, k))) longest = std::max(longest, k);
            CHECK(stop.held(state) == longest);
            CHECK(out.size() + longest == seen.size());
        }
        stop.finish(state, out);
        return std::make_pair(std::string(out), state.matched);
    };
    for (size_t step : {1, 2, 3, 100}) {
        CAPTURE(step);
        CHECK(run({"END"}, "some text END more", step) == std::make_pair(std::string("some text "), 0));
        CHECK(run({"END"}, "some text EN", step) == std::make_pair(std::string("some text EN"), -1));
        CHECK(run({"aab"}, "aaaab", step) == std::make_pair(std::string("aa"), 0));
        CHECK(run({"abcd", "bc"}, "xabcd", step) == std::make_pair(std::string("xa"), 1));
        CHECK(run({"\n\n", "\nUser:"}, "hi\nUser: x", step) == std::make_pair(std::string("hi"), 1));
        CHECK(run({"b", "ab"}, "ab", step) == std::make_pair(std::string(""), 1));
        CHECK(run({}, "ab", step) == std::make_pair(std::string("ab"), -1));
    }
    auto makes = [&](std::vector<std::string_view> stops) {
        try {
            text::StopStrings s(m, stops, Limits());
        } catch (const Error &e) {
            return e.code();
        }
        return Code::ok;
    };
    std::string most(256, 'x'), more(257, 'x');
    CHECK(makes({most}) == Code::ok);
    CHECK(makes({more}) == Code::limit);
    CHECK(makes({""}) == Code::invalid_argument);
    CHECK(makes(std::vector<std::string_view>(16, "x")) == Code::ok);
    CHECK(makes(std::vector<std::string_view>(17, "x")) == Code::limit);
}
