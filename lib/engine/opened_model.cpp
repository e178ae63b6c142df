// SPDX-License-Identifier: Apache-2.0
#include "engine/opened_model.h"

#include "base/checked.h"
#include "kv/store.h"
#include "model/forward.h"
#include "text/tokenizer_file.h"
#include "thread/fp_env.h"

namespace inlay::engine {

namespace {

constexpr int32_t block_tokens = 16;  // one panel: docs/kv-cache.md

String read_name(Memory &m, const io::WeightsFile &f) {
    if (const io::Gguf *g = f.gguf()) {
        const io::GgufValue *v = g->find("general.name");
        if (v && v->is_string()) return make_string(m, v->string());
    } else if (const io::Json *c = f.config()) {
        const io::Json *v = c->is_object() ? c->get("_name_or_path") : nullptr;
        if (v && v->is_string()) return make_string(m, v->string());
    }
    return make_string(m, "");
}

// A GGUF file or folder with a tokenizer and nothing else opens for text.
bool holds_model(const io::WeightsFile &f) { return !f.tensors().empty() || (f.gguf() == nullptr && f.config() != nullptr); }

// End tokens that generation_config.json adds: the model's own eos_token_id is often only one of them.
void add_generation_ends(const io::WeightsFile &f, const Limits &limits, text::Tokenizer &t) {
    io::JsonLimits jl;
    jl.bytes = limits.request_json_bytes;
    auto doc = f.side_json("generation_config.json", jl);
    if (!doc || !doc->root().is_object()) return;
    const io::Json *eos = doc->root().get("eos_token_id");
    if (!eos) return;
    auto add = [&](const io::Json &v) {
        auto id = v.is_number() ? v.integer() : std::nullopt;
        if (!id || *id < 0 || *id >= t.n_vocab())
            fail(Code::format, "generation_config.json: eos_token_id is no id of the vocabulary of ", t.n_vocab());
        t.add_end(static_cast<int32_t>(*id));
    };
    if (eos->is_array())
        for (const io::Json &v : eos->items()) add(v);
    else
        add(*eos);
}

}  // namespace

Owned<text::Tokenizer> read_tokenizer(Memory &m, const io::WeightsFile &file, const Limits &limits, const Log &log) {
    Owned<text::Tokenizer> t = text::tokenizer_from_checkpoint(m, file, limits, log);
    if (t) add_generation_ends(file, limits, *t);
    return t;
}

Owned<text::Tokenizer> open_tokenizer(Runtime &rt, std::string_view path) {
    if (text::is_tokenizer_file(path)) return text::tokenizer_from_path(rt.memory(), rt.files(), path, rt.limits(), rt.log());
    auto file = io::open_checkpoint(rt.files(), rt.memory(), path, rt.limits(), rt.log());
    Owned<text::Tokenizer> t = read_tokenizer(rt.memory(), *file, rt.limits(), rt.log());
    if (!t) fail(Code::not_found, "the file holds no tokenizer");
    return t;
}

OpenedModel::OpenedModel(std::shared_ptr<Runtime> runtime, Owned<io::WeightsFile> file, const ModelOptions &o)
    : runtime_(std::move(runtime)),
      templates_(file->chat_templates()),
      name_(read_name(runtime_->memory(), *file)),
      architecture_(Alloc<char>(runtime_->memory())) {
    Memory &m = runtime_->memory();
    if (!holds_model(*file)) {
        open_tokenizer(*file);
        if (!tokenizer_) fail(Code::format, "mismatch: the file holds no tensors and no tokenizer");
        return;
    }
    const model::Architecture &arch = model::find_architecture(*file);
    architecture_ = arch.name;
    config_.emplace(model::read_config(*file, arch));
    fingerprint_ = model::fingerprint(*file, *config_);
    model::LayerRange range{o.layer_begin, o.layer_end ? o.layer_end : config_->n_layers};
    if (range.begin < 0 || range.begin >= range.end || range.end > config_->n_layers)
        fail(Code::invalid_argument, "layers [", range.begin, ", ", range.end, ") of ", config_->n_layers);
    if (!o.weights) {
        open_tokenizer(*file);
        return;
    }
    weights_.emplace(m, *file, arch, *config_, range);
    n_params_ = weights_->n_params();
    // The tokenizer is one thread's work for 50 to 100 ms, so it is made while the others read weights. Not where a pack needs no
    // reading, nor in a host's job system, whose jobs may be meant to be short and their stacks small.
    struct Beside {
        OpenedModel &model;
        const io::WeightsFile &file;
    } both{*this, *file};
    model::LoadBeside beside;
    if (o.pack.empty() && runtime_->executor_kind() != ExecutorKind::host) {
        beside = {&both, [](void *user) {
                      thread::FpGuard fp;  // a host's thread may have its own rounding
                      const Beside &b = *static_cast<Beside *>(user);
                      b.model.open_tokenizer(b.file);
                  }};
    } else {
        open_tokenizer(*file);
    }
    std::lock_guard lock(runtime_->executor_mutex());
    thread::Executor &executor = runtime_->executor();
    if (!o.pack.empty() && weights_->load_pack(*file, runtime_->files(), o.pack, executor, o.progress, o.validate, runtime_->log())) return;
    weights_->load(*file, executor, o.progress, o.validate, beside);
    if (!o.pack.empty()) weights_->write_pack(*file, o.pack, executor);
}

// A model without a usable tokenizer still computes: text calls give the reason.
void OpenedModel::open_tokenizer(const io::WeightsFile &file) {
    try {
        tokenizer_ = read_tokenizer(runtime_->memory(), file, runtime_->limits(), runtime_->log());
        if (!tokenizer_) tokenizer_fault_ << "the model has no tokenizer";
    } catch (const Error &e) {
        if (e.code() == Code::out_of_memory || !holds_model(file)) throw;
        tokenizer_code_ = e.code();
        tokenizer_fault_ << e.text();
        runtime_->log().line(LogLevel::warn, "tokenizer: ", e.text());
    }
}

const model::Config &OpenedModel::config() const {
    if (!config_) fail(Code::state, "the file holds a tokenizer alone, no model");
    return *config_;
}

const model::Weights &OpenedModel::weights() const {
    if (!has_weights()) fail(Code::state, "the model was opened without its weights");
    return *weights_;
}

const text::Tokenizer &OpenedModel::need_tokenizer() const {
    if (!tokenizer_) fail(tokenizer_code_ == Code::not_found ? Code::state : tokenizer_code_, tokenizer_fault_.view());
    return *tokenizer_;
}

const io::ChatTemplate *OpenedModel::find_template(std::string_view name) const noexcept {
    if (name.empty()) return templates_.empty() ? nullptr : &templates_[0];
    for (const io::ChatTemplate &t : templates_)
        if (t.name == name) return &t;
    return nullptr;
}

kv::Layout kv_layout(Memory &m, const model::Config &c, kernels::KvType type, model::LayerRange range, int64_t n_ctx) {
    Vector<kv::LayerShape> layers((Alloc<kv::LayerShape>(m)));
    for (int32_t i = range.begin; i < range.end; ++i) {
        const model::LayerConfig &l = c.layers[static_cast<size_t>(i)];
        layers.push_back({l.n_head_kv, c.head_k, c.head_v, l.window < n_ctx ? l.window : 0});
    }
    return kv::Layout(m, type, layers);
}

uint64_t kv_bytes_per_token(Memory &m, const model::Config &c, kernels::KvType type) {
    return static_cast<uint64_t>(kv_layout(m, c, type, {0, c.n_layers}, 0).page_bytes()) / block_tokens;
}

MemoryEstimate estimate(Runtime &rt, const io::WeightsFile &file, const EstimateFor &what) {
    Memory &m = rt.memory();
    const model::Architecture &arch = model::find_architecture(file);
    model::Config c = model::read_config(file, arch);
    model::Weights w(m, file, arch, c, {0, c.n_layers});
    MemoryEstimate e;
    e.weights = w.bytes();
    model::ForwardLimits limits;
    limits.rows = what.max_batch_tokens ? what.max_batch_tokens : 512;
    const int32_t n_ctx = what.n_ctx ? what.n_ctx : c.ctx;
    if (c.causal) {
        const kv::Layout layout = kv_layout(m, c, what.kv_type, {0, c.n_layers}, n_ctx);
        e.kv = (Checked(layout.page_bytes()) * Checked(layout.groups().pages(n_ctx, limits.rows)) * Checked(what.max_requests ? what.max_requests : 1)).value();
    }
    e.scratch = model::Forward::bytes(m, c, w, limits, rt.n_threads());
    return e;
}

}  // namespace inlay::engine
