// SPDX-License-Identifier: Apache-2.0
// The truncating stages and the temperature. Sums run over the row in blocks or over the list best first; both orders
// are fixed, so a bound falls in the same place on every machine.
#include <algorithm>
#include <limits>

#include "sample/chain_impl.h"
#include "sample/math.h"

namespace inlay::sample {

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
}

void Chain::sort_list() {
    std::sort(w_.list_.begin(), w_.list_.end(), better);
    best_known_ = false;
}

int64_t Chain::count() const noexcept { return static_cast<int64_t>(listed_ ? w_.list_.size() : row_.size()); }

float Chain::best() {
    if (listed_) return w_.list_.empty() ? -kInf : w_.list_.front().logit;
    if (!best_known_) {
        best_ = extremes(row_).max;
        best_known_ = true;
    }
    return best_;
}

double Chain::mass() {
    float m = best();
    if (!listed_) return exp_sum(row_, m, nullptr);
    double s = 0;
    for (const Candidate &c : w_.list_) s += static_cast<double>(exp_neg(c.logit - m));
    return s;
}

double Chain::entropy() {
    float m = best();
    double s = 0, t = 0;
    auto add = [&](float x) {
        if (!(x > -kInf)) return;
        double e = static_cast<double>(exp_neg(x - m));
        s += e;
        t += e * static_cast<double>(x - m);
    };
    if (listed_)
        for (const Candidate &c : w_.list_) add(c.logit);
    else
        for (float x : row_) add(x);
    double h = log64(s) - t / s;
    return h > 0 ? h : 0;
}

void Chain::keep_from(float bound) {
    bound = std::min(bound, best());
    if (listed_) {
        auto end = std::find_if(w_.list_.begin(), w_.list_.end(), [&](const Candidate &c) { return !(c.logit >= bound); });
        w_.list_.erase(end, w_.list_.end());
    } else {
        gather(row_, bound, w_.list_);
        listed_ = true;
        sort_list();
    }
}

void Chain::top_n_sigma() {
    double n = 0, sum = 0, squares = 0;
    auto each = [&](auto &&f) {
        if (listed_)
            for (const Candidate &c : w_.list_) f(c.logit);
        else
            for (float x : row_) f(x);
    };
    each([&](float x) {
        if (x > -kInf) n += 1, sum += static_cast<double>(x);
    });
    double mean = sum / n;
    each([&](float x) {
        double d = static_cast<double>(x) - mean;
        if (x > -kInf) squares += d * d;
    });
    keep_from(static_cast<float>(static_cast<double>(best()) - static_cast<double>(p_.top_n_sigma) * sqrt64(squares / n)));
}

void Chain::top_k(int64_t k) {
    if (k >= count()) return;
    if (listed_) {
        w_.list_.erase(w_.list_.begin() + k, w_.list_.end());
    } else {
        select_best(row_, k, w_.list_);
        listed_ = true;
    }
}

void Chain::top_p() {
    float m = best();
    double need = static_cast<double>(p_.top_p) * mass(), have = 0;
    // The nucleus of a model that knows what it says lies within a few nats of the best: look there first, and further
    // only when the mass is not reached. 104 is below the smallest exp_neg.
    bool dense = !listed_;
    for (float depth : {4.0f, 8.0f, 16.0f, 104.0f}) {
        if (dense) gather(row_, m - depth, w_.list_);
        listed_ = true;
        auto &list = w_.list_;
        size_t sorted = dense ? 0 : list.size(), n = 0;
        have = 0;
        while (have < need && n < list.size()) {
            if (n == sorted) {  // sort only as much as is looked at
                sorted = std::min(list.size(), sorted == 0 ? size_t{64} : sorted * 8);
                auto from = list.begin() + static_cast<ptrdiff_t>(n), to = list.begin() + static_cast<ptrdiff_t>(sorted);
                std::nth_element(from, to - 1, list.end(), better);
                std::sort(from, to, better);
            }
            have += static_cast<double>(exp_neg(list[n++].logit - m));
        }
        if (have >= need || !dense || depth > 100) {
            list.erase(list.begin() + static_cast<ptrdiff_t>(n), list.end());
            return;
        }
    }
}

// Keeps what is closest to the expected surprise (Meister et al. 2022) until typical_p of the mass is held.
void Chain::typical() {
    if (!listed_) keep_from(best() - 104.0f);
    double h = entropy(), s = mass(), ln_s = log64(s), have = 0;
    float m = best();
    w_.key_.clear();
    for (size_t i = 0; i < w_.list_.size(); ++i) {
        double surprise = ln_s - static_cast<double>(w_.list_[i].logit - m), d = surprise - h;
        w_.key_.push_back({d < 0 ? -d : d, static_cast<int32_t>(i)});
    }
    auto further = [](const Workspace::Key &a, const Workspace::Key &b) { return a.distance > b.distance || (a.distance == b.distance && a.index > b.index); };
    std::make_heap(w_.key_.begin(), w_.key_.end(), further);
    size_t left = w_.key_.size();
    while (left > 0 && have < static_cast<double>(p_.typical_p) * s) {
        std::pop_heap(w_.key_.begin(), w_.key_.begin() + static_cast<ptrdiff_t>(left), further);
        --left;
        have += static_cast<double>(exp_neg(w_.list_[static_cast<size_t>(w_.key_[left].index)].logit - m));
    }
    // What was popped stands at the back; an index ascending is a logit descending.
    auto kept = w_.key_.begin() + static_cast<ptrdiff_t>(left);
    std::sort(kept, w_.key_.end(), [](const Workspace::Key &a, const Workspace::Key &b) { return a.index < b.index; });
    size_t n = 0;
    for (auto k = kept; k != w_.key_.end(); ++k) w_.list_[n++] = w_.list_[static_cast<size_t>(k->index)];
    w_.list_.erase(w_.list_.begin() + static_cast<ptrdiff_t>(n), w_.list_.end());
}

// "Exclude top choices": with some probability all but the least likely of those above the threshold go.
void Chain::xtc(const PhiloxBlock &random) {
    if (!(uniform_float(random.w[2]) < p_.xtc_probability)) return;
    float m = best();
    float bound = static_cast<float>(static_cast<double>(m) + log64(mass() * static_cast<double>(p_.xtc_threshold)));
    if (!listed_) keep_all();
    auto end = std::find_if(w_.list_.begin(), w_.list_.end(), [&](const Candidate &c) { return !(c.logit >= bound); });
    if (end - w_.list_.begin() > 1) w_.list_.erase(w_.list_.begin(), end - 1);
}

void Chain::keep_all() { keep_from(best() - 104.0f); }

void Chain::temperature() {
    float t = p_.temperature;
    if (p_.dynatemp_range > 0 && count() > 1) {
        double lo = std::max(0.001, static_cast<double>(t) - static_cast<double>(p_.dynatemp_range)), hi = static_cast<double>(t) + static_cast<double>(p_.dynatemp_range);
        double spread = entropy() / log64(static_cast<double>(count()));
        t = static_cast<float>(lo + (hi - lo) * pow64(spread, static_cast<double>(p_.dynatemp_exponent)));
    }
    if (t == 1) return;
    // Relative to the best, so that no quotient overflows.
    float m = best();
    if (listed_) {
        for (Candidate &c : w_.list_) c.logit = (c.logit - m) / t;
    } else {
        float *row = own_row();
        for (size_t i = 0; i < row_.size(); ++i) row[i] = (row[i] - m) / t;
        best_ = 0;
        best_known_ = true;
    }
}

void Chain::stage(Stage s, const PhiloxBlock &random) {
    // Mirostat chooses how much of the tail stays: the fixed truncations stand aside.
    bool truncates = p_.mirostat == 0 && count() > 0;
    auto ln = [](float v) { return log64(static_cast<double>(v)); };
    switch (s) {
    case Stage::penalties: return penalties();
    case Stage::dry: return dry();
    case Stage::temperature: return temperature();
    case Stage::top_n_sigma:
        if (truncates && p_.top_n_sigma > 0) top_n_sigma();
        return;
    case Stage::top_k:
        if (truncates && p_.top_k > 0) top_k(p_.top_k);
        return;
    case Stage::typical:
        if (truncates && p_.typical_p < 1) typical();
        return;
    case Stage::top_p:
        if (truncates && p_.top_p < 1) top_p();
        return;
    case Stage::min_p:
        if (truncates && p_.min_p > 0) keep_from(static_cast<float>(static_cast<double>(best()) + ln(p_.min_p)));
        return;
    case Stage::epsilon:
        if (truncates && p_.epsilon_cutoff > 0) keep_from(static_cast<float>(static_cast<double>(best()) + log64(mass() * static_cast<double>(p_.epsilon_cutoff))));
        return;
    case Stage::eta:  // Hewitt et al. 2022
        if (truncates && p_.eta_cutoff > 0) {
            double e = static_cast<double>(p_.eta_cutoff), floor = std::min(e, sqrt64(e) * exp64(-entropy()));
            keep_from(static_cast<float>(static_cast<double>(best()) + log64(mass() * floor)));
        }
        return;
    case Stage::xtc:
        if (truncates && p_.xtc_probability > 0 && p_.xtc_threshold <= 0.5f && p_.xtc_threshold > 0) xtc(random);
        return;
    }
}

}  // namespace inlay::sample
