// SPDX-License-Identifier: Apache-2.0
// A request as the host sees it: parameters in, a stream of events out. One object a choice; a handle may outlive the
// engine. Everything here may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"
#include "engine/backend.h"
#include "sample/logprobs.h"
#include "sample/params.h"

namespace inlay::engine {

// The numbers are those of include/inlay/request.h.
enum class Overflow : int32_t { refuse = 0, stop = 1, truncate = 2, shift = 3 };
// When a beam search with beam_width ended hypotheses is over: when no better one is likely (judged at the present
// length), at once, or when none can come up to the greatest length. As Hugging Face's False, True, "never".
enum class EarlyStopping : int32_t { likely = 0, at_once = 1, never = 2 };
enum class Finish : int32_t { none = 0, stop = 1, length = 2, tool_calls = 3, cancelled = 4, deadline = 5, dead_end = 6, numeric = 7, error = 8 };
enum class EventKind : int32_t { token = 1, finish = 2, needs_token = 3, prompt_logprob = 4 };

struct RequestParams {
    explicit RequestParams(Memory &m) : stop(Alloc<String>(m)), stop_tokens(Alloc<int32_t>(m)), sampling(m) {}

    int32_t max_tokens = 0;  // 0 = to the end of the context
    int32_t n = 1;
    int32_t priority = 0;
    uint32_t timeout_ms = 0;
    bool want_logprobs = false;  // how many alternatives: sampling.logprobs
    bool ignore_eos = false;     // go on after end tokens
    bool host_sampler = false;
    bool prompt_logprobs = false;
    bool keep_stop = false;
    Overflow overflow = Overflow::refuse;
    int32_t keep = 0;
    int32_t declared_length = 0;  // 0 = prompt + max_tokens
    int32_t best_of = 0;        // > n: so many are drawn, the n best are handed out. 0 = n
    int32_t beam_width = 0;     // > 1: beam search, the n best are handed out
    float length_penalty = 1;   // both rank by sum of log probabilities / tokens^length_penalty
    EarlyStopping early_stopping = EarlyStopping::likely;
    uint64_t cache_salt = 0;
    uint64_t user_data = 0;
    Vector<String> stop;
    Vector<int32_t> stop_tokens;
    sample::Params sampling;
    Owned<Constraint> constraint;  // taken; null = none
};

struct Event {
    EventKind kind = EventKind::token;
    int32_t token = -1;
    Finish finish = Finish::none;
    double logprob = 0;
    std::string_view text;                 // lent until the next poll, as is top
    std::span<const sample::LogProb> top;  // best first
    uint64_t user_data = 0;
};

// Microseconds; 0 = not yet.
struct RequestInfo {
    Finish finish = Finish::none;
    int32_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, preemptions = 0;
    uint64_t queue_us = 0, ttft_us = 0, prefill_us = 0, latency_us = 0;
    uint64_t draft_tokens = 0, accepted_tokens = 0;
};

class Request {
public:
    virtual ~Request() = default;
    // ok, again (nothing now), done (the finish event was taken). One caller at a time.
    virtual Code poll(Event &out) = 0;
    virtual void cancel() noexcept = 0;
    virtual RequestInfo info() const = 0;
    virtual std::shared_ptr<Request> choice(int32_t index) = 0;
    virtual int32_t choices() const noexcept = 0;
    // Host sampler: STATE unless the last event was needs_token. The span is valid until set_token().
    virtual std::span<const float> logits() const = 0;
    virtual void set_token(int32_t token) = 0;
};

}  // namespace inlay::engine
