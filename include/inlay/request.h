/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file request.h
 * A request is a prompt and what becomes of it. It is submitted to an engine, runs while the engine is stepped, and hands
 * out events when polled: nothing is ever pushed into the host.
 */
#ifndef INLAY_REQUEST_H
#define INLAY_REQUEST_H

#include "constraint.h"
#include "engine.h"
#include "sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A request, or one choice of it. */
typedef struct inlay_request inlay_request;

/** Go on after a token that ends a generation. */
#define INLAY_REQUEST_IGNORE_EOS 1u
/** The host samples: see INLAY_EVENT_NEEDS_TOKEN. */
#define INLAY_REQUEST_HOST_SAMPLER 2u
/** Give INLAY_EVENT_PROMPT_LOGPROB for each prompt token after the first. */
#define INLAY_REQUEST_PROMPT_LOGPROBS 4u
/** Keep the stop string in the text. */
#define INLAY_REQUEST_KEEP_STOP 8u
/** Recognise control tokens in the prompt text of inlay_request_submit_text(). Never for text that a user wrote. */
#define INLAY_REQUEST_PARSE_SPECIAL 16u
/** Don't put BOS before the prompt text of inlay_request_submit_text(). */
#define INLAY_REQUEST_NO_BOS 32u
/** For inlay_request_submit_messages(): hand out the answer's text as it is, without parsing tool calls and reasoning. */
#define INLAY_REQUEST_RAW_ANSWER 64u

/** What to do when the prompt and max_tokens do not fit into n_ctx. */
#define INLAY_OVERFLOW_REFUSE 0   /**< INLAY_E_LIMIT at submit */
#define INLAY_OVERFLOW_STOP 1     /**< generate until the context is full, then finish with `length` */
#define INLAY_OVERFLOW_TRUNCATE 2 /**< drop the oldest prompt tokens after the first `keep` */
#define INLAY_OVERFLOW_SHIFT 3    /**< when full, drop half of what follows the first `keep` and go on as a fresh request would */

/** Why a request ended. */
#define INLAY_FINISH_NONE 0
#define INLAY_FINISH_STOP 1       /**< an end token or a stop string */
#define INLAY_FINISH_LENGTH 2     /**< max_tokens, or the context is full */
#define INLAY_FINISH_TOOL_CALLS 3
#define INLAY_FINISH_CANCELLED 4
#define INLAY_FINISH_DEADLINE 5
#define INLAY_FINISH_DEAD_END 6   /**< no token fits the constraint */
#define INLAY_FINISH_NUMERIC 7    /**< the logits were not numbers */
#define INLAY_FINISH_ERROR 8      /**< see the event's text */

/** When a beam search that has beam_width ended answers is over. */
#define INLAY_EARLY_STOPPING_LIKELY 0 /**< when the best open beam, at its present length, is not better than the worst of them */
#define INLAY_EARLY_STOPPING_YES 1    /**< at once */
#define INLAY_EARLY_STOPPING_NEVER 2  /**< when no open beam could become better up to max_tokens */

/**
 * How a request runs.
 *
 * With best_of or beam_width nothing is handed out before all is over; then choice 0 gives the best answer, choice 1 the second
 * and so on, as if each had just been written. Log probabilities are those of the raw logits; an end token counts as a token.
 * A beam search follows the model's own probabilities: samplers, stop strings, prompt and alternative logprobs are refused with
 * it, a constraint, bans, min_tokens and stop tokens hold.
 */
typedef struct inlay_request_params {
    uint32_t struct_size;   /**< set by inlay_request_params_init() */
    uint32_t flags;         /**< INLAY_REQUEST_* */
    uint32_t max_tokens;    /**< tokens to generate at most; 0 = to the end of the context */
    uint32_t min_tokens;    /**< no end token before so many */
    uint32_t n;             /**< choices, 1..8; 0 = 1. Choice i samples with the seed + i */
    int32_t priority;       /**< higher goes first under INLAY_POLICY_PRIORITY */
    uint32_t timeout_ms;    /**< finish with `deadline` this long after submit; 0 = none */
    uint32_t logprobs;      /**< alternatives with each token's log probability, 0..20; see also want_logprobs */
    uint32_t want_logprobs; /**< 1: tokens carry their log probability (of the raw logits) */
    int32_t overflow;       /**< INLAY_OVERFLOW_* */
    uint32_t keep;          /**< prompt tokens that overflow handling never drops */
    uint32_t n_stop;        /**< stop strings, at most 16 of 256 bytes */
    const inlay_string *stop; /**< or NULL */
    uint32_t n_stop_tokens; /**< token ids that end the generation, besides the model's own */
    uint32_t rope_length;   /**< declared length for ropes that choose by it; 0 = prompt + max_tokens */
    const int32_t *stop_tokens; /**< or NULL */
    const inlay_sampling_params *sampling; /**< NULL = neutral */
    const inlay_constraint *constraint;    /**< what the answer must match, or NULL; kept alive */
    inlay_string trigger;   /**< the constraint starts when the answer holds this text; empty = at once */
    uint64_t cache_salt;    /**< requests share cached prefixes only under the same salt */
    uint64_t user_data;     /**< the host's own, handed back in every event */
    uint32_t best_of;       /**< draw so many answers (n..8) and hand out the n best; 0 = n */
    uint32_t beam_width;    /**< beam search with so many beams (n..8), of which the n best are handed out; 0 or 1 = none */
    float length_penalty;   /**< best_of and beams are ranked by sum of log probabilities / tokens^this; default 1; -10..10 */
    int32_t early_stopping; /**< INLAY_EARLY_STOPPING_* of a beam search */
} inlay_request_params;

/** Kinds of events. */
#define INLAY_EVENT_TOKEN 1          /**< a token was accepted; `text` is what became certain with it (may be empty) */
#define INLAY_EVENT_FINISH 2         /**< the request ended: the last event; `text` holds held-back text or the error */
#define INLAY_EVENT_NEEDS_TOKEN 3    /**< host sampler: read the logits, give a token */
#define INLAY_EVENT_PROMPT_LOGPROB 4 /**< token and logprob of one prompt position */
#define INLAY_EVENT_CONTENT 5        /**< messages: a piece of the answer */
#define INLAY_EVENT_REASONING 6      /**< messages: a piece of the reasoning */
#define INLAY_EVENT_TOOL_CALL 7      /**< messages: a call begins; `text` is the function's name, `call_id` its id */
#define INLAY_EVENT_TOOL_ARGUMENTS 8 /**< messages: a piece of the call's arguments, JSON text */
#define INLAY_EVENT_TOOL_END 9       /**< messages: the call is complete */
#define INLAY_EVENT_MALFORMED 10     /**< messages: a call that can't be read, as it is */

/** One alternative of a token. */
typedef struct inlay_token_logprob {
    int32_t token;
    float logprob;
} inlay_token_logprob;

/** What inlay_request_poll() hands out. Pointers are lent until the next poll on the same handle, or its free. */
typedef struct inlay_event {
    uint32_t struct_size; /**< set by the caller */
    int32_t kind;         /**< INLAY_EVENT_* */
    int32_t token;        /**< token id, or -1 */
    int32_t finish;       /**< INLAY_FINISH_* of INLAY_EVENT_FINISH */
    double logprob;       /**< natural log; 0 unless asked for */
    const char *text;     /**< UTF-8, whole characters */
    uint64_t n_text;      /**< its bytes */
    const inlay_token_logprob *top; /**< most likely first */
    uint32_t n_top;
    uint32_t call_index;  /**< which tool call, from 0 */
    const char *call_id;  /**< UTF-8, or NULL */
    uint64_t n_call_id;   /**< its bytes */
    uint64_t user_data;   /**< the request's */
} inlay_event;

/** Where a request stands. Times are microseconds; 0 = not yet. */
typedef struct inlay_request_info {
    uint32_t struct_size;      /**< set by the caller */
    int32_t finish;            /**< INLAY_FINISH_* */
    uint32_t prompt_tokens;
    uint32_t cached_tokens;    /**< of them taken from the prefix cache */
    uint32_t completion_tokens;
    uint32_t preemptions;
    uint64_t queue_us;         /**< from submit to the first step that computed for it */
    uint64_t ttft_us;          /**< from submit to the first token */
    uint64_t prefill_us;       /**< from the first step to the first token */
    uint64_t latency_us;       /**< from submit to the end, or to now */
    uint64_t draft_tokens, accepted_tokens; /**< speculation */
} inlay_request_info;

/**
 * Set every field to its default.
 *
 * @param params      The struct.
 * @param struct_size sizeof(*params) of the caller.
 * @owns    borrows params.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_request_params_init(inlay_request_params *params, size_t struct_size);

/**
 * Put a prompt of ids into the engine's queue. Everything is checked here; nothing is computed.
 *
 * @param engine  The engine.
 * @param ids     Token ids, taken as they are.
 * @param n_ids   How many; at least 1.
 * @param params  How, or NULL.
 * @param out_req Receives the request: choice 0.
 * @param err     Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT names the field; INLAY_E_LIMIT when it can't fit; INLAY_E_BUSY when the queue is full.
 * @owns    ids, params and what it points to: copies. out_req: gives, free with inlay_request_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_submit(inlay_engine *engine, const int32_t *ids, size_t n_ids, const inlay_request_params *params,
                                            inlay_request **out_req, inlay_error *err);

/**
 * The same for a prompt of text, with BOS where the model wants it.
 *
 * @param engine  The engine.
 * @param text    UTF-8 text.
 * @param n_text  Its bytes.
 * @param params  How, or NULL.
 * @param out_req Receives the request: choice 0.
 * @param err     Detail on failure, or NULL.
 * @return As inlay_request_submit(); INLAY_E_STATE when the model has no tokenizer.
 * @owns    As inlay_request_submit().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_submit_text(inlay_engine *engine, const char *text, size_t n_text, const inlay_request_params *params,
                                                 inlay_request **out_req, inlay_error *err);

/**
 * The same for a conversation: a JSON object, rendered by the model's chat template and tokenised so that control tokens
 * come from the template's own text alone; the answer comes as content, reasoning and tool calls. Its members:
 *
 * - `messages`: role and content (string or text parts), tool calls and results; fitted to what the template can take.
 * - `tools`: functions that may be called, `{"type": "function", "function": {"name", "description", "parameters"}}`.
 * - `tool_choice`: "auto" (default), "none", "required", `{"type": "function", "function": {"name": N}}`, or
 *   `{"type": "allowed_tools", "mode": "auto" or "required", "tools": [...]}`. Held by a constraint: a call that comes names
 *   an offered tool and its arguments follow the tool's schema; under "none" no call can come; the tools stay in the prompt.
 *   Without `tools`, and with a template whose form of calls is not known, answers are free and "required" is refused.
 * - `parallel_tool_calls`: false: one call at most.
 * - `response_format`: `{"type": "json_object"}`, `{"type": "json_schema", "json_schema": {"schema": S}}` or
 *   `{"type": "text"}`: what content must be.
 * - `schema_options`: `{"waived": [keywords], "allow_unknown": bool}` for all schemas here, as in inlay_constraint_params.
 * - `kwargs`: variables of the template (`enable_thinking`, `documents`, ...). `add_generation_prompt`: default true.
 * - `continue_final_message`: true: the answer goes on where the last message ends.
 * - `chat_template`: Jinja source or a built-in name, instead of the model's own.
 * - `now`: "2026-01-02T03:04:05", what strftime_now() shows; without it that function is undefined.
 *
 * Other members are not looked at. What a request has made (parsed template, grammar) is kept for the next ones.
 *
 * @param engine  The engine.
 * @param json    The conversation.
 * @param n_json  Its bytes.
 * @param params  How, or NULL. A `constraint` takes the place of the tools' own; it excludes tool_choice and response_format.
 * @param out_req Receives the request: choice 0.
 * @param err     Detail on failure, or NULL.
 * @return As inlay_request_submit(); INLAY_E_FORMAT for broken JSON; INLAY_E_INVALID_ARGUMENT "template: ..." when the
 *         template refuses the conversation; INLAY_E_NOT_FOUND when the model has no template; INLAY_E_UNSUPPORTED for a
 *         keyword of a schema that can't be enforced: "tool 'NAME': /pointer: ...".
 * @owns    As inlay_request_submit().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_submit_messages(inlay_engine *engine, const char *json, size_t n_json,
                                                     const inlay_request_params *params, inlay_request **out_req, inlay_error *err);

/**
 * The other choices of a request with n > 1.
 *
 * @param req     Any choice.
 * @param index   0..n-1.
 * @param out_req Receives the choice.
 * @param err     Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    out_req: gives, free with inlay_request_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_get_choice(const inlay_request *req, uint32_t index, inlay_request **out_req, inlay_error *err);

/**
 * Take the next event.
 *
 * @param req       The request.
 * @param out_event Receives it; its struct_size set by the caller.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_AGAIN: nothing now; INLAY_DONE: the finish event was taken already.
 * @owns    out_event: lends its pointers until the next poll of this handle.
 * @threads exclusive on req; concurrent with steps.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_poll(inlay_request *req, inlay_event *out_event, inlay_error *err);

/**
 * Stop a request wherever it is; it finishes as `cancelled` and its blocks are free within a step. No effect on one that
 * has ended.
 *
 * @param req The request.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_request_cancel(inlay_request *req);

/**
 * Give the handle back; a request that still runs is cancelled when its last handle goes.
 *
 * @param req The request, or NULL.
 * @owns    takes req.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_request_free(inlay_request *req);

/**
 * Where the request stands.
 *
 * @param req      The request.
 * @param out_info Receives the facts; its struct_size set by the caller.
 * @param err      Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_get_info(const inlay_request *req, inlay_request_info *out_info, inlay_error *err);

/**
 * Host sampler: the logits that wait for a token, raw; -Inf where the request's constraint forbids it. A forbidden token ends the
 * choice with INLAY_FINISH_ERROR.
 *
 * @param req  A request whose last event was INLAY_EVENT_NEEDS_TOKEN.
 * @param out  Receives n_vocab floats.
 * @param io_n Room in floats in, count out.
 * @param err  Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_STATE when it does not wait; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads exclusive on req.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_get_logits(const inlay_request *req, float *out, size_t *io_n, inlay_error *err);

/**
 * Host sampler: the token to go on with.
 *
 * @param req   A request whose last event was INLAY_EVENT_NEEDS_TOKEN.
 * @param token Token id.
 * @param err   Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_STATE when it does not wait; INLAY_E_INVALID_ARGUMENT for an id outside of the vocabulary.
 * @owns    borrows.
 * @threads exclusive on req.
 * @since   0.1
 */
INLAY_API inlay_status inlay_request_set_token(inlay_request *req, int32_t token, inlay_error *err);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_REQUEST_H */
