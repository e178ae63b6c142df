// SPDX-License-Identifier: Apache-2.0
// Any bytes as a constraint of the language that the build names (GBNF, JSON Schema, regex): the source, then a text to
// match, then choices for a walk over masks. What compiles must agree with itself byte by byte, offer exactly the tokens
// that it takes, go back where it came from, and never run into a dead end.
#include <string>

#include "fuzz.h"
#include "text/grammar/masks.h"

using namespace inlay;
using namespace inlay::text::grammar;
using fuzz::must;

namespace {

constexpr uint32_t kTokens = 282;
struct Vocabulary {
    Vocabulary() {
        static constexpr std::string_view more[] = {"{\"", "\":", "\",\"", "\"}", "true", "false", "null", "12", "345", "-1", "0.5", "e+", "\": \"",
                                                    "ab",  "abc", "  ",    "\n ", "é",    "日本",  "}}",   "]]", "[[",  "},", "\\u", "00", "\xC3\xA9\xE6"};
        for (uint32_t i = 0; i < 256; ++i) byte[i] = static_cast<char>(i), tokens[i] = {&byte[i], 1};
        for (uint32_t i = 256; i < kTokens; ++i) tokens[i] = more[i - 256];
    }
    char byte[256];
    std::string_view tokens[kTokens];
};

std::shared_ptr<const Constraint> compile(Memory &m, std::string_view source, [[maybe_unused]] uint8_t how) {
#if defined(FUZZ_GBNF)
    return Constraint::from_gbnf(m, source, Limits{});
#elif defined(FUZZ_REGEX)
    return Constraint::from_regex(m, source, Limits{});
#else
    SchemaOptions options;
    options.allow_unknown = how & 1;
    options.any_key_order = how & 2;
    return Constraint::from_json_schema(m, source, options, Limits{});
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz::Input in(data, size);
    const std::string_view source = in.part(), text = in.part(), choices = in.rest();
    Memory m({}, 256u << 20);
    try {
        auto c = compile(m, source, fuzz::pick(choices, 0));
        Matcher whole(c), bytes(c);
        const size_t at = whole.accepted_prefix(text);
        size_t n = 0;
        while (n < text.size() && bytes.accept_bytes(text.substr(n, 1))) ++n;
        must(n == at && whole.accept_bytes(text.substr(0, at)) && whole.can_end() == bytes.can_end());

        // Every byte and some longer pieces: all bytes are at hand, so no state is a dead end.
        static const Vocabulary vocabulary;
        auto trie = TokenTrie::build(m, vocabulary.tokens);
        Masks &masks = c->masks_for(trie);
        uint64_t mask[(kTokens + 63) / 64], again[(kTokens + 63) / 64];
        Matcher walk(c);
        std::string written;
        for (size_t step = 0; step < 24; ++step) {
            const int many = masks.fill(walk, mask);
            must(many > 0 || walk.can_end());
            if (many == 0) break;
            const uint32_t any = fuzz::pick(choices, step + 1) * 37u + static_cast<uint32_t>(step);
            for (uint32_t i = 0; i < 8; ++i) {  // the mask against the matcher itself
                const uint32_t id = i < 4 ? (any * (i + 7) + i) % kTokens : 256 + (any + i) % (kTokens - 256);
                const bool allowed = mask[id / 64] >> (id % 64) & 1;
                Matcher fork(walk);
                must(fork.accept_bytes(vocabulary.tokens[id]) == allowed);
                if (!allowed) continue;
                fork.rollback(1);
                masks.fill(fork, again);
                must(std::equal(mask, mask + (kTokens + 63) / 64, again) && fork.can_end() == walk.can_end());
            }
            uint32_t id = any % kTokens;
            while (!(mask[id / 64] >> (id % 64) & 1)) id = (id + 1) % kTokens;
            must(walk.accept_bytes(vocabulary.tokens[id]));
            written += vocabulary.tokens[id];
        }
        String forced{Alloc<char>(m)};
        walk.forced_bytes(forced, 64);
        must(walk.accept_bytes(forced));
        Matcher fresh(c);
        must(fresh.accepted_prefix(written) == written.size());
    } catch (const Error &e) {
        must(e.code() != Code::internal && e.code() != Code::ok && !e.text().empty());
    }
    must(m.used() == 0);
    return 0;
}
