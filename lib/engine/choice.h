// SPDX-License-Identifier: Apache-2.0
// One choice of a request: its sequence (the stepping thread's), and what the host may touch at any time (under the
// core's mutex): events, the wish to cancel, the token of a host's sampler. A Group holds the choices of one submit; a
// Lease is what handles share: when the last goes, the group is cancelled.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "batch/sequence.h"
#include "engine/beam.h"
#include "engine/request.h"
#include "engine/stops.h"
#include "sample/chain.h"
#include "thread/background.h"

namespace inlay::engine {

uint64_t now_ns() noexcept;  // steady clock

// What requests and engine share; outlives the engine while a handle is there.
struct Core {
    explicit Core(Memory &m) : memory(m) {}
    Memory &memory;
    mutable std::mutex mutex;
    std::atomic<bool> attention{false};  // a submit, a cancel or a host's token waits for the next step
    std::condition_variable work;        // background mode: the same, for a thread that sleeps
    int64_t n_ready = 0;                 // choices that have something to poll
    std::optional<thread::WakeDescriptor> descriptor;  // readable while n_ready > 0; made when first asked for

    void notice() noexcept {  // under the mutex
        attention.store(true, std::memory_order_relaxed);
        work.notify_all();
    }
};

struct Lease;
struct Group;

class Choice final : public Request {
public:
    Choice(const std::shared_ptr<Core> &core, Group &group, int32_t index, std::span<const int32_t> prompt, const RequestParams &p, Owned<TextStream> text,
           Owned<Constraint> constraint);
    ~Choice() override;

    Code poll(Event &out) override;
    void cancel() noexcept override;
    RequestInfo info() const override;
    std::shared_ptr<Request> choice(int32_t index) override;
    int32_t choices() const noexcept override;
    std::span<const float> logits() const override;
    void set_token(int32_t token) override;

    // For the stepping thread, under the mutex.
    void push(EventKind kind, int32_t token, double logprob, std::string_view text, std::span<const sample::LogProb> top);
    void end(Finish why, std::string_view text) noexcept;
    // What this handle hands out from now on: the events of `source`.
    void unseal(Choice &source) noexcept;
    double score = 0;  // rank in a sealed group, once ended

    Group &group;
    const int32_t index;

    // The stepping thread's.
    batch::Sequence seq;
    sample::Params sampling;
    sample::State sampler;
    StopFilter stops;
    Owned<TextStream> text;
    Owned<Constraint> constraint;
    int32_t n_done = 0;              // tokens of the answer; seq.tokens may have been shifted
    int32_t prompt_reported = 1;     // prompt tokens whose log probability was given; the first has none
    bool fork_pending = false;       // choice > 0, waits for choice 0's prompt
    bool forwards = false;           // tokens that a constraint leaves no choice about are not sampled
    double sum_logprob = 0;          // of the answer, where it is ranked by
    Beam beam;
    kv::Table draft_table;           // the drafter's
    Vector<int32_t> draft_ids;       // what draft_table holds
    uint64_t t_last_token = 0;
    int32_t guess = 0, wait = 0;     // speculation: how many tokens to propose next, how many steps to rest first

    // Under the mutex.
    RequestInfo facts;
    uint64_t t_first_step = 0, t_first_token = 0, t_end = 0;
    Finish finish = Finish::none;
    bool cancel_wanted = false, waits_for_host = false;
    int32_t host_token = -1;
    Vector<float> host_logits;       // [n_vocab] of a host sampler's request

private:
    void set_ready(bool on) noexcept;
    struct Stored {
        EventKind kind;
        int32_t token;
        double logprob;
        uint32_t text_at, text_n, top_at, top_n;
    };
    std::shared_ptr<Core> core_;
    Choice *source_ = nullptr;  // whose events are handed out; null while the group is sealed
    Vector<Stored> events_;
    size_t next_ = 0;  // first event that was not taken
    String text_, finish_text_, lent_text_;
    Vector<sample::LogProb> top_, lent_top_;
    bool finish_taken_ = false, ready_ = false;
};

struct Group {
    Group(const std::shared_ptr<Core> &c, RequestParams &&p) : core(c), params(std::move(p)), choices(Alloc<Owned<Choice>>(c->memory)) {}
    std::shared_ptr<Core> core;
    RequestParams params;
    int32_t n_vocab = 0;
    Vector<Owned<Choice>> choices;  // n that the host sees, then those of best_of or of the beams
    std::optional<Beams> beams;
    bool sealed = false;  // nothing is handed out until every choice has ended and their order is known
    // Under the mutex, when a choice has ended.
    void unseal_when_ended() noexcept;
    std::weak_ptr<Lease> lease;
    uint64_t t_submit = 0, t_deadline = 0;
    uint64_t id = 0;
};

struct Lease {
    explicit Lease(std::shared_ptr<Group> g) : group(std::move(g)) {}
    ~Lease();
    std::shared_ptr<Group> group;
};

}  // namespace inlay::engine
