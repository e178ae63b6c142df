// SPDX-License-Identifier: Apache-2.0
#include "inlay/tokenizer.h"

#include "capi/engine_handles.h"
#include "text/stream_decoder.h"

using namespace inlay;
using namespace inlay::capi;

struct inlay_decoder {
    static constexpr uint32_t kTag = 0x44454331;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    std::shared_ptr<const text::Tokenizer> tokenizer;
    text::StreamDecoder stream;
    String ready;      // decoded, not yet taken because the caller's room was too small
    int32_t fed = -2;  // the id that `ready` came from
};

static_assert(INLAY_TOKEN_NORMAL == static_cast<int>(text::TokenType::normal) &&
              INLAY_TOKEN_BYTE == static_cast<int>(text::TokenType::byte));

extern "C" inlay_status inlay_tokenizer_open(inlay_runtime *rt, const char *path, size_t n_path, inlay_tokenizer **out_tokenizer,
                                             inlay_error *err) {
    return guard(err, [&] {
        auto &owner = need_handle(rt, "rt").owner;
        need_pointer(out_tokenizer, "out_tokenizer");
        engine::Runtime &r = *owner;
        Owned<text::Tokenizer> t = engine::open_tokenizer(r, text_arg(path, n_path, "path"));
        *out_tokenizer = new_handle<inlay_tokenizer>(
            owner, std::shared_ptr<const text::Tokenizer>(t.release(), t.get_deleter(), Alloc<char>(r.memory())));
        return INLAY_OK;
    });
}

extern "C" void inlay_tokenizer_free(inlay_tokenizer *tokenizer) { free_handle(tokenizer); }

extern "C" inlay_status inlay_tokenizer_get_info(const inlay_tokenizer *tokenizer, inlay_tokenizer_info *out_info, inlay_error *err) {
    return guard(err, [&] {
        const text::Tokenizer &t = *need_handle(tokenizer, "tokenizer").impl;
        const text::SpecialIds &s = t.special();
        inlay_tokenizer_info i{};
        i.n_vocab = static_cast<uint32_t>(t.n_vocab());
        i.bos = s.bos;
        i.eos = s.eos;
        i.eot = s.eot;
        i.eom = s.eom;
        i.unk = s.unk;
        i.sep = s.sep;
        i.pad = s.pad;
        i.cls = s.cls;
        i.mask = s.mask;
        i.adds_bos = t.adds_bos();
        i.adds_eos = t.adds_eos();
        i.n_end = static_cast<uint32_t>(t.end_ids().size());
        t.kind_name().copy(i.kind, sizeof i.kind - 1);
        t.pre_name().copy(i.pre, sizeof i.pre - 1);
        copy_out(i, out_info, "out_info");
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tokenizer_encode(const inlay_tokenizer *tokenizer, const char *text, size_t n_text, uint32_t flags,
                                               int32_t *out_ids, uint64_t *out_offsets, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        const inlay_tokenizer &h = need_handle(tokenizer, "tokenizer");
        if (flags & ~(INLAY_ENCODE_ADD_SPECIAL | INLAY_ENCODE_PARSE_SPECIAL)) fail(Code::unsupported, "flags ", flags, " has unknown bits");
        Memory &m = h.owner->memory();
        text::EncodeScratch scratch(m);
        text::EncodeOptions o{(flags & INLAY_ENCODE_ADD_SPECIAL) != 0, (flags & INLAY_ENCODE_PARSE_SPECIAL) != 0};
        Vector<int32_t> ids((Alloc<int32_t>(m)));
        Vector<uint32_t> begins((Alloc<uint32_t>(m)));
        h.impl->encode(scratch, text_arg(text, n_text, "text"), o, ids, out_offsets ? &begins : nullptr);
        inlay_status st = give(ids.data(), ids.size(), out_ids, io_n, "the ids");
        if (out_offsets)
            for (size_t i = 0; i < begins.size(); ++i) out_offsets[i] = begins[i];
        return st;
    });
}

extern "C" inlay_status inlay_tokenizer_decode(const inlay_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, uint32_t flags,
                                               char *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        const inlay_tokenizer &h = need_handle(tokenizer, "tokenizer");
        if (flags & ~INLAY_DECODE_SKIP_SPECIAL) fail(Code::unsupported, "flags ", flags, " has unknown bits");
        if (n_ids) need_pointer(ids, "ids");
        String s((Alloc<char>(h.owner->memory())));
        h.impl->decode({ids, n_ids}, flags & INLAY_DECODE_SKIP_SPECIAL, s);
        return give(s.data(), s.size(), out, io_n, "the text");
    });
}

extern "C" inlay_status inlay_tokenizer_get_token(const inlay_tokenizer *tokenizer, int32_t id, char *out, size_t *io_n, int32_t *out_kind,
                                                  inlay_error *err) {
    return guard(err, [&] {
        const text::Tokenizer &t = *need_handle(tokenizer, "tokenizer").impl;
        std::string_view s = t.token_text(id);
        const int32_t kind = static_cast<int32_t>(t.token_type(id));
        inlay_status st = give(s.data(), s.size(), out, io_n, "the token");
        if (out_kind) *out_kind = kind;
        return st;
    });
}

extern "C" int32_t inlay_tokenizer_is_end(const inlay_tokenizer *tokenizer, int32_t id) {
    return tokenizer && tokenizer->tag == inlay_tokenizer::kTag && tokenizer->impl->is_end(id);
}

extern "C" inlay_status inlay_decoder_create(const inlay_tokenizer *tokenizer, uint32_t flags, inlay_decoder **out_decoder,
                                             inlay_error *err) {
    return guard(err, [&] {
        const inlay_tokenizer &h = need_handle(tokenizer, "tokenizer");
        need_pointer(out_decoder, "out_decoder");
        if (flags & ~INLAY_DECODE_SKIP_SPECIAL) fail(Code::unsupported, "flags ", flags, " has unknown bits");
        Memory &m = h.owner->memory();
        *out_decoder = new_handle<inlay_decoder>(h.owner, h.impl, text::StreamDecoder(m, *h.impl, (flags & INLAY_DECODE_SKIP_SPECIAL) != 0),
                                                 String(Alloc<char>(m)));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_decoder_decode(inlay_decoder *decoder, int32_t id, char *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        inlay_decoder &d = need_handle(decoder, "decoder");
        // After "too small" the same id comes again: it was fed already.
        if (d.fed != id || d.ready.empty()) {
            if (id == -1)
                d.stream.finish(d.ready);
            else
                d.stream.push(id, d.ready);
        }
        d.fed = id;
        inlay_status st = give(d.ready.data(), d.ready.size(), out, io_n, "the text");
        d.ready.clear();
        d.fed = -2;
        return st;
    });
}

extern "C" void inlay_decoder_free(inlay_decoder *decoder) { free_handle(decoder); }
