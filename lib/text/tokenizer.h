// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: one pipeline for every source of vocabularies. Added tokens are cut out of the raw text,
// what lies between is normalised, (added tokens of the normalised kind are cut out again,) cut into words, and each
// word given to the model. Immutable after building and shared by threads; an EncodeScratch is one thread's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/limits.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/template_types.h"
#include "text/token_model.h"
#include "text/vocab.h"

namespace inlay::text {

struct EncodeOptions {
    bool add_special = true;     // BOS, EOS, CLS, SEP as the model says
    bool parse_special = false;  // control tokens in the text are found; never for text that a user wrote
    // With parse_special: the parts of the text (they cover it); control tokens count where they lie in no user's part.
    std::span<const TextSegment> segments = {};
};

// Ids of the tokens that have a role, or kNoToken.
struct SpecialIds {
    int32_t bos = kNoToken, eos = kNoToken, eot = kNoToken, eom = kNoToken, unk = kNoToken, sep = kNoToken, pad = kNoToken, cls = kNoToken,
            mask = kNoToken;
    int32_t fim_prefix = kNoToken, fim_suffix = kNoToken, fim_middle = kNoToken, fim_pad = kNoToken, fim_repo = kNoToken, fim_file = kNoToken;
};

// How tokens become text.
enum class DecodeKind : uint8_t {
    bytes,      // token bytes one after the other (byte-level BPE)
    blanks,     // U+2581 is a blank, "<0xNN>" a byte
    wordpiece,  // words with a blank between, "##" joins
    plain,      // words with a blank between
};

class Tokenizer {
public:
    enum class Kind : uint8_t { spm, bpe, wordpiece, unigram, wordlevel };

    Kind kind() const noexcept { return kind_; }
    std::string_view kind_name() const noexcept;
    std::string_view pre_name() const noexcept { return pre_name_; }
    int32_t n_vocab() const noexcept { return vocab_.size(); }
    const Vocab &vocab() const noexcept { return vocab_; }
    const SpecialIds &special() const noexcept { return special_; }
    bool adds_bos() const noexcept { return !front_.empty(); }
    bool adds_eos() const noexcept { return !back_.empty(); }
    size_t n_appended() const noexcept { return back_.size(); }

    // Text as the vocabulary writes it, and its type. `id` must be has()-checked: outside is INVALID_ARGUMENT.
    std::string_view token_text(int32_t id) const;
    TokenType token_type(int32_t id) const;
    bool is_control(int32_t id) const;
    // What the token adds to a text: bytes, no placeholders. Control and unknown tokens give their name.
    std::string_view token_bytes(int32_t id) const;
    int32_t find(std::string_view token_text) const noexcept { return vocab_.find(token_text); }

    bool is_end(int32_t id) const noexcept;
    std::span<const int32_t> end_ids() const noexcept { return end_ids_; }
    // What generation_config or the host adds to the set; FORMAT for an id outside of the vocabulary. Before sharing.
    void add_end(int32_t id);

    // Appends to `ids`; `begins`, if given, gets for each id the byte of `text` where it begins. LIMIT for a text beyond 2^31 - 1 bytes.
    void encode(EncodeScratch &s, std::string_view text, const EncodeOptions &options, Vector<int32_t> &ids,
                Vector<uint32_t> *begins = nullptr) const;
    // Appends the bytes of the tokens; a sequence that is cut inside a character gives a cut character.
    void decode(std::span<const int32_t> ids, bool skip_special, String &out) const;
    DecodeKind decode_kind() const noexcept { return decode_; }
    // Appends what one token adds behind what came before (`first`: nothing did).
    struct Appended {
        bool first;     // for the next token
        bool fallback;  // it is one byte of a byte fallback
    };
    Appended append_token(int32_t id, bool first, bool skip_special, String &out) const;

    explicit Tokenizer(Memory &m);
    Tokenizer(const Tokenizer &) = delete;
    Tokenizer &operator=(const Tokenizer &) = delete;

private:
    friend class TokenizerBuilder;

    struct Added {
        int32_t id = kNoToken;
        bool lstrip = false, rstrip = false, single_word = false, special = false, normalized = false;
    };
    struct Run;
    void encode_segment(Run &run, std::string_view raw, uint32_t offset) const;
    void encode_stretch(Run &run, std::string_view text) const;
    void encode_words(Run &run, std::string_view text) const;
    void encode_word(Run &run, std::string_view word) const;
    void check(int32_t id) const;
    template <class Between, class Token>
    void split_added(const Matcher &matcher, std::string_view text, std::span<const TextSegment> segments, Vector<Matcher::Hit> &hits, const Between &between,
                     const Token &token) const;

    Memory *memory_;
    uint64_t identity_ = 0;  // hash of what words depend on: whose words a cache holds
    Kind kind_ = Kind::bpe;
    String pre_name_;
    Vocab vocab_;
    SpecialIds special_;
    Vector<int32_t> end_ids_, front_, back_;
    Vector<Added> added_;
    Matcher raw_always_, raw_all_, late_always_, late_all_;  // of added tokens: found in raw text, in normalised text; without and with special ones
    Normalizer normalizer_, stretch_normalizer_;  // of what lies between added tokens: of the raw text, of the normalised
    PreTokenizer cut_;
    // Text may be cut before a U+2581 that follows another byte than these: no piece holds such a byte and then a blank.
    bool cut_blanks_ = false, joins_blank_[256] = {};
    Owned<TokenModel> model_;
    DecodeKind decode_ = DecodeKind::bytes;
    bool strip_first_blank_ = false, strip_all_blanks_ = false, cleanup_ = false;
    String continuing_;         // "##"
    String bytes_;              // of all tokens
    Vector<uint32_t> byte_begin_;
    uint64_t text_limit_ = 0x7fffffff;
};

}  // namespace inlay::text
