/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file parser.h
 * A parser splits the text that a model streams into content, reasoning and tool calls. Fed in any pieces it gives the same
 * result, and nothing that it handed out is ever taken back.
 */
#ifndef INLAY_PARSER_H
#define INLAY_PARSER_H

#include "request.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A parser of one answer. */
typedef struct inlay_parser inlay_parser;

/** The prompt has already opened the reasoning. */
#define INLAY_PARSER_IN_REASONING 1u

/**
 * Make a parser.
 *
 * @param rt         The runtime that will hold it.
 * @param format     "hermes", "qwen3_coder", "llama3_json", "pythonic", "mistral", "deepseek", "granite", "glm", "kimi_k2",
 *                   "harmony", "think", "json".
 * @param n_format   Its bytes.
 * @param tools      JSON array of the tools offered (formats that write bare values take their types from it), or NULL.
 * @param n_tools    Its bytes.
 * @param flags      INLAY_PARSER_*.
 * @param out_parser Receives the parser.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND for an unknown format; INLAY_E_FORMAT for broken JSON.
 * @owns    tools: copies. out_parser: gives, free with inlay_parser_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_parser_create(inlay_runtime *rt, const char *format, size_t n_format, const char *tools, size_t n_tools,
                                           uint32_t flags, inlay_parser **out_parser, inlay_error *err);

/**
 * Feed text.
 *
 * @param parser The parser.
 * @param text   The next piece; may end inside a character.
 * @param n_text Its bytes; 0 = the stream has ended.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_STATE after the end; INLAY_E_LIMIT.
 * @owns    text: copies.
 * @threads exclusive.
 * @since   0.1
 */
INLAY_API inlay_status inlay_parser_parse(inlay_parser *parser, const char *text, size_t n_text, inlay_error *err);

/**
 * Take the next event: INLAY_EVENT_CONTENT, _REASONING, _TOOL_CALL, _TOOL_ARGUMENTS, _TOOL_END, _MALFORMED, and at the end
 * INLAY_EVENT_FINISH, whose `finish` is INLAY_FINISH_STOP, or INLAY_FINISH_LENGTH when the stream was cut inside a call or
 * inside reasoning.
 *
 * @param parser    The parser.
 * @param out_event Receives it; its struct_size set by the caller.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_AGAIN: feed more; INLAY_DONE: the finish event was taken.
 * @owns    out_event: lends its pointers until the next call on the parser.
 * @threads exclusive.
 * @since   0.1
 */
INLAY_API inlay_status inlay_parser_poll(inlay_parser *parser, inlay_event *out_event, inlay_error *err);

/**
 * Give the parser back.
 *
 * @param parser The parser, or NULL.
 * @owns    takes parser.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_parser_free(inlay_parser *parser);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_PARSER_H */
