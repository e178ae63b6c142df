// SPDX-License-Identifier: Apache-2.0
// Attention of one layer over paged keys and values, cut into tasks that any executor may run in any order.
//
// Keys are taken in chunks of 256 tokens, counted from the sequence's start. A chunk has its own maximum; the chunks
// that a query row sees are joined in ascending order: m' = max(m, mc), o = o e^(m - m') + oc e^(mc - m'), l likewise,
// and out = o * (1 / l) at the end. This order is the same however rows are batched, tasks are cut and blocks lie, so
// the bits are too. Positions that a row does not see are never part of a sum, and whole blocks of them never read.
#pragma once

#include <cstdint>
#include <span>

#include "base/containers.h"
#include "kernels/signatures.h"

namespace inlay::tensor {

// Where a layer's panels lie: panel of (block b of a sequence, KV head h) = base + page * page_bytes + h * panel_bytes, with
// page = the sequence's pages[b * groups + group].
struct KvView {
    const uint8_t *base = nullptr;  // of the layer within page 0
    int64_t page_bytes = 0;         // from one page to the next
    int64_t panel_bytes = 0;
    kernels::KvType type = kernels::KvType::f16;
    int32_t groups = 1, group = 0;  // pages that a block has; the layer's
};

struct AttnShape {
    int32_t n_head = 0, n_kv_head = 0;  // n_head is a multiple of n_kv_head
    int32_t k_dim = 0, v_dim = 0;       // per head
    float scale = 1;                    // q is multiplied by it first (one rounding)
    float softcap = 0;                  // 0 = none
    int32_t window = 0;                 // causal: a row sees itself and window - 1 before; else: window / 2 to each side; 0 = all
    bool causal = true;
    const float *sinks = nullptr;       // [n_head] logits that take part in the sum and give nothing; or null
};

// Query rows at positions [first_pos, first_pos + n_rows) of one sequence; keys [0, n_ctx) are in its pages (causal:
// n_ctx = first_pos + n_rows, more does no harm). Row i of the sequence is row `row + i` of q and out.
struct AttnSeq {
    const int32_t *pages = nullptr;  // [ceil(n_ctx / 16)][groups]; -1 where nothing is read
    int64_t first_pos = 0, n_rows = 0, n_ctx = 0;
    int64_t row = 0;
};

struct AttnBuffers {
    const float *q = nullptr;  // [rows, ldq]: n_head * k_dim values a row
    float *out = nullptr;      // [rows, ldo]: n_head * v_dim values a row; may not alias q
    int64_t ldq = 0, ldo = 0;
};

// One layer's work in one pass. Made once and reused: build() allocates only when something grows.
class AttnPlan {
public:
    explicit AttnPlan(Memory &m);
    ~AttnPlan();

    // `max_work` > 0: no task does many more multiply-adds than that, for callers that stop between tasks. Long contexts
    // then take several rounds, each over some of the chunks: run all tasks, next_round(), run all tasks again, until
    // next_round() is false.
    // `width` = workers that will run tasks. `seqs` are copied, what they point to must live until the tasks are done.
    // Throws what Memory throws; INTERNAL for shapes that cannot be.
    void build(const kernels::KernelTable &table, const AttnShape &shape, const KvView &kv, const AttnBuffers &io,
               std::span<const AttnSeq> seqs, int width, int64_t max_work = 0);

    int64_t n_tasks() const noexcept { return n_tasks_; }  // of a round
    bool next_round() noexcept { return ++round_ < n_rounds_; }
    // Tasks do not wait for each other; no two run at once with one `worker`. The last part of a row that is split over
    // tasks joins all of them.
    void run(int64_t task, int worker) noexcept;

private:
    struct Item;     // one sequence
    struct Rows;     // one task: some rows of one KV head, some of their chunks
    struct Scratch;  // one worker's memory
    struct Part;     // the result of one chunk
    struct Span {    // keys that a row sees
        int64_t lo, hi;
    };

    Span seen(const AttnSeq &s, int64_t token) const noexcept;
    Rows rows_of(int64_t task) const noexcept;
    Scratch scratch(int worker) const noexcept;
    Part part(const Rows &r, int64_t chunk) const noexcept;
    void load_rows(const Rows &r, Scratch &s) const noexcept;
    void run_chunk(const Rows &r, int64_t chunk, Scratch &s, const Part &out) const noexcept;
    void fold(const Rows &r, int64_t chunk, Scratch &s, const Part &in) const noexcept;
    void finish(const Rows &r, Scratch &s) const noexcept;

    const kernels::KernelTable *table_ = nullptr;
    kernels::AttnScoresFn *scores_ = nullptr;
    kernels::AttnValuesFn *values_ = nullptr;
    AttnShape shape_;
    KvView kv_;
    AttnBuffers io_;
    Memory &memory_;
    Vector<Item> items_;
    Buffer scratch_, parts_;
    int64_t n_tasks_ = 0, n_rounds_ = 1, round_ = 0;
    int64_t group_ = 1;        // query heads a KV head
    int64_t tile_tokens_ = 1;  // query tokens a task has at most
    int64_t max_rows_ = 1;     // tile_tokens_ * group_
    int64_t v_pad_ = 0;        // dims of a row of sums
    int64_t worker_bytes_ = 0;
};

}  // namespace inlay::tensor
