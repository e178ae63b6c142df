// SPDX-License-Identifier: Apache-2.0
#include "engine/model_backend.h"

#include <mutex>

#include "base/checked.h"
#include "kv/store.h"
#include "model/forward.h"
#include "text/stream_decoder.h"

namespace inlay::engine {

namespace {

// Rows of logits at once: 16 fill the head's kernels, and more would only be memory (a row is up to 1 MB).
constexpr int32_t head_rows = 16;

class ModelBackend final : public Backend {
public:
    ModelBackend(std::shared_ptr<const OpenedModel> model, kv::Layout layout, int32_t n_pages, int32_t n_swap, bool touch, int32_t max_rows,
                 int32_t max_segments)
        : model_(std::move(model)), segments_(Alloc<model::Segment>(memory())) {
        const model::Config &c = model_->config();
        const model::Weights &w = model_->weights();
        facts_.n_vocab = c.vocab;
        facts_.n_ctx = c.ctx;
        facts_.n_embd = c.hidden;
        facts_.causal = c.causal;
        facts_.has_head = c.head && w.range().end == c.n_layers;
        facts_.pooling = static_cast<int32_t>(c.pooling);
        facts_.max_rows = max_rows;
        if (c.causal) {
            facts_.groups = layout.groups();
            facts_.page_bytes = static_cast<uint64_t>(layout.page_bytes());
            store_ = make_owned<kv::Store>(memory(), memory(), std::move(layout), n_pages, n_swap);
            if (touch) store_->touch();
        }
        segments_.reserve(static_cast<size_t>(max_segments));
        model::ForwardLimits limits;
        limits.rows = max_rows;
        limits.segments = max_segments;
        limits.head_rows = head_rows;
        forward_ = make_owned<model::Forward>(
            memory(), memory(), model::Machine{&model_->runtime().kernels(), &model_->runtime().executor(), model_->runtime().blas()}, c, w, store_.get(),
            limits);
    }

    const BackendFacts &facts() const noexcept override { return facts_; }
    void copy_blocks(std::span<const kv::Copy> copies) override {
        if (store_) store_->copy(copies);
    }

    void begin(std::span<const Rows> rows) override {
        segments_.clear();
        for (const Rows &r : rows) {
            model::Segment s;
            s.tokens = r.tokens;
            s.n = r.n;
            s.position = r.position;
            s.pages = r.pages;
            s.n_blocks = r.n_blocks;
            s.first_output = r.first_output;
            s.declared = r.declared;
            segments_.push_back(s);
        }
        forward_->begin(segments_);
    }
    bool advance(uint64_t deadline_ns) override {
        std::lock_guard lock(model_->runtime().executor_mutex());
        return forward_->advance(deadline_ns);
    }
    void abandon() noexcept override { forward_->abandon(); }
    std::span<const float> hidden(int32_t i) const override { return {forward_->hidden(i), static_cast<size_t>(facts_.n_embd)}; }

    void begin_head(int32_t first, int32_t n) override { forward_->begin_head(first, n); }
    bool advance_head(uint64_t deadline_ns) override {
        std::lock_guard lock(model_->runtime().executor_mutex());
        return forward_->advance_head(deadline_ns);
    }
    std::span<const float> logits(int32_t i) const override { return {forward_->logits(i), static_cast<size_t>(facts_.n_vocab)}; }
    std::span<const float> tops(int32_t i) const override { return forward_->tops(i); }
    int32_t max_head_rows() const noexcept override { return head_rows; }
    void parallel(int32_t n, void (*fn)(void *ctx, int32_t task), void *ctx) override {
        std::lock_guard lock(model_->runtime().executor_mutex());
        thread::parallel_for(model_->runtime().executor(), n, [&](int64_t task, int) { fn(ctx, static_cast<int32_t>(task)); });
    }
    const kernels::KernelTable *kernels() const noexcept override { return &model_->runtime().kernels(); }
    int32_t n_threads() const noexcept override { return model_->runtime().n_threads(); }

private:
    Memory &memory() const noexcept { return model_->runtime().memory(); }

    std::shared_ptr<const OpenedModel> model_;
    BackendFacts facts_;
    Owned<kv::Store> store_;
    Owned<model::Forward> forward_;
    Vector<model::Segment> segments_;
};

class TokenStream final : public TextStream {
public:
    TokenStream(Memory &m, const text::Tokenizer &t) : stream_(m, t, true) {}
    void push(int32_t token, String &out) override { stream_.push(token, out); }
    void flush(String &out) override { stream_.finish(out); }

private:
    text::StreamDecoder stream_;
};

class ModelSpeech final : public Speech {
public:
    ModelSpeech(std::shared_ptr<const OpenedModel> model, const text::Tokenizer &t) : model_(std::move(model)), tokenizer_(t) {}
    Owned<TextStream> stream(Memory &m, std::span<const int32_t> prompt) const override {
        auto s = make_owned<TokenStream>(m, m, tokenizer_);
        // What a token adds depends on what stands before it (a first blank, a
        // character that the prompt cuts): the prompt's last token says so.
        if (!prompt.empty()) {
            String ignored((Alloc<char>(m)));
            s->push(prompt.back(), ignored);
        }
        return s;
    }
    std::span<const int32_t> end_tokens() const noexcept override { return tokenizer_.end_ids(); }

private:
    std::shared_ptr<const OpenedModel> model_;
    const text::Tokenizer &tokenizer_;
};

// Pages of cache for the params: what kv_bytes pays for, or enough for all requests.
int32_t page_count(const OpenedModel &model, const EngineParams &p, const kv::Layout &layout, uint64_t kv_bytes) {
    if (model.config().encoder()) return 0;
    Memory &m = model.runtime().memory();
    const uint64_t page_bytes = static_cast<uint64_t>(layout.page_bytes());
    if (page_bytes == 0) return 0;
    const int32_t chunk = p.chunk > 0 ? std::min(p.chunk, p.max_batch_tokens) : p.max_batch_tokens;
    const Checked per_request = layout.groups().pages(p.n_ctx, chunk);
    Checked want = per_request * Checked(p.max_requests);
    if (kv_bytes) {
        want = Checked(kv_bytes) / page_bytes;
        if (want.value() == 0) fail(Code::limit, "kv_bytes ", kv_bytes, " holds no block of ", page_bytes, " bytes");
    } else if (m.cap()) {
        const uint64_t left = m.cap() > m.used() ? m.cap() - m.used() : 0;
        const Checked fits = Checked(left / 2) / page_bytes;
        if (fits < per_request)
            fail(Code::limit, "the KV cache of one request of ", p.n_ctx, " tokens needs ", (per_request * page_bytes).value(),
                 " bytes, half of what the cap leaves is ", left / 2);
        if (fits < want) want = fits;
    }
    return want.to<int32_t>("KV blocks");
}

Owned<Backend> make_backend(std::shared_ptr<const OpenedModel> model, kv::Layout layout, const EngineParams &p, uint64_t kv_bytes, int32_t *out_pages,
                            int32_t n_swap = 0) {
    Memory &m = model->runtime().memory();
    *out_pages = page_count(*model, p, layout, kv_bytes);
    const int32_t rows = model->config().encoder() ? std::max(p.n_ctx, p.max_batch_tokens) : p.max_batch_tokens;
    return make_owned<ModelBackend>(m, std::move(model), std::move(layout), *out_pages, n_swap, kv_bytes != 0, rows, std::max(64, p.max_requests));
}

}  // namespace

std::shared_ptr<Engine> open_engine(std::shared_ptr<const OpenedModel> model, std::shared_ptr<const OpenedModel> draft, EngineParams p,
                                    kernels::KvType kv_type, uint64_t kv_bytes) {
    Runtime &rt = model->runtime();
    Memory &m = rt.memory();
    const model::Config &c = model->config();
    (void)model->weights();  // STATE without them
    if (p.n_ctx > c.ctx) fail(Code::limit, "n_ctx ", p.n_ctx, " exceeds the model's ", c.ctx);
    if (p.n_ctx == 0) p.n_ctx = c.ctx;
    if (p.max_requests == 0) p.max_requests = 16;
    if (p.max_batch_tokens == 0) p.max_batch_tokens = 512;
    if (draft && draft->config().vocab != c.vocab)
        fail(Code::unsupported, "the draft model has ", draft->config().vocab, " tokens, the model ", c.vocab);
    kv::Layout layout = kv_layout(m, c, kv_type, model->weights().range(), p.n_ctx);
    if (p.swap_bytes && !c.encoder()) {
        const uint64_t page = static_cast<uint64_t>(layout.page_bytes());
        p.swap_pages = page ? (Checked(p.swap_bytes) / page).to<int32_t>("swap blocks") : 0;
        if (page && p.swap_pages == 0) fail(Code::limit, "swap_bytes ", p.swap_bytes, " holds no block of ", page, " bytes");
    }
    auto backend = make_backend(model, std::move(layout), p, kv_bytes, &p.n_pages, p.swap_pages);
    Owned<Backend> second;
    if (draft) second = make_backend(draft, kv_layout(m, draft->config(), kv_type, draft->weights().range(), 0), p, 0, &p.draft_pages);
    std::shared_ptr<const Speech> speech;
    if (const text::Tokenizer *t = model->tokenizer()) speech = make_shared_in<ModelSpeech>(m, model, *t);
    auto owner = std::const_pointer_cast<OpenedModel>(model);
    return make_engine(m, std::move(owner), std::move(backend), std::move(second), std::move(speech), p, rt.limits());
}

}  // namespace inlay::engine
