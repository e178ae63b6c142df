/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine.h
 * An engine runs requests on a model: it owns a paged KV cache and decides in each step who computes. The host calls
 * inlay_engine_step() from a thread of its own, with a time budget when it has frames to draw, and polls its requests
 * (request.h). What a request answers does not depend on who else is there, on the cache or on the number of threads.
 */
#ifndef INLAY_ENGINE_H
#define INLAY_ENGINE_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An engine. */
typedef struct inlay_engine inlay_engine;

/** Who goes first when not all fit. */
#define INLAY_POLICY_FCFS 0
#define INLAY_POLICY_PRIORITY 1
#define INLAY_POLICY_SHORTEST 2

/** Don't keep prompts' KV blocks for later requests with the same beginning. */
#define INLAY_ENGINE_NO_PREFIX_CACHE 1u
/** The engine steps itself on a thread of its own; inlay_engine_step() is INLAY_E_STATE. */
#define INLAY_ENGINE_BACKGROUND 2u
/** Record a timeline of steps, to be read with inlay_engine_get_trace(). */
#define INLAY_ENGINE_TRACE 4u

/** How an engine is made. */
typedef struct inlay_engine_params {
    uint32_t struct_size;      /**< set by inlay_engine_params_init() */
    uint32_t flags;            /**< INLAY_ENGINE_* */
    uint32_t n_ctx;            /**< tokens a request may hold, prompt and answer; 0 = the model's, at most */
    uint32_t max_batch_tokens; /**< tokens a step, prefill and decode together; 0 = 512 */
    uint32_t max_requests;     /**< requests that run at once; 0 = 16 */
    uint32_t max_queue;        /**< requests that may wait; 0 = 256; one more is INLAY_E_BUSY */
    /** KV cache in bytes, never exceeded, and touched at creation so that no step waits for the system's pages; 0 = enough
        for max_requests of n_ctx tokens, at most 1/2 of what the cap leaves, touched when it is used. */
    uint64_t kv_bytes;
    int32_t kv_type;           /**< INLAY_KV_* */
    int32_t policy;            /**< INLAY_POLICY_* */
    uint32_t chunk;            /**< tokens of one prompt a step; 0 = max_batch_tokens */
    uint32_t lookup_tokens;    /**< speculation by n-gram lookup: most draft tokens a step, 0 = off */
    const inlay_model *draft;  /**< speculation by a smaller model with the same vocabulary, or NULL; kept alive */
    uint32_t draft_tokens;     /**< most draft tokens a step, 0 = 4 when there is a draft model */
    uint32_t reserved0;
    /** Memory beside the KV cache where a preempted request's blocks are put and taken back from, so that they need not be
        computed again; what does not fit is computed again. Counted under the runtime's cap; 0 = none. */
    uint64_t swap_bytes;
} inlay_engine_params;

/** Counters of an engine; all grow only, but the first group, which is of now. Cheap to read from any thread. */
typedef struct inlay_engine_stats {
    uint32_t struct_size;        /**< set by the caller */
    uint32_t n_waiting;          /**< requests in the queue now */
    uint32_t n_running;          /**< requests that run now */
    uint32_t n_blocks;           /**< KV blocks in all; one holds block_tokens tokens of one group of layers, see block_groups */
    uint32_t n_blocks_free;      /**< KV blocks that nobody holds, now */
    uint32_t n_blocks_cached;    /**< KV blocks that only the prefix cache holds, now */
    uint32_t block_tokens;       /**< tokens a block */
    uint32_t last_batch_tokens;  /**< tokens of the last step */
    uint64_t steps;
    uint64_t submitted, finished, cancelled, failed, preempted;
    uint64_t prompt_tokens;      /**< computed in prefill */
    uint64_t cached_tokens;      /**< prompt tokens taken from the prefix cache */
    uint64_t completion_tokens;  /**< sampled */
    uint64_t draft_tokens;       /**< proposed by speculation */
    uint64_t accepted_tokens;    /**< of them accepted */
    uint64_t step_ns;            /**< time in steps */
    uint64_t forward_ns;         /**< of it, in the forward pass */
    uint64_t sample_ns;          /**< of it, in sampling */
    uint64_t pauses;             /**< steps that returned because their budget was over */
    uint32_t n_swap_blocks;      /**< KV blocks that swap_bytes holds */
    uint32_t n_swap_blocks_free; /**< of them, free now */
    uint64_t swapped_out;        /**< KV blocks of preempted requests that were put aside */
    uint64_t swapped_in;         /**< of them, taken back; the others were found in the prefix cache, or their request ended */
    uint32_t n_blocks_pinned;    /**< KV blocks that pinned prefixes hold, now */
    /** Layers are cut into groups by how far they look back, and block_tokens tokens take a block of each; blocks that a
        sliding window has left behind are free again. 1 when all layers look back alike, or when n_ctx ends before a window does. */
    uint32_t block_groups;
    uint64_t forced_tokens;      /**< of completion_tokens, those that a constraint left no choice about: not sampled */
    uint64_t block_bytes;        /**< memory of a KV block */
} inlay_engine_stats;

/** Buckets of a count by time. */
#define INLAY_TIME_BUCKETS 128

/**
 * How long things took, as counts that grow only. Bucket b < 4 counts times of b microseconds; bucket b from 4 on those of
 * at least (4 + b % 4) << (b / 4 - 1) microseconds and less than the next one's: four buckets a factor of two, the last one is open.
 */
typedef struct inlay_engine_times {
    uint32_t struct_size;                       /**< set by the caller */
    uint32_t reserved0;
    uint64_t step[INLAY_TIME_BUCKETS];          /**< calls of inlay_engine_step() that had work; in background mode slices of 2 ms */
    uint64_t batch[INLAY_TIME_BUCKETS];         /**< batches: time in steps, pauses between them not counted */
    uint64_t queue[INLAY_TIME_BUCKETS];         /**< requests, from submit to the first batch that they took part in */
    uint64_t first_token[INLAY_TIME_BUCKETS];   /**< answers, from submit to the first token */
    uint64_t token[INLAY_TIME_BUCKETS];         /**< tokens after the first, each from the one before it */
} inlay_engine_times;

/**
 * Set every field to its default.
 *
 * @param params      The struct.
 * @param struct_size sizeof(*params) of the caller.
 * @owns    borrows params.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_engine_params_init(inlay_engine_params *params, size_t struct_size);

/**
 * Make an engine: allocates its KV cache and scratch, so that steps allocate nothing.
 *
 * @param model      A model with weights of all its layers.
 * @param params     How, or NULL.
 * @param out_engine Receives the engine.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_LIMIT when n_ctx is above the model's or the cache does not fit; INLAY_E_STATE for a model
 *         without weights.
 * @owns    params: copies. out_engine: gives, free with inlay_engine_free(); it keeps the model alive.
 * @threads shared on model.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_create(const inlay_model *model, const inlay_engine_params *params, inlay_engine **out_engine,
                                           inlay_error *err);

/**
 * Give the engine back. Requests that are still there end as cancelled; their handles stay valid.
 *
 * @param engine The engine, or NULL.
 * @owns    takes engine.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_engine_free(inlay_engine *engine);

/**
 * Compute: one batch, or as much of it as the budget allows. A pass that is paused goes on in the next call, with the
 * same result; submit, cancel and free are legal meanwhile.
 *
 * @param engine    The engine.
 * @param budget_us Return within this many microseconds and one kernel slice (about 250); 0 = finish the batch.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK: a batch was finished; INLAY_AGAIN: paused by the budget; INLAY_DONE: nothing to do;
 *         INLAY_E_BUSY: another thread is stepping; INLAY_E_STATE in background mode. A failing request does not fail the step.
 * @owns    borrows.
 * @threads exclusive with itself; the other engine and request calls may run meanwhile.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_step(inlay_engine *engine, uint64_t budget_us, inlay_error *err);

/**
 * Stop stepping in background mode after the slice that runs (its threads then sleep), or refuse steps until resumed.
 *
 * @param engine The engine.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_pause(inlay_engine *engine, inlay_error *err);

/**
 * Undo inlay_engine_pause().
 *
 * @param engine The engine.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_resume(inlay_engine *engine, inlay_error *err);

/**
 * A file descriptor that becomes readable when any request of the engine has something to poll (for select, epoll, an
 * event loop). Reading it is not needed: polling the requests empties it.
 *
 * @param engine The engine.
 * @param out_fd Receives the descriptor.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_UNSUPPORTED where the system has none.
 * @owns    out_fd: lends until the engine ends.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_get_wake_fd(inlay_engine *engine, int32_t *out_fd, inlay_error *err);

/**
 * Read the counters.
 *
 * @param engine    The engine.
 * @param out_stats Receives them; its struct_size set by the caller.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_get_stats(const inlay_engine *engine, inlay_engine_stats *out_stats, inlay_error *err);

/**
 * Read the counts by time.
 *
 * @param engine    The engine.
 * @param out_times Receives them; its struct_size set by the caller.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads any; takes no lock.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_get_times(const inlay_engine *engine, inlay_engine_times *out_times, inlay_error *err);

/**
 * The timeline so far as Chrome trace JSON: who ran in which step, for how long.
 *
 * @param engine An engine made with INLAY_ENGINE_TRACE.
 * @param out    Receives JSON text.
 * @param io_n   Room in, bytes out.
 * @param err    Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_STATE without the flag; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_get_trace(const inlay_engine *engine, char *out, size_t *io_n, inlay_error *err);

/** A pinned prefix. */
typedef struct inlay_prefix inlay_prefix;

/**
 * Keep a prompt's beginning in the cache: its blocks are not dropped however long nobody asks for them. Nothing is computed:
 * what the cache knows already stays, and the rest as soon as some request has computed it. Whole blocks only (block_tokens of
 * inlay_engine_stats); requests find it under the same cache_salt.
 *
 * @param engine     An engine with a prefix cache.
 * @param ids        Token ids of the beginning.
 * @param n_ids      How many; at least a block's.
 * @param cache_salt The requests' salt.
 * @param out_prefix Receives the prefix.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_LIMIT when a request of n_ctx tokens would not fit beside all that is pinned;
 *         INLAY_E_INVALID_ARGUMENT for ids outside of the vocabulary or fewer than a block; INLAY_E_STATE without a prefix cache.
 * @owns    ids: copies. out_prefix: gives, free with inlay_prefix_free(), before or after the engine.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_prefix_create(inlay_engine *engine, const int32_t *ids, size_t n_ids, uint64_t cache_salt, inlay_prefix **out_prefix,
                                           inlay_error *err);

/**
 * How much of a prefix is there.
 *
 * @param prefix       The prefix.
 * @param out_n_tokens Receives the tokens that it covers: whole blocks. May be NULL.
 * @param out_n_held   Receives how many of them are computed and stay, as of the last step. May be NULL.
 * @param err          Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_prefix_get_tokens(const inlay_prefix *prefix, uint32_t *out_n_tokens, uint32_t *out_n_held, inlay_error *err);

/**
 * Unpin: the next step lets the blocks go, which then live as long as the cache has room.
 *
 * @param prefix The prefix, or NULL.
 * @owns    takes prefix.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_prefix_free(inlay_prefix *prefix);

/** How hidden states become one vector. */
#define INLAY_POOLING_MODEL 0 /**< what the model's file says, else mean */
#define INLAY_POOLING_MEAN 1
#define INLAY_POOLING_CLS 2
#define INLAY_POOLING_LAST 3
#define INLAY_POOLING_NONE 4 /**< one vector a token */

/** How an embedding is made. */
typedef struct inlay_embed_params {
    uint32_t struct_size; /**< set by the caller */
    int32_t pooling;      /**< INLAY_POOLING_* */
    uint32_t no_normalize; /**< 1: leave the length as it is */
    uint32_t max_tokens;  /**< cut longer inputs here (the last token, SEP, stays); 0 = the model's positions */
    uint32_t dimensions;  /**< keep this many leading values (Matryoshka), 0 = all */
    uint32_t reserved0;
} inlay_embed_params;

/**
 * The embedding of a sequence of ids, computed during the call.
 *
 * @param engine  The engine.
 * @param ids     Token ids, with CLS/SEP or BOS where the model wants them.
 * @param n_ids   How many; at least 1.
 * @param params  How, or NULL.
 * @param out     Receives floats: one vector, or n_tokens of them with INLAY_POOLING_NONE.
 * @param io_n    Room in floats in, count out.
 * @param err     Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT for an id outside of the vocabulary; INLAY_E_LIMIT when the room is too small.
 * @owns    borrows.
 * @threads exclusive with inlay_engine_step().
 * @since   0.1
 */
INLAY_API inlay_status inlay_engine_embed(inlay_engine *engine, const int32_t *ids, size_t n_ids, const inlay_embed_params *params,
                                          float *out, size_t *io_n, inlay_error *err);

/** A running score: the logits of given ids, row by row. */
typedef struct inlay_score inlay_score;

/** One row of a score. */
typedef struct inlay_score_row {
    uint32_t struct_size; /**< set by the caller */
    int32_t argmax;       /**< most likely next token; the lowest id wins a tie */
    uint64_t index;       /**< position of the row, from 0 */
    double logprob;       /**< natural log of the probability of ids[index + 1]; 0 for the last row */
} inlay_score_row;

/**
 * Start scoring ids: nothing is sampled, every position gives its logits.
 *
 * @param engine    The engine.
 * @param ids       Token ids, taken as they are.
 * @param n_ids     How many; 1 <= n_ids <= n_ctx.
 * @param chunk     Tokens a pass; 0 = the engine's.
 * @param out_score Receives the score.
 * @param err       Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT; INLAY_E_LIMIT.
 * @owns    ids: copies. out_score: gives, free with inlay_score_free(); it keeps the engine alive.
 * @threads shared on engine.
 * @since   0.1
 */
INLAY_API inlay_status inlay_score_create(inlay_engine *engine, const int32_t *ids, size_t n_ids, uint32_t chunk, inlay_score **out_score,
                                          inlay_error *err);

/**
 * The next row, computed when it is due.
 *
 * @param score      The score.
 * @param out_row    Receives the row's facts; its struct_size set by the caller.
 * @param out_logits Receives n_vocab floats, or NULL.
 * @param n_logits   Room of out_logits in floats.
 * @param err        Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_DONE after the last row; INLAY_E_LIMIT when the room is too small; INLAY_E_FORMAT "numeric: ..."
 *         for logits that are not numbers.
 * @owns    borrows.
 * @threads exclusive, also with inlay_engine_step().
 * @since   0.1
 */
INLAY_API inlay_status inlay_score_read(inlay_score *score, inlay_score_row *out_row, float *out_logits, size_t n_logits, inlay_error *err);

/**
 * Give the score back.
 *
 * @param score The score, or NULL.
 * @owns    takes score.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_score_free(inlay_score *score);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_ENGINE_H */
