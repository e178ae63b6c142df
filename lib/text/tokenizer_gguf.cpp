// SPDX-License-Identifier: Apache-2.0
// From tokenizer.ggml.* to a Tokenizer: the vocabulary and its checks, then one function a model.
#include "text/tokenizer_gguf.h"

#include "text/blank.h"
#include "text/spm.h"
#include "text/tokenizer_builder.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

namespace inlay::text {
namespace {

#define KEY(name) "tokenizer.ggml." name

class GgufReader {
public:
    GgufReader(Memory &m, const io::Gguf &f, const Limits &limits, const Log &log, Tokenizer::Kind kind) : f_(f), log_(log), b_(m, limits, kind) {}

    Owned<Tokenizer> spm();
    Owned<Tokenizer> bpe();
    Owned<Tokenizer> bert();
    Owned<Tokenizer> unigram();

private:
    void read_vocab(bool needs_scores);
    void read_special(std::string_view bos_default, std::string_view eos_default);
    int32_t id(std::string_view key);
    void add_front_and_back(bool bos, bool eos, bool sep);
    bool flag(std::string_view key, bool fallback) { return f_.get_bool(key, fallback); }
    // Control, unknown and user-defined tokens, as far as the text is searched for them before the model sees it.
    void add_added(bool user_defined);

    const io::Gguf &f_;
    const Log &log_;
    TokenizerBuilder b_;
};

void GgufReader::read_vocab(bool needs_scores) {
    const Limits &limits = b_.limits();
    const io::GgufValue &tokens = f_.need(KEY("tokens"));
    if (!tokens.is_string_array()) fail(Code::format, KEY("tokens"), " is not an array of strings");
    uint64_t n = tokens.count();
    if (n == 0) fail(Code::format, "mismatch: ", KEY("tokens"), " is empty");
    if (n > limits.vocab) fail(Code::limit, KEY("tokens"), " has ", n, " tokens, limit ", limits.vocab);

    std::span<const float> scores;
    if (const io::GgufValue *v = f_.find(KEY("scores"))) {
        if (!v->is_array() || v->type() != io::GgufType::f32) fail(Code::format, KEY("scores"), " is not an array of f32");
        if (v->count() != n) fail(Code::format, "mismatch: ", KEY("scores"), " has ", v->count(), " items, ", KEY("tokens"), " ", n);
        scores = v->as<float>();
    } else if (needs_scores) {
        fail(Code::format, "key '", KEY("scores"), "' is missing");
    }
    const io::GgufValue *types = f_.find(KEY("token_type"));
    if (types) {
        if (!types->is_array() || !types->is_integer()) fail(Code::format, KEY("token_type"), " is not an array of integers");
        if (types->count() != n) fail(Code::format, "mismatch: ", KEY("token_type"), " has ", types->count(), " items, ", KEY("tokens"), " ", n);
    }
    Checked bytes = 0;
    for (uint64_t i = 0; i < n; ++i) bytes += tokens.string(i).size();
    b_.vocab().reserve(static_cast<size_t>(n), bytes.size());
    uint64_t n_empty = 0;
    for (uint64_t i = 0; i < n; ++i) {
        std::string_view text = tokens.string(i);
        int64_t type = types ? types->integer(i).value_or(-1) : byte_of_piece(text) >= 0 && needs_scores ? 6 : 1;
        if (type < 0 || type > 6) fail(Code::format, KEY("token_type"), " of token ", i, " is ", type, ", not 0 to 6");
        if (type == 0) type = 1;
        if (text.empty()) ++n_empty;
        b_.vocab().add(text, scores.empty() ? 0.0f : scores[static_cast<size_t>(i)], static_cast<TokenType>(type), limits);
    }
    if (n_empty) log_.line(LogLevel::info, "vocabulary: ", n_empty, " tokens have no text");
}

int32_t GgufReader::id(std::string_view key) {
    const io::GgufValue *v = f_.find(key);
    if (!v) return kNoToken;
    std::optional<int64_t> i = v->is_array() || !v->is_integer() ? std::nullopt : v->integer();
    if (!i) fail(Code::format, key, " is not an integer");
    if (*i < 0 || *i >= b_.vocab().size()) fail(Code::format, key, " is ", *i, ", the vocabulary has ", b_.vocab().size(), " tokens");
    return static_cast<int32_t>(*i);
}

void GgufReader::read_special(std::string_view bos_default, std::string_view eos_default) {
    SpecialIds &s = b_.special();
    s.bos = id(KEY("bos_token_id"));
    s.eos = id(KEY("eos_token_id"));
    s.eot = id(KEY("eot_token_id"));
    s.eom = id(KEY("eom_token_id"));
    s.unk = id(KEY("unknown_token_id"));
    s.sep = id(KEY("seperator_token_id"));  // the format's own spelling
    if (s.sep == kNoToken) s.sep = id(KEY("separator_token_id"));
    s.pad = id(KEY("padding_token_id"));
    s.cls = id(KEY("cls_token_id"));
    s.mask = id(KEY("mask_token_id"));
    auto either = [&](std::string_view a, std::string_view b) {
        int32_t i = id(a);
        return i != kNoToken ? i : id(b);
    };
    s.fim_prefix = either(KEY("fim_pre_token_id"), KEY("prefix_token_id"));
    s.fim_suffix = either(KEY("fim_suf_token_id"), KEY("suffix_token_id"));
    s.fim_middle = either(KEY("fim_mid_token_id"), KEY("middle_token_id"));
    s.fim_pad = id(KEY("fim_pad_token_id"));
    s.fim_repo = id(KEY("fim_rep_token_id"));
    s.fim_file = id(KEY("fim_sep_token_id"));
    // Files that leave the ids out mean the tokens that their kind of vocabulary calls so.
    if (s.bos == kNoToken && !bos_default.empty()) s.bos = b_.vocab().find(bos_default);
    if (s.eos == kNoToken && !eos_default.empty()) s.eos = b_.vocab().find(eos_default);
}

void GgufReader::add_front_and_back(bool bos, bool eos, bool sep) {
    const SpecialIds &s = b_.special();
    auto wanted = [&](std::string_view key, bool fallback, int32_t token, const char *what) {
        bool given = f_.find(key) != nullptr, on = flag(key, fallback);
        if (on && given && token == kNoToken) fail(Code::format, key, " is true, but the vocabulary has no ", what, " token");
        return on && token != kNoToken;
    };
    int32_t front = s.bos != kNoToken ? s.bos : s.cls;
    if (wanted(KEY("add_bos_token"), bos, front, "BOS")) b_.add_front(front);
    bool with_eos = wanted(KEY("add_eos_token"), eos, s.eos, "EOS");
    bool with_sep = wanted(KEY("add_sep_token"), sep, s.sep, "SEP");
    if (with_eos) b_.add_back(s.eos);
    else if (with_sep) b_.add_back(s.sep);
}

void GgufReader::add_added(bool user_defined) {
    // Blanks around some control tokens belong to them in the original; the file does not say so, the model's name does.
    std::string_view name = f_.get_string("general.name", "");
    String lower = make_string(b_.memory(), name);
    for (char &c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    bool phi3 = lower.find("phi-3") != String::npos || lower.find("phi3") != String::npos;
    std::string_view pre = f_.get_string(KEY("pre"), "");
    bool strip_mask = pre.starts_with("jina-v2-") || pre == "modern-bert";
    for (int32_t i = 0; i < b_.vocab().size(); ++i) {
        TokenType t = b_.vocab().type(i);
        if (t != TokenType::control && t != TokenType::unknown && !(t == TokenType::user_defined && user_defined)) continue;
        std::string_view text = b_.vocab().text(i);
        AddedFlags flags;
        flags.rstrip = phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
        flags.lstrip = strip_mask && (text == "<mask>" || text == "[MASK]");
        b_.add_added(i, flags);
    }
}

Owned<Tokenizer> GgufReader::spm() {
    read_vocab(true);
    read_special("<s>", "</s>");
    if (b_.special().unk == kNoToken)
        for (int32_t i = 0; i < b_.vocab().size() && b_.special().unk == kNoToken; ++i)
            if (b_.vocab().type(i) == TokenType::unknown) b_.special().unk = i;
    bool prefix = flag(KEY("add_space_prefix"), true);
    SpmOptions options;
    options.unk = b_.special().unk;
    options.byte_fallback = b_.vocab().find_byte(0) != kNoToken;
    // With a blank put in front of each stretch of text, user-defined pieces part the text as control tokens do
    // (tokenizer.json's added tokens); without, they are SentencePiece's own and looked for after the blanks are escaped.
    options.split_user_defined = !prefix;
    add_added(prefix);
    Normalizer &norm = b_.normalizer();
    using Kind = NormStep::Kind;
    if (!options.byte_fallback) norm.add(Kind::fix_utf8);
    if (flag(KEY("remove_extra_whitespaces"), false)) norm.add(Kind::squeeze_blanks, " ");
    if (prefix) norm.add(Kind::prepend, "", " ");
    norm.add(Kind::replace, " ", kBlank);
    b_.set_model(make_owned<SpmModel>(b_.memory(), b_.memory(), b_.vocab(), options));
    b_.cut_before_blanks(options.split_user_defined);
    b_.set_decode(DecodeKind::blanks, prefix);
    add_front_and_back(true, false, false);
    b_.find_roles();
    return b_.finish(false);
}

Owned<Tokenizer> GgufReader::bpe() {
    std::string_view pre = f_.get_string(KEY("pre"), "");
    const NamedPreTokenizer *named = find_pretokenizer(pre);
    if (!named) {
        if (!f_.find(KEY("pre"))) fail(Code::unsupported, "key '", KEY("pre"), "' is missing: the vocabulary does not say how text is cut");
        fail(Code::unsupported, "pre-tokenizer ", quoted{pre}, " is not known");
    }
    b_.set_pre_name(named->name);
    read_vocab(false);
    read_special("", "");
    const io::GgufValue &merges = f_.need(KEY("merges"));
    if (!merges.is_string_array()) fail(Code::format, KEY("merges"), " is not an array of strings");
    BpeOptions options;
    options.byte_level = !named->escape_blanks;
    options.byte_fallback = named->escape_blanks;
    options.ignore_merges = named->ignore_merges;
    if (named->escape_blanks) options.unk = b_.special().unk;
    auto model = make_owned<BpeModel>(b_.memory(), b_.memory(), b_.vocab(), options);
    model->reserve_merges(merges.count(), b_.limits());
    for (uint64_t i = 0; i < merges.count(); ++i) model->add_merge(merges.string(i));
    b_.set_model(std::move(model));
    if (named->nfc) b_.normalizer().add(NormStep::Kind::nfc);
    if (named->escape_blanks) b_.normalizer().add(NormStep::Kind::replace, " ", kBlank);
    b_.cut() = named->cut;
    b_.set_decode(named->escape_blanks ? DecodeKind::blanks : DecodeKind::bytes);
    add_added(true);
    add_front_and_back(named->add_bos, false, named->add_sep);
    b_.find_roles();
    return b_.finish(options.byte_level);
}

Owned<Tokenizer> GgufReader::bert() {
    read_vocab(false);
    read_special("", "");
    SpecialIds &s = b_.special();
    Vocab &v = b_.vocab();
    auto named = [&](int32_t &id, std::string_view text) {
        if (id == kNoToken) id = v.find(text);
    };
    named(s.cls, "[CLS]");
    named(s.sep, "[SEP]");
    named(s.unk, "[UNK]");
    named(s.pad, "[PAD]");
    named(s.mask, "[MASK]");
    // Converters write words as U+2581 + word and continuations bare; a file that kept BERT's "##" is read as well.
    bool marked = false, hashed = false;
    for (int32_t i = 0; i < v.size() && !marked; ++i) {
        marked = v.text(i).starts_with(kBlank);
        hashed = hashed || v.text(i).starts_with("##");
    }
    bool hashes = !marked && hashed;
    WordPieceOptions options;
    options.unk = s.unk;
    if (hashes) options.continuing = "##";
    else options.beginning = kBlank;
    b_.set_model(make_owned<WordPieceModel>(b_.memory(), b_.memory(), v, options));
    bool lowercase = flag(KEY("normalizer.lowercase"), true);
    b_.add_bert_normalizer(true, true, flag(KEY("normalizer.strip_accents"), lowercase), lowercase);
    b_.cut().add(scan::bert);
    b_.cut().drop_space = true;
    b_.set_decode(DecodeKind::wordpiece, false, hashes ? "##" : "");
    add_added(true);
    add_front_and_back(true, false, true);
    b_.find_roles();
    return b_.finish(false);
}

Owned<Tokenizer> GgufReader::unigram() {
    read_vocab(true);
    read_special("", "</s>");
    SpecialIds &s = b_.special();
    if (s.unk == kNoToken) s.unk = b_.vocab().find("<unk>");
    using Kind = NormStep::Kind;
    Normalizer &norm = b_.normalizer();
    if (const io::GgufValue *map = f_.find(KEY("precompiled_charsmap"))) {
        if (!map->is_array() || (map->type() != io::GgufType::u8 && map->type() != io::GgufType::i8))
            fail(Code::format, KEY("precompiled_charsmap"), " is not an array of bytes");
        const char *bytes = map->type() == io::GgufType::u8 ? reinterpret_cast<const char *>(map->as<uint8_t>().data())
                                                            : reinterpret_cast<const char *>(map->as<int8_t>().data());
        norm.set_charsmap(make_owned<CharsMap>(b_.memory(), b_.memory(), std::string_view(bytes, map->count())));
        norm.add(Kind::charsmap);
    } else {
        norm.add(Kind::fix_utf8);
    }
    if (flag(KEY("remove_extra_whitespaces"), false)) norm.add(Kind::squeeze_blanks, " ");
    bool prefix = flag(KEY("add_space_prefix"), false), suffix = flag(KEY("treat_whitespace_as_suffix"), false);
    if (prefix && !suffix) norm.add(Kind::prepend, "", " ");
    if (prefix && suffix) norm.add(Kind::suffix_blank, "", " ");
    norm.add(Kind::replace, " ", kBlank);
    UnigramOptions options;
    options.unk = s.unk;
    options.byte_fallback = b_.vocab().find_byte(0) != kNoToken;
    b_.set_model(make_owned<UnigramModel>(b_.memory(), b_.memory(), b_.vocab(), Vector<double>(Alloc<double>(b_.memory(), MemTag::text)), options));
    if (!suffix) b_.cut_before_blanks(false);
    b_.set_decode(DecodeKind::blanks, prefix);
    add_added(true);
    add_front_and_back(false, true, false);
    b_.find_roles();
    return b_.finish(false);
}

}  // namespace

Owned<Tokenizer> tokenizer_from_gguf(Memory &m, const io::Gguf &file, const Limits &limits, const Log &log) {
    std::string_view model = file.need_string(KEY("model"));
    if (model == "llama") return GgufReader(m, file, limits, log, Tokenizer::Kind::spm).spm();
    if (model == "gpt2" || model == "gemma4") return GgufReader(m, file, limits, log, Tokenizer::Kind::bpe).bpe();
    if (model == "bert") return GgufReader(m, file, limits, log, Tokenizer::Kind::wordpiece).bert();
    if (model == "t5") return GgufReader(m, file, limits, log, Tokenizer::Kind::unigram).unigram();
    fail(Code::unsupported, KEY("model"), " ", quoted{model}, " is not known");
}

}  // namespace inlay::text
