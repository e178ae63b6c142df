// SPDX-License-Identifier: Apache-2.0
// A model that cannot be fooled: its logits are a hash of every token that the table leads to, so one wrong, stale, shared
// or evicted page changes the answer. Each group of layers reads its own pages as far as its window goes, and what a
// token leaves there depends on all that it read: the same tokens behind another past are told apart. It also checks what
// the engine hands it.
#pragma once

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "engine/engine.h"

namespace inlay_test {

using namespace inlay;
using namespace inlay::engine;

struct FakeOptions {
    int32_t n_vocab = 50, n_ctx = 256, n_blocks = 64, n_embd = 8;
    int32_t rows_a_slice = 1 << 20;  // with a deadline, a call of advance() computes this many rows
    int32_t head_rows = 7;
    int32_t poison = -1;             // a sequence that holds this token has NaN logits
    std::vector<int32_t> windows = {0};  // one a group of layers
    bool causal = true;
    bool twisted = false;            // a draft model: thinks otherwise now and then
    int32_t fail_pass = -1;          // this pass throws half-way
    int32_t n_swap = 0;
};

class FakeBackend final : public Backend {
public:
    explicit FakeBackend(const FakeOptions &o)
        : o_(o), slots_(static_cast<size_t>(o.n_blocks) * 16, Slot{}), swap_(static_cast<size_t>(o.n_swap) * 16, Slot{}) {
        facts_.n_vocab = o.n_vocab;
        facts_.n_ctx = o.n_ctx;
        facts_.n_embd = o.n_embd;
        facts_.causal = o.causal;
        facts_.has_head = o.causal;
        facts_.groups.n = static_cast<int32_t>(o.windows.size());
        for (size_t g = 0; g < o.windows.size(); ++g) facts_.groups.window[g] = o.windows[g];
        facts_.page_bytes = 1024;
    }
    const BackendFacts &facts() const noexcept override { return facts_; }
    int32_t passes = 0, broken = 0;

    void copy_blocks(std::span<const kv::Copy> copies) noexcept override {
        for (auto c : copies) {
            auto &to = c.way == kv::Copy::Way::out ? swap_ : slots_, &from = c.way == kv::Copy::Way::in ? swap_ : slots_;
            for (size_t i = 0; i < 16; ++i) to[static_cast<size_t>(c.to) * 16 + i] = from[static_cast<size_t>(c.from) * 16 + i];
        }
    }
    void begin(std::span<const Rows> rows) override {
        broken += open_;
        open_ = true;
        rows_.assign(rows.begin(), rows.end());
        hidden_.clear();
        seq_ = 0, row_ = 0;
        ++passes;
    }
    bool advance(uint64_t deadline) override {
        int32_t left = deadline ? o_.rows_a_slice : 1 << 30;
        for (; seq_ < rows_.size(); ++seq_, row_ = 0)
            for (; row_ < rows_[seq_].n; ++row_) {
                if (left-- == 0) return false;
                if (passes - 1 == o_.fail_pass && seq_ * 2 >= rows_.size()) fail(Code::out_of_memory, "this pass fails");
                compute(rows_[seq_], row_);
            }
        open_ = false;
        return true;
    }
    void abandon() noexcept override { open_ = false; }
    std::span<const float> hidden(int32_t i) const override {
        h_.resize(static_cast<size_t>(o_.n_embd));
        for (size_t k = 0; k < h_.size(); ++k) h_[k] = uniform_float(philox(hidden_[static_cast<size_t>(i)].hash, 1, k).w[0]) - 0.5f;
        return h_;
    }
    void begin_head(int32_t first, int32_t n) override {
        broken += n > o_.head_rows || open_;
        logits_.resize(static_cast<size_t>(n) * static_cast<size_t>(o_.n_vocab));
        for (int32_t i = 0; i < n; ++i) {
            const Hidden &h = hidden_[static_cast<size_t>(first + i)];
            for (int32_t v = 0; v < o_.n_vocab; ++v) {
                float x = 4 * uniform_float(philox(h.hash, 0, static_cast<uint64_t>(v)).w[0]);
                if (v == (h.last * 3 + 1) % 11 && h.hash % 8 != 0) x += 6;  // mostly a cycle, so that lookup finds something
                if (h.poisoned) x = NAN;
                logits_[static_cast<size_t>(i) * static_cast<size_t>(o_.n_vocab) + static_cast<size_t>(v)] = x;
            }
        }
    }
    bool advance_head(uint64_t) override { return true; }
    std::span<const float> logits(int32_t i) const override {
        return {logits_.data() + static_cast<size_t>(i) * static_cast<size_t>(o_.n_vocab), static_cast<size_t>(o_.n_vocab)};
    }
    int32_t max_head_rows() const noexcept override { return o_.head_rows; }

    int32_t n_threads() const noexcept override { return 3; }  // tasks run backwards, which must change nothing
    void parallel(int32_t n, void (*fn)(void *, int32_t), void *ctx) override {
        for (int32_t i = n; i-- > 0;) fn(ctx, i);
    }

private:
    struct Slot {
        int32_t token = -1, position = -1, group = -1;
        uint64_t value = 0;
    };
    struct Hidden {
        uint64_t hash;
        int32_t last;
        bool poisoned;
    };
    void compute(const Rows &r, int32_t i) {
        int32_t pos = r.position + i;
        Hidden h{static_cast<uint64_t>(0), r.tokens[i], false};
        if (o_.causal) {
            const int32_t n_groups = facts_.groups.n;
            broken += pos / 16 >= r.n_blocks;
            auto slot = [&](int32_t p, int32_t g) -> Slot * {
                const int32_t page = r.pages[p / 16 * n_groups + g];
                broken += page < 0;
                return page < 0 ? nullptr : &slots_[static_cast<size_t>(page) * 16 + static_cast<size_t>(p % 16)];
            };
            for (int32_t g = 0; g < n_groups; ++g) {
                const int32_t w = facts_.groups.window[static_cast<size_t>(g)];
                for (int32_t p = w ? std::max(0, pos - w + 1) : 0; p < pos; ++p)
                    if (const Slot *s = slot(p, g)) {
                        broken += s->position != p || s->group != g;
                        h.hash = mix64(h.hash + 1, s->value);
                        h.poisoned |= s->token == o_.poison;
                    }
            }
            h.hash = mix64(h.hash + 1, static_cast<uint64_t>(r.tokens[i]) << 20 | static_cast<uint64_t>(pos));
            h.poisoned |= r.tokens[i] == o_.poison;
            for (int32_t g = 0; g < n_groups; ++g)
                if (Slot *s = slot(pos, g)) *s = {r.tokens[i], pos, g, h.hash + static_cast<uint64_t>(g)};
        } else {
            for (int32_t p = 0; p < r.n; ++p) h.hash = mix64(h.hash + 1, static_cast<uint64_t>(r.tokens[p]) << 20 | static_cast<uint64_t>(p));
            h.hash = mix64(h.hash, static_cast<uint64_t>(i));
        }
        if (o_.twisted && h.hash % 5 == 1) h.hash += 77;
        if (i >= r.first_output) hidden_.push_back(h);
    }

    FakeOptions o_;
    BackendFacts facts_;
    std::vector<Slot> slots_, swap_;
    std::vector<Rows> rows_;
    std::vector<Hidden> hidden_;
    std::vector<float> logits_;
    mutable std::vector<float> h_;
    size_t seq_ = 0;
    int32_t row_ = 0;
    bool open_ = false;
};

// Token i is the text "<i>"; 0 ends.
class FakeSpeech final : public Speech {
public:
    explicit FakeSpeech(bool ends = true) : ends_(ends) {}
    Owned<TextStream> stream(Memory &m, std::span<const int32_t>) const override {
        struct Stream final : TextStream {
            void push(int32_t token, String &out) override {
                Message t;
                t << '<' << token << '>';
                out.append(t.view());
            }
            void flush(String &) override {}
        };
        return make_owned<Stream>(m);
    }
    std::span<const int32_t> end_tokens() const noexcept override { return {&end_, ends_ ? size_t{1} : 0}; }

private:
    bool ends_;
    int32_t end_ = 0;
};

}  // namespace inlay_test
