// SPDX-License-Identifier: Apache-2.0
// Added tokens, roles by name, and the bytes of each token.
#include "text/tokenizer_builder.h"

#include "text/blank.h"

namespace inlay::text {

TokenizerBuilder::TokenizerBuilder(Memory &m, const Limits &limits, Tokenizer::Kind kind) : limits_(limits), t_(make_owned<Tokenizer>(m, m)) {
    t_->kind_ = kind;
    t_->text_limit_ = limits.text_bytes;
}

void TokenizerBuilder::add_added(int32_t id, const AddedFlags &flags) {
    if (t_->added_.size() >= limits_.added_tokens) fail(Code::limit, "tokenizer has more than ", limits_.added_tokens, " added tokens");
    std::string_view text = t_->vocab_.text(id);
    if (text.empty()) return;
    TokenType type = t_->vocab_.type(id);
    bool special = type == TokenType::control || type == TokenType::unknown;
    int32_t at = static_cast<int32_t>(t_->added_.size());
    t_->added_.push_back({id, flags.lstrip, flags.rstrip, flags.single_word, special, flags.normalized});
    if (!flags.normalized) {
        t_->raw_all_.add(text, at);
        if (!special) t_->raw_always_.add(text, at);
        return;
    }
    // Looked for in the normalised text, so in its own normal form.
    EncodeScratch s(memory());
    text = t_->normalizer_.apply(s, s.segment, text, true, false);
    t_->late_all_.add(text, at);
    if (!special) t_->late_always_.add(text, at);
}

void TokenizerBuilder::add_bert_normalizer(bool clean, bool cjk, bool strip_accents, bool lowercase) {
    using Kind = NormStep::Kind;
    if (clean) normalizer().add(Kind::bert_clean);
    if (cjk) normalizer().add(Kind::bert_cjk);
    if (strip_accents) {
        normalizer().add(Kind::nfd);
        normalizer().add(Kind::bert_accents);
    }
    if (lowercase) normalizer().add(Kind::lowercase);
}

void TokenizerBuilder::cut_before_blanks(bool whole_user_defined) {
    const Vocab &v = t_->vocab_;
    if (v.find(kBlank) == kNoToken) return;  // an unknown blank would join unknown characters before it
    for (int32_t id = 0; id < v.size(); ++id) {
        TokenType type = v.type(id);
        if (type == TokenType::control || type == TokenType::byte || (whole_user_defined && type == TokenType::user_defined)) continue;
        std::string_view text = v.text(id);
        for (size_t at = text.find(kBlank, 1); at != std::string_view::npos; at = text.find(kBlank, at + 1))
            if (!text.substr(0, at).ends_with(kBlank)) t_->joins_blank_[static_cast<unsigned char>(text[at - 1])] = true;
    }
    t_->cut_blanks_ = true;
}

void TokenizerBuilder::set_decode(DecodeKind kind, bool strip_first_blank, std::string_view continuing, bool cleanup) {
    t_->decode_ = kind;
    t_->strip_first_blank_ = strip_first_blank;
    t_->continuing_ = continuing;
    t_->cleanup_ = cleanup;
}

namespace {

struct Role {
    int32_t SpecialIds::*id;
    std::string_view names[12];
};
constexpr Role kRoles[] = {
    {&SpecialIds::eot,
     {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]",
      "<｜end▁of▁sentence｜>", "<end_of_utterance>"}},
    {&SpecialIds::eom, {"<|eom_id|>"}},
    {&SpecialIds::fim_prefix,
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"}},
    {&SpecialIds::fim_suffix,
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"}},
    {&SpecialIds::fim_middle,
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"}},
    {&SpecialIds::fim_pad, {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>"}},
    {&SpecialIds::fim_repo, {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {&SpecialIds::fim_file, {"<|file_sep|>"}},
};
// Control tokens that end a reply wherever they stand.
constexpr std::string_view kEnds[] = {"<|eot_id|>",        "<|im_end|>",  "<|end|>",          "<|return|>",           "<|call|>",     "<|flush|>",
                                      "<|calls|>",         "<end_of_turn>", "<|endoftext|>",  "<|eom_id|>",           "<EOT>",        "_<EOT>",
                                      "[EOT]",             "[EOS]",       "<|end_of_text|>",  "<end_of_utterance>",   "<turn|>",      "<|tool_response>",
                                      "<｜end▁of▁sentence｜>", "</s>",        "<eos>"};

}  // namespace

void TokenizerBuilder::find_roles() {
    SpecialIds &s = t_->special_;
    const Vocab &v = t_->vocab_;
    // By name only among control tokens: a user-defined piece that is called like an end token ("</s>" among Gemma's
    // HTML tags) is plain text.
    auto control = [&](std::string_view name) {
        int32_t id = v.find(name);
        return id != kNoToken && v.type(id) == TokenType::control ? id : kNoToken;
    };
    for (const Role &role : kRoles)
        for (std::string_view name : role.names) {
            if (s.*role.id != kNoToken || name.empty()) break;
            s.*role.id = control(name);
        }
    auto end = [&](int32_t id) {
        if (id != kNoToken) t_->add_end(id);
    };
    end(s.eos);
    end(s.eot);
    end(s.eom);
    // Harmony's <|end|> closes a message, not the reply.
    bool harmony = (control("<|return|>") != kNoToken && control("<|call|>") != kNoToken) ||
                   (control("<|flush|>") != kNoToken && control("<|calls|>") != kNoToken);
    for (std::string_view name : kEnds) {
        if (harmony && name == "<|end|>") continue;
        if (name == "</s>" && control("<|tool_response>") != kNoToken) continue;
        end(control(name));
    }
    if (harmony && s.eot != kNoToken && v.text(s.eot) == "<|end|>") {
        std::erase(t_->end_ids_, s.eot);
        s.eot = kNoToken;
    }
    // A file or repository separator begins the next document: a completion has left its own.
    end(s.fim_pad);
    end(s.fim_repo);
    end(s.fim_file);
}

void TokenizerBuilder::fill_bytes(bool byte_level) {
    Tokenizer &t = *t_;
    const Vocab &v = t.vocab_;
    t.byte_begin_.reserve(static_cast<size_t>(v.size()) + 1);
    t.byte_begin_.push_back(0);
    for (int32_t id = 0; id < v.size(); ++id) {
        std::string_view text = v.text(id);
        TokenType type = v.type(id);
        bool named = type == TokenType::control || type == TokenType::unknown;
        if (type == TokenType::byte) {
            int b = byte_of_piece(text);
            if (b >= 0) t.bytes_.push_back(static_cast<char>(b));
            else t.bytes_.append(text);
        } else if (byte_level) {
            if (named || type == TokenType::user_defined) t.bytes_.append(text);
            else append_unmapped(t.bytes_, text);
        } else if (t.decode_ == DecodeKind::plain || named) {
            t.bytes_.append(text);
        } else {
            size_t pos = 0;
            for (size_t hit; (hit = text.find(kBlank, pos)) != std::string_view::npos; pos = hit + kBlank.size()) {
                t.bytes_.append(text.substr(pos, hit - pos));
                t.bytes_.push_back(' ');
            }
            t.bytes_.append(text.substr(pos));
        }
        t.byte_begin_.push_back(static_cast<uint32_t>(t.bytes_.size()));
    }
}

Owned<Tokenizer> TokenizerBuilder::finish(bool byte_level) {
    fill_bytes(byte_level);
    for (Matcher *m : {&t_->raw_always_, &t_->raw_all_, &t_->late_always_, &t_->late_all_}) m->build();
    t_->identity_ = hash_bytes(t_->bytes_.data(), t_->bytes_.size(), mix64(reinterpret_cast<uintptr_t>(t_.get()), t_->added_.size()));
    return std::move(t_);
}

}  // namespace inlay::text
