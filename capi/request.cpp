// SPDX-License-Identifier: Apache-2.0
#include "inlay/request.h"

#include "capi/constraint.h"
#include "capi/engine_handles.h"
#include "capi/messages.h"
#include "capi/sampling.h"
#include "engine/model_backend.h"

using namespace inlay;
using namespace inlay::capi;

static_assert(INLAY_FINISH_STOP == static_cast<int>(engine::Finish::stop) &&
              INLAY_FINISH_LENGTH == static_cast<int>(engine::Finish::length));
static_assert(INLAY_FINISH_ERROR == static_cast<int>(engine::Finish::error) &&
              INLAY_FINISH_NUMERIC == static_cast<int>(engine::Finish::numeric));
static_assert(INLAY_FINISH_DEAD_END == static_cast<int>(engine::Finish::dead_end) &&
              INLAY_FINISH_DEADLINE == static_cast<int>(engine::Finish::deadline));
static_assert(INLAY_EVENT_TOKEN == static_cast<int>(engine::EventKind::token) &&
              INLAY_EVENT_FINISH == static_cast<int>(engine::EventKind::finish));
static_assert(INLAY_EVENT_NEEDS_TOKEN == static_cast<int>(engine::EventKind::needs_token));
static_assert(INLAY_EVENT_PROMPT_LOGPROB == static_cast<int>(engine::EventKind::prompt_logprob));
static_assert(sizeof(inlay_token_logprob) == sizeof(sample::LogProb));
static_assert(INLAY_OVERFLOW_SHIFT == static_cast<int>(engine::Overflow::shift) &&
              INLAY_OVERFLOW_STOP == static_cast<int>(engine::Overflow::stop));

namespace {

constexpr uint32_t known_flags = INLAY_REQUEST_IGNORE_EOS | INLAY_REQUEST_HOST_SAMPLER | INLAY_REQUEST_PROMPT_LOGPROBS |
                                 INLAY_REQUEST_KEEP_STOP | INLAY_REQUEST_PARSE_SPECIAL | INLAY_REQUEST_NO_BOS | INLAY_REQUEST_RAW_ANSWER;

inlay_request_params defaults() {
    inlay_request_params p{};
    p.length_penalty = 1;
    return p;
}

inlay_request_params read_params(const inlay_request_params *given) {
    inlay_request_params p = defaults();
    copy_in(given, &p, "params");
    if (p.flags & ~known_flags) fail(Code::unsupported, "params: flags ", p.flags, " has unknown bits");
    return p;
}

int32_t small(uint32_t v, const char *name) {
    if (v > INT32_MAX) fail(Code::limit, name, " ", v, " exceeds ", INT32_MAX);
    return static_cast<int32_t>(v);
}

engine::RequestParams to_engine(engine::Runtime &rt, const inlay_engine &e, const inlay_request_params &p) {
    Memory &m = rt.memory();
    const Limits &limits = rt.limits();
    engine::RequestParams r(m);
    r.max_tokens = small(p.max_tokens, "max_tokens");
    r.n = p.n ? small(p.n, "n") : 1;
    r.priority = p.priority;
    r.timeout_ms = p.timeout_ms;
    r.want_logprobs = p.want_logprobs || p.logprobs;
    r.ignore_eos = p.flags & INLAY_REQUEST_IGNORE_EOS;
    r.host_sampler = p.flags & INLAY_REQUEST_HOST_SAMPLER;
    r.prompt_logprobs = p.flags & INLAY_REQUEST_PROMPT_LOGPROBS;
    r.keep_stop = p.flags & INLAY_REQUEST_KEEP_STOP;
    if (p.overflow < INLAY_OVERFLOW_REFUSE || p.overflow > INLAY_OVERFLOW_SHIFT)
        fail(Code::invalid_argument, "overflow ", p.overflow, " is outside of 0..3");
    r.overflow = static_cast<engine::Overflow>(p.overflow);
    r.keep = small(p.keep, "keep");
    r.declared_length = small(p.rope_length, "rope_length");
    r.best_of = small(p.best_of, "best_of");
    r.beam_width = small(p.beam_width, "beam_width");
    r.length_penalty = p.length_penalty;
    if (p.early_stopping < INLAY_EARLY_STOPPING_LIKELY || p.early_stopping > INLAY_EARLY_STOPPING_NEVER)
        fail(Code::invalid_argument, "early_stopping ", p.early_stopping, " is outside of 0..2");
    r.early_stopping = static_cast<engine::EarlyStopping>(p.early_stopping);
    r.cache_salt = p.cache_salt;
    r.user_data = p.user_data;
    if (p.n_stop > limits.stops) fail(Code::limit, "n_stop ", p.n_stop, " exceeds ", limits.stops);
    if (p.n_stop) need_pointer(p.stop, "stop");
    for (uint32_t i = 0; i < p.n_stop; ++i) {
        std::string_view s = text_arg(p.stop[i].data, static_cast<size_t>(p.stop[i].size), "stop");
        if (s.empty()) fail(Code::invalid_argument, "stop string ", i, " is empty");
        if (s.size() > limits.stop_bytes) fail(Code::limit, "stop string ", i, " has ", s.size(), " bytes, limit ", limits.stop_bytes);
        r.stop.push_back(make_string(m, s));
    }
    if (p.n_stop_tokens > 1024) fail(Code::limit, "n_stop_tokens ", p.n_stop_tokens, " exceeds 1024");
    if (p.n_stop_tokens) need_pointer(p.stop_tokens, "stop_tokens");
    r.stop_tokens.assign(p.stop_tokens, p.stop_tokens + p.n_stop_tokens);
    read_sampling(p.sampling, r.sampling);
    r.sampling.min_tokens = small(p.min_tokens, "min_tokens");
    if (p.logprobs > limits.logprobs) fail(Code::limit, "logprobs ", p.logprobs, " exceeds ", limits.logprobs);
    r.sampling.logprobs = r.want_logprobs ? small(p.logprobs, "logprobs") : -1;
    if (p.constraint)
        r.constraint = engine::constrain(*e.model, need_handle(p.constraint, "constraint").impl,
                                         text_arg(p.trigger.data, static_cast<size_t>(p.trigger.size), "trigger"));
    return r;
}

inlay_request *new_request(const std::shared_ptr<engine::Runtime> &owner, std::shared_ptr<engine::Request> req, std::shared_ptr<const AnswerReader> reader) {
    Owned<Answer> answer = reader ? reader->make() : nullptr;
    return new_handle<inlay_request>(owner, std::move(req), std::move(reader), std::move(answer));
}

inlay_request *submit(inlay_engine &e, std::span<const int32_t> ids, engine::RequestParams &&r, std::shared_ptr<const AnswerReader> reader = nullptr) {
    return new_request(e.owner, e.impl->submit(ids, std::move(r)), std::move(reader));
}

}  // namespace

extern "C" void inlay_request_params_init(inlay_request_params *params, size_t struct_size) {
    init_params(params, struct_size, defaults());
}

extern "C" inlay_status inlay_request_submit(inlay_engine *engine, const int32_t *ids, size_t n_ids, const inlay_request_params *params,
                                             inlay_request **out_req, inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &e = need_handle(engine, "engine");
        need_pointer(out_req, "out_req");
        if (n_ids) need_pointer(ids, "ids");
        inlay_request_params p = read_params(params);
        *out_req = submit(e, {ids, n_ids}, to_engine(*e.owner, e, p));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_request_submit_text(inlay_engine *engine, const char *text, size_t n_text, const inlay_request_params *params,
                                                  inlay_request **out_req, inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &e = need_handle(engine, "engine");
        need_pointer(out_req, "out_req");
        inlay_request_params p = read_params(params);
        Vector<int32_t> ids((Alloc<int32_t>(e.owner->memory())));
        text::EncodeOptions o;
        o.add_special = !(p.flags & INLAY_REQUEST_NO_BOS);
        o.parse_special = p.flags & INLAY_REQUEST_PARSE_SPECIAL;
        text::EncodeScratch scratch(e.owner->memory());
        const text::Tokenizer &t = e.model->need_tokenizer();
        t.encode(scratch, text_arg(text, n_text, "text"), o, ids);
        // A prompt goes on: what the tokenizer puts behind a finished text (EOS, SEP) does not belong to it.
        if (o.add_special && t.adds_eos()) ids.resize(ids.size() - t.n_appended());
        *out_req = submit(e, ids, to_engine(*e.owner, e, p));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_request_submit_messages(inlay_engine *engine, const char *json, size_t n_json,
                                                      const inlay_request_params *params, inlay_request **out_req, inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &e = need_handle(engine, "engine");
        need_pointer(out_req, "out_req");
        inlay_request_params p = read_params(params);
        engine::RequestParams r = to_engine(*e.owner, e, p);
        Conversation c = prepare_conversation(*e.owner, e, text_arg(json, n_json, "json"), !(p.flags & INLAY_REQUEST_RAW_ANSWER), p.constraint);
        if (c.grammar) r.constraint = engine::constrain(*e.model, std::move(c.grammar), {}, true);
        *out_req = submit(e, c.ids, std::move(r), std::move(c.reader));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_request_get_choice(const inlay_request *req, uint32_t index, inlay_request **out_req, inlay_error *err) {
    return guard(err, [&] {
        const inlay_request &r = need_handle(req, "req");
        need_pointer(out_req, "out_req");
        if (index >= static_cast<uint32_t>(r.impl->choices())) fail(Code::invalid_argument, "choice ", index, " of ", r.impl->choices());
        *out_req = new_request(r.owner, r.impl->choice(static_cast<int32_t>(index)), r.reader);
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_request_poll(inlay_request *req, inlay_event *out_event, inlay_error *err) {
    return guard(err, [&] {
        inlay_request &r = need_handle(req, "req");
        need_pointer(out_event, "out_event");
        inlay_event out{};
        out.token = -1;
        if (r.answer) {
            const Code code = r.answer->poll(*r.impl, out);
            if (code != Code::ok) return static_cast<inlay_status>(code);
        } else {
            engine::Event ev;
            const Code code = r.impl->poll(ev);
            if (code != Code::ok) return static_cast<inlay_status>(code);
            to_public(ev, out);
        }
        copy_out(out, out_event, "out_event");
        return INLAY_OK;
    });
}

extern "C" void inlay_request_cancel(inlay_request *req) {
    if (req && req->tag == inlay_request::kTag) req->impl->cancel();
}

extern "C" void inlay_request_free(inlay_request *req) { free_handle(req); }

extern "C" inlay_status inlay_request_get_info(const inlay_request *req, inlay_request_info *out_info, inlay_error *err) {
    return guard(err, [&] {
        const engine::RequestInfo i = need_handle(req, "req").impl->info();
        inlay_request_info o{};
        o.finish = static_cast<int32_t>(i.finish);
        o.prompt_tokens = static_cast<uint32_t>(i.prompt_tokens);
        o.cached_tokens = static_cast<uint32_t>(i.cached_tokens);
        o.completion_tokens = static_cast<uint32_t>(i.completion_tokens);
        o.preemptions = static_cast<uint32_t>(i.preemptions);
        o.queue_us = i.queue_us;
        o.ttft_us = i.ttft_us;
        o.prefill_us = i.prefill_us;
        o.latency_us = i.latency_us;
        o.draft_tokens = i.draft_tokens;
        o.accepted_tokens = i.accepted_tokens;
        copy_out(o, out_info, "out_info");
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_request_get_logits(const inlay_request *req, float *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        std::span<const float> l = need_handle(req, "req").impl->logits();
        return give(l.data(), l.size(), out, io_n, "a row of logits");
    });
}

extern "C" inlay_status inlay_request_set_token(inlay_request *req, int32_t token, inlay_error *err) {
    return guard(err, [&] {
        need_handle(req, "req").impl->set_token(token);
        return INLAY_OK;
    });
}
