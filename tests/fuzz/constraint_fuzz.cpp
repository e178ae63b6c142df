// SPDX-License-Identifier: Apache-2.0
// Any bytes as a constraint: the first byte chooses the language, a NUL parts the source from a text to match. What
// compiles must match in a bounded number of steps, agree with itself byte by byte, and offer no mask that it refuses.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/grammar/masks.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

constexpr uint32_t kTokens = 280;
struct Vocabulary {
    Vocabulary() {
        static constexpr std::string_view more[] = {"{\"", "\":", "\",\"", "\"}", "true", "false", "null", "12", "345", "-1", "0.5", "e+",
                                                    "ab",  "abc", "  ",    "\n ", "é",    "日本",  "}}",   "]]", "[[",  "},", "\\u", "00"};
        for (uint32_t i = 0; i < 256; ++i) byte[i] = static_cast<char>(i), tokens[i] = {&byte[i], 1};
        for (uint32_t i = 256; i < kTokens; ++i) tokens[i] = more[i - 256];
    }
    char byte[256];
    std::string_view tokens[kTokens];
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 16384) return 0;
    std::string_view all(reinterpret_cast<const char *>(data + 1), size - 1), text = "{\"a\":[1,\"b\"]}";
    size_t cut = all.find('\0');
    if (cut != all.npos) text = all.substr(cut + 1), all = all.substr(0, cut);
    Memory m({}, 256u << 20);
    try {
        SchemaOptions options;
        options.allow_unknown = data[0] & 4;
        options.any_key_order = data[0] & 8;
        auto c = data[0] % 3 == 0   ? Constraint::from_gbnf(m, all, Limits{})
                 : data[0] % 3 == 1 ? Constraint::from_regex(m, all, Limits{})
                                    : Constraint::from_json_schema(m, all, options, Limits{});
        Matcher whole(c), bytes(c);
        const size_t at = whole.accepted_prefix(text);
        size_t n = 0;
        while (n < text.size() && bytes.accept_bytes(text.substr(n, 1))) ++n;
        if (n != at) std::abort();
        // Every byte and some longer pieces: with all bytes at hand a schema has no dead ends.
        static const Vocabulary vocabulary;
        auto trie = TokenTrie::build(m, vocabulary.tokens);
        Masks &masks = c->masks_for(trie);
        uint64_t mask[5];
        Matcher walk(c);
        for (int step = 0; step < 24; ++step) {
            if (masks.fill(walk, mask) == 0) {
                if (!walk.can_end() && data[0] % 3 == 2) std::abort();
                break;
            }
            uint32_t id = (data[static_cast<size_t>(step) % size] * 37u + static_cast<uint32_t>(step)) % kTokens;
            while (!(mask[id / 64] >> (id % 64) & 1)) id = (id + 1) % kTokens;
            if (!walk.accept_bytes(vocabulary.tokens[id])) std::abort();
        }
    } catch (const Error &e) {
        if (e.code() == Code::internal || e.code() == Code::ok) std::abort();
    }
    return 0;
}
