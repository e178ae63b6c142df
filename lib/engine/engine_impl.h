// SPDX-License-Identifier: Apache-2.0
// The engine's state. One thread at a time steps (Exclusive); what that thread shares with submit, poll and stats lies in
// Core, in inbox_ and in shared_stats_, under the core's mutex. Files: engine.cpp (life, submit), step.cpp (the state
// machine of a step), sampling.cpp (a row's way from logits to events), beam.cpp, score.cpp and embed.cpp.
#pragma once

#include <atomic>

#include "batch/scheduler.h"
#include "engine/choice.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/trace.h"

namespace inlay::engine {

class EngineImpl final : public Engine, public std::enable_shared_from_this<EngineImpl> {
public:
    EngineImpl(Memory &m, std::shared_ptr<void> owner, Owned<Backend> backend, Owned<Backend> draft, std::shared_ptr<const Speech> speech,
               const EngineParams &p, const Limits &limits);
    ~EngineImpl() override;

    std::shared_ptr<Request> submit(std::span<const int32_t> ids, RequestParams &&params) override;
    Code step(uint64_t budget_us) override;
    void pause() override;
    void resume() override;
    int32_t wake_fd() override;
    Stats stats() const override;
    std::shared_ptr<Prefix> pin(std::span<const int32_t> ids, uint64_t salt) override;
    void times(Times &out) const noexcept override;
    void trace(String &out) const override;
    std::shared_ptr<Score> score(std::span<const int32_t> ids, int32_t chunk) override;
    size_t embed_size(size_t n_ids, const EmbedParams &p) const override;
    void embed(std::span<const int32_t> ids, const EmbedParams &p, std::span<float> out) override;
    int32_t n_vocab() const noexcept override { return facts_.n_vocab; }
    int32_t n_ctx() const noexcept override { return n_ctx_; }
    Memory &memory() noexcept override { return memory_; }

private:
    friend class ScoreImpl;
    friend class PrefixImpl;
    enum class Stage : uint8_t { idle, begun, forward, head };
    // Holds the engine for one call; BUSY when another has it. In background mode: waits for the end of a slice.
    class Exclusive {
    public:
        explicit Exclusive(EngineImpl &e);
        ~Exclusive();

    private:
        EngineImpl &e_;
    };
    struct Output {
        int32_t part;  // index into plan_.parts
        int32_t row;   // of the part
    };
    struct PartState {
        int32_t accepted = 0;  // drafts
        bool closed = false;   // rows that follow are of no use
        bool committed = false;
    };

    struct Pinned;

    // A draw ahead of its turn: rows that depend on nothing else of their pass are drawn side by side.
    struct Drawn {
        bool ready = false;
        sample::Pick pick;
        double sum = 0;
    };

    // step.cpp
    Code step_held(uint64_t budget_us);
    void serve() noexcept;
    Code run(uint64_t deadline_ns);
    bool plan_pass();  // false: nothing to do
    void start_pass();
    void absorb();   // inbox, cancels, hosts' tokens, deadlines
    bool sample_outputs(uint64_t deadline_ns);
    void sample_group(size_t first, size_t n);
    void close_pass();
    void abort_pass() noexcept;
    void drain_pass() {  // before the backend is used for something else
        if (stage_ == Stage::idle) return;
        call_started_ = now_ns();
        run(0);
    }
    void finish(Choice &c, Finish why, std::string_view text);
    void drop_ended();
    void publish_stats();
    void start_children(Group &g);
    void tend_pins() noexcept;  // prefix.cpp
    static Choice &choice_of(const batch::Sequence &s) noexcept { return *static_cast<Choice *>(s.owner); }

    // sampling.cpp
    bool draws_ahead(const Output &o) const noexcept;
    void draw_ahead(const Output &o, int32_t i, sample::Workspace &w, Drawn &out) const noexcept;
    // `tops`: Backend::tops() of the row
    void sample_row(const batch::Part &part, PartState &st, int32_t row, std::span<const float> logits, std::span<const float> tops,
                    const Drawn &drawn);
    void report_prompt_row(Choice &c, const batch::Part &part, int32_t row, std::span<const float> logits);
    void sample_for(Choice &c, std::span<const float> logits, std::span<const float> tops, const Drawn &drawn);
    // Appends the token to the answer; ends the choice when it is the last.
    void deliver(Choice &c, int32_t token, double logprob, std::span<const sample::LogProb> top);
    bool is_end(const Choice &c, int32_t token) const noexcept;
    void fork_children(Choice &first, std::span<const float> logits, std::span<const float> tops);
    void shift_context(Choice &c);
    void propose(Choice &c);
    void fast_forward(Choice &c);

    // beam.cpp
    void check_beams(const RequestParams &p, int32_t n_tokens) const;
    void beam_row(Choice &c, std::span<const float> logits);
    void select_beams(Group &g);
    void finish_beams(Group &g);
    bool yield_beam();  // a beam that waits for others gives its blocks back; false: there is none
    void end_group(Group &g, Finish why, std::string_view text);

    void adapt(Choice &c, int32_t proposed, int32_t accepted) noexcept;

    void single_pass(const Rows &rows);  // score and embed: one sequence, to the end
    void check_ids(std::span<const int32_t> ids) const;

    Memory &memory_;
    std::shared_ptr<void> owner_;
    Owned<Backend> backend_;
    std::optional<Drafter> drafter_;
    std::shared_ptr<const Speech> speech_;
    EngineParams params_;
    const Limits limits_;
    BackendFacts facts_;
    int32_t n_ctx_ = 0;

    kv::Cache cache_;
    batch::Scheduler sched_;
    batch::StepPlan plan_;
    // One a thread that draws (7 MB each at 262k tokens); rows that are drawn at once are a group.
    static constexpr int32_t kDrawers = 8;
    static constexpr size_t kGroup = 16;
    Vector<sample::Workspace> workspaces_;
    std::shared_ptr<Core> core_;

    std::atomic<bool> stepping_{false}, paused_{false};
    Stage stage_ = Stage::idle;
    uint64_t pass_serial_ = 0;  // of the backend's pass: a Score sees by it that its rows are gone
    Vector<int32_t> pass_ids_;
    Vector<Rows> rows_;
    Vector<Output> outputs_;
    Vector<PartState> part_states_;
    size_t head_first_ = 0, head_n_ = 0, sampled_ = 0;
    bool head_ready_ = false;
    size_t moved_ = 0;  // of the plan's copies, those that are done
    uint64_t pass_started_ = 0;
    uint64_t call_started_ = 0, pass_ns_ = 0;  // of the pass, in the calls before this one

    Vector<std::shared_ptr<Group>> inbox_;  // under the mutex
    Vector<std::shared_ptr<Group>> live_;   // the stepping thread's
    Vector<kv::Table> orphans_;             // under the mutex: of scores that were freed while someone stepped
    Vector<std::shared_ptr<Pinned>> pins_;  // under the mutex
    std::atomic<int32_t> n_pins_{0};
    int32_t pinned_pages_ = 0;              // under the mutex: what all pins may come to hold
    size_t n_scores_ = 0;                   // under the mutex: that may still leave an orphan
    Stats shared_stats_;                    // under the mutex
    Stats mine_;                            // the stepping thread's, copied to shared_stats_
    Histogram step_times_, batch_times_, queue_times_, first_token_times_, token_times_;
    uint64_t next_id_ = 0;
    bool deadlines_ = false;  // a live request has one

    Vector<int32_t> forbidden_, ids_scratch_;
    Vector<sample::LogProb> top_;
    String text_;
    Trace trace_;

    // Background mode, under the core's mutex.
    std::condition_variable freed_;  // the engine is not held, or a claim on it is over
    int32_t n_claims_ = 0;           // calls that wait for it or have it
    bool quit_ = false;
    thread::Background thread_;  // last: it ends first
};

}  // namespace inlay::engine
