/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model.h
 * A model is weights packed for this CPU plus its configuration and tokenizer: immutable, shared by any number of
 * engines and threads. It opens from a GGUF file (splits too), from a Hugging Face folder (config.json, safetensors,
 * tokenizer), from memory, from a part of an open file, or from the host's own files (inlay_io).
 */
#ifndef INLAY_MODEL_H
#define INLAY_MODEL_H

#include "runtime.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An opened model. */
typedef struct inlay_model inlay_model;

/**
 * Called while weights are read, about 100 times a load, on the thread that opens.
 * Return 0 to go on; anything else ends the load with INLAY_E_CANCELLED. Must not call into the library.
 */
typedef int32_t (*inlay_progress_fn)(void *user, uint64_t done_bytes, uint64_t total_bytes);

/** Load by memory map: no copy of the file is read first, but a file that shrinks meanwhile raises SIGBUS in the host. */
#define INLAY_MODEL_MMAP 1u
/** Open configuration and tokenizer alone; engines can't be made from it. */
#define INLAY_MODEL_NO_WEIGHTS 2u
/** Refuse weights or block scales that are NaN or infinite (one more look at each block while packing). */
#define INLAY_MODEL_VALIDATE 4u

/** How a model is opened. */
typedef struct inlay_model_params {
    uint32_t struct_size;       /**< set by inlay_model_params_init() */
    uint32_t flags;             /**< INLAY_MODEL_* */
    uint32_t layer_begin;       /**< first layer to hold; the embedding comes with layer 0 */
    uint32_t layer_end;         /**< one past the last layer to hold, 0 = all; the head comes with the last */
    inlay_progress_fn progress; /**< or NULL */
    void *progress_user;        /**< first argument of `progress` */
    inlay_string pre_tokenizer; /**< reserved: this version takes the file's own, and empty alone */
    inlay_string pack;          /**< path of a sidecar file of packed weights, or empty: mapped where it is this model's and this
                                     library's, made anew (beside itself, then renamed) where it is absent or stale. A damaged one, or a file
                                     that is no pack, is INLAY_E_FORMAT and left alone. Opening then reads almost nothing and the pages are
                                     shared between processes; cutting the file short while it is open raises SIGBUS in the host. With
                                     INLAY_MODEL_VALIDATE all checksums are compared. INLAY_E_UNSUPPORTED for a model that was not opened by a
                                     path of the system. */
} inlay_model_params;

/** What a model is. */
typedef struct inlay_model_info {
    uint32_t struct_size;      /**< set by the caller */
    uint32_t n_layers;         /**< transformer layers of the whole model */
    uint32_t n_embd;           /**< width of the hidden state */
    uint32_t n_heads;          /**< query heads of layer 0 */
    uint32_t n_kv_heads;       /**< key/value heads of layer 0 */
    uint32_t n_vocab;          /**< rows of the head = logits a position; 0 for an encoder */
    uint32_t n_ctx;            /**< positions the model was made for */
    uint32_t sliding_window;   /**< of its windowed layers, 0 = none */
    uint32_t n_experts;        /**< 0 = dense */
    uint32_t is_encoder;       /**< 1: embeds, can't generate */
    uint32_t has_weights;      /**< 0: opened with INLAY_MODEL_NO_WEIGHTS, or the file has none */
    uint32_t has_tokenizer;    /**< 0: text calls are refused, ids work */
    uint64_t n_params;         /**< weights, counted from the tensors' shapes */
    uint64_t weights_bytes;    /**< packed weights held in memory */
    uint64_t kv_bytes_per_token; /**< with an f16 cache, all layers; those with a sliding window give theirs back behind it */
    char architecture[64];     /**< "gemma3", NUL-terminated */
    char name[128];            /**< the file's own name for it, NUL-terminated, may be empty */
    char fingerprint[40];      /**< 32 hex digits over tensor directory, hyper-parameters and tokenizer, NUL-terminated */
    uint64_t layer_weights_per_token; /**< weights that a token is multiplied with in the layers, of experts those it goes through; 0 without weights */
    uint64_t step_bytes;       /**< packed weights that a decode step of one token reads: those and the head; 0 without weights */
} inlay_model_info;

/** What an estimate is asked for. */
typedef struct inlay_estimate_params {
    uint32_t struct_size;  /**< set by the caller */
    uint32_t n_ctx;        /**< tokens a sequence; 0 = the model's */
    uint32_t max_requests; /**< sequences at once; 0 = 1 */
    int32_t kv_type;       /**< INLAY_KV_* */
    uint32_t max_batch_tokens; /**< tokens a step; 0 = 512 */
    uint32_t reserved0;
} inlay_estimate_params;

/** Bytes a model would take, known before a weight is read. */
typedef struct inlay_estimate {
    uint32_t struct_size;  /**< set by the caller */
    uint32_t reserved0;
    uint64_t weights_bytes;
    uint64_t kv_bytes;     /**< less than kv_bytes_per_token says where layers have windows shorter than n_ctx */
    uint64_t scratch_bytes;
    uint64_t total_bytes;
} inlay_estimate;

/**
 * Set every field to its default.
 *
 * @param params      The struct.
 * @param struct_size sizeof(*params) of the caller.
 * @owns    borrows params.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_model_params_init(inlay_model_params *params, size_t struct_size);

/**
 * Open a model: a .gguf file (the first of a split set) or a Hugging Face folder.
 *
 * Reads the whole of it once, packing while it streams; two copies of the weights are never held.
 *
 * @param rt        The runtime that will hold it.
 * @param path      UTF-8 path.
 * @param n_path    Its bytes.
 * @param params    How, or NULL.
 * @param out_model Receives the model.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND, INLAY_E_IO; INLAY_E_FORMAT for a broken file; INLAY_E_UNSUPPORTED for an
 *         architecture or weight type that the library lacks; INLAY_E_LIMIT over the memory cap; INLAY_E_CANCELLED.
 * @owns    path, params: copies. out_model: gives, free with inlay_model_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_open(inlay_runtime *rt, const char *path, size_t n_path, const inlay_model_params *params,
                                        inlay_model **out_model, inlay_error *err);

/**
 * Open a GGUF model that lies in memory.
 *
 * @param rt        The runtime that will hold it.
 * @param data      The file's bytes.
 * @param n_data    How many.
 * @param params    How, or NULL.
 * @param out_model Receives the model.
 * @param err       Detail on failure, or NULL.
 * @return As inlay_model_open().
 * @owns    data: borrows (it may go when the call returns). out_model: gives, free with inlay_model_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_open_memory(inlay_runtime *rt, const void *data, size_t n_data, const inlay_model_params *params,
                                               inlay_model **out_model, inlay_error *err);

/**
 * Open a GGUF model that is a part of an open file, such as an asset pack.
 *
 * @param rt        The runtime that will hold it.
 * @param fd        An open file descriptor; read by offset, its position is not moved.
 * @param offset    First byte of the model in the file.
 * @param n_bytes   Bytes of the model; 0 = to the end of the file.
 * @param params    How, or NULL.
 * @param out_model Receives the model.
 * @param err       Detail on failure, or NULL.
 * @return As inlay_model_open().
 * @owns    fd: borrows (it may be closed when the call returns). out_model: gives, free with inlay_model_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_open_fd(inlay_runtime *rt, int32_t fd, uint64_t offset, uint64_t n_bytes,
                                           const inlay_model_params *params, inlay_model **out_model, inlay_error *err);

/**
 * Give the handle back; engines and tokenizers made from the model keep it alive.
 *
 * @param model The model, or NULL.
 * @owns    takes model.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_model_free(inlay_model *model);

/**
 * What the model is.
 *
 * @param model    The model.
 * @param out_info Receives the facts; its struct_size set by the caller.
 * @param err      Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_get_info(const inlay_model *model, inlay_model_info *out_info, inlay_error *err);

/**
 * The model's tokenizer.
 *
 * @param model         The model.
 * @param out_tokenizer Receives the tokenizer.
 * @param err           Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND when the model has none.
 * @owns    out_tokenizer: gives, free with inlay_tokenizer_free(); it keeps the model alive.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_get_tokenizer(const inlay_model *model, inlay_tokenizer **out_tokenizer, inlay_error *err);

/**
 * The source of a chat template that the model's file holds.
 *
 * @param model  The model.
 * @param name   "" for the default one, else a name such as "tool_use".
 * @param n_name Its bytes.
 * @param out    Receives the text.
 * @param io_n   Room in, size out.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_get_template(const inlay_model *model, const char *name, size_t n_name, char *out, size_t *io_n,
                                                inlay_error *err);

/**
 * The memory a model would take, from its metadata alone.
 *
 * @param rt           A runtime.
 * @param path         As for inlay_model_open().
 * @param n_path       Its bytes.
 * @param params       What for, or NULL for one sequence of the model's context.
 * @param out_estimate Receives the bytes; its struct_size set by the caller.
 * @param err          Detail on failure, or NULL.
 * @return INLAY_OK; the errors of inlay_model_open() that metadata can show.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_model_estimate(inlay_runtime *rt, const char *path, size_t n_path, const inlay_estimate_params *params,
                                            inlay_estimate *out_estimate, inlay_error *err);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_MODEL_H */
