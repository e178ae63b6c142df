// SPDX-License-Identifier: Apache-2.0
// What is done to a text before it is cut: normal forms, case, blanks, SentencePiece's character map. A list of steps,
// each reading one buffer and writing the next; where the caller wants offsets, every output byte knows the input
// byte it came from.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/charsmap.h"
#include "text/token_model.h"
#include "text/unicode/unicode.h"

namespace inlay::text {

struct NormStep {
    enum class Kind : uint8_t {
        nfc, nfd, nfkc, nfkd,
        lowercase,
        strip_accents,   // drops combining marks
        bert_accents,    // drops those that BertNormalizer drops
        replace,         // every `from` by `to`
        replace_runs,    // two or more `from` in a row by one `to`
        prepend,         // `to` in front of a text that is not empty
        prefix_blank,    // `to` in front unless the text begins with it (or `from`); see only_first
        suffix_blank,    // `to` behind, SentencePiece's treat_whitespace_as_suffix
        strip_left, strip_right,
        squeeze_blanks,  // blanks in a row become one, none at the ends (remove_extra_whitespaces)
        strip_blank_end, // every `from` at the end goes
        bert_clean,      // drops controls, white space becomes a blank
        bert_cjk,        // blanks around ideographs
        charsmap,        // SentencePiece's way: the longest known sequence at each place, user-defined pieces left alone
        charsmap_clusters,  // Hugging Face's way: whole clusters first, then characters
        nmt,             // SentencePiece's nmt rules, as Hugging Face has them
        fix_utf8,        // broken bytes become U+FFFD
    };
    Kind kind;
    bool only_first = false;  // at the beginning of the whole text alone, not behind added tokens
    String from, to;
    NormStep(Memory &m, Kind k, std::string_view f = {}, std::string_view t = {}) : kind(k), from(f, Alloc<char>(m)), to(t, Alloc<char>(m)) {}
};

class Normalizer {
public:
    explicit Normalizer(Memory &m) : steps_(Alloc<NormStep>(m)) {}
    void add(NormStep step) { steps_.push_back(std::move(step)); }
    NormStep &add(NormStep::Kind k, std::string_view from = {}, std::string_view to = {}) {
        steps_.emplace_back(steps_.get_allocator().memory(), k, from, to);
        return steps_.back();
    }
    void set_charsmap(Owned<CharsMap> map) { charsmap_ = std::move(map); }
    // Pieces that the charsmap step passes unchanged; they live as long as the normalizer.
    void set_untouched(const Matcher *pieces) { untouched_ = pieces; }
    bool empty() const noexcept { return steps_.empty(); }

    // The normal form of `in`: a view of `in` itself where nothing changes, else of b.text. `first`: the text's
    // beginning. With `track`, b.origin has for each byte of the result (and for its end) the byte of `in`, unless the
    // result is `in`.
    std::string_view apply(EncodeScratch &s, NormBuffers &b, std::string_view in, bool first, bool track) const;

private:
    bool changes(const NormStep &step, std::string_view in, bool first) const noexcept;

    Vector<NormStep> steps_;
    Owned<CharsMap> charsmap_;
    const Matcher *untouched_ = nullptr;
};

// Collects a step's output with its origins.
class NormSink {
public:
    NormSink(String &out, Vector<uint32_t> *origin) : out_(out), origin_(origin) {}
    void put(std::string_view bytes, uint32_t from) {
        out_.append(bytes);
        if (origin_) origin_->resize(out_.size(), from);
    }
    // Bytes taken over as they are, from `from` on.
    void copy(std::string_view bytes, uint32_t from) {
        out_.append(bytes);
        if (origin_)
            for (size_t i = 0; i < bytes.size(); ++i) origin_->push_back(from + static_cast<uint32_t>(i));
    }
    void put(char32_t cp, uint32_t from) {
        char b[4];
        put({b, utf8_write(cp, b)}, from);
    }

private:
    String &out_;
    Vector<uint32_t> *origin_;
};

// Unicode normal forms (normal_form.cpp). Broken bytes pass and part the text.
bool is_inert(std::string_view in, NormalForm form) noexcept;
void to_normal_form(EncodeScratch &s, std::string_view in, NormalForm form, NormSink &out);

}  // namespace inlay::text
