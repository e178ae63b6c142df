// SPDX-License-Identifier: Apache-2.0
#include "inlay/model.h"

#include "base/checked.h"
#include "capi/engine_handles.h"
#include "io/source.h"
#include "model/cost.h"

using namespace inlay;
using namespace inlay::capi;

namespace {

engine::ModelOptions read_options(const inlay_model_params *params, inlay_model_params &p) {
    copy_in(params, &p, "params");
    constexpr uint32_t known = INLAY_MODEL_MMAP | INLAY_MODEL_NO_WEIGHTS | INLAY_MODEL_VALIDATE;
    if (p.flags & ~known) fail(Code::unsupported, "params: flags ", p.flags, " has unknown bits");
    if (p.layer_begin > INT32_MAX || p.layer_end > INT32_MAX)
        fail(Code::invalid_argument, "layers [", p.layer_begin, ", ", p.layer_end, ")");
    engine::ModelOptions o;
    o.map = p.flags & INLAY_MODEL_MMAP;
    o.weights = !(p.flags & INLAY_MODEL_NO_WEIGHTS);
    o.validate = p.flags & INLAY_MODEL_VALIDATE;
    o.layer_begin = static_cast<int32_t>(p.layer_begin);
    o.layer_end = static_cast<int32_t>(p.layer_end);
    o.pre_tokenizer = text_arg(p.pre_tokenizer.data, static_cast<size_t>(p.pre_tokenizer.size), "pre_tokenizer");
    if (!o.pre_tokenizer.empty()) fail(Code::unsupported, "pre_tokenizer ", quoted{o.pre_tokenizer}, ": this version takes the file's own; give none");
    o.pack = text_arg(p.pack.data, static_cast<size_t>(p.pack.size), "pack");
    o.progress = {p.progress_user, p.progress};
    return o;
}

// `open` gives the file; the rest is the same wherever it comes from.
template <class Open>
inlay_status open_model(inlay_runtime *rt, const inlay_model_params *params, inlay_model **out_model, Open &&open) {
    auto &owner = need_handle(rt, "rt").owner;
    need_pointer(out_model, "out_model");
    inlay_model_params p{};
    engine::ModelOptions o = read_options(params, p);
    Owned<io::WeightsFile> file = open(*owner, o);
    auto impl = make_shared_in<engine::OpenedModel>(owner->memory(), owner, std::move(file), o);
    *out_model = new_handle<inlay_model>(owner, std::move(impl));
    return INLAY_OK;
}

void copy_name(char *dst, size_t room, std::string_view s) {
    size_t n = s.size() < room - 1 ? s.size() : room - 1;
    while (n > 0 && n < s.size() && (static_cast<unsigned char>(s[n]) & 0xC0) == 0x80) --n;  // not inside a character
    if (n) std::memcpy(dst, s.data(), n);
}

void hex(char *dst, uint64_t v) {
    for (int i = 0; i < 16; ++i) dst[i] = "0123456789abcdef"[(v >> (60 - 4 * i)) & 15];
}

kernels::KvType kv_type(int32_t type) {
    switch (type) {
        case INLAY_KV_F16:
            return kernels::KvType::f16;
        case INLAY_KV_Q8_0:
            return kernels::KvType::q8_0;
        case INLAY_KV_F32:
            return kernels::KvType::f32;
        case INLAY_KV_BF16:
            return kernels::KvType::bf16;
        default:
            fail(Code::invalid_argument, "kv_type ", type, " is outside of 0..3");
    }
}

}  // namespace

extern "C" void inlay_model_params_init(inlay_model_params *params, size_t struct_size) {
    init_params(params, struct_size, inlay_model_params{});
}

extern "C" inlay_status inlay_model_open(inlay_runtime *rt, const char *path, size_t n_path, const inlay_model_params *params,
                                         inlay_model **out_model, inlay_error *err) {
    return guard(err, [&] {
        return open_model(rt, params, out_model, [&](engine::Runtime &r, const engine::ModelOptions &o) {
            return io::open_checkpoint(r.files(), r.memory(), text_arg(path, n_path, "path"), r.limits(), r.log(),
                                       o.map ? io::OpenMode::map : io::OpenMode::read);
        });
    });
}

extern "C" inlay_status inlay_model_open_memory(inlay_runtime *rt, const void *data, size_t n_data, const inlay_model_params *params,
                                                inlay_model **out_model, inlay_error *err) {
    return guard(err, [&] {
        if (n_data) need_pointer(data, "data");
        return open_model(rt, params, out_model, [&](engine::Runtime &r, const engine::ModelOptions &) {
            return io::open_gguf(r.memory(), io::memory_source(r.memory(), {static_cast<const std::byte *>(data), n_data}), r.limits(),
                                 r.log());
        });
    });
}

extern "C" inlay_status inlay_model_open_fd(inlay_runtime *rt, int32_t fd, uint64_t offset, uint64_t n_bytes,
                                            const inlay_model_params *params, inlay_model **out_model, inlay_error *err) {
    return guard(err, [&] {
        return open_model(rt, params, out_model, [&](engine::Runtime &r, const engine::ModelOptions &) {
            return io::open_gguf(r.memory(), io::fd_source(r.memory(), fd, offset, n_bytes), r.limits(), r.log());
        });
    });
}

extern "C" void inlay_model_free(inlay_model *model) { free_handle(model); }

extern "C" inlay_status inlay_model_get_info(const inlay_model *model, inlay_model_info *out_info, inlay_error *err) {
    return guard(err, [&] {
        const engine::OpenedModel &m = *need_handle(model, "model").impl;
        inlay_model_info i{};
        if (m.has_config()) {
            const model::Config &c = m.config();
            i.n_layers = static_cast<uint32_t>(c.n_layers);
            i.n_embd = static_cast<uint32_t>(c.hidden);
            i.n_heads = static_cast<uint32_t>(c.layers[0].n_head);
            i.n_kv_heads = static_cast<uint32_t>(c.layers[0].n_head_kv);
            i.n_vocab = c.head ? static_cast<uint32_t>(c.vocab) : 0;
            i.n_ctx = static_cast<uint32_t>(c.ctx);
            i.sliding_window = static_cast<uint32_t>(c.max_window());
            i.n_experts = static_cast<uint32_t>(c.moe.n_experts);
            i.is_encoder = c.encoder();
            if (!c.encoder()) i.kv_bytes_per_token = engine::kv_bytes_per_token(m.runtime().memory(), c, kernels::KvType::f16);
        }
        i.has_weights = m.has_weights();
        i.has_tokenizer = m.tokenizer() != nullptr;
        i.n_params = m.n_params();
        if (m.has_weights()) {
            i.weights_bytes = m.weights().bytes();
            model::TokenCost cost = model::token_cost(m.weights(), m.config());
            i.layer_weights_per_token = cost.layer_weights;
            i.step_bytes = cost.step_bytes;
        }
        copy_name(i.architecture, sizeof i.architecture, m.architecture());
        copy_name(i.name, sizeof i.name, m.name());
        hex(i.fingerprint, m.fingerprint().hi);
        hex(i.fingerprint + 16, m.fingerprint().lo);
        copy_out(i, out_info, "out_info");
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_model_get_tokenizer(const inlay_model *model, inlay_tokenizer **out_tokenizer, inlay_error *err) {
    return guard(err, [&] {
        const inlay_model &h = need_handle(model, "model");
        need_pointer(out_tokenizer, "out_tokenizer");
        if (!h.impl->tokenizer()) {
            if (h.impl->has_config()) fail(Code::not_found, "the model has no tokenizer that can be used");
        }
        std::shared_ptr<const text::Tokenizer> t(h.impl, &h.impl->need_tokenizer());
        *out_tokenizer = new_handle<inlay_tokenizer>(h.owner, std::move(t));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_model_get_template(const inlay_model *model, const char *name, size_t n_name, char *out, size_t *io_n,
                                                 inlay_error *err) {
    return guard(err, [&] {
        const engine::OpenedModel &m = *need_handle(model, "model").impl;
        std::string_view want = text_arg(name, n_name, "name");
        const io::ChatTemplate *t = m.find_template(want);
        if (!t) fail(Code::not_found, "the model has no chat template ", quoted{want});
        return give(t->text.data(), t->text.size(), out, io_n, "the template");
    });
}

extern "C" inlay_status inlay_model_estimate(inlay_runtime *rt, const char *path, size_t n_path, const inlay_estimate_params *params,
                                             inlay_estimate *out_estimate, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        inlay_estimate_params p{};
        copy_in(params, &p, "params");
        if (p.n_ctx > r.limits().ctx) fail(Code::limit, "n_ctx ", p.n_ctx, " exceeds ", r.limits().ctx);
        if (p.max_batch_tokens > (1u << 20)) fail(Code::limit, "max_batch_tokens ", p.max_batch_tokens, " exceeds ", 1u << 20);
        if (p.max_requests > (1u << 20)) fail(Code::limit, "max_requests ", p.max_requests, " exceeds ", 1u << 20);
        auto file = io::open_checkpoint(r.files(), r.memory(), text_arg(path, n_path, "path"), r.limits(), r.log());
        engine::EstimateFor what;
        what.n_ctx = static_cast<int32_t>(p.n_ctx);
        what.max_requests = static_cast<int32_t>(p.max_requests);
        what.max_batch_tokens = static_cast<int32_t>(p.max_batch_tokens);
        what.kv_type = kv_type(p.kv_type);
        engine::MemoryEstimate e = engine::estimate(r, *file, what);
        inlay_estimate o{};
        o.weights_bytes = e.weights;
        o.kv_bytes = e.kv;
        o.scratch_bytes = e.scratch;
        o.total_bytes = (Checked(e.weights) + Checked(e.kv) + Checked(e.scratch)).value();
        copy_out(o, out_estimate, "out_estimate");
        return INLAY_OK;
    });
}
