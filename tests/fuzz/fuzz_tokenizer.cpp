// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tokenizer (tokenizer.json, .model, GGUF: told by the first byte) or as a text. A tokenizer that opens must
// encode and decode; a text must be tiled by every pre-tokenizer, and its normal forms must stay as they are.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/stream_decoder.h"
#include "text/tokenizer_gguf.h"
#include "text/tokenizer_hf.h"
#include "text/tokenizer_sp.h"

using namespace inlay;

namespace {

void must(bool holds) {
    if (!holds) __builtin_trap();
}

Owned<text::Tokenizer> open(Memory &m, std::string_view s) {
    Limits limits;
    limits.vocab = 1 << 16;
    Log log;
    if (s[0] == '{') {
        auto doc = io::JsonDocument::parse(m, s, text::tokenizer_json_limits(limits));
        return text::tokenizer_from_hf(m, doc.root(), nullptr, limits, log);
    }
    if (s[0] == 'G') {
        auto source = io::memory_source(m, {reinterpret_cast<const std::byte *>(s.data()), s.size()});
        auto file = io::Gguf::read(m, *source, limits, log);
        return text::tokenizer_from_gguf(m, *file, limits, log);
    }
    return text::tokenizer_from_sp(m, s, nullptr, limits, log);
}

void as_tokenizer(std::string_view s) {
    Memory m;
    try {
        auto t = open(m, s);
        text::EncodeScratch scratch(m);
        for (std::string_view sample :
             {std::string_view("Hello  w\xC3\xB6rld 123\n\n<s>'ll \xE2\x96\x81\xFF\xE4\xB8\xAD"), s.substr(0, 2000)})
            for (bool special : {false, true}) {
                Vector<int32_t> ids{Alloc<int32_t>(m)};
                Vector<uint32_t> begins{Alloc<uint32_t>(m)};
                t->encode(scratch, sample, {special, special}, ids, &begins);
                must(ids.size() == begins.size());
                for (size_t i = 0; i < ids.size(); ++i) {
                    must(ids[i] >= 0 && ids[i] < t->n_vocab() && begins[i] <= sample.size());
                    must(special || !t->is_control(ids[i]));
                }
                String out{Alloc<char>(m)};
                t->decode(ids, false, out);
                text::StreamDecoder d(m, *t, true);
                for (int32_t id : ids) d.push(id, out);
                d.finish(out);
            }
    } catch (const Error &e) {
        must(!e.text().empty() && e.code() != Code::internal);
    }
    must(m.used() == 0);
}

void as_text(std::string_view s) {
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
    for (Kind k : {Kind::nfc, Kind::nfd, Kind::nfkc, Kind::nfkd, Kind::lowercase, Kind::bert_clean, Kind::strip_accents, Kind::fix_utf8}) {
        text::Normalizer n(m);
        n.add(k);
        std::string once(n.apply(scratch, scratch.segment, s, true, true)), twice(n.apply(scratch, scratch.segment, once, true, true));
        must(once == twice);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    std::string_view s(reinterpret_cast<const char *>(data), size);
    if (s[0] == '{' || s[0] == 'G' || s[0] == '\n') as_tokenizer(s);
    as_text(s.substr(0, 4000));
    return 0;
}
