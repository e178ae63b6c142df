// SPDX-License-Identifier: Apache-2.0
// The program of a pass: which phase follows which, how many slices each has, and running them until a deadline.
#include "model/forward.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "base/checked.h"
#include "base/error.h"
#include "model/forward_state.h"
#include "model/rope.h"
#include "tensor/huge_pages.h"
#include "thread/fp_env.h"

namespace inlay::model {

namespace {

uint64_t now_ns() noexcept {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

// Widths of a pass's rows, for the memory and for its estimate alike.
struct Widths {
    int64_t qkv = 0, attn = 0, cols = 0;  // cols: of the widest input of a layer's products but down
    int64_t ff = 0, ffn = 0;              // n_ff; gate and up
    int64_t latent = 0, latent_kv = 0;
    int64_t pairs = 0;
};

Widths widths(const Config &c, const ForwardLimits &l) {
    Widths w;
    w.cols = c.hidden;
    for (const LayerConfig &x : c.layers) {
        w.qkv =
            std::max<int64_t>(w.qkv, static_cast<int64_t>(x.n_head) * c.head_k + static_cast<int64_t>(x.n_head_kv) * (c.head_k + c.head_v));
        w.attn = std::max<int64_t>(w.attn, static_cast<int64_t>(x.n_head) * c.head_v);
        if (!x.moe) w.ff = std::max<int64_t>(w.ff, x.n_ff);
    }
    w.cols = std::max(w.cols, w.attn);
    if (c.mla.kv_rank) {
        const int64_t q = static_cast<int64_t>(c.max_head()) * c.head_k;
        w.latent = std::max<int64_t>(q, c.mla.q_rank) + c.mla.kv_rank + c.mla.qk_rope;
        w.latent_kv = static_cast<int64_t>(c.max_head()) * (c.mla.qk_nope + c.mla.v);
        w.cols = std::max<int64_t>(w.cols, c.mla.q_rank);
    }
    w.ff = std::max<int64_t>(w.ff, c.moe.shared_ff);
    w.ffn = w.ff * (c.gated ? 2 : 1);
    if (c.moe.n_experts) w.pairs = static_cast<int64_t>(l.rows) * c.moe.n_used;
    return w;
}

// Whole lines, and no whole KiB: rows that products write side by side would fall into few sets of the caches.
constexpr int64_t padded(int64_t values) {
    const int64_t n = (values + 15) / 16 * 16;
    return n % 256 ? n : n + 16;
}

int64_t top_blocks(const Config &c) { return (c.vocab + Forward::kTopBlock - 1) / Forward::kTopBlock; }

// Rows of gate and up where slices share groups.
int64_t few_rows(const ForwardLimits &l) { return std::min<int64_t>(l.rows, kFewTokens); }

// Blocks an encoder needs for its own keys and values: each text starts a new one.
int32_t own_block_count(const ForwardLimits &l) { return l.rows / kv::kBlockTokens + l.segments; }

}  // namespace

uint64_t Forward::bytes(Memory &m, const Config &c, const Weights &w, const ForwardLimits &l, int threads) {
    using tensor::Activations, tensor::ActKind;
    const Widths width = widths(c, l);
    auto floats = [](int64_t rows, int64_t values) {
        return Checked(static_cast<uint64_t>(rows)) * static_cast<uint64_t>(padded(values)) * sizeof(float);
    };
    Checked n = floats(l.rows, c.hidden) * 3 + floats(l.rows, width.qkv) + floats(l.rows, width.attn);
    auto both = [](int64_t rows, int64_t cols) {
        return Checked(Activations::bytes(ActKind::q8, rows, cols)) + Checked(Activations::bytes(ActKind::f32, rows, cols));
    };
    n += both(l.rows, width.cols) + both(l.rows, width.ff);
    if (threads > 1) n += floats(few_rows(l), width.ffn);
    n += Checked(static_cast<uint64_t>(threads)) * (kFfnTile * sizeof(float));
    if (c.mla.kv_rank) {
        n += floats(l.rows, width.latent) + floats(l.rows, width.latent_kv);
        n += both(l.rows, c.mla.kv_rank);
    }
    if (w.head) n += floats(l.head_rows, c.vocab) + floats(l.head_rows, top_blocks(c));
    if (c.moe.n_experts) {
        n += floats(l.rows, c.moe.n_experts) + floats(width.pairs, c.hidden);
        n += both(width.pairs, c.hidden) + both(width.pairs, c.moe.n_ff);
        n += Checked(static_cast<uint64_t>(width.pairs)) * 16 +
             Checked(static_cast<uint64_t>(c.moe.n_experts)) * (16 + 4 * static_cast<uint64_t>(threads));
    }
    for (const RopeSpec &r : c.ropes) n += floats(l.rows, r.dims / 2) * 2;
    n += Checked(static_cast<uint64_t>(threads)) * tensor::kMatmulScratch;
    if (!c.causal) {
        const kv::LayerShape shape{c.max_head_kv(), c.head_k, c.head_v};
        n += Checked(static_cast<uint64_t>(own_block_count(l))) *
             static_cast<uint64_t>(kv::Layout(m, kernels::KvType::f32, {&shape, 1}).page_bytes());
    }
    return n.value();
}

Forward::State::State(Memory &m, const Machine &machine, const Config &c, const Weights &w, kv::Store *outer, const ForwardLimits &l)
    : memory(m),
      k(*machine.kernels),
      executor(*machine.executor),
      blas(machine.blas),
      config(c),
      weights(w),
      store(outer),
      own_blocks(m),
      limits(l),
      segments(m),
      segment_of(m),
      output_row(m),
      done(m),
      pending(m),
      group_columns(m),
      plan(m),
      attn_seqs(m),
      turns(m),
      turn_of(m),
      chosen(m),
      chosen_weight(m),
      chosen_pair(m),
      expert_first(m),
      pair_token(m),
      busy(m),
      busy_slices(m),
      work(m) {
    if (l.rows < 1 || l.segments < 1 || l.head_rows < 1) fail(Code::invalid_argument, "a pass needs room for rows, segments and head rows");
    const auto rows = static_cast<size_t>(l.rows), segs = static_cast<size_t>(l.segments);
    const Widths width = widths(c, l);
    auto room = [&](Rows &r, int64_t n, int64_t values) {
        r.ld = padded(values);
        if (n > 0 && values > 0)
            r.data = tensor::large_buffer(m, (Checked(static_cast<uint64_t>(n)) * static_cast<uint64_t>(r.ld) * sizeof(float)).size(),
                                          MemTag::scratch);
    };
    auto tight = [&](Rows &r, int64_t n, int64_t values) {  // rows that some steps take as one block
        room(r, n, values);
        r.ld = values;
    };
    tight(x, l.rows, c.hidden);
    tight(t, l.rows, c.hidden);
    room(qkv, l.rows, width.qkv);
    room(attn, l.rows, width.attn);
    if (executor.width() > 1) {
        room(ffn, few_rows(l), width.ffn);
        group_columns.resize(static_cast<size_t>((width.ff + tensor::kActGroup - 1) / tensor::kActGroup));
    }
    ffn_tile = tensor::large_buffer(m, static_cast<size_t>(executor.width()) * kFfnTile * sizeof(float), MemTag::scratch);
    tight(outputs, l.rows, c.hidden);
    act_q8 = tensor::Activations(m, tensor::ActKind::q8, l.rows, width.cols);
    act_f32 = tensor::Activations(m, tensor::ActKind::f32, l.rows, width.cols);
    mid_q8 = tensor::Activations(m, tensor::ActKind::q8, l.rows, width.ff);
    mid_f32 = tensor::Activations(m, tensor::ActKind::f32, l.rows, width.ff);
    if (w.head) {
        tight(logits, l.head_rows, c.vocab);
        room(tops, l.head_rows, top_blocks(c));
    }
    if (c.mla.kv_rank) {
        room(latent, l.rows, width.latent);
        room(latent_kv, l.rows, width.latent_kv);
        latent_q8 = tensor::Activations(m, tensor::ActKind::q8, l.rows, c.mla.kv_rank);
        latent_f32 = tensor::Activations(m, tensor::ActKind::f32, l.rows, c.mla.kv_rank);
    }
    segments.reserve(segs);
    segment_of.resize(rows);
    output_row.reserve(rows);
    attn_seqs.reserve(segs);
    if (c.moe.n_experts) {
        const auto pairs = static_cast<size_t>(width.pairs), experts = static_cast<size_t>(c.moe.n_experts);
        tight(router, l.rows, c.moe.n_experts);
        tight(pair_out, width.pairs, c.hidden);
        pair_q8 = tensor::Activations(m, tensor::ActKind::q8, width.pairs, c.hidden);
        pair_f32 = tensor::Activations(m, tensor::ActKind::f32, width.pairs, c.hidden);
        pair_mid_q8 = tensor::Activations(m, tensor::ActKind::q8, width.pairs, c.moe.n_ff);
        pair_mid_f32 = tensor::Activations(m, tensor::ActKind::f32, width.pairs, c.moe.n_ff);
        chosen.resize(pairs);
        chosen_weight.resize(pairs);
        chosen_pair.resize(pairs);
        pair_token.resize(pairs);
        expert_first.resize(experts + 1);
        busy.reserve(experts);
        busy_slices.reserve(experts + 1);
        work.resize(experts * static_cast<size_t>(executor.width()));
    }
    turn_of.resize(segs * c.ropes.size());
    // A head of 262,144 rows is 16,384 panels; no phase has more slices in practice, and a few more would only grow these.
    done.reserve(16384);
    pending.reserve(16384);
    for (const RopeSpec &r : c.ropes) {
        Turn &turn = turns.emplace_back(m);
        // By choice where there are two at most; dynamic has as many as there are lengths.
        const size_t tables = r.scaling == RopeScaling::dynamic ? segs : 2;
        turn.freqs.resize(tables * static_cast<size_t>(r.dims / 2));
        room(turn.cos, l.rows, r.dims / 2);
        room(turn.sin, l.rows, r.dims / 2);
    }
    matmul_scratch = Buffer(m, static_cast<size_t>(executor.width()) * tensor::kMatmulScratch, 64, MemTag::scratch);
    if (!store) {
        if (c.causal) fail(Code::internal, "a decoder without a cache");
        const int32_t blocks = own_block_count(l);
        const kv::LayerShape shape{c.max_head_kv(), c.head_k, c.head_v};
        own_store = make_owned<kv::Store>(m, m, kv::Layout(m, kernels::KvType::f32, {&shape, 1}), blocks);
        store = own_store.get();
        for (int32_t b = 0; b < blocks; ++b) own_blocks.push_back(b);
    }
}

// ---- slices

bool Forward::State::run_slices(uint64_t deadline_ns, bool &fresh) {
    if (n_done == n_slices) return true;
    if (deadline_ns == 0 && n_done == 0) {
        thread::parallel_for(executor, n_slices, [&](int64_t i, int worker) { slice(i, worker); });
        n_done = n_slices;
        return true;
    }
    if (n_done == 0) done.assign(static_cast<size_t>(n_slices), 0);
    pending.clear();
    for (int64_t i = 0; i < n_slices; ++i)
        if (!done[static_cast<size_t>(i)]) pending.push_back(static_cast<int32_t>(i));
    std::atomic<int64_t> count{0};
    thread::parallel_for(executor, static_cast<int64_t>(pending.size()), [&](int64_t i, int worker) {
        // The first slice of a call runs whatever the time, so that a budget of nothing still gets somewhere.
        if (deadline_ns != 0 && !(fresh && i == 0) && now_ns() >= deadline_ns) return;
        const int32_t s = pending[static_cast<size_t>(i)];
        slice(s, worker);
        done[static_cast<size_t>(s)] = 1;
        count.fetch_add(1, std::memory_order_relaxed);
    });
    fresh = false;
    n_done += count.load(std::memory_order_relaxed);
    return n_done == n_slices;
}

bool Forward::State::run(uint64_t deadline_ns) {
    bool fresh = true;
    while (phase != Phase::idle) {
        if (!prepared) {
            n_slices = n_done = 0;
            bounded = deadline_ns != 0;  // a phase stays cut as it was, whatever the calls that finish it
            prepare();
            prepared = true;
        }
        if (!run_slices(deadline_ns, fresh)) return false;
        prepared = false;
        phase = next();
    }
    return true;
}

// ---- the public face

Forward::Forward(Memory &m, const Machine &machine, const Config &config, const Weights &weights, kv::Store *store,
                 const ForwardLimits &limits) {
    if (!weights.loaded()) fail(Code::state, "the model was opened without its weights");
    s_ = make_owned<State>(m, m, machine, config, weights, store, limits);
}
Forward::~Forward() = default;

void Forward::begin(std::span<const Segment> segments) {
    thread::FpGuard fp;  // rope frequencies are made here, on the caller's thread
    State &s = *s_;
    abandon();
    if (segments.empty() || segments.size() > static_cast<size_t>(s.limits.segments))
        fail(Code::invalid_argument, "a pass of ", segments.size(), " sequences, limit ", s.limits.segments);
    const Config &c = s.config;
    s.segments.assign(segments.begin(), segments.end());
    s.attn_seqs.clear();
    s.output_row.clear();
    int64_t rows = 0, own = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
        const Segment &seg = segments[i];
        if (seg.n < 1 || rows + seg.n > s.limits.rows)
            fail(Code::invalid_argument, "a pass of more than ", s.limits.rows, " tokens, or an empty sequence");
        const int64_t end = static_cast<int64_t>(seg.position) + seg.n;
        if (seg.position < 0 || end > static_cast<int64_t>(s.config.n_positions ? c.n_positions - c.position_offset : INT32_MAX))
            fail(Code::invalid_argument, "positions ", seg.position, " to ", end, " are outside the model's");
        if (!seg.hidden && s.weights.embedding < 0) fail(Code::invalid_argument, "this part of the model takes hidden states, not tokens");
        if (!seg.hidden)
            for (int32_t t = 0; t < seg.n; ++t)
                if (seg.tokens[t] < 0 || seg.tokens[t] >= c.vocab)
                    fail(Code::invalid_argument, "token ", seg.tokens[t], " is outside the vocabulary of ", c.vocab);
        tensor::AttnSeq a;
        a.pages = seg.pages;
        a.first_pos = seg.position;
        a.n_rows = seg.n;
        a.n_ctx = end;
        a.row = rows;
        if (s.own_store) {
            if (seg.position != 0) fail(Code::invalid_argument, "an encoder takes a text in one pass, not from position ", seg.position);
            a.pages = s.own_blocks.data() + own;
            own += kv::blocks_for(seg.n);
        } else if (static_cast<int64_t>(seg.n_blocks) * kv::kBlockTokens < end) {
            fail(Code::invalid_argument, "positions to ", end, " do not fit ", seg.n_blocks, " blocks");
        }
        s.attn_seqs.push_back(a);
        for (int32_t t = 0; t < seg.n; ++t) {
            s.segment_of[static_cast<size_t>(rows + t)] = static_cast<int32_t>(i);
            if (t >= seg.first_output) s.output_row.push_back(static_cast<int32_t>(rows + t));
        }
        rows += seg.n;
        for (size_t r = 0; r < s.turns.size(); ++r) {
            const RopeSpec &spec = c.ropes[r];
            const int64_t declared = std::max<int64_t>(seg.declared, end), choice = rope_choice(spec, declared);
            const size_t half = static_cast<size_t>(spec.dims / 2),
                         at = half * (spec.scaling == RopeScaling::dynamic ? i : static_cast<size_t>(choice));
            s.turn_of[i * s.turns.size() + r] = static_cast<int64_t>(at);
            rope_frequencies(spec, declared, std::span(s.turns[r].freqs).subspan(at, half));
        }
    }
    s.n_rows = s.n_live = static_cast<int32_t>(rows);
    s.narrowed = false;
    s.n_out = static_cast<int32_t>(s.output_row.size());
    s.phase = Phase::embed;
    s.prepared = s.attending = false;
}

bool Forward::advance(uint64_t deadline_ns) { return s_->run(deadline_ns); }
void Forward::abandon() noexcept { s_->phase = Phase::idle; }
int32_t Forward::n_outputs() const noexcept { return s_->n_out; }
const float *Forward::hidden(int32_t output) const noexcept { return s_->outputs.row(output); }

void Forward::begin_head(int32_t first, int32_t n) {
    State &s = *s_;
    if (!s.weights.head) fail(Code::state, "this model, or this part of it, has no output head");
    if (s.phase != Phase::idle) fail(Code::state, "the pass is not finished");
    if (first < 0 || n < 1 || n > s.limits.head_rows || first > s.n_out - n)
        fail(Code::invalid_argument, "logits of outputs ", first, " to ", static_cast<int64_t>(first) + n, " of ", s.n_out, ", at most ",
             s.limits.head_rows, " at once");
    s.head_first = first;
    s.head_n = n;
    s.phase = Phase::head_in;
    s.prepared = false;
}
bool Forward::advance_head(uint64_t deadline_ns) { return s_->run(deadline_ns); }
const float *Forward::logits(int32_t i) const noexcept { return s_->logits.row(i); }
std::span<const float> Forward::tops(int32_t i) const noexcept {
    return {s_->tops.row(i), static_cast<size_t>(top_blocks(s_->config))};
}
const ForwardLimits &Forward::limits() const noexcept { return s_->limits; }

}  // namespace inlay::model
