// SPDX-License-Identifier: Apache-2.0
// The chain while it runs. It holds either the whole row (dense) or, once a stage has truncated, a list that stands
// in order of id until a stage needs it sorted best first; each stage knows both forms. Only the files of the chain include this.
#pragma once

#include "base/rng.h"
#include "sample/chain.h"

namespace inlay::sample {

class Chain {
public:
    Chain(std::span<const float> logits, const Params &p, const History &h, const Restriction &r, Workspace &w,
          std::span<const float> tops = {})
        : p_(p), h_(h), r_(r), w_(w), row_(logits), given_(tops) {}
    Pick run(const State &s, uint64_t position);
    std::span<const Candidate> best_allowed(int32_t n);

private:
    // penalties.cpp
    void restrict_row();
    void penalties();
    void dry();
    float *own_row();  // the workspace's copy, made on first use
    bool restricts() const noexcept;

    // filters.cpp
    void stage(Stage s, const PhiloxBlock &random);
    void top_n_sigma();
    void top_k(int64_t k);
    void typical();
    void top_p();
    void keep_from(float bound);  // drops what is below; the best always stays
    void keep_all();  // as a list
    void xtc(const PhiloxBlock &random);
    void temperature();
    const float *tops() const noexcept { return looked_ ? w_.tops_.data() : nullptr; }
    std::span<const float> settled();  // the row with its temperature carried out
    void sort_list();
    std::span<Candidate> list() noexcept { return {w_.list_.data(), n_list_}; }

    float best();                 // the largest logit
    double mass();                // sum of exp(logit - best())
    const float *weights() noexcept;  // of the list: exp(logit - best()), until it changes
    double entropy();             // in nats
    int64_t count() const noexcept;

    // chain.cpp
    void mirostat_truncate(const State &s);
    int32_t pick(const PhiloxBlock &random, double *probability);

    // bounds.cpp
    Extremes look(float scale);  // over the whole row; with bounds of the sums at a temperature, where it is not 0
    float first_scale(std::span<const Stage> order) const noexcept;
    bool bound_mass(Mass &total);
    int32_t pick_surely(double u);

    const Params &p_;
    const History &h_;
    const Restriction &r_;
    Workspace &w_;
    std::span<const float> row_;
    std::span<const float> given_;  // tops of the row as it came; or nothing
    bool owned_ = false, listed_ = false, sorted_ = false, best_known_ = false;
    bool looked_ = false;    // tops_ speak of the row as it is
    float sums_scale_ = 0;   // and sums_ of it at this temperature; 0: of nothing
    size_t n_list_ = 0;
    float best_ = 0;  // of the list too, unless it is sorted
    // A temperature over the whole row is put off: mostly the draw is next, which takes it along.
    bool pending_ = false;
    float shift_ = 0, scale_ = 1;
    double offset_ = 0;  // a temperature leaves logits relative to the best: what repetition_penalty adds to see their sign
};

}  // namespace inlay::sample
