// SPDX-License-Identifier: Apache-2.0
// The model and the tokens of tokenizer.json: vocabulary by id, added tokens with their flags, merges; and the roles
// that tokenizer_config.json names.
#include "text/tokenizer_hf.h"

#include "text/blank.h"
#include "text/hf_pipeline.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

namespace inlay::text {
namespace {

using io::Json;

struct AddedEntry {
    const Json *json;
    std::string_view content;
    bool special;
};

class HfReader {
public:
    HfReader(Memory &m, const Json &root, const Json *config, const Limits &limits, const Log &log, Tokenizer::Kind kind)
        : root_(root),
          model_(need(root, "model")),
          config_(config),
          log_(log),
          b_(m, limits, kind),
          scores_(Alloc<double>(m, MemTag::text)) {}

    Owned<Tokenizer> build(Tokenizer::Kind kind);

private:
    void read_vocab();
    void add_added();
    void read_roles();
    int32_t role(std::string_view key);
    int32_t unk();
    void bpe(const HfPipeline &p);

    const Json &root_, &model_;
    const Json *config_;
    const Log &log_;
    TokenizerBuilder b_;
    Vector<double> scores_;  // Unigram
};

// Every token by its id, from the model's vocabulary and the added tokens; ids without a token are holes.
void HfReader::read_vocab() {
    const Limits &limits = b_.limits();
    Memory &m = b_.memory();
    struct Slot {
        std::string_view text;
        TokenType type = TokenType::normal;
        bool used = false, in_model = false;
    };
    const Json &vocab = need(model_, "vocab");
    const Json *added = root_.get("added_tokens");
    uint64_t n_vocab = vocab.is_object() ? vocab.members().size() : vocab.is_array() ? vocab.items().size() : 0;
    if (!vocab.is_object() && !vocab.is_array()) fail(Code::format, "tokenizer.json /model/vocab is neither object nor array");
    uint64_t n_added = added && added->is_array() ? added->items().size() : 0;
    if (added && !added->is_array()) fail(Code::format, "tokenizer.json /added_tokens is not an array");
    if (n_vocab > limits.vocab) fail(Code::limit, "tokenizer.json /model/vocab has ", n_vocab, " tokens, limit ", limits.vocab);
    if (n_added > limits.added_tokens)
        fail(Code::limit, "tokenizer.json /added_tokens has ", n_added, " tokens, limit ", limits.added_tokens);
    // Published files leave small gaps between vocabulary and added tokens; an id far beyond the count is a fault.
    const uint64_t most = n_vocab + n_added + 65'536;
    Vector<Slot> slots{Alloc<Slot>(m)};
    auto put = [&](int64_t id, std::string_view text, std::string_view where) {
        if (id < 0 || static_cast<uint64_t>(id) >= most)
            fail(Code::format, "tokenizer.json ", where, ": id ", id, " of ", quoted{text}, " is far outside of ", n_vocab, " tokens");
        if (slots.size() <= static_cast<size_t>(id)) slots.resize(static_cast<size_t>(id) + 1);
        Slot &s = slots[static_cast<size_t>(id)];
        if (s.used && s.text != text)
            fail(Code::format, "tokenizer.json ", where, ": id ", id, " is ", quoted{s.text}, " and ", quoted{text});
        s.text = text;
        s.used = true;
        return &s;
    };
    slots.reserve(n_vocab + n_added);
    if (vocab.is_object()) {
        for (const io::JsonMember &t : vocab.members()) {
            std::optional<int64_t> id = t.value.is_number() ? t.value.integer() : std::nullopt;
            if (!id) fail(Code::format, "tokenizer.json /model/vocab: id of ", quoted{t.key}, " is not an integer");
            if (*id >= 0 && static_cast<size_t>(*id) < slots.size() && slots[static_cast<size_t>(*id)].used)
                fail(Code::format, "tokenizer.json /model/vocab: id ", *id, " is ", quoted{slots[static_cast<size_t>(*id)].text}, " and ",
                     quoted{t.key});
            put(*id, t.key, "/model/vocab")->in_model = true;
        }
    } else {
        for (const Json &t : vocab.items()) {
            if (!t.is_array() || t.items().size() != 2 || !t.items()[0].is_string() || !t.items()[1].is_number())
                fail(Code::format, "tokenizer.json /model/vocab/", scores_.size(), " is not [piece, score]");
            put(static_cast<int64_t>(scores_.size()), t.items()[0].string(), "/model/vocab")->in_model = true;
            scores_.push_back(t.items()[1].number());
        }
    }
    for (uint64_t i = 0; i < n_added; ++i) {
        const Json &a = added->items()[i];
        if (!a.is_object()) fail(Code::format, "tokenizer.json /added_tokens/", i, " is not an object");
        std::string_view content = get_string(a, "content", "");
        if (content.empty()) fail(Code::format, "tokenizer.json /added_tokens/", i, " has no content");
        Slot *s = put(need_int(a, "id"), content, "/added_tokens");
        s->type = get_bool(a, "special", false) ? TokenType::control : TokenType::user_defined;
    }
    if (slots.empty()) fail(Code::format, "mismatch: tokenizer.json has no tokens");
    if (!vocab.is_object()) scores_.resize(slots.size(), 0.0);
    bool byte_fallback = get_bool(model_, "byte_fallback", false);
    Checked bytes = 0;
    for (const Slot &s : slots) bytes += s.text.size();
    b_.vocab().reserve(slots.size(), bytes.size());
    // The unknown token is that before it is a special one: models may give it for any text.
    std::string_view unk = get_string(model_, "unk_token", "");
    int64_t unk_id = vocab.is_array() ? get_int(model_, "unk_id", -1) : -1;
    for (const Slot &s : slots) {
        TokenType type = s.type;
        if (s.used && (&s - slots.data() == unk_id || (!unk.empty() && s.text == unk))) type = TokenType::unknown;
        if (type == TokenType::normal && byte_fallback && byte_of_piece(s.text) >= 0) type = TokenType::byte;
        int32_t id = b_.vocab().add(s.text, 0.0f, type, limits);
        if (!s.in_model) b_.vocab().set_only_added(id);
    }
}

void HfReader::add_added() {
    const Json *added = root_.get("added_tokens");
    if (!added) return;
    for (const Json &a : added->items()) {
        AddedFlags flags;
        flags.lstrip = get_bool(a, "lstrip", false);
        flags.rstrip = get_bool(a, "rstrip", false);
        flags.single_word = get_bool(a, "single_word", false);
        flags.normalized = get_bool(a, "normalized", !get_bool(a, "special", false));
        b_.add_added(static_cast<int32_t>(need_int(a, "id")), flags);
    }
}

int32_t HfReader::role(std::string_view key) {
    const Json *v = config_ ? config_->get(key) : nullptr;
    if (!v) return kNoToken;
    std::string_view text = v->is_string() ? v->string() : v->is_object() ? get_string(*v, "content", "") : "";
    return text.empty() ? kNoToken : b_.vocab().find(text);
}

void HfReader::read_roles() {
    SpecialIds &s = b_.special();
    s.bos = role("bos_token");
    s.eos = role("eos_token");
    if (s.unk == kNoToken) s.unk = role("unk_token");
    s.sep = role("sep_token");
    s.pad = role("pad_token");
    s.cls = role("cls_token");
    s.mask = role("mask_token");
}

int32_t HfReader::unk() {
    const Json *v = model_.get("unk_token");
    if (!v || !v->is_string()) return kNoToken;
    return b_.vocab().find(v->string());
}

void HfReader::bpe(const HfPipeline &p) {
    for (std::string_view key : {std::string_view("continuing_subword_prefix"), std::string_view("end_of_word_suffix")})
        if (!get_string(model_, key, "").empty()) hf_refuse("/model", key, get_string(model_, key, ""));
    if (get_double(model_, "dropout", 0.0) != 0.0) hf_refuse("/model", "dropout in", "BPE");
    BpeOptions options;
    options.byte_level = p.byte_level;
    options.ignore_merges = get_bool(model_, "ignore_merges", false);
    options.byte_fallback = get_bool(model_, "byte_fallback", false);
    options.fuse_unk = get_bool(model_, "fuse_unk", false);
    options.unk = b_.special().unk = unk();
    auto model = make_owned<BpeModel>(b_.memory(), b_.memory(), b_.vocab(), options);
    const Json &merges = need(model_, "merges");
    if (!merges.is_array()) fail(Code::format, "tokenizer.json /model/merges is not an array");
    model->reserve_merges(merges.items().size(), b_.limits());
    for (const Json &merge : merges.items()) {
        if (merge.is_string()) {
            model->add_merge(merge.string());
        } else if (merge.is_array() && merge.items().size() == 2 && merge.items()[0].is_string() && merge.items()[1].is_string()) {
            model->add_merge(merge.items()[0].string(), merge.items()[1].string());
        } else {
            fail(Code::format, "tokenizer.json /model/merges: an item is neither \"a b\" nor [\"a\", \"b\"]");
        }
    }
    b_.set_model(std::move(model));
    if (!options.byte_level && !options.ignore_merges && b_.cut().n == 0) b_.cut_before_blanks(true);
}

Owned<Tokenizer> HfReader::build(Tokenizer::Kind kind) {
    read_vocab();
    hf_normalizer(b_, root_.get("normalizer"));
    HfPipeline p;
    hf_pre_tokenizer(b_, root_.get("pre_tokenizer"), p);
    if (p.byte_level && kind != Tokenizer::Kind::bpe) hf_refuse("/pre_tokenizer", "with another model than BPE,", "ByteLevel");
    Memory &m = b_.memory();
    switch (kind) {
        case Tokenizer::Kind::bpe:
            bpe(p);
            break;
        case Tokenizer::Kind::wordpiece:
        case Tokenizer::Kind::wordlevel: {
            WordPieceOptions options;
            options.unk = b_.special().unk = unk();
            options.whole_words = kind == Tokenizer::Kind::wordlevel;
            options.continuing = get_string(model_, "continuing_subword_prefix", "##");
            options.max_chars = Checked(get_int(model_, "max_input_chars_per_word", 100)).to<uint32_t>("max_input_chars_per_word");
            if (options.max_chars > 1000)
                fail(Code::limit, "tokenizer.json /model/max_input_chars_per_word is ", options.max_chars, ", limit 1000");
            b_.set_model(make_owned<WordPieceModel>(m, m, b_.vocab(), options));
            break;
        }
        default: {
            UnigramOptions options;
            int64_t id = get_int(model_, "unk_id", -1);
            if (id >= b_.vocab().size())
                fail(Code::format, "mismatch: tokenizer.json /model/unk_id is ", id, ", the vocabulary has ", b_.vocab().size(), " tokens");
            options.unk = b_.special().unk = id < 0 ? kNoToken : static_cast<int32_t>(id);
            options.byte_fallback = get_bool(model_, "byte_fallback", false);
            options.user_defined_first = false;
            b_.set_model(make_owned<UnigramModel>(m, m, b_.vocab(), std::move(scores_), options));
            break;
        }
    }
    hf_decoder(b_, root_.get("decoder"), p);
    add_added();
    hf_post_processor(b_, root_.get("post_processor"));
    read_roles();
    if (config_ && get_bool(*config_, "add_bos_token", false) && !b_.has_front() && b_.special().bos != kNoToken)
        b_.add_front(b_.special().bos);
    b_.find_roles();
    return b_.finish(p.byte_level);
}

}  // namespace

io::JsonLimits tokenizer_json_limits(const Limits &limits) {
    io::JsonLimits j;
    j.bytes = limits.tokenizer_json_bytes;
    j.depth = limits.tokenizer_json_depth;
    return j;
}

Owned<Tokenizer> tokenizer_from_hf(Memory &m, const Json &root, const Json *config, const Limits &limits, const Log &log) {
    if (!root.is_object()) fail(Code::format, "tokenizer.json is not an object");
    const Json &model = need(root, "model");
    if (!model.is_object()) fail(Code::format, "tokenizer.json /model is not an object");
    std::string_view type = get_string(model, "type", "");
    if (type.empty())  // older files leave it out
        type = model.find("merges") ? "BPE" : model.find("unk_id") ? "Unigram" : "WordPiece";
    Tokenizer::Kind kind;
    if (type == "BPE")
        kind = Tokenizer::Kind::bpe;
    else if (type == "WordPiece")
        kind = Tokenizer::Kind::wordpiece;
    else if (type == "Unigram")
        kind = Tokenizer::Kind::unigram;
    else if (type == "WordLevel")
        kind = Tokenizer::Kind::wordlevel;
    else
        hf_refuse("/model/type", "model", type);
    return HfReader(m, root, config, limits, log, kind).build(kind);
}

}  // namespace inlay::text
