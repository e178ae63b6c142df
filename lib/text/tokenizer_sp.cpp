// SPDX-License-Identifier: Apache-2.0
// sentencepiece_model.proto, as far as it says how to tokenize: pieces, trainer_spec and normalizer_spec.
#include "text/tokenizer_sp.h"

#include <bit>

#include "base/reader.h"
#include "text/blank.h"
#include "text/spm.h"
#include "text/tokenizer_builder.h"
#include "text/unigram.h"

namespace inlay::text {
namespace {

// One protobuf message: fields in file order. Groups, wire types 6 and 7 and field 0 are FORMAT.
class Message {
public:
    Message(std::string_view bytes, uint64_t offset) : r_({reinterpret_cast<const std::byte *>(bytes.data()), bytes.size()}, offset) {}

    // The next field, or false at the end. Afterwards number, wire and, by its kind, value or bytes are set.
    bool next() {
        if (r_.remaining() == 0) return false;
        at = r_.offset();
        uint64_t key = varint();
        number = key >> 3;
        wire = static_cast<uint32_t>(key & 7);
        if (number == 0 || number > 536'870'911) fail(Code::format, "protobuf field ", number, " at offset ", at, " is not a field number");
        switch (wire) {
            case 0: value = varint(); break;
            case 1: value = r_.read<uint64_t>("protobuf fixed64"); break;
            case 2: {
                uint64_t n = varint();
                bytes_at = r_.offset();
                bytes = r_.bytes(n, "protobuf bytes");
                break;
            }
            case 5: value = r_.read<uint32_t>("protobuf fixed32"); break;
            default: fail(Code::format, "protobuf wire type ", wire, " at offset ", at, " is not supported");
        }
        return true;
    }
    std::string_view text() const { return expect(2), bytes; }
    Message message() const { return expect(2), Message(bytes, bytes_at); }
    bool boolean() const { return expect(0), value != 0; }
    int64_t integer() const { return expect(0), static_cast<int64_t>(value); }
    float real() const { return expect(5), std::bit_cast<float>(static_cast<uint32_t>(value)); }

    uint64_t number = 0, at = 0;

private:
    void expect(uint32_t want) const {
        if (wire != want) fail(Code::format, "protobuf field ", number, " at offset ", at, " has wire type ", wire, ", not ", want);
    }
    uint64_t varint() {
        uint64_t v = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            uint8_t b = r_.read<uint8_t>("protobuf varint");
            if (shift == 63 && b > 1) fail(Code::format, "protobuf varint at offset ", at, " exceeds 64 bits");
            v |= static_cast<uint64_t>(b & 0x7f) << shift;
            if (b < 0x80) return v;
        }
        fail(Code::format, "protobuf varint at offset ", at, " exceeds 10 bytes");
    }

    Reader r_;
    uint32_t wire = 0;
    uint64_t value = 0, bytes_at = 0;
    std::string_view bytes;
};

struct Spec {
    int64_t model = 1;  // UNIGRAM
    bool byte_fallback = false, suffix = false;
    int64_t unk = 0, bos = 1, eos = 2, pad = -1;
    std::string_view charsmap;
    bool dummy_prefix = true, squeeze = true, escape = true;
};

void read_trainer(Message m, Spec &s) {
    while (m.next()) switch (m.number) {
            case 3: s.model = m.integer(); break;
            case 24: s.suffix = m.boolean(); break;
            case 35: s.byte_fallback = m.boolean(); break;
            case 40: s.unk = m.integer(); break;
            case 41: s.bos = m.integer(); break;
            case 42: s.eos = m.integer(); break;
            case 43: s.pad = m.integer(); break;
        }
}
void read_normalizer(Message m, Spec &s) {
    while (m.next()) switch (m.number) {
            case 2: s.charsmap = m.text(); break;
            case 3: s.dummy_prefix = m.boolean(); break;
            case 4: s.squeeze = m.boolean(); break;
            case 5: s.escape = m.boolean(); break;
        }
}

void read_piece(TokenizerBuilder &b, Message m) {
    std::string_view text;
    float score = 0;
    int64_t type = 1;
    uint64_t at = m.at;
    while (m.next()) switch (m.number) {
            case 1: text = m.text(); break;
            case 2: score = m.real(); break;
            case 3: type = m.integer(); break;
        }
    if (type < 1 || type > 6) fail(Code::format, "piece ", b.vocab().size(), " at offset ", at, " has the type ", type);
    int32_t id = b.vocab().size();
    if (static_cast<uint64_t>(id) >= b.limits().vocab) fail(Code::limit, "the model has more than ", b.limits().vocab, " pieces");
    if (text.empty()) fail(Code::format, "piece ", id, " is empty");
    if (type == 6 && byte_of_piece(text) < 0) fail(Code::format, "byte piece ", id, " is ", quoted{text});
    b.vocab().add(text, score, static_cast<TokenType>(type), b.limits());
}

}  // namespace

Owned<Tokenizer> tokenizer_from_sp(Memory &m, std::string_view file, const io::Json *config, const Limits &limits, const Log &) {
    // The model type stands behind the pieces: a first pass reads the specs and counts, a second one the pieces.
    Spec spec;
    uint64_t n_pieces = 0;
    for (Message top(file, 0); top.next();) {
        if (top.number == 1 && (top.text(), ++n_pieces) > limits.vocab) fail(Code::limit, "the model has more than ", limits.vocab, " pieces");
        if (top.number == 2) read_trainer(top.message(), spec);
        if (top.number == 3) read_normalizer(top.message(), spec);
    }
    if (n_pieces == 0) fail(Code::format, "mismatch: the SentencePiece model has no pieces");
    if (spec.model != 1 && spec.model != 2) fail(Code::unsupported, "SentencePiece model type ", spec.model, " is neither unigram (1) nor BPE (2)");
    if (!spec.escape) fail(Code::unsupported, "SentencePiece model with escape_whitespaces off");
    const bool bpe = spec.model == 2;

    TokenizerBuilder b(m, limits, bpe ? Tokenizer::Kind::spm : Tokenizer::Kind::unigram);
    b.vocab().reserve(static_cast<size_t>(n_pieces), file.size() / 2);
    for (Message top(file, 0); top.next();)
        if (top.number == 1) read_piece(b, top.message());
    Vocab &v = b.vocab();
    SpecialIds &ids = b.special();
    // As sentencepiece: the unknown piece is the one of that type.
    for (int32_t i = 0; i < v.size(); ++i) {
        if (v.type(i) != TokenType::unknown) continue;
        if (ids.unk != kNoToken) fail(Code::format, "pieces ", ids.unk, " and ", i, " are both unknown");
        ids.unk = i;
    }
    if (ids.unk == kNoToken) fail(Code::format, "the SentencePiece model has no unknown piece");
    auto role = [&](int64_t id, std::string_view name) {
        if (id >= v.size()) fail(Code::format, "mismatch: ", name, " id is ", id, ", the model has ", v.size(), " pieces");
        return id < 0 || v.type(static_cast<int32_t>(id)) != TokenType::control ? kNoToken : static_cast<int32_t>(id);
    };
    ids.bos = role(spec.bos, "BOS");
    ids.eos = role(spec.eos, "EOS");
    ids.pad = role(spec.pad, "padding");

    using Kind = NormStep::Kind;
    Normalizer &n = b.normalizer();
    const Matcher *untouched = nullptr;
    const bool bytes = spec.byte_fallback;
    if (bpe) {
        SpmOptions options;
        options.unk = ids.unk;
        options.byte_fallback = bytes;
        auto model = make_owned<SpmModel>(m, m, v, options);
        untouched = &model->user_defined();
        b.set_model(std::move(model));
        if (!spec.suffix) b.cut_before_blanks(true);
    } else {
        UnigramOptions options;
        options.unk = ids.unk;
        options.byte_fallback = bytes;
        options.single_precision = true;
        auto model = make_owned<UnigramModel>(m, m, v, Vector<double>(Alloc<double>(m, MemTag::text)), options);
        untouched = &model->user_defined();
        b.set_model(std::move(model));
    }
    n.set_untouched(untouched);
    if (!spec.charsmap.empty()) {
        n.set_charsmap(make_owned<CharsMap>(m, m, spec.charsmap));
        n.add(Kind::charsmap);
    } else {
        n.add(Kind::fix_utf8);
    }
    if (spec.squeeze) n.add(Kind::squeeze_blanks, " ");
    if (spec.dummy_prefix && !spec.suffix) n.add(Kind::prepend, "", " ");
    n.add(Kind::replace, " ", kBlank);
    if (spec.squeeze) n.add(Kind::strip_blank_end, kBlank);  // of U+2581 in the text too
    if (spec.dummy_prefix && spec.suffix) n.add(Kind::suffix_blank, "", kBlank);

    for (int32_t i = 0; i < v.size(); ++i)
        if (v.type(i) == TokenType::control || v.type(i) == TokenType::unknown) b.add_added(i, {});
    b.set_decode(DecodeKind::blanks, spec.dummy_prefix || spec.squeeze);
    if (spec.squeeze) b.strip_all_blanks();
    if ((config ? get_bool(*config, "add_bos_token", bpe) : bpe) && ids.bos != kNoToken) b.add_front(ids.bos);
    if ((config ? get_bool(*config, "add_eos_token", !bpe) : !bpe) && ids.eos != kNoToken) b.add_back(ids.eos);
    b.find_roles();
    return b.finish(false);
}

}  // namespace inlay::text
