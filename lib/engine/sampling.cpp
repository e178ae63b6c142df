// SPDX-License-Identifier: Apache-2.0
// From a row of logits to an event: prompt log probabilities, the sampler or the host's turn, speculation's check, text,
// and the reasons to end. Whatever goes wrong with one row ends that choice alone.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "engine/engine_impl.h"
#include "engine/lookup.h"

namespace inlay::engine {

bool EngineImpl::is_end(const Choice &c, int32_t token) const noexcept {
    const RequestParams &p = c.group.params;
    if (std::find(p.stop_tokens.begin(), p.stop_tokens.end(), token) != p.stop_tokens.end()) return true;
    if (p.ignore_eos || !speech_) return false;
    auto ends = speech_->end_tokens();
    return std::find(ends.begin(), ends.end(), token) != ends.end();
}

bool EngineImpl::draws_ahead(const Output &o) const noexcept {
    const batch::Part &part = plan_.parts[static_cast<size_t>(o.part)];
    const Choice &c = choice_of(*part.seq);
    return part.last && part.n_drafts == 0 && o.row == part.n - 1 && !c.constraint && !c.group.params.host_sampler && !c.seq.all_outputs &&
           !c.group.beams && c.n_done >= c.sampling.min_tokens && c.finish == Finish::none && (c.group.choices.size() == 1 || c.n_done > 0);
}

void EngineImpl::draw_ahead(const Output &o, int32_t i, sample::Workspace &w, Drawn &out) const noexcept {
    std::span<const float> logits = backend_->logits(i);
    const Choice &c = choice_of(*plan_.parts[static_cast<size_t>(o.part)].seq);
    try {
        out.pick = sample::draw(logits, c.sampling, {c.seq.tokens, c.seq.n_prompt}, {}, c.sampler, static_cast<uint64_t>(c.seq.known()), w,
                                backend_->tops(i));
        if (c.group.params.want_logprobs || c.group.sealed || c.sampling.logprobs >= 0) out.sum = sample::log_sum(workspaces_[0].kernels(), logits);
        out.ready = true;
    } catch (const Error &) {
    }  // out of memory: drawn again in its turn, where the failure ends the choice
}

void EngineImpl::sample_group(size_t first, size_t n) {
    Drawn drawn[kGroup];
    struct Job {
        EngineImpl *engine;
        Drawn *drawn;
        size_t first, n, tasks;
    } job{this, drawn, first, n, std::min(n, workspaces_.size())};
    backend_->parallel(
        static_cast<int32_t>(job.tasks),
        [](void *ctx, int32_t task) {
            Job &j = *static_cast<Job *>(ctx);
            EngineImpl &e = *j.engine;
            for (size_t k = static_cast<size_t>(task); k < j.n; k += j.tasks) {
                const Output &o = e.outputs_[e.head_first_ + j.first + k];
                if (e.draws_ahead(o))
                    e.draw_ahead(o, static_cast<int32_t>(j.first + k), e.workspaces_[static_cast<size_t>(task)], j.drawn[k]);
            }
        },
        &job);
    for (size_t i = 0; i < n; ++i) {
        const Output &o = outputs_[head_first_ + first + i];
        PartState &st = part_states_[static_cast<size_t>(o.part)];
        const auto at = static_cast<int32_t>(first + i);
        if (!st.closed)
            sample_row(plan_.parts[static_cast<size_t>(o.part)], st, o.row, backend_->logits(at), backend_->tops(at), drawn[i]);
    }
}

void EngineImpl::sample_row(const batch::Part &part, PartState &st, int32_t row, std::span<const float> logits,
                            std::span<const float> tops, const Drawn &drawn) {
    Choice &c = choice_of(*part.seq);
    if (c.finish != Finish::none) {
        st.closed = true;
        return;
    }
    try {
        if (c.seq.all_outputs) report_prompt_row(c, part, row, logits);
        int32_t k = row - (part.n - 1 - part.n_drafts);  // 0: the row of the newest known token; then the drafts'
        if (!part.last || k < 0 || c.finish != Finish::none) return;
        if (part.n_drafts == 0) {
            sched_.commit(part, 0);
            st.committed = true;
        }
        if (c.group.beams) {
            st.closed = true;
            return beam_row(c, logits);
        }
        if (c.index == 0) fork_children(c, logits, tops);
        int32_t guess = k < part.n_drafts ? c.seq.drafts[static_cast<size_t>(k)] : -1;
        sample_for(c, logits, tops, drawn);
        bool went_on = c.finish == Finish::none && !c.seq.parked && c.seq.table.n_tokens > 0;
        if (went_on && guess >= 0 && c.seq.tokens.back() == guess) {
            ++st.accepted;
        } else {
            st.closed = true;
            if (part.n_drafts > 0) {
                mine_.draft_tokens += static_cast<uint64_t>(part.n_drafts);
                mine_.accepted_tokens += static_cast<uint64_t>(st.accepted);
                {
                    std::lock_guard lock(core_->mutex);
                    c.facts.draft_tokens += static_cast<uint64_t>(part.n_drafts);
                    c.facts.accepted_tokens += static_cast<uint64_t>(st.accepted);
                }
                adapt(c, part.n_drafts, st.accepted);
            }
            if (went_on) fast_forward(c);
            if (c.seq.table.n_tokens == 0) st.committed = true;  // the context was shifted: nothing to commit
        }
    } catch (const Error &e) {
        st.closed = true;
        if (c.group.beams) return end_group(c.group, Finish::error, e.text());
        finish(c, Finish::error, e.text());
        if (c.index == 0) start_children(c.group);
    }
}

// The other choices begin where the prompt ends, with a draw from the same row.
void EngineImpl::fork_children(Choice &first, std::span<const float> logits, std::span<const float> tops) {
    for (size_t i = 1; i < first.group.choices.size(); ++i) {
        Choice &c = *first.group.choices[i];
        if (!c.fork_pending || c.finish != Finish::none) continue;
        c.fork_pending = false;
        try {
            sched_.fork(first.seq, c.seq);
            if (c.seq.phase != batch::Phase::running) continue;  // it computes the end of its prompt itself, later
            {
                std::lock_guard lock(core_->mutex);
                c.t_first_step = first.t_first_step;
            }
            sample_for(c, logits, tops, Drawn());
            fast_forward(c);
        } catch (const Error &e) {
            finish(c, Finish::error, e.text());
        }
    }
}

void EngineImpl::report_prompt_row(Choice &c, const batch::Part &part, int32_t row, std::span<const float> logits) {
    int32_t next = part.from + row + 1;
    if (next >= c.prompt_reported && next < c.seq.n_prompt) {
        double sum = sample::log_sum(workspaces_[0].kernels(), logits);
        if (std::isnan(sum)) return finish(c, Finish::numeric, "numeric: logits are not numbers");
        int32_t token = c.seq.tokens[static_cast<size_t>(next)];
        sample::top_logprobs(workspaces_[0].kernels(), logits, sum, std::max(0, c.sampling.logprobs), workspaces_[0].scratch(), top_);
        std::lock_guard lock(core_->mutex);
        c.push(EventKind::prompt_logprob, token, static_cast<double>(logits[static_cast<size_t>(token)]) - sum, "", top_);
        c.prompt_reported = next + 1;
    }
    if (c.prompt_reported >= c.seq.n_prompt) c.seq.all_outputs = c.seq.no_attach = false;
}

void EngineImpl::sample_for(Choice &c, std::span<const float> logits, std::span<const float> tops, const Drawn &drawn) {
    const RequestParams &p = c.group.params;
    if (p.host_sampler) {
        if (sample::extremes(workspaces_[0].kernels(), tops.empty() ? logits : tops).broken)
            return finish(c, Finish::numeric, "numeric: logits are not numbers");
        const uint32_t *mask = c.constraint ? c.constraint->mask() : nullptr;
        sched_.hold(c.seq);
        std::lock_guard lock(core_->mutex);
        std::copy(logits.begin(), logits.end(), c.host_logits.begin());
        for (size_t i = 0; mask && i < c.host_logits.size(); ++i)
            if (!(mask[i / 32] >> i % 32 & 1)) c.host_logits[i] = -std::numeric_limits<float>::infinity();
        c.push(EventKind::needs_token, -1, 0, "", {});
        c.waits_for_host = true;
        return;
    }
    sample::Restriction r;
    if (c.constraint) r.mask = c.constraint->mask();
    forbidden_.clear();
    if (c.n_done < c.sampling.min_tokens) {
        forbidden_.assign(p.stop_tokens.begin(), p.stop_tokens.end());
        if (speech_) forbidden_.insert(forbidden_.end(), speech_->end_tokens().begin(), speech_->end_tokens().end());
        r.forbidden = forbidden_;
    }
    sample::Pick pick = drawn.ready ? drawn.pick
                                    : sample::draw(logits, c.sampling, {c.seq.tokens, c.seq.n_prompt}, r, c.sampler,
                                                   static_cast<uint64_t>(c.seq.known()), workspaces_[0], tops);
    if (pick.outcome == sample::Outcome::numeric) return finish(c, Finish::numeric, "numeric: logits are not numbers");
    if (pick.outcome == sample::Outcome::dead_end) return finish(c, Finish::dead_end, "dead end: no token may follow");
    c.sampler = pick.next;
    double logprob = 0;
    top_.clear();
    if (p.want_logprobs || c.group.sealed || c.sampling.logprobs >= 0) {
        double sum = drawn.ready ? drawn.sum : sample::log_sum(workspaces_[0].kernels(), logits);
        logprob = static_cast<double>(logits[static_cast<size_t>(pick.token)]) - sum;
        sample::top_logprobs(workspaces_[0].kernels(), logits, sum, std::max(0, c.sampling.logprobs), workspaces_[0].scratch(), top_);
        c.sum_logprob += logprob;
        if (!p.want_logprobs && c.sampling.logprobs < 0) logprob = 0;  // it was for the ranking alone
    }
    deliver(c, pick.token, logprob, top_);
}

void EngineImpl::deliver(Choice &c, int32_t token, double logprob, std::span<const sample::LogProb> top) {
    const RequestParams &p = c.group.params;
    c.seq.tokens.push_back(token);
    ++c.n_done;
    ++mine_.completion_tokens;
    bool end = is_end(c, token), stopped = false;
    text_.clear();
    if (!end) {
        if (c.constraint) c.constraint->accept(token);
        if (c.text) {
            c.text->push(token, c.stops.pending());
            stopped = c.stops.scan(text_);
        }
    }
    {
        std::lock_guard lock(core_->mutex);
        const uint64_t now = now_ns();
        if (c.t_first_token == 0)
            c.t_first_token = now, first_token_times_.add(now - c.group.t_submit);
        else
            token_times_.add(now - c.t_last_token);
        c.t_last_token = now;
        c.facts.completion_tokens = c.n_done;
        c.facts.preemptions = c.seq.preemptions;
        c.push(EventKind::token, token, logprob, text_, top);
    }
    bool full = p.max_tokens > 0 && c.n_done >= p.max_tokens;
    bool no_room = c.seq.known() >= c.seq.max_tokens;
    if (!end && !stopped && !full && no_room && p.overflow == Overflow::shift) return shift_context(c);
    if (!end && !stopped && !full && !no_room) return;
    text_.clear();
    if (c.text && !stopped) {
        c.text->flush(c.stops.pending());
        stopped = c.stops.scan(text_);
        if (!stopped) c.stops.flush(text_);
    }
    c.score = Beams::score(c.sum_logprob, c.n_done, p.length_penalty);
    finish(c, end || stopped ? Finish::stop : Finish::length, text_);
}

// While the constraint leaves one token there is nothing to sample: it is taken as it is, and the next pass computes all
// that were taken. A row would have given the same token, its random number is its position's.
void EngineImpl::fast_forward(Choice &c) {
    while (c.forwards && c.finish == Finish::none && c.seq.table.n_tokens > 0 && c.n_done >= c.sampling.min_tokens) {
        const uint32_t *mask = c.constraint->mask();
        int32_t token = -1;
        for (int32_t at = 0; mask && at < facts_.n_vocab; at += 32) {
            uint32_t bits = mask[at / 32];
            if (facts_.n_vocab - at < 32) bits &= (1u << (facts_.n_vocab - at)) - 1;
            if (bits == 0) continue;
            if (token >= 0 || (bits & (bits - 1)) != 0) return;
            token = at + std::countr_zero(bits);
        }
        if (token < 0) return;
        ++mine_.forced_tokens;
        deliver(c, token, 0, {});
    }
}

// What is left is computed again from its first token: a request that had been given these tokens would go on alike.
void EngineImpl::shift_context(Choice &c) {
    auto &t = c.seq.tokens;
    int32_t keep = c.group.params.keep, drop = (c.seq.known() - keep) / 2;
    t.erase(t.begin() + keep, t.begin() + keep + drop);
    c.seq.n_prompt = c.seq.known();
    sched_.restart(c.seq);
}

void EngineImpl::propose(Choice &c) {
    const RequestParams &p = c.group.params;
    c.seq.drafts.clear();
    int32_t most = std::max(params_.lookup_tokens, drafter_ ? params_.draft_tokens : 0);
    if (most <= 0 || p.host_sampler || c.group.beams) return;
    int32_t room = c.seq.max_tokens - c.seq.known() - 1;
    if (p.max_tokens > 0) room = std::min(room, p.max_tokens - c.n_done - 1);
    if (c.guess == 0) c.guess = std::min(4, most);
    if (c.wait > 0)
        --c.wait;
    else if (params_.lookup_tokens > 0)
        lookup(c.seq.tokens, std::min({c.guess, params_.lookup_tokens, room}), c.seq.drafts);
    if (c.constraint && !c.seq.drafts.empty()) {  // up to what cannot come anyway
        size_t n = 0;
        try {
            while (n < c.seq.drafts.size() && c.constraint->guess(c.seq.drafts[n])) ++n;
        } catch (const Error &) {  // the turn of that token will tell
        }
        c.constraint->forget_guesses();
        c.seq.drafts.resize(n);
    }
    if (drafter_ && c.seq.drafts.empty()) drafter_->add(c, std::min({c.guess, params_.draft_tokens, room}));
}

void EngineImpl::adapt(Choice &c, int32_t proposed, int32_t accepted) noexcept {
    // A batch of five rows costs little more than one of one (PERFORMANCE: 1.2x), so a guess pays from one token on.
    int32_t most = std::max(params_.lookup_tokens, params_.draft_tokens);
    if (accepted == proposed)
        c.guess = std::min(most, c.guess * 2);
    else
        c.guess = std::min(most, std::max(drafter_ ? 1 : 2, accepted + 1));
    if (accepted == 0) c.wait = 2;
}

}  // namespace inlay::engine
