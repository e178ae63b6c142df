// SPDX-License-Identifier: Apache-2.0
// Scores and embeddings: one sequence through the backend outside of the batch, chunk by chunk. A pass of the engine in
// between takes the rows away; they are then computed again, with the same bits.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/engine_impl.h"
#include "sample/math.h"

namespace inlay::engine {

void EngineImpl::single_pass(const Rows &r) {
    ++pass_serial_;
    backend_->begin({&r, 1});
    try {
        while (!backend_->advance(0)) {
        }
    } catch (...) {
        backend_->abandon();
        throw;
    }
}

class ScoreImpl final : public Score {
public:
    ScoreImpl(std::shared_ptr<EngineImpl> e, std::span<const int32_t> ids, int32_t chunk)
        : engine_(std::move(e)),
          ids_(ids.begin(), ids.end(), Alloc<int32_t>(engine_->memory_)),
          table_(engine_->memory_),
          copies_(engine_->memory_),
          chunk_(chunk) {}
    ~ScoreImpl() override {
        // Must not fail and must not wait for a whole step: who steps takes the blocks back when it is busy now.
        std::lock_guard lock(engine_->core_->mutex);
        --engine_->n_scores_;
        if (table_.pages.empty()) return;
        if (!engine_->stepping_.exchange(true, std::memory_order_acquire)) {
            engine_->cache_.release(table_);
            engine_->stepping_.store(false, std::memory_order_release);
        } else {
            engine_->orphans_.push_back(std::move(table_));  // room was made in score()
            engine_->core_->notice();
        }
    }

    bool next(ScoreRow &out, float *logits) override {
        if (at_ >= static_cast<int64_t>(ids_.size())) return false;
        EngineImpl &e = *engine_;
        EngineImpl::Exclusive hold(e);
        e.drain_pass();
        bool mine = serial_ == e.pass_serial_;
        if (!mine || at_ >= from_ + n_) compute();
        if (at_ < head_from_ || at_ >= head_from_ + head_n_) {
            head_from_ = at_;
            head_n_ = std::min<int64_t>(from_ + n_ - at_, e.backend_->max_head_rows());
            e.backend_->begin_head(static_cast<int32_t>(at_ - from_), static_cast<int32_t>(head_n_));
            while (!e.backend_->advance_head(0)) {
            }
        }
        std::span<const float> row = e.backend_->logits(static_cast<int32_t>(at_ - head_from_));
        sample::Extremes x = sample::extremes(e.workspaces_[0].kernels(), row);
        if (x.broken) fail(Code::format, "numeric: the logits of position ", at_, " are not numbers");
        out.index = at_;
        out.argmax = std::max(0, sample::first_equal(row, x.max));
        out.logprob = 0;
        if (at_ + 1 < static_cast<int64_t>(ids_.size()))
            out.logprob = static_cast<double>(row[static_cast<size_t>(ids_[static_cast<size_t>(at_ + 1)])]) -
                          sample::log_sum(e.workspaces_[0].kernels(), row);
        if (logits) std::copy(row.begin(), row.end(), logits);
        if (++at_ == static_cast<int64_t>(ids_.size())) e.cache_.release(table_);
        return true;
    }

private:
    // The chunk that begins with row at_.
    void compute() {
        EngineImpl &e = *engine_;
        serial_ = 0;
        head_n_ = 0;
        int32_t at = static_cast<int32_t>(at_), n = std::min(chunk_, static_cast<int32_t>(ids_.size()) - at);
        e.cache_.truncate(table_, at, kSalt, ids_);
        // Only now: rows of the chunk before this one may have had to be computed again.
        e.cache_.drop_behind(table_);
        copies_.clear();
        if (!e.cache_.reserve(table_, at + n, copies_))
            fail(Code::limit, "scoring needs ", e.cache_.need(table_, at + n), " KV blocks, ", e.cache_.pool().n_free(), " are free");
        e.backend_->copy_blocks(copies_);
        Rows r;
        r.tokens = ids_.data() + at;
        r.n = n;
        r.position = at;
        r.pages = table_.pages.data();
        r.n_blocks = e.cache_.blocks(table_);
        r.first_output = 0;
        r.declared = static_cast<int32_t>(ids_.size());
        e.single_pass(r);
        table_.n_tokens = at + n;  // never made known: a score shares with nobody
        from_ = at;
        n_ = n;
        serial_ = e.pass_serial_;
    }

    static constexpr uint64_t kSalt = 0;
    std::shared_ptr<EngineImpl> engine_;
    Vector<int32_t> ids_;
    kv::Table table_;
    Vector<kv::Copy> copies_;
    int32_t chunk_;
    int64_t at_ = 0, from_ = 0, n_ = 0, head_from_ = 0, head_n_ = 0;
    uint64_t serial_ = 0;
};

std::shared_ptr<Score> EngineImpl::score(std::span<const int32_t> ids, int32_t chunk) {
    if (!facts_.has_head || !facts_.causal) fail(Code::state, "the model has no output head");
    check_ids(ids);
    if (ids.size() > static_cast<size_t>(n_ctx_)) fail(Code::limit, ids.size(), " ids to score, the context has ", n_ctx_);
    if (chunk < 0) fail(Code::invalid_argument, "chunk is ", chunk);
    sched_.check_fits(static_cast<int32_t>(ids.size()));
    chunk = chunk == 0 ? params_.chunk : std::min(chunk, params_.max_batch_tokens);
    {
        std::lock_guard lock(core_->mutex);
        orphans_.reserve(orphans_.size() + ++n_scores_);
    }
    return make_shared_in<ScoreImpl>(memory_, shared_from_this(), ids, chunk);
}

namespace {

size_t cut_length(size_t n, const EmbedParams &p, int32_t n_ctx) {
    size_t most = static_cast<size_t>(n_ctx);
    if (p.max_tokens > 0) most = std::min(most, static_cast<size_t>(p.max_tokens));
    return std::min(n, most);
}
int32_t width(const EmbedParams &p, int32_t n_embd) {
    if (p.dimensions < 0 || p.dimensions > n_embd)
        fail(Code::invalid_argument, "dimensions is ", p.dimensions, ", the model gives ", n_embd);
    return p.dimensions ? p.dimensions : n_embd;
}

}  // namespace

size_t EngineImpl::embed_size(size_t n_ids, const EmbedParams &p) const {
    size_t w = static_cast<size_t>(width(p, facts_.n_embd));
    return p.pooling == Pooling::none ? w * cut_length(n_ids, p, n_ctx_) : w;
}

void EngineImpl::embed(std::span<const int32_t> ids, const EmbedParams &p, std::span<float> out) {
    check_ids(ids);
    size_t need = embed_size(ids.size(), p), w = static_cast<size_t>(width(p, facts_.n_embd)), full = static_cast<size_t>(facts_.n_embd);
    if (out.size() < need) fail(Code::limit, "room for ", out.size(), " floats, the embedding has ", need);
    Pooling pooling = p.pooling;
    if (pooling == Pooling::model) pooling = facts_.pooling ? static_cast<Pooling>(facts_.pooling) : Pooling::mean;
    Exclusive hold(*this);
    drain_pass();
    size_t n = cut_length(ids.size(), p, n_ctx_);
    ids_scratch_.assign(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(n));
    if (n < ids.size()) ids_scratch_.back() = ids.back();  // SEP or EOS stays

    struct Blocks {  // given back however this ends
        kv::Cache &cache;
        kv::Table table;
        ~Blocks() { cache.release(table); }
    } blocks{cache_, kv::Table(memory_)};
    Vector<kv::Copy> copies(memory_);
    Vector<double> sum(full, 0.0, Alloc<double>(memory_));
    auto put = [&](std::span<const float> v, size_t row) { std::copy_n(v.begin(), w, out.begin() + static_cast<ptrdiff_t>(row * w)); };
    size_t step = facts_.causal ? static_cast<size_t>(params_.chunk) : n;
    for (size_t at = 0; at < n; at += step) {
        int32_t m = static_cast<int32_t>(std::min(step, n - at)), upto = static_cast<int32_t>(at) + m;
        Rows r;
        r.tokens = ids_scratch_.data() + at;
        r.n = m;
        r.position = static_cast<int32_t>(at);
        r.declared = static_cast<int32_t>(n);
        if (facts_.causal) {
            cache_.drop_behind(blocks.table);
            if (!cache_.reserve(blocks.table, upto, copies))
                fail(Code::limit, "embedding needs ", cache_.need(blocks.table, upto), " KV blocks, ", cache_.pool().n_free(), " are free");
            blocks.table.n_tokens = upto;
            r.pages = blocks.table.pages.data();
            r.n_blocks = cache_.blocks(blocks.table);
        }
        bool last = static_cast<size_t>(upto) == n;
        if (pooling == Pooling::last) r.first_output = last ? m - 1 : m;
        if (pooling == Pooling::cls) r.first_output = at == 0 ? 0 : m;
        single_pass(r);
        if (pooling == Pooling::cls && at == 0) put(backend_->hidden(0), 0);
        if (pooling == Pooling::last && last) put(backend_->hidden(0), 0);
        if (pooling == Pooling::none)
            for (int32_t i = 0; i < m; ++i) put(backend_->hidden(i), at + static_cast<size_t>(i));
        if (pooling == Pooling::mean)
            for (int32_t i = 0; i < m; ++i) {
                std::span<const float> h = backend_->hidden(i);
                for (size_t k = 0; k < full; ++k) sum[k] += static_cast<double>(h[k]);
            }
    }
    if (pooling == Pooling::mean)
        for (size_t k = 0; k < w; ++k) out[k] = static_cast<float>(sum[k] / static_cast<double>(n));
    for (size_t row = 0; row < need / w; ++row) {
        std::span<float> v = out.subspan(row * w, w);
        double squares = 0;
        for (float x : v) squares += static_cast<double>(x) * static_cast<double>(x);
        if (!std::isfinite(squares)) fail(Code::format, "numeric: the embedding holds values that are not numbers");
        if (!p.normalize || !(squares > 0)) continue;
        double length = sample::sqrt64(squares);
        for (float &x : v) x = static_cast<float>(static_cast<double>(x) / length);
    }
}

}  // namespace inlay::engine
