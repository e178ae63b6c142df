/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file file.h
 * Looking at a model's files without opening the model: what they hold, and whether they are whole.
 */
#ifndef INLAY_FILE_H
#define INLAY_FILE_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Describe a file or folder as JSON: kind, metadata, tensors (name, type, shape, bytes). Reads no weights. Long arrays
 * of the metadata (a vocabulary) are given by their length.
 *
 * @param rt     A runtime.
 * @param path   As for inlay_model_open().
 * @param n_path Its bytes.
 * @param out    Receives JSON text.
 * @param io_n   Room in, size out.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND, INLAY_E_IO, INLAY_E_FORMAT, INLAY_E_UNSUPPORTED; INLAY_E_LIMIT when the room is
 *         too small.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_file_info(inlay_runtime *rt, const char *path, size_t n_path, char *out, size_t *io_n, inlay_error *err);

/**
 * Check a file or folder to its last byte: structure, types, ranges, NaN and infinity, tokenizer.
 * The answer is JSON: `{"ok": true, "problems": [{"where": "tensor 'a'", "what": "..."}]}`.
 *
 * @param rt     A runtime.
 * @param path   As for inlay_model_open().
 * @param n_path Its bytes.
 * @param out    Receives JSON text.
 * @param io_n   Room in, size out.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK, also when there are problems; INLAY_E_NOT_FOUND, INLAY_E_IO; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_file_validate(inlay_runtime *rt, const char *path, size_t n_path, char *out, size_t *io_n, inlay_error *err);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_FILE_H */
