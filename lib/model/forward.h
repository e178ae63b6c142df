// SPDX-License-Identifier: Apache-2.0
// The forward pass: rows of tokens from many sequences go through the layers as a program of phases; a phase is a
// number of slices that the executor runs in any order. advance() may stop between slices at a deadline and goes on in
// the next call. A row's bits depend on its own sequence alone: not on its neighbours, the cut into slices or chunks,
// the threads, or the tier.
#pragma once

#include <cstdint>
#include <span>

#include "base/memory.h"
#include "kernels/signatures.h"
#include "kv/store.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/activations.h"
#include "tensor/matmul.h"
#include "thread/executor.h"

namespace inlay::model {

// Consecutive tokens of one sequence.
struct Segment {
    const int32_t *tokens = nullptr;  // [n]; unused by a part of a model that has no embedding
    const float *hidden = nullptr;    // [n, hidden]: the state that the part before this one gave
    int32_t n = 0;
    int32_t position = 0;             // of the first token
    const int32_t *pages = nullptr;   // of the cache: kv::Table's, up to position + n; encoders: null
    int32_t n_blocks = 0;             // of 16 tokens that `pages` speaks of
    int32_t first_output = 0;  // rows [first_output, n) are outputs; n = none
    int32_t declared = 0;      // length that ropes which choose by length go by
};

struct ForwardLimits {
    int32_t rows = 512;  // tokens a pass
    int32_t segments = 64;
    int32_t head_rows = 16;  // logits rows at once
};

// What lib/model computes on, made once a runtime.
struct Machine {
    const kernels::KernelTable *kernels = nullptr;
    thread::Executor *executor = nullptr;
    bool blas = false;  // f32 products of many tokens by OpenBLAS: other bits
};

class Forward {
public:
    // `config`, `weights` (loaded), `store` outlive it. `store` is null for an encoder, which keeps its own.
    Forward(Memory &m, const Machine &machine, const Config &config, const Weights &weights, kv::Store *store, const ForwardLimits &limits);
    ~Forward();
    // Memory that its rows take, `threads` being the executor's width; some KiB of tables and the attention's scratch come on top.
    static uint64_t bytes(Memory &m, const Config &config, const Weights &weights, const ForwardLimits &limits, int threads);

    // INVALID_ARGUMENT: a token outside the vocabulary, positions past the blocks or the context, too many rows.
    // The spans live until the pass ends. A pass that was not finished is dropped.
    void begin(std::span<const Segment> segments);
    // True when done; false when the steady clock reached deadline_ns (0 = none) first. At least one slice runs.
    bool advance(uint64_t deadline_ns = 0);
    void abandon() noexcept;

    // Outputs of the finished pass, numbered over all segments in order: the state after the final norm (or, of a part
    // without the last layer, after its last layer), [hidden].
    int32_t n_outputs() const noexcept;
    const float *hidden(int32_t output) const noexcept;

    // Logits of outputs [first, first + n), n at most head_rows. STATE without a head.
    void begin_head(int32_t first, int32_t n);
    bool advance_head(uint64_t deadline_ns = 0);
    const float *logits(int32_t i) const noexcept;  // [vocab], i in [0, n)
    // The greatest of each kTopBlock of them, made with them; where one of them is NaN or +Inf, some block's is +Inf.
    static constexpr int64_t kTopBlock = 256;  // of the kernel block_tops
    std::span<const float> tops(int32_t i) const noexcept;

    const ForwardLimits &limits() const noexcept;

private:
    struct State;
    Owned<State> s_;
};

// Joins the outputs [0, n) of an encoder's or embedder's sequence: mean in ascending order, first, last. `rows` of
// pooled values: 1, or n with Pooling::none.
void pool(Pooling p, const float *hidden, int64_t n, int64_t width, float *out) noexcept;

}  // namespace inlay::model
