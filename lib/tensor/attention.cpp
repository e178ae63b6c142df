// SPDX-License-Identifier: Apache-2.0
// A task = (sequence, KV head, tile of query tokens, range of chunks). Its rows are all query heads of the KV head for
// all tokens of the tile, so each key and value is read once for all of them.
#include "tensor/attention.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/checked.h"

namespace inlay::tensor {

using kernels::kChunkPanels;
using kernels::kChunkTokens;
using kernels::kKvTokens;
using kernels::KvType;

namespace {

// Rows that share a load of K and V. Their scores (1 KiB each) and sums stay in L2; below about 24 the loads and
// conversions of K show, above 64 nothing is gained.
constexpr int64_t kTileRows = 48;
// Tasks a worker: enough that the last one to end does not leave others idle for long.
constexpr int64_t kTasksPerWorker = 4;

constexpr int64_t lines(int64_t bytes) { return kernels::round_up(bytes, 64); }

}  // namespace

struct AttnPlan::Item {
    AttnSeq seq;
    int64_t first_task, n_tiles, n_splits;
    int64_t n_chunks;     // over all rows, counted from chunk 0
    int64_t part_rows;    // rows that a part has room for
    int64_t round_chunks; // chunks of a row in one round
    int64_t n_parts;      // of a tile: one a chunk when it is split, one that waits between rounds, or none
    int64_t part_offset;  // into parts_, when there are parts: counters, then parts
};

struct AttnPlan::Rows {
    const Item *item;
    int64_t head;           // KV head
    int64_t tile;
    int64_t token, n_tokens;  // of the sequence's query rows
    int64_t n_rows;           // n_tokens * group
    int64_t chunk_begin, chunk_end;            // this task's
    int64_t first_chunk, last_chunk;           // all that its rows see: [first, last)
};

struct AttnPlan::Part {
    float *m, *l;  // [rows]
    float *o;      // [rows, v_pad]
};

struct AttnPlan::Scratch {
    float *q;            // [max_rows, k_pad] scaled
    float *s;            // [max_rows, 256]
    Part chunk, sum;
    kernels::ActRows q8;  // [max_rows]; of q8_0 caches
};

AttnPlan::AttnPlan(Memory &m) : memory_(m), items_(Alloc<Item>(m)) {}
AttnPlan::~AttnPlan() = default;

AttnPlan::Span AttnPlan::seen(const AttnSeq &s, int64_t token) const noexcept {
    const int64_t pos = s.first_pos + token;
    if (shape_.causal) {
        const int64_t hi = std::min(pos + 1, s.n_ctx);
        return {shape_.window > 0 ? std::max<int64_t>(0, pos + 1 - shape_.window) : 0, hi};
    }
    if (shape_.window <= 0) return {0, s.n_ctx};
    const int64_t side = shape_.window / 2;
    return {std::max<int64_t>(0, pos - side), std::min(s.n_ctx, pos + side + 1)};
}

AttnPlan::Scratch AttnPlan::scratch(int worker) const noexcept {
    Scratch s;
    // One walk lays out the memory and counts it: with no buffer yet, the pointers are offsets.
    uintptr_t at = reinterpret_cast<uintptr_t>(scratch_.data()) + static_cast<uintptr_t>(worker) * static_cast<uintptr_t>(worker_bytes_);
    auto take = [&at]<class T>(T *&p, int64_t n) {
        p = reinterpret_cast<T *>(at);
        at += static_cast<uintptr_t>(lines(n * static_cast<int64_t>(sizeof(T))));
    };
    const int64_t blocks = kernels::round_up(shape_.k_dim, 64) / 32;  // an even number, as ActRows asks
    take(s.q, max_rows_ * kernels::round_up(shape_.k_dim, 16));
    take(s.s, max_rows_ * kChunkTokens);
    for (Part *p : {&s.chunk, &s.sum}) {
        take(p->m, max_rows_);
        take(p->l, max_rows_);
        take(p->o, max_rows_ * v_pad_);
    }
    const int64_t q_blocks = kv_.type == KvType::q8_0 ? blocks : 0;
    const int64_t n = max_rows_ * q_blocks;
    s.q8.ldq = blocks * 32;
    s.q8.ldb = blocks;
    s.q8.ldg = (blocks + kernels::kGroupBlocks - 1) / kernels::kGroupBlocks;
    s.q8.blocks = blocks;
    take(s.q8.q, n * 32);
    for (float **p : {&s.q8.d, &s.q8.p, &s.q8.sp}) take(*p, n);
    for (int32_t **p : {&s.q8.n128, &s.q8.magic, &s.q8.m128}) take(*p, n);
    for (int32_t **p : {&s.q8.h128, &s.q8.mh128}) take(*p, n * 2);
    take(s.q8.b16, n);
    take(s.q8.s16, n * 2);
    take(s.q8.n16, n * 4);
    return s;
}

AttnPlan::Part AttnPlan::part(const Rows &r, int64_t chunk) const noexcept {
    const Item &it = *r.item;
    const int64_t counters = lines(shape_.n_kv_head * it.n_tiles * static_cast<int64_t>(sizeof(int32_t)));
    const int64_t floats = kernels::round_up(it.part_rows * (2 + v_pad_), 16);
    const int64_t index = (r.head * it.n_tiles + r.tile) * it.n_parts + chunk;
    const std::byte *base = parts_.data() + it.part_offset + counters + index * floats * static_cast<int64_t>(sizeof(float));
    float *f = const_cast<float *>(reinterpret_cast<const float *>(base));
    return {f, f + it.part_rows, f + 2 * it.part_rows};
}

void AttnPlan::build(const kernels::KernelTable &table, const AttnShape &shape, const KvView &kv, const AttnBuffers &io,
                     std::span<const AttnSeq> seqs, int width, int64_t max_work) {
    require(shape.n_kv_head > 0 && shape.n_head % shape.n_kv_head == 0, "attention of ", shape.n_head, " heads over ", shape.n_kv_head);
    table_ = &table;
    shape_ = shape;
    kv_ = kv;
    io_ = io;
    switch (kv.type) {
        case KvType::f32: scores_ = table.attn_scores_f32, values_ = table.attn_values_f32; break;
        case KvType::f16: scores_ = table.attn_scores_f16, values_ = table.attn_values_f16; break;
        case KvType::bf16: scores_ = table.attn_scores_bf16, values_ = table.attn_values_bf16; break;
        case KvType::q8_0: scores_ = table.attn_scores_q8_0, values_ = table.attn_values_q8_0; break;
    }
    group_ = shape.n_head / shape.n_kv_head;
    tile_tokens_ = std::max<int64_t>(1, kTileRows / group_);
    if (max_work > 0) {
        tile_tokens_ = std::clamp<int64_t>(max_work / (kChunkTokens * group_ * (shape.k_dim + shape.v_dim)), 1, tile_tokens_);
    }
    max_rows_ = tile_tokens_ * group_;
    v_pad_ = kernels::v_stride(kv.type, shape.v_dim);

    items_.clear();
    int64_t tasks = 0;
    for (const AttnSeq &s : seqs) {
        require(s.first_pos >= 0 && s.n_rows >= 0 && (!shape.causal || s.first_pos + s.n_rows <= s.n_ctx), "attention rows ", s.first_pos, " + ",
                s.n_rows, " over ", s.n_ctx, " keys");
        if (s.n_rows == 0) continue;
        const int64_t hi = seen(s, s.n_rows - 1).hi;
        Item it{};
        it.seq = s;
        it.n_tiles = (s.n_rows + tile_tokens_ - 1) / tile_tokens_;
        it.n_splits = 1;
        it.n_chunks = (hi + kChunkTokens - 1) / kChunkTokens;
        it.part_rows = std::min(tile_tokens_, s.n_rows) * group_;
        it.round_chunks = max_work > 0 ? std::max<int64_t>(1, max_work / (it.part_rows * kChunkTokens * (shape.k_dim + shape.v_dim)))
                                       : std::max<int64_t>(1, it.n_chunks);
        items_.push_back(it);
        tasks += items_.back().n_tiles * shape.n_kv_head;
    }
    // Too few tasks for the workers: cut their chunks.
    const int64_t want = width > 1 ? width * kTasksPerWorker : 1;
    n_tasks_ = 0;
    n_rounds_ = 1;
    round_ = 0;
    Checked part_bytes = 0;
    for (Item &it : items_) {
        const int64_t visible = it.n_chunks - seen(it.seq, 0).lo / kChunkTokens;
        const int64_t rounds = std::max<int64_t>(1, (visible + it.round_chunks - 1) / it.round_chunks);
        if (tasks < want) it.n_splits = std::clamp<int64_t>(std::max((want + tasks - 1) / tasks, rounds), 1, std::max<int64_t>(1, visible));
        it.n_parts = it.n_splits > 1 ? it.n_chunks : rounds > 1 ? 1 : 0;
        if (it.n_splits == 1) n_rounds_ = std::max(n_rounds_, rounds);
        it.first_task = n_tasks_;
        n_tasks_ += it.n_tiles * shape.n_kv_head * it.n_splits;
        it.part_offset = part_bytes.to<int64_t>();
        if (it.n_parts > 0) {
            const Checked units = Checked(shape.n_kv_head) * Checked(it.n_tiles);
            part_bytes += (units * Checked(sizeof(int32_t))).rounded_up(64) +
                          units * Checked(it.n_parts) * Checked(kernels::round_up(it.part_rows * (2 + v_pad_), 16)) * Checked(sizeof(float));
        }
    }
    worker_bytes_ = 0;
    Buffer none;
    std::swap(none, scratch_);
    worker_bytes_ = static_cast<int64_t>(reinterpret_cast<uintptr_t>(scratch(0).q8.n16)) +
                    lines(max_rows_ * kernels::round_up(shape.k_dim, 64) / 32 * 4 * static_cast<int64_t>(sizeof(int16_t)));
    std::swap(none, scratch_);
    const size_t need = (Checked(worker_bytes_) * Checked(width)).size();
    if (scratch_.size() < need) scratch_ = Buffer(memory_, need, 64, MemTag::scratch);
    if (parts_.size() < part_bytes.size()) parts_ = Buffer(memory_, part_bytes.size(), 64, MemTag::scratch);
    for (const Item &it : items_)
        if (it.n_splits > 1)
            std::memset(parts_.data() + it.part_offset, 0, static_cast<size_t>(shape.n_kv_head * it.n_tiles) * sizeof(int32_t));
}

AttnPlan::Rows AttnPlan::rows_of(int64_t task) const noexcept {
    // The last item that starts at or before the task.
    auto after = std::upper_bound(items_.begin(), items_.end(), task, [](int64_t t, const Item &it) { return t < it.first_task; });
    const Item &it = *(after - 1);
    task -= it.first_task;
    Rows r;
    r.item = &it;
    const int64_t split = task % it.n_splits;
    r.tile = task / it.n_splits % it.n_tiles;
    r.head = task / it.n_splits / it.n_tiles;
    r.token = r.tile * tile_tokens_;
    r.n_tokens = std::min(tile_tokens_, it.seq.n_rows - r.token);
    r.n_rows = r.n_tokens * group_;
    const int64_t hi = seen(it.seq, r.token + r.n_tokens - 1).hi;
    r.first_chunk = seen(it.seq, r.token).lo / kChunkTokens;
    r.last_chunk = std::max(r.first_chunk, (hi + kChunkTokens - 1) / kChunkTokens);
    const int64_t n = r.last_chunk - r.first_chunk;
    r.chunk_begin = r.first_chunk + n * split / it.n_splits;
    r.chunk_end = r.first_chunk + n * (split + 1) / it.n_splits;
    return r;
}

void AttnPlan::run(int64_t task, int worker) noexcept {
    const Rows r = rows_of(task);
    Scratch s = scratch(worker);
    if (r.item->n_splits == 1) {
        const int64_t begin = r.first_chunk + round_ * r.item->round_chunks, end = std::min(begin + r.item->round_chunks, r.last_chunk);
        if (begin >= end && round_ > 0) return;
        if (begin < end) load_rows(r, s);
        if (r.item->n_parts > 0) s.sum = part(r, 0);
        for (int64_t c = begin; c < end; ++c) {
            run_chunk(r, c, s, s.chunk);
            fold(r, c, s, s.chunk);
        }
        if (end == r.last_chunk) finish(r, s);
        return;
    }
    if (round_ > 0) return;
    if (r.chunk_begin < r.chunk_end) load_rows(r, s);
    for (int64_t c = r.chunk_begin; c < r.chunk_end; ++c) run_chunk(r, c, s, part(r, c));
    auto *counters = reinterpret_cast<int32_t *>(parts_.data() + r.item->part_offset);
    std::atomic_ref<int32_t> done(counters[r.head * r.item->n_tiles + r.tile]);
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 != r.item->n_splits) return;
    for (int64_t c = r.first_chunk; c < r.last_chunk; ++c) fold(r, c, s, part(r, c));
    finish(r, s);
}

void AttnPlan::load_rows(const Rows &r, Scratch &s) const noexcept {
    const int64_t ld = kernels::round_up(shape_.k_dim, 16);
    for (int64_t t = 0; t < r.n_tokens; ++t) {
        const float *q = io_.q + (r.item->seq.row + r.token + t) * io_.ldq + r.head * group_ * shape_.k_dim;
        for (int64_t g = 0; g < group_; ++g) table_->scale(q + g * shape_.k_dim, shape_.scale, s.q + (t * group_ + g) * ld, shape_.k_dim);
    }
    if (kv_.type != KvType::q8_0) return;
    table_->quantize_q8(s.q, ld, r.n_rows, shape_.k_dim, &s.q8);
}

void AttnPlan::run_chunk(const Rows &r, int64_t chunk, Scratch &s, const Part &out) const noexcept {
    const AttnSeq &seq = r.item->seq;
    const int64_t start = chunk * kChunkTokens;
    auto span = [&](int64_t t) {  // of token t, within the chunk; empty when hi <= lo
        Span k = seen(seq, r.token + t);
        return Span{std::max<int64_t>(k.lo - start, 0), std::min<int64_t>(k.hi - start, kChunkTokens)};
    };
    // Spans only move forward from token to token, so the first and the last one bound them all.
    const Span head = span(0), tail = span(r.n_tokens - 1);
    const int64_t lo = std::min<int64_t>(head.lo, kChunkTokens), hi = std::max<int64_t>(tail.hi, 0);
    if (hi <= lo) return;

    const uint8_t *panels[kChunkPanels];
    const int64_t p0 = lo / kKvTokens, p1 = (hi + kKvTokens - 1) / kKvTokens;
    for (int64_t p = p0; p < p1; ++p)
        panels[p] = kv_.base + seq.pages[(chunk * kChunkPanels + p) * kv_.groups + kv_.group] * kv_.page_bytes + r.head * kv_.panel_bytes;

    kernels::AttnScoresArgs sa{};
    sa.q = s.q;
    sa.ldq = kernels::round_up(shape_.k_dim, 16);
    sa.act.q = s.q8.q;
    sa.act.d = s.q8.d;
    sa.act.p = s.q8.p;
    sa.act.n128 = s.q8.n128;
    sa.act.ldq = s.q8.ldq;
    sa.act.ldb = s.q8.ldb;
    sa.act.ldg = s.q8.ldg;
    sa.panels = panels + p0;
    sa.n_panels = p1 - p0;
    sa.s = s.s + p0 * kKvTokens;
    sa.lds = kChunkTokens;
    sa.rows = r.n_rows;
    sa.k_dim = shape_.k_dim;
    scores_(&sa);

    for (int64_t t = 0; t < r.n_tokens;) {  // tokens with the same span go together
        const Span k = span(t);
        int64_t end = t + 1;
        while (end < r.n_tokens && span(end).lo == k.lo && span(end).hi == k.hi) ++end;
        if (k.lo < k.hi) {
            const int64_t row = t * group_;
            kernels::AttnSoftmaxArgs a{s.s + row * kChunkTokens, out.m + row, out.l + row, kChunkTokens, (end - t) * group_, k.lo, k.hi, shape_.softcap};
            table_->attn_softmax(&a);
        }
        t = end;
    }

    std::memset(out.o, 0, static_cast<size_t>(r.n_rows * v_pad_) * sizeof(float));
    auto values = [&](int64_t t, int64_t n_tokens, int64_t first, int64_t last) {
        if (last <= first) return;
        const int64_t row = t * group_;
        kernels::AttnValuesArgs a{s.s + row * kChunkTokens, panels, out.o + row * v_pad_, kChunkTokens, v_pad_, n_tokens * group_, first, last,
                                  shape_.k_dim, shape_.v_dim};
        values_(&a);
    };
    // What all rows see is done for all at once; what only some see, at either end, for those alone: a masked value
    // times zero would not be nothing where it is NaN.
    const int64_t all_lo = tail.lo, all_hi = head.hi;
    if (all_lo >= all_hi) {
        for (int64_t t = 0; t < r.n_tokens; ++t) values(t, 1, span(t).lo, span(t).hi);
        return;
    }
    for (int64_t t = 0; t < r.n_tokens; ++t) values(t, 1, span(t).lo, all_lo);
    values(0, r.n_tokens, all_lo, all_hi);
    for (int64_t t = 0; t < r.n_tokens; ++t) values(t, 1, all_hi, span(t).hi);
}

void AttnPlan::fold(const Rows &r, int64_t chunk, Scratch &s, const Part &in) const noexcept {
    const int64_t start = chunk * kChunkTokens;
    enum Step { none, first, join };
    auto step = [&](int64_t t) {
        const Span k = seen(r.item->seq, r.token + t);
        if (k.hi <= start || k.lo >= start + kChunkTokens || k.lo >= k.hi) return none;
        return k.lo / kChunkTokens == chunk ? first : join;
    };
    for (int64_t t = 0; t < r.n_tokens;) {  // tokens with the same step go together
        const Step what = step(t);
        int64_t end = t + 1;
        while (end < r.n_tokens && step(end) == what) ++end;
        const int64_t row = t * group_, n = (end - t) * group_;
        t = end;
        if (what == none) continue;
        const kernels::AttnJoinArgs a{s.sum.m + row, s.sum.l + row, s.sum.o + row * v_pad_, in.m + row, in.l + row, in.o + row * v_pad_, v_pad_, n, v_pad_};
        if (what == join) {
            table_->attn_join(&a);
            continue;
        }
        std::memcpy(a.m, a.mc, static_cast<size_t>(n) * sizeof(float));
        std::memcpy(a.l, a.lc, static_cast<size_t>(n) * sizeof(float));
        std::memcpy(a.o, a.oc, static_cast<size_t>(n * v_pad_) * sizeof(float));
    }
}

void AttnPlan::finish(const Rows &r, Scratch &s) const noexcept {
    for (int64_t t = 0; t < r.n_tokens; ++t) {
        const Span k = seen(r.item->seq, r.token + t);
        float *out = io_.out + (r.item->seq.row + r.token + t) * io_.ldo + r.head * group_ * shape_.v_dim;
        for (int64_t g = 0; g < group_; ++g, out += shape_.v_dim) {
            const int64_t row = t * group_ + g;
            if (k.lo >= k.hi) {  // sees nothing
                std::memset(out, 0, static_cast<size_t>(shape_.v_dim) * sizeof(float));
                continue;
            }
            if (shape_.sinks) {  // one more chunk, whose values are nothing
                const float sink = shape_.sinks[r.head * group_ + g], one = 1.0f;
                const kernels::AttnJoinArgs a{s.sum.m + row, s.sum.l + row, s.sum.o + row * v_pad_, &sink, &one, s.chunk.o, v_pad_, 1, v_pad_};
                std::memset(s.chunk.o, 0, static_cast<size_t>(v_pad_) * sizeof(float));
                table_->attn_join(&a);
            }
            table_->scale(s.sum.o + row * v_pad_, 1.0f / s.sum.l[row], out, shape_.v_dim);
        }
    }
}

}  // namespace inlay::tensor
