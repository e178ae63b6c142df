// SPDX-License-Identifier: Apache-2.0
#include "inlay/engine.h"

#include "capi/messages.h"
#include "engine/model_backend.h"

using namespace inlay;
using namespace inlay::capi;

struct inlay_score {
    static constexpr uint32_t kTag = 0x53434f31;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    std::shared_ptr<engine::Engine> engine;
    std::shared_ptr<engine::Score> impl;
};

struct inlay_prefix {
    static constexpr uint32_t kTag = 0x50524631;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    std::shared_ptr<engine::Prefix> impl;
};

static_assert(INLAY_POOLING_NONE == static_cast<int>(engine::Pooling::none) && INLAY_POOLING_LAST == static_cast<int>(engine::Pooling::last));

namespace {

int32_t small(uint32_t v, uint32_t max, const char *name) {
    if (v > max) fail(Code::limit, name, " ", v, " exceeds ", max);
    return static_cast<int32_t>(v);
}

kernels::KvType kv_type(int32_t type) {
    switch (type) {
    case INLAY_KV_F16: return kernels::KvType::f16;
    case INLAY_KV_Q8_0: return kernels::KvType::q8_0;
    case INLAY_KV_F32: return kernels::KvType::f32;
    case INLAY_KV_BF16: return kernels::KvType::bf16;
    default: fail(Code::invalid_argument, "kv_type ", type, " is outside of 0..3");
    }
}

}  // namespace

void inlay::capi::to_public(const engine::Event &ev, inlay_event &out) {
    out.kind = static_cast<int32_t>(ev.kind);
    out.token = ev.token;
    out.finish = static_cast<int32_t>(ev.finish);
    out.logprob = ev.logprob;
    out.text = ev.text.data();
    out.n_text = ev.text.size();
    out.top = reinterpret_cast<const inlay_token_logprob *>(ev.top.data());
    out.n_top = static_cast<uint32_t>(ev.top.size());
    out.user_data = ev.user_data;
}

extern "C" void inlay_engine_params_init(inlay_engine_params *params, size_t struct_size) { init_params(params, struct_size, inlay_engine_params{}); }

extern "C" inlay_status inlay_engine_create(const inlay_model *model, const inlay_engine_params *params, inlay_engine **out_engine, inlay_error *err) {
    return guard(err, [&] {
        const inlay_model &h = need_handle(model, "model");
        need_pointer(out_engine, "out_engine");
        inlay_engine_params p{};
        copy_in(params, &p, "params");
        constexpr uint32_t known = INLAY_ENGINE_NO_PREFIX_CACHE | INLAY_ENGINE_BACKGROUND | INLAY_ENGINE_TRACE;
        if (p.flags & ~known) fail(Code::unsupported, "params: flags ", p.flags, " has unknown bits");
        if (p.policy < INLAY_POLICY_FCFS || p.policy > INLAY_POLICY_SHORTEST) fail(Code::invalid_argument, "policy ", p.policy, " is outside of 0..2");
        constexpr uint32_t million = 1u << 20;
        engine::EngineParams e;
        e.prefix_cache = !(p.flags & INLAY_ENGINE_NO_PREFIX_CACHE);
        e.background = p.flags & INLAY_ENGINE_BACKGROUND;
        e.trace = p.flags & INLAY_ENGINE_TRACE;
        e.n_ctx = small(p.n_ctx, static_cast<uint32_t>(h.owner->limits().ctx), "n_ctx");
        e.max_batch_tokens = small(p.max_batch_tokens, million, "max_batch_tokens");
        e.max_requests = small(p.max_requests, million, "max_requests");
        e.max_queue = small(p.max_queue, million, "max_queue");
        e.chunk = small(p.chunk, million, "chunk");
        e.policy = static_cast<engine::Policy>(p.policy);
        e.lookup_tokens = small(p.lookup_tokens, 64, "lookup_tokens");
        e.draft_tokens = small(p.draft_tokens, 64, "draft_tokens");
        e.swap_bytes = p.swap_bytes;
        std::shared_ptr<const engine::OpenedModel> draft = p.draft ? need_handle(p.draft, "draft").impl : nullptr;
        auto impl = engine::open_engine(h.impl, draft, e, kv_type(p.kv_type), p.kv_bytes);
        *out_engine = new_handle<inlay_engine>(h.owner, h.impl, std::move(impl), make_shared_in<ChatCache>(h.owner->memory(), h.owner->memory()));
        return INLAY_OK;
    });
}

extern "C" void inlay_engine_free(inlay_engine *engine) { free_handle(engine); }

extern "C" inlay_status inlay_engine_step(inlay_engine *engine, uint64_t budget_us, inlay_error *err) {
    return guard(err, [&] { return static_cast<inlay_status>(need_handle(engine, "engine").impl->step(budget_us)); });
}

extern "C" inlay_status inlay_engine_pause(inlay_engine *engine, inlay_error *err) {
    return guard(err, [&] {
        need_handle(engine, "engine").impl->pause();
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_engine_resume(inlay_engine *engine, inlay_error *err) {
    return guard(err, [&] {
        need_handle(engine, "engine").impl->resume();
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_engine_get_wake_fd(inlay_engine *engine, int32_t *out_fd, inlay_error *err) {
    return guard(err, [&] {
        need_pointer(out_fd, "out_fd");
        *out_fd = need_handle(engine, "engine").impl->wake_fd();
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_engine_get_stats(const inlay_engine *engine, inlay_engine_stats *out_stats, inlay_error *err) {
    return guard(err, [&] {
        const engine::Stats s = need_handle(engine, "engine").impl->stats();
        inlay_engine_stats o{};
        o.n_waiting = s.n_waiting;
        o.n_running = s.n_running;
        o.n_blocks = s.n_blocks;
        o.n_blocks_free = s.n_blocks_free;
        o.n_blocks_cached = s.n_blocks_cached;
        o.block_tokens = s.block_tokens;
        o.last_batch_tokens = s.last_batch_tokens;
        o.steps = s.steps;
        o.submitted = s.submitted;
        o.finished = s.finished;
        o.cancelled = s.cancelled;
        o.failed = s.failed;
        o.preempted = s.preempted;
        o.prompt_tokens = s.prompt_tokens;
        o.cached_tokens = s.cached_tokens;
        o.completion_tokens = s.completion_tokens;
        o.draft_tokens = s.draft_tokens;
        o.accepted_tokens = s.accepted_tokens;
        o.step_ns = s.step_ns;
        o.forward_ns = s.forward_ns;
        o.sample_ns = s.sample_ns;
        o.pauses = s.pauses;
        o.n_swap_blocks = s.n_swap_blocks;
        o.n_swap_blocks_free = s.n_swap_blocks_free;
        o.swapped_out = s.swapped_out;
        o.swapped_in = s.swapped_in;
        o.n_blocks_pinned = s.n_blocks_pinned;
        o.forced_tokens = s.forced_tokens;
        o.block_groups = s.block_groups;
        o.block_bytes = s.block_bytes;
        copy_out(o, out_stats, "out_stats");
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_engine_get_times(const inlay_engine *engine, inlay_engine_times *out_times, inlay_error *err) {
    return guard(err, [&] {
        static_assert(INLAY_TIME_BUCKETS == engine::kTimeBuckets);
        engine::Times t;
        need_handle(engine, "engine").impl->times(t);
        inlay_engine_times o{};
        std::copy(t.step.begin(), t.step.end(), o.step);
        std::copy(t.batch.begin(), t.batch.end(), o.batch);
        std::copy(t.queue.begin(), t.queue.end(), o.queue);
        std::copy(t.first_token.begin(), t.first_token.end(), o.first_token);
        std::copy(t.token.begin(), t.token.end(), o.token);
        copy_out(o, out_times, "out_times");
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_engine_get_trace(const inlay_engine *engine, char *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        const inlay_engine &h = need_handle(engine, "engine");
        String json((Alloc<char>(h.owner->memory())));
        h.impl->trace(json);
        return give(json.data(), json.size(), out, io_n, "the trace");
    });
}

extern "C" inlay_status inlay_engine_embed(inlay_engine *engine, const int32_t *ids, size_t n_ids, const inlay_embed_params *params, float *out,
                                           size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &h = need_handle(engine, "engine");
        need_pointer(ids, "ids");
        need_pointer(io_n, "io_n");
        inlay_embed_params p{};
        copy_in(params, &p, "params");
        if (p.pooling < INLAY_POOLING_MODEL || p.pooling > INLAY_POOLING_NONE) fail(Code::invalid_argument, "pooling ", p.pooling, " is outside of 0..4");
        engine::EmbedParams e;
        e.pooling = static_cast<engine::Pooling>(p.pooling);
        e.normalize = !p.no_normalize;
        e.max_tokens = small(p.max_tokens, INT32_MAX, "max_tokens");
        e.dimensions = small(p.dimensions, INT32_MAX, "dimensions");
        const size_t need = h.impl->embed_size(n_ids, e), room = *io_n;
        if (!out && room) fail(Code::invalid_argument, "the buffer is NULL with room ", room);
        if (need > room) {
            *io_n = need;
            fail(Code::limit, "the embedding needs room for ", need, " floats, got ", room);
        }
        h.impl->embed({ids, n_ids}, e, {out, need});
        *io_n = need;
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_score_create(inlay_engine *engine, const int32_t *ids, size_t n_ids, uint32_t chunk, inlay_score **out_score, inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &h = need_handle(engine, "engine");
        need_pointer(out_score, "out_score");
        if (n_ids) need_pointer(ids, "ids");
        auto impl = h.impl->score({ids, n_ids}, small(chunk, 1u << 20, "chunk"));
        *out_score = new_handle<inlay_score>(h.owner, h.impl, std::move(impl));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_score_read(inlay_score *score, inlay_score_row *out_row, float *out_logits, size_t n_logits, inlay_error *err) {
    return guard(err, [&] {
        inlay_score &h = need_handle(score, "score");
        const size_t need = static_cast<size_t>(h.engine->n_vocab());
        if (out_logits && n_logits < need) fail(Code::limit, "a row needs room for ", need, " floats, got ", n_logits);
        engine::ScoreRow r;
        if (!h.impl->next(r, out_logits)) return INLAY_DONE;
        inlay_score_row o{};
        o.index = static_cast<uint64_t>(r.index);
        o.argmax = r.argmax;
        o.logprob = r.logprob;
        copy_out(o, out_row, "out_row");
        return INLAY_OK;
    });
}

extern "C" void inlay_score_free(inlay_score *score) { free_handle(score); }

extern "C" inlay_status inlay_prefix_create(inlay_engine *engine, const int32_t *ids, size_t n_ids, uint64_t cache_salt, inlay_prefix **out_prefix,
                                            inlay_error *err) {
    return guard(err, [&] {
        inlay_engine &h = need_handle(engine, "engine");
        need_pointer(out_prefix, "out_prefix");
        if (n_ids) need_pointer(ids, "ids");
        auto impl = h.impl->pin({ids, n_ids}, cache_salt);
        *out_prefix = new_handle<inlay_prefix>(h.owner, std::move(impl));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_prefix_get_tokens(const inlay_prefix *prefix, uint32_t *out_n_tokens, uint32_t *out_n_held, inlay_error *err) {
    return guard(err, [&] {
        const engine::Prefix &p = *need_handle(prefix, "prefix").impl;
        if (out_n_tokens) *out_n_tokens = static_cast<uint32_t>(p.n_tokens());
        if (out_n_held) *out_n_held = static_cast<uint32_t>(p.n_held());
        return INLAY_OK;
    });
}

extern "C" void inlay_prefix_free(inlay_prefix *prefix) { free_handle(prefix); }
