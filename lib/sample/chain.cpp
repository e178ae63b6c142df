// SPDX-License-Identifier: Apache-2.0
#include "sample/chain.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "kernels/table.h"
#include "sample/chain_impl.h"
#include "sample/math.h"

namespace inlay::sample {

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kLn2 = 0.6931471805599453;
}  // namespace

Workspace::Workspace(Memory &m, int32_t n_vocab, const kernels::KernelTable *k)
    : n_vocab_(n_vocab),
      kernels_(k ? *k : kernels::build_table({})),
      row_(Alloc<float>(m, MemTag::scratch)),
      list_(Alloc<Candidate>(m, MemTag::scratch)),
      sorting_(Alloc<Candidate>(m, MemTag::scratch)),
      weights_(Alloc<float>(m, MemTag::scratch)),
      tops_(Alloc<float>(m, MemTag::scratch)),
      sums_(Alloc<float>(m, MemTag::scratch)),
      mass_(Alloc<Mass>(m, MemTag::scratch)),
      histogram_(static_cast<size_t>(2 * kDepths), 0.0, Alloc<double>(m, MemTag::scratch)),
      blocks_(Alloc<double>(m, MemTag::scratch)),
      counts_(Alloc<uint32_t>(m, MemTag::scratch)),
      touched_(Alloc<int32_t>(m, MemTag::scratch)),
      match_(Alloc<int32_t>(m, MemTag::scratch)),
      key_(Alloc<Key>(m, MemTag::scratch)) {
    size_t n = static_cast<size_t>(n_vocab);
    row_.resize(n);
    list_.resize(n);
    sorting_.resize(n);
    weights_.resize(n);
    blocks_.resize((n + kBlock - 1) / kBlock);
    tops_.resize(blocks_.size());
    sums_.resize(blocks_.size());
    mass_.resize(blocks_.size());
    counts_.resize(n);
    touched_.reserve(4096);
}

// One uniform number walks the cumulated weights in the order that the row or the list stands in, first by blocks.
int32_t Chain::pick(const PhiloxBlock &random, double *probability) {
    double u = uniform_double(random.w[0], random.w[1]);
    float m = best();
    size_t n = static_cast<size_t>(count()), blocks = (n + kBlock - 1) / kBlock, b = 0, last = 0;
    double total = 0, at = 0;
    if (!listed_ && !pending_) shift_ = m, scale_ = 1;
    if (!listed_ && p_.mirostat == 0 && sums_scale_ == scale_)
        if (int32_t sure = pick_surely(u); sure >= 0) return sure;
    if (listed_) {
        const float *e = weights();
        // Four whole blocks side by side: an addition waits for the one before it.
        for (; (b + 4) * kBlock <= n; b += 4) {
            double s[4] = {};
            for (size_t i = b * kBlock; i < (b + 1) * kBlock; ++i)
                for (size_t k = 0; k < 4; ++k) s[k] += static_cast<double>(e[i + k * kBlock]);
            std::copy_n(s, 4, w_.blocks_.data() + b);
        }
        for (; b < blocks; ++b) {
            double s = 0;
            for (size_t i = b * kBlock; i < std::min(n, (b + 1) * kBlock); ++i) s += static_cast<double>(e[i]);
            w_.blocks_[b] = s;
        }
        for (b = 0; b < blocks; ++b) total += w_.blocks_[b];
    } else {
        total = exp_sum(w_.kernels_, row_, shift_, scale_, w_.blocks_.data());
    }
    double target = u * total;
    for (b = 0; b < blocks; ++b) {
        if (w_.blocks_[b] > 0) last = b;
        if (at + w_.blocks_[b] > target) break;
        at += w_.blocks_[b];
    }
    if (b == blocks) b = last, at = target;  // rounding may leave the target beyond the end: the last one with any weight
    size_t first = b * kBlock, end = std::min(n, first + kBlock);
    if (!listed_) {
        for (size_t i = first; i < end; ++i) w_.weights_[i] = (row_[i] - shift_) / scale_;
        w_.kernels_.map_exp(w_.weights_.data() + first, w_.weights_.data() + first, static_cast<int64_t>(end - first));
    }
    int32_t chosen = -1;
    for (size_t i = first; i < end; ++i) {
        double e = static_cast<double>(w_.weights_[i]);
        if (!(e > 0)) continue;
        chosen = listed_ ? w_.list_[i].id : static_cast<int32_t>(i);
        at += e;
        *probability = e / total;
        if (at > target) break;
    }
    return chosen;
}

// Basu et al. 2021. Version 2 drops what surprises more than mu bits; version 1 turns mu into a top-k by fitting Zipf's
// exponent to the hundred best.
void Chain::mirostat_truncate(const State &s) {
    double mu = s.started ? s.mirostat_mu : 2 * static_cast<double>(p_.mirostat_tau);
    if (p_.mirostat == 2) return keep_from(static_cast<float>(static_cast<double>(best()) + log64(mass()) - mu * kLn2));
    if (!listed_) keep_all();
    sort_list();
    size_t m = std::min<size_t>(100, n_list_);
    double tb = 0, tt = 0;
    for (size_t i = 0; i + 1 < m; ++i) {
        double t = log64(static_cast<double>(i + 2) / static_cast<double>(i + 1)),
               b = static_cast<double>(w_.list_[i].logit - w_.list_[i + 1].logit);
        tb += t * b;
        tt += t * t;
    }
    double exponent = tt > 0 ? tb / tt : 1, eps = exponent - 1;
    if (exponent <= 1e-6 || (eps < 1e-6 && eps > -1e-6)) return;
    double k = pow64((eps * exp64(mu * kLn2)) / (1 - pow64(static_cast<double>(w_.n_vocab_), -eps)), 1 / exponent);
    if (k < static_cast<double>(n_list_)) top_k(std::max<int64_t>(1, static_cast<int64_t>(k)));
}

Pick Chain::run(const State &s, uint64_t position) {
    Pick out;
    out.next = s;
    if (restricts()) {  // a mask may hide what is broken
        if (extremes(w_.kernels_, given_.empty() ? row_ : given_).broken) {
            out.outcome = Outcome::numeric;
            return out;
        }
        restrict_row();
    }
    PhiloxBlock random = philox(p_.seed, 0, position);
    std::span<const Stage> order(p_.order.empty() ? default_order() : p_.order.data(), p_.order.empty() ? kStages : p_.order.size());
    const bool greedy = p_.greedy();
    // What changes single logits and stands in front needs to know nothing of the row: one look at it comes after.
    auto single = [](Stage s) { return s == Stage::penalties || s == Stage::dry; };
    for (; !order.empty() && (single(order.front()) || greedy); order = order.subspan(1))
        if (single(order.front())) stage(order.front(), random);
    Extremes e = look(greedy ? 0 : first_scale(order));
    if (e.broken || !(e.max > -kInf)) {
        out.outcome = e.broken ? Outcome::numeric : Outcome::dead_end;
        return out;
    }
    if (greedy) {
        out.token = first_equal(row_, best(), tops());
        return out;
    }
    for (Stage s : order) stage(s, random);
    if (p_.mirostat != 0) mirostat_truncate(s);
    double probability = 1;
    out.token = pick(random, &probability);
    if (out.token < 0) {
        out.outcome = Outcome::dead_end;
        return out;
    }
    if (p_.mirostat != 0) {
        double tau = static_cast<double>(p_.mirostat_tau), mu = s.started ? s.mirostat_mu : 2 * tau;
        out.next.mirostat_mu = mu - static_cast<double>(p_.mirostat_eta) * (-log64(probability) / kLn2 - tau);
        out.next.started = true;
    }
    return out;
}

std::span<const Candidate> Chain::best_allowed(int32_t n) {
    restrict_row();
    n_list_ = select_best(w_.kernels_, row_, n, w_.list_.data());
    return list();
}

std::span<const Candidate> best_allowed(std::span<const float> logits, const Params &p, const Restriction &r, int32_t n, Workspace &w) {
    return Chain(logits, p, {}, r, w).best_allowed(n);
}

Pick draw(std::span<const float> logits, const Params &p, const History &h, const Restriction &r, const State &s, uint64_t position,
          Workspace &w, std::span<const float> tops) {
    require(static_cast<int64_t>(logits.size()) == w.n_vocab(), "draw: a row of ", logits.size(), " logits, the workspace is for ",
            w.n_vocab());
    require(tops.empty() || tops.size() == (logits.size() + kBlock - 1) / kBlock, "draw: tops of ", tops.size(), " blocks");
    return Chain(logits, p, h, r, w, tops).run(s, position);
}

}  // namespace inlay::sample
