/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tokenizer.h
 * Text to token ids and back, equal to the tokenizer that the model was trained with. Immutable and shared by threads.
 */
#ifndef INLAY_TOKENIZER_H
#define INLAY_TOKENIZER_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A tokenizer. */
typedef struct inlay_tokenizer inlay_tokenizer;
/** A streaming decoder: ids in, whole UTF-8 characters out. */
typedef struct inlay_decoder inlay_decoder;

/** Add what the model wants around a text: BOS, EOS, CLS, SEP. */
#define INLAY_ENCODE_ADD_SPECIAL 1u
/** Recognise control tokens in the text. Never set this for text that a user wrote. */
#define INLAY_ENCODE_PARSE_SPECIAL 2u
/** Leave control tokens out of decoded text. */
#define INLAY_DECODE_SKIP_SPECIAL 1u

/** Kinds of tokens. */
#define INLAY_TOKEN_NORMAL 1
#define INLAY_TOKEN_UNKNOWN 2
#define INLAY_TOKEN_CONTROL 3
#define INLAY_TOKEN_USER_DEFINED 4
#define INLAY_TOKEN_UNUSED 5
#define INLAY_TOKEN_BYTE 6

/** What a tokenizer is. Ids are -1 where the model has no such token. */
typedef struct inlay_tokenizer_info {
    uint32_t struct_size; /**< set by the caller */
    uint32_t n_vocab;
    int32_t bos, eos, eot, eom, unk, sep, pad, cls, mask;
    uint32_t adds_bos; /**< 1: INLAY_ENCODE_ADD_SPECIAL puts BOS (or CLS) in front */
    uint32_t adds_eos; /**< 1: ... and EOS (or SEP) behind */
    uint32_t n_end;    /**< tokens that end a generation; inlay_tokenizer_is_end() tells which */
    char kind[16];     /**< "spm", "bpe", "wordpiece", "unigram", NUL-terminated */
    char pre[32];      /**< pre-tokenizer of a BPE vocabulary, NUL-terminated */
} inlay_tokenizer_info;

/**
 * Open the tokenizer of a file or folder without its model.
 *
 * @param rt            The runtime that will hold it.
 * @param path          A .gguf file, a Hugging Face folder, a tokenizer.json or a SentencePiece .model file.
 * @param n_path        Its bytes.
 * @param out_tokenizer Receives the tokenizer.
 * @param err           Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND, INLAY_E_IO, INLAY_E_FORMAT, INLAY_E_LIMIT; INLAY_E_UNSUPPORTED for a model or
 *         pre-tokenizer that the library lacks.
 * @owns    out_tokenizer: gives, free with inlay_tokenizer_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tokenizer_open(inlay_runtime *rt, const char *path, size_t n_path, inlay_tokenizer **out_tokenizer,
                                            inlay_error *err);

/**
 * Give the handle back; decoders made from it keep it alive.
 *
 * @param tokenizer The tokenizer, or NULL.
 * @owns    takes tokenizer.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_tokenizer_free(inlay_tokenizer *tokenizer);

/**
 * What the tokenizer is.
 *
 * @param tokenizer The tokenizer.
 * @param out_info  Receives the facts; its struct_size set by the caller.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tokenizer_get_info(const inlay_tokenizer *tokenizer, inlay_tokenizer_info *out_info, inlay_error *err);

/**
 * Text to ids. Linear in the text, constant stack; broken UTF-8 is taken byte by byte or as U+FFFD, as the original does.
 *
 * @param tokenizer   The tokenizer.
 * @param text        UTF-8 text; may hold NUL.
 * @param n_text      Its bytes, at most 2^31 - 1.
 * @param flags       INLAY_ENCODE_*.
 * @param out_ids     Receives the ids.
 * @param out_offsets Receives, for each id, the byte of the text where it begins (added tokens: where they stand), or NULL.
 * @param io_n        Room in ids in, count out.
 * @param err         Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_LIMIT when the room is too small or the text too long.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tokenizer_encode(const inlay_tokenizer *tokenizer, const char *text, size_t n_text, uint32_t flags,
                                              int32_t *out_ids, uint64_t *out_offsets, size_t *io_n, inlay_error *err);

/**
 * Ids to text. The bytes are those of the tokens, so a sequence that is cut inside a character gives broken UTF-8: use a
 * decoder for streams.
 *
 * @param tokenizer The tokenizer.
 * @param ids       Token ids.
 * @param n_ids     How many.
 * @param flags     INLAY_DECODE_*.
 * @param out       Receives the text.
 * @param io_n      Room in, bytes out.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT for an id outside of the vocabulary; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tokenizer_decode(const inlay_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, uint32_t flags,
                                              char *out, size_t *io_n, inlay_error *err);

/**
 * One token: its text as the vocabulary writes it, and its kind.
 *
 * @param tokenizer The tokenizer.
 * @param id        Token id.
 * @param out       Receives the text.
 * @param io_n      Room in, bytes out.
 * @param out_kind  Receives INLAY_TOKEN_*, or NULL.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tokenizer_get_token(const inlay_tokenizer *tokenizer, int32_t id, char *out, size_t *io_n, int32_t *out_kind,
                                                 inlay_error *err);

/**
 * Does a token end a generation (EOS, EOT, EOM, and what the model's generation config adds)?
 *
 * @param tokenizer The tokenizer.
 * @param id        Token id.
 * @return 1 or 0.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API int32_t inlay_tokenizer_is_end(const inlay_tokenizer *tokenizer, int32_t id);

/**
 * A decoder for one stream of ids.
 *
 * @param tokenizer   The tokenizer.
 * @param flags       INLAY_DECODE_*.
 * @param out_decoder Receives the decoder.
 * @param err         Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_OUT_OF_MEMORY.
 * @owns    out_decoder: gives, free with inlay_decoder_free(); it keeps the tokenizer alive.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_decoder_create(const inlay_tokenizer *tokenizer, uint32_t flags, inlay_decoder **out_decoder, inlay_error *err);

/**
 * Feed one id and take the text that is certain: whole UTF-8 characters; bytes that can't become one give U+FFFD.
 *
 * @param decoder The decoder.
 * @param id      The next id, or -1 for the end of the stream: what is held back comes out.
 * @param out     Receives text; 64 KiB + 4 bytes hold any token.
 * @param io_n    Room in, bytes out (may be 0).
 * @param err     Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT; INLAY_E_LIMIT when the room is too small (the id is not taken).
 * @owns    borrows.
 * @threads exclusive.
 * @since   0.1
 */
INLAY_API inlay_status inlay_decoder_decode(inlay_decoder *decoder, int32_t id, char *out, size_t *io_n, inlay_error *err);

/**
 * Give the decoder back.
 *
 * @param decoder The decoder, or NULL.
 * @owns    takes decoder.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_decoder_free(inlay_decoder *decoder);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_TOKENIZER_H */
