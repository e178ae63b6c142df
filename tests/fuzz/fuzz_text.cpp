// SPDX-License-Identifier: Apache-2.0
// Any bytes as a text: every pre-tokenizer tiles it, normal forms stay as they are, and small tokenizers of each kind
// encode it so that offsets rise, streamed decoding is decoding, and what keeps bytes gives them back.
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.h"
#include "io/utf8.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_hf.h"
#include "text/tokenizer_sp.h"

using namespace inlay;
using fuzz::must;

namespace {

struct Toy {
    Owned<text::Tokenizer> tokenizer;
    bool lossless;  // byte-level, nothing normalised but for a blank in front
};

// The golden tokenizers, opened once.
const std::vector<Toy> &toys() {
    static Memory m;
    static const std::vector<Toy> all = [] {
        std::vector<Toy> v;
        for (const char *name : {"bytes.json", "prefix.json", "unigram.json", "wordpiece.json", "fallback.json", "bpe.model", "unigram_map.model"}) {
            std::ifstream in(std::string(INLAY_SOURCE_ROOT "/tests/golden/tokenizer/") + name, std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), {}};
            if (std::string_view(name).ends_with(".model")) {
                v.push_back({text::tokenizer_from_sp(m, bytes, nullptr, Limits{}, Log{}), false});
            } else {
                auto doc = io::JsonDocument::parse(m, bytes, text::tokenizer_json_limits(Limits{}));
                v.push_back({text::tokenizer_from_hf(m, doc.root(), nullptr, Limits{}, Log{}), std::string_view(name) == "prefix.json"});
            }
        }
        return v;
    }();
    return all;
}

void encode(const Toy &toy, std::string_view s) {
    const text::Tokenizer &t = *toy.tokenizer;
    Memory m;
    {
        text::EncodeScratch scratch(m);
        Vector<int32_t> ids{Alloc<int32_t>(m)}, again{Alloc<int32_t>(m)};
        Vector<uint32_t> begins{Alloc<uint32_t>(m)};
        t.encode(scratch, s, {false, false}, ids, &begins);
        t.encode(scratch, s, {false, false}, again);  // now from the words that the scratch remembers
        must(ids == again && ids.size() == begins.size());
        for (size_t i = 0; i < ids.size(); ++i) {
            must(ids[i] >= 0 && ids[i] < t.n_vocab() && !t.is_control(ids[i]));
            must(begins[i] <= s.size() && (i == 0 || begins[i - 1] <= begins[i]));
        }
        String out{Alloc<char>(m)}, streamed{Alloc<char>(m)};
        t.decode(ids, false, out);
        text::StreamDecoder d(m, t, false);
        for (int32_t id : ids) {
            const size_t from = streamed.size();
            d.push(id, streamed);
            must(from + io::utf8_valid_prefix(std::string_view(streamed).substr(from)) == streamed.size());
        }
        d.finish(streamed);
        if (io::utf8_valid_prefix(out) == out.size()) must(out == streamed);
        if (toy.lossless) must(std::string_view(out) == s || (out.starts_with(' ') && std::string_view(out).substr(1) == s));
    }
    must(m.used() == 0);
}

void pieces(std::string_view s) {
    for (const char *name : {"gpt-2", "llama-bpe", "qwen2", "qwen35", "gpt-4o", "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3",
                             "starcoder", "falcon", "default", "bloom", "viking", "seed-coder", "gemma4"}) {
        size_t at = 0;
        text::for_each_word(text::find_pretokenizer(name)->cut, s, [&](std::string_view w) {
            must(!w.empty() && w.data() == s.data() + at);
            at += w.size();
        });
        must(at == s.size());
    }
    Memory m;
    text::EncodeScratch scratch(m);
    using Kind = text::NormStep::Kind;
    auto apply = [&](Kind k, std::string_view text) {
        text::Normalizer n(m);
        n.add(k);
        return std::string(n.apply(scratch, scratch.segment, text, true, true));
    };
    const std::string fixed = apply(Kind::fix_utf8, s);
    for (Kind k : {Kind::nfc, Kind::nfd, Kind::nfkc, Kind::nfkd, Kind::lowercase, Kind::bert_clean, Kind::strip_accents, Kind::fix_utf8}) {
        apply(k, s);  // broken text must only be survived: what is dropped between two of its bytes may make a character of them
        const std::string once = apply(k, fixed);
        must(apply(k, once) == once);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string_view s(reinterpret_cast<const char *>(data), size);
    pieces(s);
    for (const Toy &toy : toys()) encode(toy, s);
    return 0;
}
