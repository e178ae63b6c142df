// SPDX-License-Identifier: Apache-2.0
// Making an engine, taking requests in, giving facts out.
#include "engine/engine.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "engine/engine_impl.h"

namespace inlay::engine {

namespace {

EngineParams with_defaults(EngineParams p, const BackendFacts &f) {
    auto range = [](const char *name, int32_t v, int32_t hi) {
        if (v < 0 || v > hi) fail(Code::invalid_argument, name, " is ", v, ", range 0 to ", hi);
    };
    range("max_batch_tokens", p.max_batch_tokens, 1 << 16);
    range("max_requests", p.max_requests, 1 << 16);
    range("max_queue", p.max_queue, 1 << 20);
    range("chunk", p.chunk, 1 << 16);
    range("lookup_tokens", p.lookup_tokens, 64);
    range("draft_tokens", p.draft_tokens, 64);
    range("policy", static_cast<int32_t>(p.policy), 2);
    if (p.n_ctx < 0 || p.n_ctx > f.n_ctx) fail(Code::limit, "n_ctx is ", p.n_ctx, ", the model has ", f.n_ctx);
    if (p.n_ctx == 0) p.n_ctx = f.n_ctx;
    if (p.max_batch_tokens == 0) p.max_batch_tokens = 512;
    if (f.max_rows > 0) p.max_batch_tokens = std::min(p.max_batch_tokens, f.max_rows);
    if (p.max_requests == 0) p.max_requests = 16;
    if (p.max_queue == 0) p.max_queue = 256;
    if (p.chunk == 0 || p.chunk > p.max_batch_tokens) p.chunk = p.max_batch_tokens;
    return p;
}

batch::Limits batch_limits(const EngineParams &p) {
    batch::Limits l;
    l.max_running = p.max_requests;
    l.max_tokens = p.max_batch_tokens;
    l.chunk = p.chunk;
    l.max_outputs = p.max_batch_tokens;  // outputs are hidden states: the head takes them in slices
    l.policy = static_cast<batch::Policy>(p.policy);
    l.swap_pages = p.swap_pages;
    return l;
}

}  // namespace

EngineImpl::EngineImpl(Memory &m, std::shared_ptr<void> owner, Owned<Backend> backend, Owned<Backend> draft,
                       std::shared_ptr<const Speech> speech, const EngineParams &p, const Limits &limits)
    : memory_(m),
      owner_(std::move(owner)),
      backend_(std::move(backend)),
      speech_(std::move(speech)),
      params_(with_defaults(p, backend_->facts())),
      limits_(limits),
      facts_(backend_->facts()),
      n_ctx_(params_.n_ctx),
      // The secret keeps one client from aiming at another's cached prefixes; it never enters a result.
      cache_(m, p.n_pages, params_.prefix_cache, mix64(process_seed(), now_ns()), facts_.groups),
      sched_(m, cache_, batch_limits(params_)),
      plan_(m),
      workspaces_(m),
      core_(make_shared_in<Core>(m, m)),
      pass_ids_(m),
      rows_(m),
      outputs_(m),
      part_states_(m),
      inbox_(m),
      live_(m),
      orphans_(m),
      pins_(m),
      forbidden_(m),
      ids_scratch_(m),
      top_(m),
      text_(Alloc<char>(m, MemTag::text)),
      trace_(m) {
    int32_t drawers = facts_.has_head ? std::min(kDrawers, backend_->n_threads()) : 0;
    workspaces_.reserve(static_cast<size_t>(drawers));
    for (int32_t i = 0; i < drawers; ++i) workspaces_.emplace_back(m, facts_.n_vocab, backend_->kernels());
    size_t rows = static_cast<size_t>(params_.max_batch_tokens), parts = static_cast<size_t>(sched_.limits().max_running);
    pass_ids_.reserve(rows);
    outputs_.reserve(rows);
    rows_.reserve(parts);
    part_states_.reserve(parts);
    plan_.parts.reserve(parts + 1);
    plan_.admit.reserve(parts + 1);
    plan_.preempt.reserve(parts + 1);
    plan_.copies.reserve((parts + 1) * static_cast<size_t>(facts_.groups.n));
    live_.reserve(parts);
    top_.reserve(limits_.logprobs + 1);
    text_.reserve(1024);
    if (draft) {
        const BackendFacts &d = draft->facts();
        if (d.n_vocab != facts_.n_vocab) fail(Code::unsupported, "the draft model has ", d.n_vocab, " tokens, the model ", facts_.n_vocab);
        if (params_.draft_tokens == 0) params_.draft_tokens = 4;
        int32_t most = d.max_rows > 0 ? std::min(d.max_rows, params_.max_batch_tokens) : params_.max_batch_tokens;
        drafter_.emplace(m, std::move(draft), p.draft_pages, std::min(most, params_.chunk), most);
    }
    if (params_.trace) trace_.enable(1 << 16);
    mine_.n_blocks = static_cast<uint32_t>(cache_.pool().n_blocks());
    mine_.block_tokens = kv::kBlockTokens;
    mine_.block_groups = static_cast<uint32_t>(facts_.groups.n);
    mine_.block_bytes = facts_.page_bytes;
    mine_.n_swap_blocks = static_cast<uint32_t>(sched_.swap().n_blocks());
    publish_stats();
    if (params_.background) thread_.start([](void *self) { static_cast<EngineImpl *>(self)->serve(); }, this, "inlay-engine");
}

EngineImpl::~EngineImpl() {
    if (thread_.started()) {
        {
            std::lock_guard lock(core_->mutex);
            quit_ = true;
            core_->work.notify_all();
            freed_.notify_all();
        }
        thread_.join();
    }
    abort_pass();
    std::lock_guard lock(core_->mutex);
    for (auto *list : {&inbox_, &live_})
        for (auto &g : *list)
            for (Owned<Choice> &c : g->choices) c->end(Finish::cancelled, "");
}

EngineImpl::Exclusive::Exclusive(EngineImpl &e) : e_(e) {
    if (!e.params_.background) {
        if (e.stepping_.exchange(true, std::memory_order_acquire)) fail(Code::busy, "another thread is stepping this engine");
        return;
    }
    // The engine's own thread lets go after its slice.
    std::unique_lock lock(e.core_->mutex);
    ++e.n_claims_;
    e.freed_.wait(lock, [&] { return !e.stepping_.exchange(true, std::memory_order_acquire); });
}

EngineImpl::Exclusive::~Exclusive() {
    e_.stepping_.store(false, std::memory_order_release);
    if (!e_.params_.background) return;
    std::lock_guard lock(e_.core_->mutex);
    --e_.n_claims_;
    e_.freed_.notify_all();
    e_.core_->work.notify_all();
}

void EngineImpl::check_ids(std::span<const int32_t> ids) const {
    if (ids.empty()) fail(Code::invalid_argument, "no token ids");
    for (size_t i = 0; i < ids.size(); ++i)
        if (ids[i] < 0 || ids[i] >= facts_.n_vocab)
            fail(Code::invalid_argument, "ids[", i, "] is ", ids[i], ", the vocabulary has ", facts_.n_vocab, " tokens");
}

std::shared_ptr<Request> EngineImpl::submit(std::span<const int32_t> ids, RequestParams &&p) {
    if (!facts_.has_head || !facts_.causal) fail(Code::state, "the model has no output head: it embeds, it does not generate");
    check_ids(ids);
    auto range = [](const char *name, int64_t v, int64_t lo, int64_t hi) {
        if (v < lo || v > hi) fail(Code::invalid_argument, name, " is ", v, ", range ", lo, " to ", hi);
    };
    range("max_tokens", p.max_tokens, 0, INT32_MAX);
    range("n", p.n, 1, limits_.n_choices);
    range("overflow", static_cast<int32_t>(p.overflow), 0, 3);
    range("keep", p.keep, 0, n_ctx_);
    if (p.sampling.min_tokens > p.max_tokens && p.max_tokens > 0)
        fail(Code::invalid_argument, "min_tokens is ", p.sampling.min_tokens, ", max_tokens is ", p.max_tokens);
    sample::validate(p.sampling, facts_.n_vocab, limits_);
    if (p.stop.size() > limits_.stops) fail(Code::limit, "stop has ", p.stop.size(), " strings, limit ", limits_.stops);
    for (const String &s : p.stop)
        if (s.empty() || s.size() > limits_.stop_bytes)
            fail(Code::invalid_argument, "a stop string has ", s.size(), " bytes, range 1 to ", limits_.stop_bytes);
    for (int32_t t : p.stop_tokens)
        if (t < 0 || t >= facts_.n_vocab)
            fail(Code::invalid_argument, "stop_tokens holds token ", t, ", the vocabulary has ", facts_.n_vocab);
    if (!p.stop.empty() && !speech_) fail(Code::state, "stop strings need a tokenizer");

    // How much the sequence may hold, and what of the prompt stays.
    int64_t n = static_cast<int64_t>(ids.size()), room = n_ctx_, total = p.max_tokens > 0 ? n + p.max_tokens : room;
    Vector<int32_t> cut(memory_);
    std::span<const int32_t> prompt = ids;
    if (p.overflow == Overflow::truncate && total > room - (p.max_tokens > 0 ? 0 : 1)) {
        // The answer gets what it asked for, but at most half of the context.
        int64_t answer = p.max_tokens > 0 ? std::min<int64_t>(p.max_tokens, std::max<int64_t>(1, room / 2)) : 1;
        int64_t keep = std::min<int64_t>(p.keep, room - answer), tail = std::min(n - keep, room - answer - keep);
        if (tail + keep < n) {
            cut.assign(ids.begin(), ids.begin() + keep);
            cut.insert(cut.end(), ids.end() - tail, ids.end());
            prompt = cut;
            n = static_cast<int64_t>(prompt.size());
        }
        total = room;
        if (p.max_tokens > 0) total = std::min(room, n + p.max_tokens);
    }
    if (n >= room) fail(Code::limit, "the prompt has ", n, " tokens, the context ", room, ": no room for an answer");
    if (total > room && p.overflow == Overflow::refuse)
        fail(Code::limit, "prompt and max_tokens are ", n, " + ", p.max_tokens, " tokens, the context has ", room);
    if (p.overflow == Overflow::shift && p.keep >= room / 2)
        fail(Code::invalid_argument, "keep is ", p.keep, ", at most half of the context of ", room);
    int32_t most = static_cast<int32_t>(std::min(total, room));
    sched_.check_fits(most);
    if (p.best_of > 0 || p.beam_width > 1) check_beams(p, most);

    auto group = make_shared_in<Group>(memory_, core_, std::move(p));
    const RequestParams &params = group->params;
    group->n_vocab = facts_.n_vocab;
    int32_t n_choices = std::max({params.n, params.best_of, params.beam_width});
    group->sealed = n_choices > params.n || params.beam_width > 1;
    if (params.beam_width > 1) {
        group->beams.emplace(memory_);
        group->beams->width = params.beam_width;
        group->beams->n_end = static_cast<int32_t>(params.stop_tokens.size() + (speech_ && !params.ignore_eos ? speech_->end_tokens().size() : 0));
    }
    for (int32_t i = 0; i < n_choices; ++i) {
        Owned<Constraint> constraint;
        if (params.constraint) constraint = params.constraint->clone(memory_);
        group->choices.push_back(make_owned<Choice>(memory_, core_, *group, i, prompt, params,
                                                    speech_ ? speech_->stream(memory_, prompt) : Owned<TextStream>(),
                                                    std::move(constraint)));
        Choice &c = *group->choices.back();
        c.seq.max_tokens = most;
        c.seq.tokens.reserve(static_cast<size_t>(std::min<int64_t>(most, n + 4096)));
        c.seq.priority = params.priority;
        c.seq.salt = params.cache_salt;
        c.seq.all_outputs = c.seq.no_attach = params.prompt_logprobs && i == 0 && prompt.size() > 1;
        c.fork_pending = i > 0 && !group->beams;
        c.beam.live = i == 0;
        const sample::Params &sp = params.sampling;
        c.forwards = params.constraint && !params.host_sampler && !group->sealed && !params.want_logprobs && sp.logprobs < 0 && sp.mirostat == 0 &&
                     sp.banned.empty() && sp.allowed.empty() && sp.logit_bias.empty();
        if (params.host_sampler) c.host_logits.resize(static_cast<size_t>(facts_.n_vocab));
    }
    auto lease = make_shared_in<Lease>(memory_, group);
    group->lease = lease;
    std::shared_ptr<Request> handle(lease, group->choices[0].get());

    std::lock_guard lock(core_->mutex);
    uint32_t waiting = shared_stats_.n_waiting + static_cast<uint32_t>(inbox_.size());
    if (waiting >= static_cast<uint32_t>(params_.max_queue)) {
        for (Owned<Choice> &c : group->choices) c->end(Finish::cancelled, "");
        fail(Code::busy, "the queue is full: ", waiting, " requests wait, limit ", params_.max_queue);
    }
    group->t_submit = now_ns();
    if (params.timeout_ms) group->t_deadline = group->t_submit + uint64_t{params.timeout_ms} * 1'000'000;
    group->id = ++next_id_;
    inbox_.push_back(group);
    ++shared_stats_.submitted;
    core_->notice();
    return handle;
}

void EngineImpl::pause() {
    paused_.store(true);
    if (!params_.background) return;
    Exclusive slice_over(*this);
}

void EngineImpl::resume() {
    std::lock_guard lock(core_->mutex);
    paused_.store(false);
    core_->notice();
}

int32_t EngineImpl::wake_fd() {
    std::lock_guard lock(core_->mutex);
    if (!core_->descriptor) {
        core_->descriptor.emplace();
        if (core_->n_ready > 0) core_->descriptor->set();
    }
    return core_->descriptor->fd();
}

Stats EngineImpl::stats() const {
    std::lock_guard lock(core_->mutex);
    Stats s = shared_stats_;
    s.n_waiting += static_cast<uint32_t>(inbox_.size());
    return s;
}

void EngineImpl::times(Times &out) const noexcept {
    step_times_.read(out.step);
    batch_times_.read(out.batch);
    queue_times_.read(out.queue);
    first_token_times_.read(out.first_token);
    token_times_.read(out.token);
}

void EngineImpl::trace(String &out) const {
    if (!trace_.on()) fail(Code::state, "the engine was made without a trace");
    std::lock_guard lock(core_->mutex);
    trace_.write(out);
}

std::shared_ptr<Engine> make_engine(Memory &m, std::shared_ptr<void> owner, Owned<Backend> backend, Owned<Backend> draft,
                                    std::shared_ptr<const Speech> speech, const EngineParams &params, const Limits &limits) {
    return make_shared_in<EngineImpl>(m, m, std::move(owner), std::move(backend), std::move(draft), std::move(speech), params, limits);
}

}  // namespace inlay::engine
