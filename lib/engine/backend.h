// SPDX-License-Identifier: Apache-2.0
// What the engine needs of a model and of a tokenizer, and no more: a paged forward pass that can be paused, and the
// bytes of tokens. model_backend.cpp binds lib/model and lib/text; the tests bind a fake whose logits betray any block
// that holds the wrong tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "kernels/signatures.h"
#include "kv/cache.h"

namespace inlay::engine {

// Consecutive tokens of one sequence in one pass.
struct Rows {
    const int32_t *tokens = nullptr;  // [n]
    int32_t n = 0;
    int32_t position = 0;             // of tokens[0]; what stands before it is in the pages
    const int32_t *pages = nullptr;   // [n_blocks][groups], kv::Table's
    int32_t n_blocks = 0;             // at least blocks_for(position + n)
    int32_t first_output = 0;         // rows [first_output, n) have outputs; n = none
    int32_t declared = 0;             // length that ropes which choose by length go by
};

struct BackendFacts {
    int32_t n_vocab = 0, n_ctx = 0, n_embd = 0;
    bool causal = true;        // else: an encoder, whose one pass sees the whole input and uses no blocks
    bool has_head = true;
    kv::Groups groups;         // of layers, by what they read of the past
    int32_t pooling = 0;       // the file's: 0 none said, else as Pooling
    uint64_t page_bytes = 0;   // of KV: 16 tokens of one group
    int32_t max_rows = 0;      // of a pass
};

class Backend {
public:
    virtual ~Backend() = default;
    virtual const BackendFacts &facts() const noexcept = 0;
    virtual void copy_blocks(std::span<const kv::Copy> copies) = 0;  // does not fail

    // A pass: begin, advance until true, then read outputs. Rows and what they point to live until the pass ends.
    // Outputs are numbered over all rows in order.
    virtual void begin(std::span<const Rows> rows) = 0;
    // Computes until done (true) or until the steady clock passes deadline_ns (0 = none).
    virtual bool advance(uint64_t deadline_ns) = 0;
    virtual void abandon() noexcept = 0;  // the pass will not be finished
    // The last hidden state of output i, after the final norm: [n_embd].
    virtual std::span<const float> hidden(int32_t i) const = 0;

    // Logits of outputs [first, first + n): begin, advance until true, then rows of n_vocab floats.
    virtual void begin_head(int32_t first, int32_t n) = 0;
    virtual bool advance_head(uint64_t deadline_ns) = 0;
    virtual std::span<const float> logits(int32_t i) const = 0;  // i in [0, n)
    // The greatest of each 256 of them, one of these +Inf where a logit is NaN or +Inf; or nothing: the sampler looks itself.
    virtual std::span<const float> tops(int32_t) const { return {}; }
    virtual int32_t max_head_rows() const noexcept = 0;

    // fn(ctx, task) for each task in [0, n), on the threads that passes run on. Tasks don't throw.
    virtual void parallel(int32_t n, void (*fn)(void *ctx, int32_t task), void *ctx) {
        for (int32_t i = 0; i < n; ++i) fn(ctx, i);
    }
    virtual int32_t n_threads() const noexcept { return 1; }
    virtual const kernels::KernelTable *kernels() const noexcept { return nullptr; }  // for the sampler; null = scalar
};

// Tokens to text for one sequence: holds back what is not yet whole UTF-8.
class TextStream {
public:
    virtual ~TextStream() = default;
    virtual void push(int32_t token, String &out) = 0;
    virtual void flush(String &out) = 0;
};
class Speech {
public:
    virtual ~Speech() = default;
    virtual Owned<TextStream> stream(Memory &m, std::span<const int32_t> prompt) const = 0;
    virtual std::span<const int32_t> end_tokens() const noexcept = 0;
};

// What an answer must match, for one sequence.
class Constraint {
public:
    virtual ~Constraint() = default;
    // Bit i: token i may come next (end tokens too, when the answer may stop here). Null: anything may.
    virtual const uint32_t *mask() = 0;
    virtual void accept(int32_t token) = 0;
    virtual Owned<Constraint> clone(Memory &m) const = 0;  // another choice, or another beam
    // Speculation: one guess more, if it may come and ends nothing; false changes nothing. Until the guesses are forgotten
    // mask() speaks of the place behind them.
    virtual bool guess(int32_t) { return false; }
    virtual void forget_guesses() noexcept {}
};

}  // namespace inlay::engine
