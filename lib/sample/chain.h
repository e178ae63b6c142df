// SPDX-License-Identifier: Apache-2.0
// Logits to a token: a pure function of (row, params, history, state, counter). The counter is the token's position in
// its sequence, so neighbours, batch sizes, chunks, preemption and speculation cannot change what is drawn.
#pragma once

#include <cstdint>
#include <span>

#include "sample/dense.h"
#include "sample/params.h"

namespace inlay::sample {

enum class Outcome : int32_t {
    ok = 0,
    numeric,   // the row holds a NaN or +inf
    dead_end,  // nothing is left to draw from
};

// What a request carries from token to token beside its history; copied, so that a speculated step can be undone.
struct State {
    double mirostat_mu = 0;
    bool started = false;
};

struct History {
    std::span<const int32_t> tokens;  // prompt and output
    int64_t n_prompt = 0;
};

// What stands between the model and the draw, beside the params.
struct Restriction {
    const uint32_t *mask = nullptr;      // bit i of word i / 32: token i may follow; null = all. (n_vocab + 31) / 32 words
    std::span<const int32_t> forbidden;  // the end-of-generation set while min_tokens holds
};

struct Pick {
    Outcome outcome = Outcome::ok;
    int32_t token = -1;
    State next;
};

// Scratch memory of one thread: sized once, no allocation afterwards.
class Workspace {
public:
    // `kernels` null: the scalar ones, with the same bits.
    Workspace(Memory &m, int32_t n_vocab, const kernels::KernelTable *kernels = nullptr);
    const kernels::KernelTable &kernels() const noexcept { return kernels_; }
    int32_t n_vocab() const noexcept { return n_vocab_; }
    Candidate *scratch() noexcept { return sorting_.data(); }  // [n_vocab], between draws

private:
    friend class Chain;
    struct Key {  // of typical sampling
        double distance;
        float logit;
        int32_t id;
        float weight;
    };
    int32_t n_vocab_;
    kernels::KernelTable kernels_;
    Vector<float> row_;         // [n_vocab]: logits after bias and penalties
    Vector<Candidate> list_;    // [n_vocab]: what is left once a stage has truncated
    Vector<Candidate> sorting_;  // [n_vocab]
    Vector<float> weights_;     // [n_vocab]: exp of the list's logits
    Vector<float> tops_, sums_;  // of each kBlock of the row, by the kernel block_tops
    Vector<Mass> mass_;         // bounds of each block's softmax sum
    Vector<double> histogram_;  // [2 * kDepths]
    Vector<double> blocks_;     // softmax sums, one a kBlock
    Vector<uint32_t> counts_;   // [n_vocab], all zero between calls
    Vector<int32_t> touched_;
    Vector<int32_t> match_;     // DRY's suffix lengths
    Vector<Key> key_;
};

// `logits` has n_vocab entries and is not changed; `position` is the index that the drawn token gets in its sequence. `tops`, where who
// made the row knows them: the greatest of each kBlock of it, one of these +Inf where the row holds a NaN or +Inf. They save passes over the row.
Pick draw(std::span<const float> logits, const Params &p, const History &h, const Restriction &r, const State &s, uint64_t position, Workspace &w,
          std::span<const float> tops = {});

// The n best tokens that bans and restriction leave, with their raw logits, best first; valid until w is used again.
std::span<const Candidate> best_allowed(std::span<const float> logits, const Params &p, const Restriction &r, int32_t n, Workspace &w);

}  // namespace inlay::sample
