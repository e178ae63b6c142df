/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file template.h
 * Chat templates: Jinja as Hugging Face renders it, byte for byte, inside fuel, depth and output limits. Parsed once,
 * immutable, rendered from any thread.
 */
#ifndef INLAY_TEMPLATE_H
#define INLAY_TEMPLATE_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A parsed template. */
typedef struct inlay_template inlay_template;

/** Fit the messages to what the template can take first (string arguments, text parts, null content). */
#define INLAY_RENDER_NORMALIZE 1u
/** Allow methods that change lists and dicts (`append`, `pop`) and the filter `from_json`. */
#define INLAY_RENDER_EXTENDED 2u

/** How a template is rendered. */
typedef struct inlay_render_params {
    uint32_t struct_size; /**< set by the caller */
    uint32_t flags;       /**< INLAY_RENDER_* */
    int32_t year, month, day, hour, minute, second; /**< what strftime_now() sees; all 0: the function is undefined */
} inlay_render_params;

/**
 * Parse a template.
 *
 * @param rt           The runtime that will hold it.
 * @param source       Jinja source, or the name of a built-in one: "chatml", "llama2", "llama3", "mistral", "gemma", "phi3",
 *                     "zephyr", "vicuna", "alpaca", "raw".
 * @param n_source     Its bytes.
 * @param out_template Receives the template.
 * @param err          Detail on failure with line and column, or NULL.
 * @return INLAY_OK; INLAY_E_FORMAT for a syntax error; INLAY_E_UNSUPPORTED for include, import, extends; INLAY_E_LIMIT.
 * @owns    source: copies. out_template: gives, free with inlay_template_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_template_create(inlay_runtime *rt, const char *source, size_t n_source, inlay_template **out_template,
                                             inlay_error *err);

/**
 * Render a template.
 *
 * @param tpl    The template.
 * @param json   `{"messages": [...], "tools": [...] or null, "kwargs": {...}}`; kwargs become variables of their own.
 * @param n_json Its bytes.
 * @param params How, or NULL.
 * @param out    Receives the text.
 * @param io_n   Room in, bytes out.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT "template: ..." when the template fails or refuses; INLAY_E_FORMAT for broken
 *         JSON; INLAY_E_LIMIT over a cap or when the room is too small.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_template_render(const inlay_template *tpl, const char *json, size_t n_json, const inlay_render_params *params,
                                             char *out, size_t *io_n, inlay_error *err);

/**
 * Give the template back.
 *
 * @param tpl The template, or NULL.
 * @owns    takes tpl.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_template_free(inlay_template *tpl);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_TEMPLATE_H */
