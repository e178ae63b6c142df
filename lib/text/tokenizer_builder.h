// SPDX-License-Identifier: Apache-2.0
// Puts a Tokenizer together. The adapters (GGUF, tokenizer.json, .model) read their files and say what they found in
// these words; the rules that hold for all stand here.
#pragma once

#include "text/bpe.h"
#include "text/tokenizer.h"

namespace inlay::text {

struct AddedFlags {
    bool lstrip = false, rstrip = false, single_word = false, normalized = false;
};

class TokenizerBuilder {
public:
    TokenizerBuilder(Memory &m, const Limits &limits, Tokenizer::Kind kind);

    Memory &memory() noexcept { return *t_->memory_; }
    const Limits &limits() const noexcept { return limits_; }
    Vocab &vocab() noexcept { return t_->vocab_; }
    Normalizer &normalizer() noexcept { return t_->normalizer_; }
    Normalizer &stretch_normalizer() noexcept { return t_->stretch_normalizer_; }
    void add_bert_normalizer(bool clean, bool cjk, bool strip_accents, bool lowercase);
    PreTokenizer &cut() noexcept { return t_->cut_; }
    SpecialIds &special() noexcept { return t_->special_; }
    void set_pre_name(std::string_view name) { t_->pre_name_ = name; }

    // A token that is found in the text as a whole. Control and unknown ones only where the caller parses specials.
    void add_added(int32_t id, const AddedFlags &flags);
    void set_model(Owned<TokenModel> model) { t_->model_ = std::move(model); }
    // Cut the text before blanks (U+2581) where no token could reach across, so that words are encoded, and remembered,
    // one by one. The result is the same; `whole`: user-defined tokens are never built from parts.
    void cut_before_blanks(bool whole_user_defined);
    void set_decode(DecodeKind kind, bool strip_first_blank = false, std::string_view continuing = {}, bool cleanup = false);
    // All blanks at the beginning of decoded text go, not one (SentencePiece with remove_extra_whitespaces).
    void strip_all_blanks() { t_->strip_all_blanks_ = true; }
    // Around a text: BOS or CLS, EOS or SEP.
    void add_front(int32_t id) { t_->front_.push_back(id); }
    bool has_front() const noexcept { return !t_->front_.empty(); }
    void add_back(int32_t id) { t_->back_.push_back(id); }

    // Ids of roles that no key names are found by the texts that published models use; end tokens likewise.
    void find_roles();
    // `byte_level`: tokens are written in GPT-2's byte map.
    Owned<Tokenizer> finish(bool byte_level);

private:
    void fill_bytes(bool byte_level);
    Limits limits_;
    Owned<Tokenizer> t_;
};

}  // namespace inlay::text
