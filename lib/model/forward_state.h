// SPDX-License-Identifier: Apache-2.0
// Insides of the forward pass, shared by its .cpp files alone: the buffers of a pass, the program counter, and how a
// product is cut into slices.
#pragma once

#include "model/forward.h"
#include "tensor/attention.h"

namespace inlay::model {

// In program order. A layer runs attn_in .. its last phase, then attn_in of the next.
enum class Phase : uint8_t {
    idle,
    embed,       // rows: token and position embeddings, rope tables
    attn_in,     // rows: what the layer before left to add, norm, rounding
    qkv,         // product
    latent_in,   // rows: norms of the latent vectors, rounding
    latent_up,   // products: queries, and keys with values, of all heads
    heads,       // rows: biases, norms of q and k, rope, KV write
    attend,      // tasks of the attention plan
    attn_round,  // rows: attention's output, rounded
    o,           // product
    ffn_in,      // rows: residual, norm, rounding
    gate_up,     // columns of two products: bias, activation, rounding
    down,        // product
    router,      // product
    route,       // rows: experts of each token
    moe_in,      // pairs of (expert, token): rounding
    moe_gate_up,
    moe_down,
    combine,  // rows: the weighted sum over a token's experts
    shared_up,
    shared_down,  // experts that every token has
    finish,       // output rows: what the last layer left, final norm
    head_in,      // output rows: rounding
    head,         // product, scale, softcap
};

// A slice should take about 0.25 ms, the grain at which a step can stop. With 60-170 G multiply-adds a second of integer
// products on one core (AVX2, AVX-512 VNNI) 16 M of them take 0.1 to 0.27 ms.
inline constexpr int64_t kSliceWork = 16 << 20;

// One token streams weights at 16-32 GB/s, so 4 MiB are about a slice's time.
inline constexpr int64_t kSliceBytes = 4 << 20;
// Tokens a tile: twice as many would unpack less often, but take more than a slice where rows are long (256 x 8,960 x two panels).
inline constexpr int64_t kTokenTile = 256;

// A product cut into tiles of panels x tokens.
struct Tiles {
    struct Part {
        int64_t panels = 0, step = 0, count = 0;  // panels in all, panels a tile, tiles along panels; the last takes what remains
        int64_t end(int64_t i) const noexcept { return i + 1 == count ? panels : (i + 1) * step; }
    };
    Part part[3];
    int64_t token_step = 0, token_tiles = 0, total = 0;
};

// gate and up cut into columns x tokens (forward_ffn.cpp).
struct FfnCut {
    int64_t n_ff = 0, step = 0;  // columns of gate, and of up; of them a slice
    int64_t token_step = 0, token_tiles = 0, total = 0;
    bool shared = false;  // columns go to `ffn`, and slices need not end on groups
};
// Tokens up to which slices share groups: with more there are slices enough that do not.
inline constexpr int64_t kFewTokens = 64;
// f32 of gate and up that a worker has for itself: a group of both for a tile of tokens, each with room for a panel that begins
// before it, and a panel more so that rows are no whole KiB apart.
inline constexpr int64_t kFfnTile = kTokenTile * (2 * tensor::kActGroup + 3 * kernels::kPanelRows);

struct Forward::State {
    State(Memory &m, const Machine &machine, const Config &c, const Weights &w, kv::Store *store, const ForwardLimits &l);

    // ---- what it works for
    Memory &memory;
    const kernels::KernelTable &k;
    thread::Executor &executor;
    const bool blas;
    const Config &config;
    const Weights &weights;
    kv::Store *store;            // the caller's, or own_store
    Owned<kv::Store> own_store;  // an encoder's keys and values, one layer at a time
    Vector<int32_t> own_blocks;
    ForwardLimits limits;

    // ---- the pass
    Vector<Segment> segments;
    Vector<int32_t> segment_of;  // [rows]
    Vector<int32_t> output_row;  // [outputs] row
    int32_t n_rows = 0, n_out = 0;
    // After the last layer's KV write only rows with outputs go on: n_live of them, moved together into `outputs`.
    int32_t n_live = 0;
    bool narrowed = false;
    int32_t head_first = 0, head_n = 0;

    // ---- program counter
    Phase phase = Phase::idle;
    int32_t layer = 0;
    bool prepared = false;
    bool attending = false;  // between two rounds of a layer's attention
    bool bounded = false;  // by a deadline: slices are kept short at some cost
    int64_t n_slices = 0, n_done = 0;
    Vector<uint8_t> done;  // [slices] of a phase that was paused
    Vector<int32_t> pending;
    Tiles tiles, tiles_kv;
    FfnCut ffn_tiles;
    int64_t row_step = 1;  // rows a slice of a row phase

    // ---- rows of f32; widths in values, rows as many as the pass holds
    struct Rows {
        Buffer data;
        int64_t ld = 0;
        float *row(int64_t r) noexcept { return data.as<float>() + r * ld; }
        const float *row(int64_t r) const noexcept { return data.as<float>() + r * ld; }
    };
    Rows latent, latent_kv;  // of latent attention: what qkv gives, and what kv_b gives
    Rows x, t, qkv, attn, outputs, logits, tops, router, pair_out;
    Rows ffn;                       // [kFewTokens] gate and up, where slices share groups
    Buffer ffn_tile;                // [width][kFfnTile]
    Vector<int32_t> group_columns;  // [groups] of `ffn` that are there
    // What products read: act by the layer's, mid by down; pair and pair_mid by experts'.
    tensor::Activations act_q8, act_f32, mid_q8, mid_f32, pair_q8, pair_f32, pair_mid_q8, pair_mid_f32, latent_q8, latent_f32;
    tensor::AttnPlan plan;
    Vector<tensor::AttnSeq> attn_seqs;

    // ---- rope: one table a spec and pass
    struct Turn {
        explicit Turn(Memory &m) : freqs(m) {}
        Vector<double> freqs;  // [choices or segments][pairs]
        Rows cos, sin;
    };
    Vector<Turn> turns;
    Vector<int64_t> turn_of;  // [segments][specs] offset into freqs

    // ---- experts
    Vector<int32_t> chosen;        // [rows][used] expert ids, ascending
    Vector<float> chosen_weight;   // [rows][used]
    Vector<int32_t> chosen_pair;   // [rows][used] where the pair's row lies
    Vector<int32_t> expert_first;  // [experts + 1] pairs of an expert
    Vector<int32_t> pair_token;    // [pairs]
    Vector<int32_t> busy;          // experts that have tokens
    Vector<int64_t> busy_slices;   // [busy + 1] first slice of each
    Vector<float> work;            // [width][experts] scratch of route

    Buffer matmul_scratch;  // [width][kMatmulScratch]

    // ---- steps (forward.cpp)
    bool run(uint64_t deadline_ns);
    bool run_slices(uint64_t deadline_ns, bool &fresh);
    void prepare();
    void slice(int64_t i, int worker) noexcept;
    Phase next() noexcept;

    const LayerConfig &layer_config() const noexcept { return config.layers[static_cast<size_t>(layer)]; }
    const LayerWeights &layer_weights() const noexcept { return weights.layer(layer); }

    // ---- products (forward_product.cpp)
    // Tiles start at multiples of `unit` panels.
    Tiles make_tiles(const Linear &l, int64_t n_tokens, int64_t unit = 1) const noexcept;
    void product(const Linear &l, const Tiles &tiles, int64_t slice, tensor::Activations &q8, tensor::Activations &f32, int64_t token0,
                 int64_t n_tokens, float *y, int64_t ldy, const float *add, int worker) noexcept;
    void multiply(const tensor::PackedMatrix &m, tensor::Activations &q8, tensor::Activations &f32, int64_t token, int64_t n, int64_t panel0,
                  int64_t panel1, float *y, int64_t ldy, const float *add, int worker) noexcept;
    // Rows [row, row + n_rows) of a product, all of one part, to y from their first panel on. Returns where `row` then is.
    float *columns(const Linear &l, int64_t row, int64_t n_rows, tensor::Activations &q8, tensor::Activations &f32, int64_t token, int64_t n,
                   float *y, int64_t ldy, int worker) noexcept;
    // So many at least, where there is enough to cut, that a late worker can be helped.
    int64_t wanted_slices() const noexcept { return executor.width() > 1 ? executor.width() * 4 : 1; }
    // What a slice writes: tokens [first, first + n), columns [column, column + width).
    struct Span {
        int64_t first, n, column, width;
    };
    Span span_of(const Linear &l, const Tiles &tiles, int64_t slice, int64_t n_tokens) const noexcept;
    void head_slice(int64_t i, int worker) noexcept;
    void make_room(const Linear &l, tensor::Activations &q8, tensor::Activations &f32, int64_t n, int64_t cols);
    void round_rows(const Linear &l, const float *src, int64_t ld, int64_t row, int64_t n, tensor::Activations &q8,
                    tensor::Activations &f32) noexcept;
    void *scratch(int worker) noexcept { return matmul_scratch.data() + static_cast<size_t>(worker) * tensor::kMatmulScratch; }

    // ---- gate, up, activation, rounding (forward_ffn.cpp)
    struct FfnRows {
        int64_t first, n;  // of the activations
        tensor::Activations *in_q8, *in_f32, *out_q8, *out_f32;
    };
    FfnCut ffn_cut(const Linear &gate_up, int64_t n_ff, int64_t n_tokens, int64_t wanted, bool may_share) const noexcept;
    void ffn_slice(const Linear &gate_up, const Linear &down, const FfnCut &cut, int64_t slice, const FfnRows &rows, int worker) noexcept;
    void prepare_ffn(const Linear &gate_up, const Linear &down, int64_t n_ff);
    void activate(float *g, float *u, int64_t ld, int64_t n, int64_t width) const noexcept;
    void clamped(float *g, const float *u, int64_t width) const noexcept;

    // ---- rows (forward_rows.cpp): rows [a, b)
    void embed_rows(int64_t a, int64_t b) noexcept;
    void attn_in_rows(int64_t a, int64_t b) noexcept;
    void latent_in_rows(int64_t a, int64_t b) noexcept;
    void latent_heads(const LayerConfig &l, int64_t r) noexcept;
    void write_kv(const LayerConfig &l, int64_t r) noexcept;
    void head_rows(int64_t a, int64_t b) noexcept;
    void ffn_in_rows(int64_t a, int64_t b) noexcept;
    void finish_rows(int64_t a, int64_t b) noexcept;
    void settle(const Linear &last, const Norm &post, bool direct, int64_t a, int64_t b) noexcept;
    void norm_rows(const Norm &n, const float *src, int64_t ld, const float *add, int64_t ld_add, float *dst, int64_t ld_dst,
                   int64_t rows) noexcept;
    void round_attention(int64_t a, int64_t b) noexcept;
    void attention_plan();
    void narrow() noexcept;
    Rows &stream() noexcept { return narrowed ? outputs : x; }  // the residual stream

    // The product may add to the residual at once: nothing stands between it and the sum.
    bool direct() const noexcept { return !config.post_norm && !config.residual_norm && config.residual_scale == 1.0; }

    // ---- experts (forward_moe.cpp)
    void route_rows(int64_t a, int64_t b, int worker) noexcept;
    void limit_groups(float *p) const noexcept;
    void bucket() noexcept;
    void moe_in_rows(int64_t a, int64_t b) noexcept;
    FfnCut expert_cut(const Expert &x, int64_t n) const noexcept;
    void prepare_experts(bool down);
    void expert_slice(int64_t i, bool down, int worker) noexcept;
    void combine_rows(int64_t a, int64_t b) noexcept;
};

}  // namespace inlay::model
