// SPDX-License-Identifier: Apache-2.0
#include "engine/choice.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace inlay::engine {

uint64_t now_ns() noexcept {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

Choice::Choice(const std::shared_ptr<Core> &core, Group &g, int32_t i, std::span<const int32_t> prompt, const RequestParams &p,
               Owned<TextStream> stream, Owned<Constraint> c)
    : group(g),
      index(i),
      seq(core->memory),
      sampling(p.sampling),
      stops(core->memory, p.stop, p.keep_stop),
      text(std::move(stream)),
      constraint(std::move(c)),
      beam(core->memory),
      draft_table(core->memory),
      draft_ids(Alloc<int32_t>(core->memory)),
      host_logits(Alloc<float>(core->memory, MemTag::scratch)),
      core_(core),
      events_(Alloc<Stored>(core->memory)),
      text_(Alloc<char>(core->memory, MemTag::text)),
      finish_text_(Alloc<char>(core->memory, MemTag::text)),
      lent_text_(Alloc<char>(core->memory, MemTag::text)),
      top_(Alloc<sample::LogProb>(core->memory)),
      lent_top_(Alloc<sample::LogProb>(core->memory)) {
    seq.tokens.assign(prompt.begin(), prompt.end());
    seq.n_prompt = static_cast<int32_t>(prompt.size());
    sampling.seed = p.sampling.seed + static_cast<uint64_t>(index);
    facts.prompt_tokens = seq.n_prompt;
    seq.owner = this;
    // What a request ends with must not need memory.
    if (!g.sealed) source_ = this;
    finish_text_.reserve(Message::capacity);
    events_.reserve(64);
    text_.reserve(1024);
}

Choice::~Choice() {
    std::lock_guard lock(core_->mutex);
    set_ready(false);
}

void Choice::set_ready(bool on) noexcept {
    if (ready_ == on) return;
    ready_ = on;
    core_->n_ready += on ? 1 : -1;
    if (core_->descriptor && core_->n_ready == (on ? 1 : 0)) on ? core_->descriptor->set() : core_->descriptor->clear();
}

void Choice::push(EventKind kind, int32_t token, double logprob, std::string_view t, std::span<const sample::LogProb> top) {
    events_.reserve(events_.size() + 1 > events_.capacity() ? events_.capacity() * 2 : 0);
    text_.append(t);
    top_.insert(top_.end(), top.begin(), top.end());
    events_.push_back({kind, token, logprob, static_cast<uint32_t>(text_.size() - t.size()), static_cast<uint32_t>(t.size()),
                       static_cast<uint32_t>(top_.size() - top.size()), static_cast<uint32_t>(top.size())});
    if (source_) set_ready(true);
}

void Choice::end(Finish why, std::string_view t) noexcept {
    if (finish != Finish::none) return;
    finish = why;
    t_end = now_ns();
    facts.finish = why;
    if (source_) set_ready(true);
    if (t.size() <= finish_text_.capacity())
        finish_text_.assign(t);
    else
        try {
            finish_text_.assign(t);
        } catch (const Error &) {
            finish_text_.assign(t.substr(0, finish_text_.capacity()));
        }
    if (group.sealed) group.unseal_when_ended();
}

void Choice::unseal(Choice &source) noexcept {
    source_ = &source;
    set_ready(true);
}

void Group::unseal_when_ended() noexcept {
    if (std::any_of(choices.begin(), choices.end(), [](const Owned<Choice> &c) { return c->finish == Finish::none; })) return;
    sealed = false;
    auto whole = [](const Choice &c) { return c.finish == Finish::stop || c.finish == Finish::length; };
    auto better = [&](const Choice &a, const Choice &b) {
        if (whole(a) != whole(b)) return whole(a);
        if (whole(a) && a.score != b.score) return a.score > b.score;
        return a.index < b.index;
    };
    for (int32_t i = 0; i < params.n; ++i)
        for (Owned<Choice> &c : choices) {  // the one with i better ones
            int32_t ahead = 0;
            for (const Owned<Choice> &o : choices) ahead += o.get() != c.get() && better(*o, *c);
            if (ahead == i) choices[static_cast<size_t>(i)]->unseal(*c);
        }
}

Code Choice::poll(Event &out) {
    std::lock_guard lock(core_->mutex);
    out = Event{};
    out.user_data = group.params.user_data;
    if (!source_) return Code::again;
    Choice &s = *source_;
    if (s.next_ < s.events_.size()) {
        const Stored &e = s.events_[s.next_];
        s.lent_text_.assign(s.text_, e.text_at, e.text_n);
        s.lent_top_.assign(s.top_.begin() + e.top_at, s.top_.begin() + e.top_at + e.top_n);
        out.kind = e.kind;
        out.token = e.token;
        out.logprob = e.logprob;
        out.text = s.lent_text_;
        out.top = s.lent_top_;
        if (++s.next_ == s.events_.size()) {
            s.events_.clear();
            s.text_.clear();
            s.top_.clear();
            s.next_ = 0;
            set_ready(s.finish != Finish::none && !s.finish_taken_);
        }
        return Code::ok;
    }
    if (s.finish == Finish::none) return Code::again;
    if (s.finish_taken_) return Code::done;
    s.finish_taken_ = true;
    set_ready(false);
    out.kind = EventKind::finish;
    out.finish = s.finish;
    out.text = s.finish_text_;
    return Code::ok;
}

void Choice::cancel() noexcept {
    std::lock_guard lock(core_->mutex);
    auto ask = [&](Choice &c) {
        if (c.finish != Finish::none || c.cancel_wanted) return;
        c.cancel_wanted = true;
        core_->notice();
    };
    if (!group.sealed) return ask(*this);
    for (Owned<Choice> &c : group.choices) ask(*c);  // they are one search
}

RequestInfo Choice::info() const {
    std::lock_guard lock(core_->mutex);
    RequestInfo r = source_ ? source_->facts : facts;
    if (!source_) r.finish = Finish::none;
    auto us = [&](uint64_t from, uint64_t to) { return to > from ? (to - from) / 1000 : 0; };
    if (t_first_step) r.queue_us = us(group.t_submit, t_first_step);
    if (t_first_token) r.ttft_us = us(group.t_submit, t_first_token), r.prefill_us = us(t_first_step, t_first_token);
    r.latency_us = us(group.t_submit, t_end && source_ ? t_end : now_ns());
    return r;
}

std::shared_ptr<Request> Choice::choice(int32_t index) {
    if (index < 0 || index >= choices()) fail(Code::invalid_argument, "choice ", index, " of a request with ", choices());
    std::shared_ptr<Lease> lease = group.lease.lock();
    return std::shared_ptr<Request>(lease, group.choices[static_cast<size_t>(index)].get());
}

int32_t Choice::choices() const noexcept { return group.params.n; }

std::span<const float> Choice::logits() const {
    std::lock_guard lock(core_->mutex);
    if (!waits_for_host || host_token >= 0) fail(Code::state, "the request does not wait for a token");
    return host_logits;
}

void Choice::set_token(int32_t token) {
    std::lock_guard lock(core_->mutex);
    if (!waits_for_host || host_token >= 0) fail(Code::state, "the request does not wait for a token");
    if (token < 0 || token >= group.n_vocab)
        fail(Code::invalid_argument, "token ", token, " is outside of the vocabulary of ", group.n_vocab);
    host_token = token;
    core_->notice();
}

Lease::~Lease() {
    for (Owned<Choice> &c : group->choices) c->cancel();
}

}  // namespace inlay::engine
