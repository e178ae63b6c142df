// SPDX-License-Identifier: Apache-2.0
// Beam search inside the batch: beams are choices whose sequences advance together. A beam whose row was computed waits
// (held) for the others' rows; the last one selects. A beam that goes on twice is forked: blocks are shared until one of
// the two writes. One that waits may have to give its blocks away; it is then computed again, with the same bits.
#include "engine/beam.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/engine_impl.h"

namespace inlay::engine {

void EngineImpl::check_beams(const RequestParams &p, int32_t n_tokens) const {
    auto range = [](const char *name, int64_t v, int64_t lo, int64_t hi) {
        if (v < lo || v > hi) fail(Code::invalid_argument, name, " is ", v, ", range ", lo, " to ", hi);
    };
    range("best_of", p.best_of, 0, limits_.n_choices);
    range("beam_width", p.beam_width, 0, limits_.n_choices);
    range("early_stopping", static_cast<int32_t>(p.early_stopping), 0, 2);
    if (!(p.length_penalty >= -10 && p.length_penalty <= 10))
        fail(Code::invalid_argument, "length_penalty is ", static_cast<double>(p.length_penalty), ", range -10 to 10");
    if (p.best_of > 0 && p.best_of < p.n) fail(Code::invalid_argument, "best_of is ", p.best_of, ", below n, ", p.n);
    if (p.host_sampler) fail(Code::unsupported, "a host's sampler with best_of or beam_width");
    if (p.beam_width <= 1) return;
    if (p.beam_width < p.n) fail(Code::invalid_argument, "beam_width is ", p.beam_width, ", below n, ", p.n);
    if (p.best_of > 0) fail(Code::invalid_argument, "best_of is ", p.best_of, " beside beam_width ", p.beam_width);
    if (p.prompt_logprobs) fail(Code::unsupported, "prompt logprobs with beam_width");
    if (!p.stop.empty()) fail(Code::unsupported, "stop strings with beam_width: stop tokens end a hypothesis");
    if (p.sampling.logprobs > 0) fail(Code::unsupported, "alternatives' logprobs with beam_width");
    if (p.overflow == Overflow::shift) fail(Code::unsupported, "overflow by shifting with beam_width");
    const sample::Params &s = p.sampling;
    sample::Params neutral(memory_);
    if ((s.temperature != 1 && s.temperature != 0) || s.dynatemp_range != 0 || s.top_k > 0 || s.top_p != neutral.top_p || s.min_p != 0 ||
        s.typical_p != 1 || s.top_n_sigma > 0 || s.epsilon_cutoff != 0 || s.eta_cutoff != 0 || s.xtc_probability != 0 || s.mirostat != 0 ||
        s.repetition_penalty != 1 || s.presence_penalty != 0 || s.frequency_penalty != 0 || s.dry_multiplier != 0 || !s.logit_bias.empty())
        fail(Code::unsupported, "beam_width ", p.beam_width, " with a sampler: beams follow the model's own probabilities");
    sched_.check_fits(n_tokens, p.beam_width);
}

void EngineImpl::beam_row(Choice &c, std::span<const float> logits) {
    Group &g = c.group;
    Beams &b = *g.beams;
    sample::Workspace &w = workspaces_[0];
    double sum = sample::log_sum(w.kernels(), logits);
    if (std::isnan(sum)) return end_group(g, Finish::numeric, "numeric: logits are not numbers");
    sample::Restriction r;
    if (c.constraint) r.mask = c.constraint->mask();
    forbidden_.clear();
    if (c.n_done < c.sampling.min_tokens) {
        forbidden_.assign(g.params.stop_tokens.begin(), g.params.stop_tokens.end());
        if (speech_) forbidden_.insert(forbidden_.end(), speech_->end_tokens().begin(), speech_->end_tokens().end());
        r.forbidden = forbidden_;
    }
    c.beam.best.clear();
    for (const sample::Candidate &k : sample::best_allowed(logits, c.sampling, r, std::max(2, 1 + b.n_end) * b.width, w))
        c.beam.best.push_back({k.id, static_cast<double>(k.logit) - sum});
    c.beam.waiting = true;
    sched_.hold(c.seq);
    for (const Owned<Choice> &o : g.choices)
        if (o->beam.live && !o->beam.waiting) return;
    select_beams(g);
}

void EngineImpl::select_beams(Group &g) {
    Beams &b = *g.beams;
    const RequestParams &p = g.params;
    b.places.clear();
    const Choice *any = nullptr;
    for (const Owned<Choice> &c : g.choices) {
        if (!c->beam.live) continue;
        any = c.get();
        for (const Beam::Next &n : c->beam.best) b.places.push_back({c->beam.sum + n.logprob, n.logprob, c->index, n.token});
    }
    std::sort(b.places.begin(), b.places.end(), [](const Beams::Place &x, const Beams::Place &y) {
        if (x.sum != y.sum) return x.sum > y.sum;
        return x.parent != y.parent ? x.parent < y.parent : x.token < y.token;
    });
    auto choice = [&](int32_t i) -> Choice & { return *g.choices[static_cast<size_t>(i)]; };
    const int32_t n_done = any->n_done + 1;  // tokens of a hypothesis that ends here
    const int32_t n_most = std::min(p.max_tokens > 0 ? p.max_tokens : INT32_MAX, any->seq.max_tokens - any->seq.n_prompt);
    auto keep = [&](const Beams::Place &at, bool ended) {
        const Beam &from = choice(at.parent).beam;
        const Vector<int32_t> &tokens = choice(at.parent).seq.tokens;
        Hypothesis h(memory_);
        h.tokens.assign(tokens.end() - choice(at.parent).n_done, tokens.end());
        h.logprobs.assign(from.logprobs.begin(), from.logprobs.end());
        h.tokens.push_back(at.token);
        h.logprobs.push_back(at.logprob);
        h.score = Beams::score(at.sum, n_done, p.length_penalty);
        h.ended = ended;
        b.add(std::move(h));
    };
    b.next.clear();
    for (size_t i = 0, n = std::min(b.places.size(), static_cast<size_t>(std::max(2, 1 + b.n_end) * b.width));
         i < n && b.next.size() < static_cast<size_t>(b.width); ++i) {
        const Beams::Place &at = b.places[i];
        if (!is_end(*any, at.token))
            b.next.push_back(at);
        else if (i < static_cast<size_t>(b.width))
            keep(at, true);
    }
    mine_.completion_tokens += b.next.size();
    bool over = b.next.empty() || b.over(b.places[0].sum, n_done, n_most, p.length_penalty, p.early_stopping);
    if (!over && n_done >= n_most) {
        for (const Beams::Place &at : b.next) keep(at, false);
        over = true;
    }
    if (over) return finish_beams(g);

    // A beam's first continuation stays in its place, the others take the places of beams that have none.
    uint32_t taken = 0;
    for (const Beams::Place &at : b.next) taken |= 1u << at.parent;
    const uint32_t parents = taken;
    uint32_t own = 0;  // parents whose first continuation was met
    for (Beams::Place &at : b.next) {
        Choice &from = choice(at.parent);
        if (!(own >> at.parent & 1)) {
            own |= 1u << at.parent;
            continue;
        }
        int32_t slot = 0;
        while (taken >> slot & 1) ++slot;
        taken |= 1u << slot;
        Choice &c = choice(slot);
        sched_.remove(c.seq);
        c.seq.parked = false;
        c.seq.tokens.assign(from.seq.tokens.begin(), from.seq.tokens.end());
        c.beam.logprobs.assign(from.beam.logprobs.begin(), from.beam.logprobs.end());
        c.n_done = from.n_done;
        c.t_first_step = from.t_first_step;
        if (from.constraint) c.constraint = from.constraint->clone(memory_);
        sched_.fork(from.seq, c.seq);
        at.parent = slot;
    }
    for (const Owned<Choice> &c : g.choices) {
        c->beam.live = taken >> c->index & 1;
        c->beam.waiting = false;
        if (!c->beam.live) sched_.remove(c->seq);
    }
    for (const Beams::Place &at : b.next) {
        Choice &c = choice(at.parent);
        c.seq.tokens.push_back(at.token);
        c.beam.logprobs.push_back(at.logprob);
        c.beam.sum = at.sum;
        ++c.n_done;
        if (c.constraint) c.constraint->accept(at.token);
        if (parents >> c.index & 1) sched_.unhold(c.seq);
    }
    std::lock_guard lock(core_->mutex);
    for (const Owned<Choice> &c : g.choices) {
        if (c->t_first_token == 0) c->t_first_token = now_ns();
        c->facts.cached_tokens = g.choices[0]->facts.cached_tokens;
    }
}

// The first n choices hand out the n best; what else there is ends unseen.
void EngineImpl::finish_beams(Group &g) {
    for (const Owned<Choice> &c : g.choices) sched_.remove(c->seq);
    const RequestParams &p = g.params;
    for (const Owned<Choice> &owned : g.choices) {
        Choice &c = *owned;
        size_t r = static_cast<size_t>(c.index);
        if (r >= g.beams->best.size()) {
            finish(c, Finish::dead_end, "dead end: no token may follow");
            continue;
        }
        const Hypothesis &h = g.beams->best[r];
        if (c.index < p.n)
            for (size_t i = 0; i < h.tokens.size(); ++i) {
                text_.clear();
                if (c.text && !is_end(c, h.tokens[i])) {
                    c.text->push(h.tokens[i], c.stops.pending());
                    c.stops.flush(text_);
                }
                std::lock_guard lock(core_->mutex);
                c.push(EventKind::token, h.tokens[i], p.want_logprobs ? h.logprobs[i] : 0, text_, {});
            }
        text_.clear();
        if (c.text) {
            c.text->flush(c.stops.pending());
            c.stops.flush(text_);
        }
        c.n_done = static_cast<int32_t>(h.tokens.size());
        c.score = h.score;
        {
            std::lock_guard lock(core_->mutex);
            c.facts.completion_tokens = c.n_done;
            if (c.t_first_token == 0) c.t_first_token = now_ns();
        }
        finish(c, h.ended ? Finish::stop : Finish::length, text_);
    }
}

void EngineImpl::end_group(Group &g, Finish why, std::string_view text) {
    for (const Owned<Choice> &c : g.choices) finish(*c, why, text);
}

bool EngineImpl::yield_beam() {
    for (size_t i = live_.size(); i-- > 0;)
        if (live_[i]->beams)
            for (size_t k = live_[i]->choices.size(); k-- > 0;) {
                batch::Sequence &s = live_[i]->choices[k]->seq;
                if (s.phase != batch::Phase::held) continue;
                sched_.yield(s);
                return true;
            }
    return false;
}

}  // namespace inlay::engine
