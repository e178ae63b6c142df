/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tensor.h
 * The tensor core: the library's packed matrices and tuned kernels, usable without models and engines. EXPERIMENTAL: no ABI
 * promise yet; these functions may change between minor versions. C++ users take views.hpp and eigen.hpp on top.
 *
 * All matrices here are row-major f32 with a stride in elements. Work is spread over the runtime's threads; one call at a
 * time computes in a runtime, others wait. The results are bit-identical for any number of threads and any CPU tier.
 */
#ifndef INLAY_TENSOR_TENSOR_H
#define INLAY_TENSOR_TENSOR_H

#include "../runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A weight matrix, packed for the kernels. */
typedef struct inlay_tensor_matrix inlay_tensor_matrix;

/**
 * Bytes of `n` values of a type as files hold them.
 *
 * @param dtype     INLAY_DTYPE_*.
 * @param n         Values; a multiple of the type's block.
 * @param out_bytes Receives the bytes.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_UNSUPPORTED for a type that is no weight type; INLAY_E_FORMAT when n is no multiple.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_get_bytes(int32_t dtype, uint64_t n, uint64_t *out_bytes, inlay_error *err);

/**
 * Values of a type as f32, by the format's definition.
 *
 * @param dtype INLAY_DTYPE_*.
 * @param src   File bytes, any alignment.
 * @param n     Values; a multiple of the type's block.
 * @param dst   Receives n floats.
 * @param err   Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_UNSUPPORTED; INLAY_E_FORMAT.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_decode(int32_t dtype, const void *src, uint64_t n, float *dst, inlay_error *err);

/**
 * Room for a matrix of rows x cols in packed form; rows are undefined until they are packed.
 *
 * @param rt         The runtime that holds it.
 * @param dtype      INLAY_DTYPE_*.
 * @param rows       Outputs.
 * @param cols       Inputs; a multiple of the type's block.
 * @param out_matrix Receives the matrix.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_UNSUPPORTED; INLAY_E_FORMAT; INLAY_E_LIMIT.
 * @owns    out_matrix: gives, free with inlay_tensor_matrix_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_matrix_create(inlay_runtime *rt, int32_t dtype, uint64_t rows, uint64_t cols,
                                                  inlay_tensor_matrix **out_matrix, inlay_error *err);

/**
 * Give the matrix back.
 *
 * @param matrix The matrix, or NULL.
 * @owns    takes matrix.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_tensor_matrix_free(inlay_tensor_matrix *matrix);

/**
 * Put rows in place from the file's form.
 *
 * @param matrix The matrix.
 * @param row    First row.
 * @param n_rows How many.
 * @param src    File bytes of n_rows rows, one after the other.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT for rows outside of the matrix.
 * @owns    src: borrows.
 * @threads exclusive.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_matrix_load(inlay_tensor_matrix *matrix, uint64_t row, uint64_t n_rows, const void *src, inlay_error *err);

/**
 * One row as f32: bit for bit what inlay_tensor_decode() gives of the file's row.
 *
 * @param matrix The matrix.
 * @param row    Which.
 * @param out    Receives cols floats.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_matrix_read(const inlay_tensor_matrix *matrix, uint64_t row, float *out, inlay_error *err);

/**
 * y[t][r] = sum over k of w[r][k] x[t][k] (docs/numerics.md: integer types round x to int8 per 32 first).
 *
 * @param matrix   w, rows x cols.
 * @param x        [n_tokens, ldx], cols values used.
 * @param ldx      Stride of x.
 * @param n_tokens Rows of x and y.
 * @param y        [n_tokens, ldy], receives `rows` values a row; may not overlap x.
 * @param ldy      Stride of y.
 * @param err      Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT for strides that are too small; INLAY_E_OUT_OF_MEMORY.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_matmul_submit(const inlay_tensor_matrix *matrix, const float *x, uint64_t ldx, uint64_t n_tokens, float *y,
                                                  uint64_t ldy, inlay_error *err);

/**
 * RMS norm: y = x / sqrt(mean(x^2) + eps) * w, row by row.
 *
 * @param rt     A runtime.
 * @param x      [n_rows, n].
 * @param weight [n], or NULL for 1.
 * @param n_rows Rows.
 * @param n      Values a row.
 * @param eps    Above 0.
 * @param y      [n_rows, n]; may be x.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_norm_submit(inlay_runtime *rt, const float *x, const float *weight, uint64_t n_rows, uint64_t n, float eps,
                                                float *y, inlay_error *err);

/**
 * Rotary positions in place: head values (i, i + n_rot / 2) turn by positions[row] * theta^(-2 i / n_rot).
 *
 * @param rt        A runtime.
 * @param x         [n_rows, n_heads, head_dim].
 * @param positions [n_rows].
 * @param n_rows    Rows.
 * @param n_heads   Heads a row.
 * @param head_dim  Values a head.
 * @param n_rot     Values of a head that turn; even, at most head_dim.
 * @param theta     Base; above 0.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT; INLAY_E_OUT_OF_MEMORY.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_rope_submit(inlay_runtime *rt, float *x, const int32_t *positions, uint64_t n_rows, uint64_t n_heads,
                                                uint64_t head_dim, uint64_t n_rot, double theta, inlay_error *err);

/**
 * Softmax of each row in place.
 *
 * @param rt     A runtime.
 * @param x      [n_rows, n].
 * @param n_rows Rows.
 * @param n      Values a row.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_softmax_submit(inlay_runtime *rt, float *x, uint64_t n_rows, uint64_t n, inlay_error *err);

/** Shapes of an attention. */
typedef struct inlay_tensor_attention_params {
    uint32_t struct_size; /**< set by the caller */
    uint32_t n_heads;     /**< query heads; a multiple of n_kv_heads */
    uint32_t n_kv_heads;
    uint32_t head_dim;
    uint32_t n_queries;   /**< rows of q and out: the last n_queries of the n_keys positions */
    uint32_t n_keys;      /**< rows of k and v */
    uint32_t window;      /**< keys that a query sees, itself included; 0 = all before it */
    uint32_t causal;      /**< 0: every query sees every key */
    float scale;          /**< of q k; 0 = 1 / sqrt(head_dim) */
    float softcap;        /**< 0 = none */
} inlay_tensor_attention_params;

/**
 * Attention of one sequence over f32 keys and values.
 *
 * @param rt     A runtime.
 * @param params Shapes.
 * @param q      [n_queries, n_heads, head_dim].
 * @param k      [n_keys, n_kv_heads, head_dim].
 * @param v      [n_keys, n_kv_heads, head_dim].
 * @param out    [n_queries, n_heads, head_dim]; may not overlap q.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT; INLAY_E_OUT_OF_MEMORY.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tensor_attention_submit(inlay_runtime *rt, const inlay_tensor_attention_params *params, const float *q, const float *k,
                                                     const float *v, float *out, inlay_error *err);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_TENSOR_TENSOR_H */
