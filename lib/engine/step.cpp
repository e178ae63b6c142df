// SPDX-License-Identifier: Apache-2.0
// A step as a state machine: plan, forward pass, then the head and the sampler slice by slice. It may stop after any
// slice when its budget is over and goes on in the next call; what clients ask for meanwhile is taken in between passes.
#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "engine/engine_impl.h"

namespace inlay::engine {

Code EngineImpl::step(uint64_t budget_us) {
    if (params_.background) fail(Code::state, "the engine steps by itself: it was made with a thread of its own");
    if (paused_.load()) fail(Code::state, "the engine is paused");
    Exclusive hold(*this);
    return step_held(budget_us);
}

Code EngineImpl::step_held(uint64_t budget_us) {
    const uint64_t start = call_started_ = now_ns();
    Code c;
    try {
        c = run(budget_us ? start + budget_us * 1000 : 0);
    } catch (...) {
        abort_pass();
        pass_ns_ = 0;
        mine_.step_ns += now_ns() - start;
        publish_stats();
        throw;
    }
    const uint64_t end = now_ns();
    mine_.step_ns += end - start;
    if (c != Code::done) step_times_.add(end - start);
    if (c == Code::again) pass_ns_ += end - call_started_;
    mine_.pauses += c == Code::again;
    publish_stats();
    return c;
}

// Background mode. A slice of 2 ms bounds how long pause(), embed() or the end of the engine wait.
void EngineImpl::serve() noexcept {
    constexpr uint64_t slice_us = 2000;
    for (;;) {
        Code c = Code::done;
        bool failed = false;
        if (!paused_.load() && !stepping_.exchange(true, std::memory_order_acquire)) {
            try {
                c = step_held(slice_us);
            } catch (const Error &e) {
                failed = true;  // the pass was undone; memory may be back in a moment
            }
            stepping_.store(false, std::memory_order_release);
        }
        std::unique_lock lock(core_->mutex);
        freed_.notify_all();
        if (quit_) return;
        if (c != Code::done) {
            if (n_claims_ > 0) freed_.wait(lock, [&] { return n_claims_ == 0 || quit_; });
            continue;
        }
        auto due = [&] { return quit_ || (core_->attention.load(std::memory_order_relaxed) && !paused_.load()); };
        // A deadline, a failed pass or a claim: look again soon. Else sleep until someone asks for something.
        if (failed || deadlines_ || n_claims_ > 0)
            core_->work.wait_for(lock, std::chrono::milliseconds(5), due);
        else
            core_->work.wait(lock, due);
        if (quit_) return;
    }
}

// After every stage, and between the slices of long ones, the clock is looked at: what is late by one slice is not late by
// another stage's as well. Each call does at least one of them, so any budget gets somewhere.
Code EngineImpl::run(uint64_t deadline) {
    auto late = [deadline] { return deadline != 0 && now_ns() >= deadline; };
    if (drafter_ && drafter_->busy()) {
        uint64_t t = now_ns();
        bool done = drafter_->advance(deadline);
        mine_.draft_ns += now_ns() - t;
        if (!done || late()) return Code::again;
    }
    while (stage_ == Stage::idle || stage_ == Stage::begun) {
        if (stage_ == Stage::idle && !plan_pass()) return Code::done;
        while (moved_ < plan_.copies.size()) {
            if (late()) return Code::again;
            backend_->copy_blocks({plan_.copies.data() + moved_, 1});
            ++moved_;
        }
        start_pass();
        if (late()) return Code::again;
    }
    if (stage_ == Stage::forward) {
        uint64_t t = now_ns();
        bool done = backend_->advance(deadline);
        mine_.forward_ns += now_ns() - t;
        if (!done) return Code::again;
        stage_ = Stage::head;
        head_first_ = head_n_ = 0;
        if (late()) return Code::again;
    }
    while (head_first_ < outputs_.size()) {
        if (head_n_ == 0) {
            head_n_ = std::min(outputs_.size() - head_first_, static_cast<size_t>(backend_->max_head_rows()));
            head_ready_ = false;
            sampled_ = 0;
            backend_->begin_head(static_cast<int32_t>(head_first_), static_cast<int32_t>(head_n_));
        }
        if (!head_ready_) {
            uint64_t t = now_ns();
            head_ready_ = backend_->advance_head(deadline);
            mine_.forward_ns += now_ns() - t;
            if (!head_ready_ || late()) return Code::again;
        }
        if (!sample_outputs(deadline)) return Code::again;
        head_first_ += head_n_;
        head_n_ = 0;
        if (head_first_ < outputs_.size() && late()) return Code::again;
    }
    close_pass();
    return Code::ok;
}

void EngineImpl::start_children(Group &g) {
    for (size_t i = 1; i < g.choices.size(); ++i) {
        Choice &c = *g.choices[i];
        if (!c.fork_pending || c.finish != Finish::none) continue;
        c.fork_pending = false;
        sched_.add(c.seq);
    }
}

void EngineImpl::absorb() {
    bool look = core_->attention.exchange(false, std::memory_order_relaxed);
    struct Again {  // what was not taken in because memory ran out is looked for in the next step
        std::atomic<bool> *flag;
        ~Again() {
            if (flag) flag->store(true, std::memory_order_relaxed);
        }
    } again{look ? &core_->attention : nullptr};
    if (look) {
        std::lock_guard lock(core_->mutex);
        for (kv::Table &t : orphans_) cache_.release(t);
        orphans_.clear();
        live_.reserve(live_.size() + inbox_.size());
        while (!inbox_.empty()) {
            std::shared_ptr<Group> g = inbox_.front();
            sched_.add(g->choices[0]->seq);
            live_.push_back(std::move(g));
            inbox_.erase(inbox_.begin());
            deadlines_ |= live_.back()->t_deadline != 0;
        }
    }
    again.flag = nullptr;
    if (!look && !deadlines_) return;
    uint64_t now = deadlines_ ? now_ns() : 0;
    bool any_deadline = false;
    for (auto &g : live_) {
        bool late = g->t_deadline != 0 && now >= g->t_deadline;
        any_deadline |= g->t_deadline != 0;
        for (size_t i = 0; i < g->choices.size(); ++i) {
            Choice &c = *g->choices[i];
            bool cancelled;
            int32_t token = -1;
            {
                std::lock_guard lock(core_->mutex);
                if (c.finish != Finish::none) continue;
                cancelled = c.cancel_wanted;
                if (c.waits_for_host && c.host_token >= 0) {
                    token = c.host_token;
                    c.waits_for_host = false;
                    c.host_token = -1;
                }
            }
            if (cancelled || late) {
                finish(c, cancelled ? Finish::cancelled : Finish::deadline, "");
                if (i == 0) start_children(*g);
            } else if (token >= 0) {
                sched_.unhold(c.seq);
                try {
                    const uint32_t *mask = c.constraint ? c.constraint->mask() : nullptr;
                    if (mask && !(mask[token / 32] >> (token % 32) & 1))
                        fail(Code::invalid_argument, "the host's token ", token, " is not one that the constraint allows");
                    deliver(c, token, 0, {});
                } catch (const Error &e) {
                    finish(c, Finish::error, e.text());
                }
            }
        }
    }
    deadlines_ = any_deadline;
    drop_ended();
}

bool EngineImpl::plan_pass() {
    absorb();
    if (n_pins_.load(std::memory_order_relaxed) > 0) tend_pins();
    sched_.plan(plan_);
    while (plan_.empty() && yield_beam()) sched_.plan(plan_);
    if (plan_.empty()) {
        if (sched_.starved())
            fail(Code::limit, "requests wait for KV blocks that unfinished scores hold: ", cache_.pool().n_free(), " of ", cache_.pool().n_blocks(),
                 " are free");
        return false;
    }
    stage_ = Stage::begun;
    moved_ = 0;
    part_states_.clear();
    sched_.begin(plan_);
    return true;
}

// The plan's pages are in place: its rows become a pass of the backend.
void EngineImpl::start_pass() {
    plan_.copies.clear();
    moved_ = 0;
    if (plan_.parts.empty()) {
        stage_ = Stage::idle;
        return;
    }
    uint64_t now = now_ns();
    pass_ids_.clear();
    rows_.clear();
    outputs_.clear();
    part_states_.assign(plan_.parts.size(), PartState{});
    for (size_t i = 0; i < plan_.parts.size(); ++i) {
        const batch::Part &p = plan_.parts[i];
        const batch::Sequence &s = *p.seq;
        Rows r;
        r.n = p.n;
        r.position = p.from;
        r.pages = s.table.pages.data();
        r.n_blocks = cache_.blocks(s.table);
        r.first_output = s.all_outputs ? 0 : p.last ? p.n - 1 - p.n_drafts : p.n;
        Choice &c = choice_of(s);
        r.declared = c.group.params.declared_length ? c.group.params.declared_length : s.max_tokens;
        for (int32_t k = 0; k < p.n; ++k) {
            int32_t at = p.from + k;
            pass_ids_.push_back(at < s.known() ? s.tokens[static_cast<size_t>(at)] : s.drafts[static_cast<size_t>(at - s.known())]);
        }
        for (int32_t k = r.first_output; k < p.n; ++k) outputs_.push_back({static_cast<int32_t>(i), k});
        rows_.push_back(r);
        if (p.from < s.n_prompt) mine_.prompt_tokens += static_cast<uint64_t>(std::min(p.n, s.n_prompt - p.from));
        if (c.t_first_step == 0) {
            std::lock_guard lock(core_->mutex);
            c.t_first_step = now;
            c.facts.cached_tokens = s.n_cached;
            mine_.cached_tokens += static_cast<uint64_t>(s.n_cached);
            queue_times_.add(now - std::min(now, c.group.t_submit));
        }
    }
    const int32_t *ids = pass_ids_.data();
    for (Rows &r : rows_) {
        r.tokens = ids;
        ids += r.n;
    }
    pass_started_ = now;
    mine_.last_batch_tokens = static_cast<uint32_t>(plan_.n_tokens);
    stage_ = Stage::forward;
    ++pass_serial_;
    backend_->begin(rows_);
}

// False when the deadline passed with rows left.
bool EngineImpl::sample_outputs(uint64_t deadline) {
    while (sampled_ < head_n_) {
        uint64_t t = now_ns();
        // With a deadline a row a thread (0.1 ms) is a slice; else fewer, larger groups wake the threads less often.
        size_t n = std::min(head_n_ - sampled_, deadline != 0 ? workspaces_.size() : kGroup);
        sample_group(sampled_, n);
        sampled_ += n;
        uint64_t now = now_ns();
        mine_.sample_ns += now - t;
        if (deadline != 0 && now >= deadline && sampled_ < head_n_) return false;
    }
    return true;
}

void EngineImpl::close_pass() {
    for (size_t i = 0; i < plan_.parts.size(); ++i) {
        const batch::Part &p = plan_.parts[i];
        if (!part_states_[i].committed && p.seq->phase != batch::Phase::outside) sched_.commit(p, part_states_[i].accepted);
    }
    uint64_t now = now_ns();
    batch_times_.add(pass_ns_ + now - call_started_);
    pass_ns_ = 0;
    if (trace_.on()) {
        std::lock_guard lock(core_->mutex);
        trace_.add({pass_started_, now, mine_.steps, pass_started_, 0, 0, plan_.n_tokens, 0, 2});
        for (const batch::Part &p : plan_.parts) {
            const Choice &c = choice_of(*p.seq);
            trace_.add(
                {pass_started_, now, mine_.steps, c.group.t_submit, c.group.id, c.index, p.n, p.from, static_cast<uint8_t>(p.n == 1 + p.n_drafts && p.last)});
        }
    }
    stage_ = Stage::idle;
    plan_.clear();
    ++mine_.steps;
    drop_ended();
    for (auto &g : live_)
        for (Owned<Choice> &c : g->choices)
            if (c->seq.phase == batch::Phase::running && c->seq.decoding()) propose(*c);
#ifndef NDEBUG
    sched_.check();
#endif
}

void EngineImpl::abort_pass() noexcept {
    if (drafter_) drafter_->abandon();
    if (stage_ == Stage::idle) return;
    if (stage_ == Stage::begun)
        for (; moved_ < plan_.copies.size(); ++moved_) backend_->copy_blocks({plan_.copies.data() + moved_, 1});  // tables already point to the copies
    else
        backend_->abandon();
    // Parts that were committed row by row keep what they got; the rest is as before the plan.
    for (size_t i = plan_.parts.size(); i-- > 0;)
        if (i < part_states_.size() && part_states_[i].committed) plan_.parts.erase(plan_.parts.begin() + static_cast<ptrdiff_t>(i));
    sched_.abort(plan_);
    stage_ = Stage::idle;
}

void EngineImpl::finish(Choice &c, Finish why, std::string_view text) {
    sched_.remove(c.seq);
    if (drafter_) drafter_->release(c);
    if (c.finish != Finish::none) return;
    std::lock_guard lock(core_->mutex);
    c.facts.preemptions = c.seq.preemptions;
    c.waits_for_host = false;
    c.end(why, text);
    switch (why) {
        case Finish::cancelled:
        case Finish::deadline:
            ++mine_.cancelled;
            break;
        case Finish::numeric:
        case Finish::dead_end:
        case Finish::error:
            ++mine_.failed;
            break;
        default:
            ++mine_.finished;
    }
}

void EngineImpl::drop_ended() {
    std::erase_if(live_, [&](const std::shared_ptr<Group> &g) {
        std::lock_guard lock(core_->mutex);
        return std::all_of(g->choices.begin(), g->choices.end(), [](const Owned<Choice> &c) { return c->finish != Finish::none; });
    });
}

void EngineImpl::publish_stats() {
    mine_.n_waiting = static_cast<uint32_t>(sched_.n_waiting());
    mine_.n_running = static_cast<uint32_t>(sched_.n_running());
    mine_.n_blocks_free = static_cast<uint32_t>(cache_.pool().n_free() - cache_.pool().n_cached());
    mine_.n_blocks_cached = static_cast<uint32_t>(cache_.pool().n_cached());
    mine_.preempted = sched_.n_preempted();
    mine_.n_swap_blocks_free = static_cast<uint32_t>(sched_.swap().n_free());
    mine_.swapped_out = sched_.n_swapped_out();
    mine_.swapped_in = sched_.n_swapped_in();
    std::lock_guard lock(core_->mutex);
    uint64_t submitted = shared_stats_.submitted;
    shared_stats_ = mine_;
    shared_stats_.submitted = submitted;
}

}  // namespace inlay::engine
