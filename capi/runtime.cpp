// SPDX-License-Identifier: Apache-2.0
#include "inlay/runtime.h"

#include "capi/handles.h"
#include "cpu/tier.h"

using namespace inlay;
using namespace inlay::capi;

namespace {

static_assert(INLAY_TIER_SCALAR == static_cast<int>(cpu::Tier::scalar) + 1);
static_assert(INLAY_TIER_AVX512VNNI == static_cast<int>(cpu::Tier::avx512vnni) + 1);
static_assert(INLAY_TIER_I8MM == static_cast<int>(cpu::Tier::i8mm) + 1);

std::string_view tier_text(int32_t tier) {
    if (tier < INLAY_TIER_AUTO || tier > INLAY_TIER_I8MM) fail(Code::invalid_argument, "cpu_tier ", tier, " is outside of 0..", INLAY_TIER_I8MM);
    return tier == INLAY_TIER_AUTO ? "auto" : cpu::tier_name(static_cast<cpu::Tier>(tier - 1));
}

MemoryHooks memory_hooks(const inlay_allocator *given) {
    if (!given) return {};
    inlay_allocator a{};
    copy_in(given, &a, "allocator");
    if (!a.alloc || !a.free) fail(Code::invalid_argument, "allocator: alloc or free is NULL");
    return {a.user, a.alloc, a.free};
}

thread::HostHooks host_hooks(const inlay_executor *given) {
    if (!given) fail(Code::invalid_argument, "executor_kind is host, executor is NULL");
    inlay_executor e{};
    copy_in(given, &e, "executor");
    return {e.user, e.run, static_cast<int>(e.width > INT32_MAX ? INT32_MAX : e.width)};
}

}  // namespace

extern "C" void inlay_runtime_params_init(inlay_runtime_params *params, size_t struct_size) {
    inlay_runtime_params d{};
    d.log_level = INLAY_LOG_WARN;
    init_params(params, struct_size, d);
}

extern "C" inlay_status inlay_runtime_create(const inlay_runtime_params *params, inlay_runtime **out_rt, inlay_error *err) {
    return guard(err, [&] {
        need_pointer(out_rt, "out_rt");
        inlay_runtime_params p{};
        copy_in(params, &p, "params");
        if (p.flags & ~INLAY_RUNTIME_BLAS) fail(Code::invalid_argument, "params: flags ", p.flags, " has unknown bits");
        engine::RuntimeOptions o;
        if (p.n_threads > INT32_MAX) fail(Code::invalid_argument, "n_threads ", p.n_threads, " is too many");
        o.n_threads = static_cast<int>(p.n_threads);
        o.memory_bytes = p.memory_bytes;
        o.blas = p.flags & INLAY_RUNTIME_BLAS;
        o.tier = tier_text(p.cpu_tier);
        o.executor = static_cast<engine::ExecutorKind>(p.executor_kind);
        o.memory = memory_hooks(p.allocator);
        if (o.executor == engine::ExecutorKind::host) o.host = host_hooks(p.executor);
        if (p.log_level < 0 || p.log_level > INLAY_LOG_DEBUG) fail(Code::invalid_argument, "log_level ", p.log_level, " is outside of 0..4");
        o.log = Log(p.log, p.log_user, static_cast<LogLevel>(p.log_level ? p.log_level : INLAY_LOG_WARN));
        if (p.io) {
            inlay_io io{};
            copy_in(p.io, &io, "io");
            if (!io.open || !io.read || !io.close) fail(Code::invalid_argument, "io: open, read or close is NULL");
            o.io = {io.user, io.open, io.read, io.close};
        }
        *out_rt = new_handle<inlay_runtime>(engine::make_runtime(o));
        return INLAY_OK;
    });
}

extern "C" void inlay_runtime_free(inlay_runtime *rt) { free_handle(rt); }

extern "C" inlay_status inlay_runtime_get_info(const inlay_runtime *rt, inlay_runtime_info *out_info, inlay_error *err) {
    return guard(err, [&] {
        const engine::Runtime &r = *need_handle(rt, "rt").owner;
        inlay_runtime_info i{};
        i.n_threads = static_cast<uint32_t>(r.n_threads());
        i.cpu_tier = static_cast<int32_t>(r.tier()) + 1;
        i.executor_kind = static_cast<int32_t>(r.executor_kind());
        i.memory_used = r.memory().used();
        i.memory_peak = r.memory().peak();
        i.memory_cap = r.memory().cap();
        i.weights_bytes = r.memory().used(MemTag::weights);
        i.kv_bytes = r.memory().used(MemTag::kv);
        i.scratch_bytes = r.memory().used(MemTag::scratch);
        copy_out(i, out_info, "out_info");
        return INLAY_OK;
    });
}

extern "C" const char *inlay_tier_name(int32_t tier) {
    if (tier == INLAY_TIER_AUTO) return "auto";
    if (tier < INLAY_TIER_AUTO || tier > INLAY_TIER_I8MM) return "?";
    return cpu::tier_name(static_cast<cpu::Tier>(tier - 1));
}

extern "C" inlay_status inlay_tier_parse(const char *name, size_t n_name, int32_t *out_tier, inlay_error *err) {
    return guard(err, [&] {
        need_pointer(out_tier, "out_tier");
        std::string_view s = text_arg(name, n_name, "name");
        cpu::Tier t;
        if (s == "auto") *out_tier = INLAY_TIER_AUTO;
        else if (cpu::tier_from_name(s, &t)) *out_tier = static_cast<int32_t>(t) + 1;
        else fail(Code::not_found, "no CPU tier is called ", quoted{s});
        return INLAY_OK;
    });
}
