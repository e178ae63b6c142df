/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file constraint.h
 * A constraint is a set of texts that an answer must belong to: a grammar, a JSON Schema, a regular expression, a list of
 * choices. Compiled once, in any thread; immutable; shared by any number of requests.
 */
#ifndef INLAY_CONSTRAINT_H
#define INLAY_CONSTRAINT_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A compiled constraint. */
typedef struct inlay_constraint inlay_constraint;

#define INLAY_CONSTRAINT_GBNF 1        /**< llama.cpp's grammar dialect */
#define INLAY_CONSTRAINT_JSON_SCHEMA 2 /**< draft 2020-12 and 7: every keyword enforced exactly, or the schema is refused */
#define INLAY_CONSTRAINT_REGEX 3       /**< the whole text matches; no backreferences, no lookaround */
#define INLAY_CONSTRAINT_CHOICES 4     /**< a JSON array of strings */
#define INLAY_CONSTRAINT_JSON_OBJECT 5 /**< any JSON object; the source is empty */

/** JSON Schema: keywords that the library does not know restrict nothing, instead of being refused. */
#define INLAY_CONSTRAINT_ALLOW_UNKNOWN 1u

/** How a constraint is compiled. */
typedef struct inlay_constraint_params {
    uint32_t struct_size; /**< set by the caller */
    uint32_t flags;       /**< INLAY_CONSTRAINT_ALLOW_UNKNOWN */
    const inlay_string *waived; /**< JSON Schema: keywords that the host accepts unenforced, or NULL */
    uint32_t n_waived;    /**< how many */
    uint32_t reserved0;
} inlay_constraint_params;

/**
 * Compile a constraint.
 *
 * @param rt             The runtime that will hold it.
 * @param kind           INLAY_CONSTRAINT_*.
 * @param source         Grammar, schema, expression or choices.
 * @param n_source       Its bytes.
 * @param params         How, or NULL.
 * @param out_constraint Receives the constraint.
 * @param err            Detail on failure (with offset, line and column, or the JSON pointer), or NULL.
 * @return INLAY_OK; INLAY_E_FORMAT for a source that can't be read; INLAY_E_UNSUPPORTED for what can't be enforced;
 *         INLAY_E_INVALID_ARGUMENT for one that nothing matches; INLAY_E_LIMIT over a cap.
 * @owns    source: copies. out_constraint: gives, free with inlay_constraint_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_constraint_create(inlay_runtime *rt, int32_t kind, const char *source, size_t n_source,
                                               const inlay_constraint_params *params, inlay_constraint **out_constraint, inlay_error *err);

/**
 * Is a text a sentence of the constraint?
 *
 * @param constraint The constraint.
 * @param text       The text.
 * @param n_text     Its bytes.
 * @param out_accept Receives 1 or 0.
 * @param out_at     Receives how many leading bytes a sentence may begin with, or NULL.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_LIMIT when a step needs more work than the cap.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_constraint_match(const inlay_constraint *constraint, const char *text, size_t n_text, int32_t *out_accept,
                                              uint64_t *out_at, inlay_error *err);

/**
 * Give the handle back; requests that use the constraint keep it alive.
 *
 * @param constraint The constraint, or NULL.
 * @owns    takes constraint.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_constraint_free(inlay_constraint *constraint);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_CONSTRAINT_H */
