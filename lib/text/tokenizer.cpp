// SPDX-License-Identifier: Apache-2.0
// The pipeline of a tokenizer: encoding step by step, and decoding token by token.
#include "text/tokenizer.h"

#include <algorithm>

#include "base/checked.h"
#include "text/blank.h"

namespace inlay::text {

Tokenizer::Tokenizer(Memory &m)
    : memory_(&m),
      pre_name_(Alloc<char>(m)),
      vocab_(m),
      end_ids_(Alloc<int32_t>(m)),
      front_(Alloc<int32_t>(m)),
      back_(Alloc<int32_t>(m)),
      added_(Alloc<Added>(m)),
      raw_always_(m),
      raw_all_(m),
      late_always_(m),
      late_all_(m),
      normalizer_(m),
      stretch_normalizer_(m),
      continuing_(Alloc<char>(m)),
      bytes_(Alloc<char>(m, MemTag::text)),
      byte_begin_(Alloc<uint32_t>(m, MemTag::text)) {}

std::string_view Tokenizer::kind_name() const noexcept {
    switch (kind_) {
        case Kind::spm:
            return "spm";
        case Kind::bpe:
            return "bpe";
        case Kind::wordpiece:
            return "wordpiece";
        case Kind::unigram:
            return "unigram";
        case Kind::wordlevel:
            return "wordlevel";
    }
    return "?";
}

void Tokenizer::check(int32_t id) const {
    if (!vocab_.has(id)) fail(Code::invalid_argument, "token id ", id, " is outside of the vocabulary of ", n_vocab());
}
std::string_view Tokenizer::token_text(int32_t id) const {
    check(id);
    return vocab_.text(id);
}
TokenType Tokenizer::token_type(int32_t id) const {
    check(id);
    return vocab_.type(id);
}
bool Tokenizer::is_control(int32_t id) const { return token_type(id) == TokenType::control; }
std::string_view Tokenizer::token_bytes(int32_t id) const {
    check(id);
    size_t i = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(byte_begin_[i], byte_begin_[i + 1] - byte_begin_[i]);
}
bool Tokenizer::is_end(int32_t id) const noexcept { return std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end(); }
void Tokenizer::add_end(int32_t id) {
    if (!vocab_.has(id)) fail(Code::format, "mismatch: end token ", id, " is outside of the vocabulary of ", n_vocab());
    if (!is_end(id)) end_ids_.push_back(id);
}

// One call of encode().
struct Tokenizer::Run {
    EncodeScratch &s;
    Vector<int32_t> &ids;
    Vector<uint32_t> *begins;
    bool parse_special;
    // Where the bytes of the segment, and of the stretch inside of it, come from: the text they are cut from begins at
    // `base`; where a normaliser changed it, `origin` leads back.
    struct Level {
        const char *base = nullptr;
        const Vector<uint32_t> *origin = nullptr;
        uint32_t back(const char *p) const {
            uint32_t at = static_cast<uint32_t>(p - base);
            return origin ? (*origin)[at] : at;
        }
    };
    uint32_t offset = 0;  // of the segment in the text
    Level segment, stretch;
    const char *stretch_from = nullptr;  // in the normalised segment

    void put(int32_t id, uint32_t begin) {
        ids.push_back(id);
        if (begins) begins->push_back(begin);
    }
    uint32_t place(const char *p) const { return offset + segment.back(stretch.origin ? stretch_from + stretch.back(p) : p); }
};

namespace {

bool is_word_char(char32_t cp) noexcept { return (class_of(cp) & cls::word) != 0; }
// The character that ends at `end`.
Utf8Char char_before(const char *begin, const char *end) noexcept {
    const char *q = end - 1;
    while (q != begin && (static_cast<unsigned char>(*q) & 0xC0) == 0x80 && end - q < 4) --q;
    Utf8Char c = utf8_at(q, end);
    return q + c.size == end ? c : Utf8Char{kBadByte, 1};
}
bool is_space(Utf8Char c) noexcept { return (class_of(c.cp) & cls::space) != 0; }

}  // namespace

// Cuts `text` at the added tokens of `matcher`: between(begin, end) for what lies between, token(id, begin) for each.
template <class Between, class Token>
void Tokenizer::split_added(const Matcher &matcher, std::string_view text, std::span<const TextSegment> segments,
                            Vector<Matcher::Hit> &hits, const Between &between, const Token &token) const {
    matcher.find(text, hits);
    const char *base = text.data(), *end = base + text.size(), *done = base;
    size_t part = 0;
    for (size_t i = 0; i < hits.size(); ++i) {
        const Added &a = added_[static_cast<size_t>(hits[i].value)];
        const char *from = base + hits[i].begin, *to = from + hits[i].size;
        if (from < done) continue;  // a token before took this blank
        if (a.special && !segments.empty()) {
            while (part < segments.size() && segments[part].end <= hits[i].begin) ++part;
            if (part == segments.size() || segments[part].user || segments[part].end < static_cast<size_t>(to - base)) continue;
        }
        if (a.single_word) {
            if (from != base && is_word_char(char_before(base, from).cp)) continue;
            if (to != end && is_word_char(utf8_at(to, end).cp)) continue;
        }
        if (a.lstrip)
            while (from != done) {
                Utf8Char c = char_before(done, from);
                if (!is_space(c)) break;
                from -= c.size;
            }
        if (a.rstrip)
            while (to != end) {
                Utf8Char c = utf8_at(to, end);
                if (!is_space(c)) break;
                to += c.size;
            }
        if (from != done) between(done, from);
        token(a.id, from);
        done = to;
    }
    if (done != end) between(done, end);
}

void Tokenizer::encode(EncodeScratch &s, std::string_view text, const EncodeOptions &options, Vector<int32_t> &ids,
                       Vector<uint32_t> *begins) const {
    if (text.size() > text_limit_) fail(Code::limit, "text has ", text.size(), " bytes, limit ", text_limit_);
    s.cache.open(identity_, text.size());
    // With segments, only raw text can be told apart: control tokens of the normalised kind are left alone.
    Run run{s, ids, begins, options.parse_special && options.segments.empty()};
    size_t before = ids.size();
    if (options.add_special)
        for (int32_t id : front_) run.put(id, 0);
    const Matcher &matcher = options.parse_special ? raw_all_ : raw_always_;
    if (matcher.empty()) {
        if (!text.empty()) encode_segment(run, text, 0);
    } else {
        split_added(
            matcher, text, options.segments, s.added,
            [&](const char *from, const char *to) {
                encode_segment(run, {from, static_cast<size_t>(to - from)}, static_cast<uint32_t>(from - text.data()));
            },
            [&](int32_t id, const char *at) { run.put(id, static_cast<uint32_t>(at - text.data())); });
    }
    // A rendered template may begin with BOS itself: one is enough.
    if (options.add_special && options.parse_special && front_.size() == 1 && ids.size() > before + 1 && ids[before + 1] == ids[before]) {
        ids.erase(ids.begin() + static_cast<ptrdiff_t>(before));
        if (begins) begins->erase(begins->end() - static_cast<ptrdiff_t>(ids.size() - before) - 1);
    }
    if (options.add_special)
        for (int32_t id : back_) run.put(id, static_cast<uint32_t>(text.size()));
}

void Tokenizer::encode_segment(Run &run, std::string_view raw, uint32_t offset) const {
    std::string_view text = normalizer_.empty() ? raw : normalizer_.apply(run.s, run.s.segment, raw, offset == 0, run.begins != nullptr);
    run.offset = offset;
    run.segment = {text.data(), run.begins && text.data() != raw.data() ? &run.s.segment.origin : nullptr};
    const Matcher &matcher = run.parse_special ? late_all_ : late_always_;
    if (matcher.empty()) return encode_stretch(run, text);
    split_added(
        matcher, text, {}, run.s.late,
        [&](const char *from, const char *to) {
            encode_stretch(run, {from, static_cast<size_t>(to - from)});
        },
        [&](int32_t id, const char *at) { run.put(id, run.begins ? run.offset + run.segment.back(at) : 0); });
}

void Tokenizer::encode_stretch(Run &run, std::string_view text) const {
    run.stretch = {};
    if (stretch_normalizer_.empty()) return encode_words(run, text);
    bool first = run.offset == 0 && text.data() == run.segment.base;
    std::string_view changed = stretch_normalizer_.apply(run.s, run.s.stretch, text, first, run.begins != nullptr);
    if (run.begins && changed.data() != text.data()) run.stretch = {changed.data(), &run.s.stretch.origin};
    run.stretch_from = text.data();
    encode_words(run, changed);
}

void Tokenizer::encode_words(Run &run, std::string_view text) const {
    if (!cut_blanks_) return for_each_word(cut_, text, [&](std::string_view word) { encode_word(run, word); });
    size_t begin = 0, pos = 0;
    while (begin < text.size()) {
        size_t end = text.find(kBlank, pos);
        if (end == std::string_view::npos) end = text.size();
        bool cut = end == text.size() ||
                   (end > begin && !joins_blank_[static_cast<unsigned char>(text[end - 1])] && !text.substr(0, end).ends_with(kBlank));
        if (cut) {
            encode_word(run, text.substr(begin, end - begin));
            begin = end;
        }
        pos = end + (end < text.size() ? kBlank.size() : 0);
    }
}

void Tokenizer::encode_word(Run &run, std::string_view word) const {
    Vector<Piece> &pieces = run.s.pieces;
    pieces.clear();
    bool small = word.size() <= WordCache::max_bytes;
    uint64_t h = small ? hash_bytes(word.data(), word.size(), identity_) : 0;
    if (!small || !run.s.cache.get(word, h, pieces)) {
        model_->encode(run.s, word, pieces);
        if (small) run.s.cache.put(word, h, pieces.data(), pieces.size());
    }
    if (!run.begins) {
        for (const Piece &p : pieces) run.ids.push_back(p.id);
        return;
    }
    const char *at = word.data();
    for (const Piece &p : pieces) {
        run.put(p.id, run.place(at));
        at += p.bytes;
    }
}

Tokenizer::Appended Tokenizer::append_token(int32_t id, bool first, bool skip_special, String &out) const {
    check(id);
    TokenType type = vocab_.type(id);
    if (skip_special && (type == TokenType::control || type == TokenType::unknown)) return {first, false};
    std::string_view bytes = token_bytes(id);
    switch (decode_) {
        case DecodeKind::bytes:
            break;
        case DecodeKind::blanks:
            if (first && strip_first_blank_ && type != TokenType::byte && bytes.starts_with(' ')) bytes.remove_prefix(1);
            break;
        case DecodeKind::plain:
            if (!first) out.push_back(' ');
            break;
        case DecodeKind::wordpiece: {
            bool joins = !continuing_.empty() && bytes.starts_with(std::string_view(continuing_));
            if (joins && !first) bytes.remove_prefix(continuing_.size());
            if (continuing_.empty()) {  // words carry the blank themselves
                if (first && bytes.starts_with(' ')) bytes.remove_prefix(1);
            } else if (!joins && !first) {
                // Hugging Face's clean-up: no blank before these.
                bool tight = cleanup_ && (bytes == "." || bytes == "?" || bytes == "!" || bytes == "," || bytes == "n't" || bytes == "'m" ||
                                          bytes == "'s" || bytes == "'ve" || bytes == "'re");
                if (!tight) out.push_back(' ');
            }
            break;
        }
    }
    out.append(bytes);
    return {first && strip_all_blanks_ && bytes.empty(), type == TokenType::byte};
}

void Tokenizer::decode(std::span<const int32_t> ids, bool skip_special, String &out) const {
    bool first = true;
    for (int32_t id : ids) first = append_token(id, first, skip_special, out).first;
}

}  // namespace inlay::text
