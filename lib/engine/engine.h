// SPDX-License-Identifier: Apache-2.0
// The engine: requests in, one batch a step, events out. The only place where model, cache, scheduler, sampler and text
// meet. submit, poll, cancel, stats: any thread. step, embed and Score::next: one at a time, BUSY otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/limits.h"
#include "engine/backend.h"
#include "engine/histogram.h"
#include "engine/request.h"

namespace inlay::engine {

enum class Policy : int32_t { fcfs = 0, priority = 1, shortest = 2 };

struct EngineParams {
    bool prefix_cache = true;
    bool background = false;  // a thread of its own steps
    bool trace = false;
    int32_t n_ctx = 0;             // 0 = the model's
    int32_t max_batch_tokens = 0;  // 0 = 512
    int32_t max_requests = 0;      // 0 = 16
    int32_t max_queue = 0;         // 0 = 256
    int32_t chunk = 0;             // 0 = max_batch_tokens
    int32_t n_pages = 0;           // of the KV cache: the backend's, fixed when it was made
    Policy policy = Policy::fcfs;
    int32_t lookup_tokens = 0;
    int32_t draft_tokens = 0;      // 0 = 4 with a draft model
    int32_t draft_pages = 0;       // of the draft's KV cache, as its backend was made: one a block
    uint64_t swap_bytes = 0;       // open_engine() makes swap_pages of it
    int32_t swap_pages = 0;        // as the backend was made
};

// All grow only, but the first group. The fields are those of inlay_engine_stats.
struct Stats {
    uint32_t n_waiting = 0, n_running = 0, n_blocks = 0, n_blocks_free = 0, n_blocks_cached = 0, block_tokens = 0, last_batch_tokens = 0;
    uint64_t steps = 0, submitted = 0, finished = 0, cancelled = 0, failed = 0, preempted = 0;
    uint64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, draft_tokens = 0, accepted_tokens = 0;
    uint64_t step_ns = 0, forward_ns = 0, sample_ns = 0, draft_ns = 0, pauses = 0;
    uint32_t n_swap_blocks = 0, n_swap_blocks_free = 0;
    uint64_t swapped_out = 0, swapped_in = 0;  // blocks
    uint32_t n_blocks_pinned = 0;
    uint64_t forced_tokens = 0;
    uint32_t block_groups = 1;
    uint64_t block_bytes = 0;
};

// By time: calls of step() that had work, batches, waiting for the first one, for the first token, between tokens.
struct Times {
    TimeCounts step, batch, queue, first_token, token;
};

enum class Pooling : int32_t { model = 0, mean = 1, cls = 2, last = 3, none = 4 };
struct EmbedParams {
    Pooling pooling = Pooling::model;
    bool normalize = true;
    int32_t max_tokens = 0;  // cut here, the last token stays; 0 = the model's positions
    int32_t dimensions = 0;  // leading values kept; 0 = all
};

struct ScoreRow {
    int64_t index = 0;
    int32_t argmax = -1;
    double logprob = 0;  // of ids[index + 1]; 0 for the last row
};

// The logits of given ids, row by row, with one chunk of them in memory.
class Score {
public:
    virtual ~Score() = default;
    // False after the last row. `logits`, when not null, receives n_vocab floats. FORMAT "numeric: …" for a row that is no numbers.
    virtual bool next(ScoreRow &out, float *logits) = 0;
};

// A beginning of prompts that stays in the cache while this lives. Any thread; outlives the engine.
class Prefix {
public:
    virtual ~Prefix() = default;
    virtual int32_t n_tokens() const noexcept = 0;  // that it wants to keep: whole blocks
    virtual int32_t n_held() const noexcept = 0;    // of them, those that were computed and stay
};

class Engine {
public:
    virtual ~Engine() = default;  // requests that are still there end as cancelled

    // INVALID_ARGUMENT names the field, LIMIT when it can't fit, BUSY when the queue is full.
    virtual std::shared_ptr<Request> submit(std::span<const int32_t> ids, RequestParams &&params) = 0;
    // ok: a batch was finished; again: paused by the budget; done: nothing to do. BUSY and STATE are thrown.
    virtual Code step(uint64_t budget_us) = 0;
    virtual void pause() = 0;
    virtual void resume() = 0;
    // LIMIT when requests of n_ctx tokens would no longer fit beside all that is pinned; STATE without a prefix cache.
    virtual std::shared_ptr<Prefix> pin(std::span<const int32_t> ids, uint64_t salt) = 0;
    virtual int32_t wake_fd() = 0;  // readable when something can be polled
    virtual Stats stats() const = 0;
    virtual void times(Times &out) const noexcept = 0;
    virtual void trace(String &out) const = 0;  // Chrome trace JSON; STATE without EngineParams::trace

    virtual std::shared_ptr<Score> score(std::span<const int32_t> ids, int32_t chunk) = 0;
    // Floats that embed() of n_ids gives.
    virtual size_t embed_size(size_t n_ids, const EmbedParams &p) const = 0;
    virtual void embed(std::span<const int32_t> ids, const EmbedParams &p, std::span<float> out) = 0;

    virtual int32_t n_vocab() const noexcept = 0;
    virtual int32_t n_ctx() const noexcept = 0;
    virtual Memory &memory() noexcept = 0;
};

// `backend` has room for params.n_pages pages of KV (0 for an encoder). `speech` may be null: events then have no
// text. `owner` is kept as long as the engine; who holds a request keeps the memory alive himself.
std::shared_ptr<Engine> make_engine(Memory &m, std::shared_ptr<void> owner, Owned<Backend> backend, Owned<Backend> draft, std::shared_ptr<const Speech> speech,
                                    const EngineParams &params, const Limits &limits);

}  // namespace inlay::engine
