// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tokenizer (tokenizer.json, GGUF, .model: told by the first byte). One that opens must encode and decode,
// keep its ids and offsets in range, and make no control token of a text.
#include "fuzz.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_gguf.h"
#include "text/tokenizer_hf.h"
#include "text/tokenizer_sp.h"

using namespace inlay;
using fuzz::must;

namespace {

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    as_tokenizer({reinterpret_cast<const char *>(data), size});
    return 0;
}
