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
    if (!sorted_) std::sort(list().begin(), list().end(), better);
    sorted_ = true;
}

int64_t Chain::count() const noexcept { return static_cast<int64_t>(listed_ ? n_list_ : row_.size()); }

float Chain::best() {
    if (best_known_) return best_;
    if (listed_) {
        best_ = -kInf;
        for (const Candidate &c : list()) best_ = std::max(best_, c.logit);
    } else {
        best_ = extremes(w_.kernels_, row_).max;
    }
    best_known_ = true;
    return best_;
}

const float *Chain::weights() noexcept {
    sample::weights(w_.kernels_, list(), best(), w_.weights_.data());
    return w_.weights_.data();
}

double Chain::mass() {
    if (!listed_) return exp_sum(w_.kernels_, settled(), best(), 1, w_.blocks_.data());
    const float *e = weights();
    double s = 0;
    for (size_t i = 0; i < n_list_; ++i) s += static_cast<double>(e[i]);
    return s;
}

double Chain::entropy() {
    if (!listed_) keep_all();
    float m = best();
    const float *e = weights();
    double s = 0, t = 0;
    for (size_t i = 0; i < n_list_; ++i) {
        s += static_cast<double>(e[i]);
        if (e[i] > 0) t += static_cast<double>(e[i]) * static_cast<double>(w_.list_[i].logit - m);
    }
    double h = log64(s) - t / s;
    return h > 0 ? h : 0;
}

void Chain::keep_from(float bound) {
    bound = std::min(bound, best());
    if (listed_) {
        size_t n = 0;
        for (const Candidate &c : list()) {
            w_.list_[n] = c;
            n += c.logit >= bound;
        }
        n_list_ = n;
    } else {
        auto row = settled();
        n_list_ = gather(w_.kernels_, row, bound, w_.list_.data(), tops());
        listed_ = true;
    }
}

void Chain::top_n_sigma() {
    double n = 0, sum = 0, squares = 0;
    auto each = [&](auto &&f) {
        if (listed_)
            for (const Candidate &c : list()) f(c.logit);
        else
            for (float x : settled()) f(x);
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
        if (!sorted_) std::partial_sort(list().begin(), list().begin() + k, list().end(), better);
        sorted_ = true;
        n_list_ = static_cast<size_t>(k);
    } else {
        auto row = settled();
        n_list_ = select_best(w_.kernels_, row, k, w_.list_.data(), tops());
        listed_ = sorted_ = true;
    }
}

void Chain::top_p() {
    if (!listed_) {
        NucleusScratch scratch{w_.histogram_.data(), w_.blocks_.data(), w_.sorting_.data()};
        auto row = settled();
        Mass mass;
        bool bounded = sums_scale_ == 1 && bound_mass(mass);
        n_list_ = nucleus(w_.kernels_, row, best(), static_cast<double>(p_.top_p), scratch, w_.list_.data(), bounded ? &mass : nullptr, tops());
        listed_ = true;
        return;
    }
    sort_list();
    double need = static_cast<double>(p_.top_p) * mass(), have = 0;
    size_t n = 0;
    while (n < n_list_ && have < need) have += static_cast<double>(w_.weights_[n++]);
    n_list_ = n;
}

// Keeps what is closest to the expected surprise (Meister et al. 2022) until typical_p of the mass is held.
void Chain::typical() {
    if (!listed_) keep_all();
    double h = entropy(), s = mass(), ln_s = log64(s), have = 0;
    float m = best();
    w_.key_.clear();
    for (size_t i = 0; i < n_list_; ++i) {
        double surprise = ln_s - static_cast<double>(w_.list_[i].logit - m), d = surprise - h;
        w_.key_.push_back({d < 0 ? -d : d, w_.list_[i].logit, w_.list_[i].id, w_.weights_[i]});
    }
    auto further = [](const Workspace::Key &a, const Workspace::Key &b) {
        return a.distance > b.distance || (a.distance == b.distance && a.id > b.id);
    };
    std::make_heap(w_.key_.begin(), w_.key_.end(), further);
    size_t left = w_.key_.size(), n = 0;
    while (left > 0 && have < static_cast<double>(p_.typical_p) * s) {
        std::pop_heap(w_.key_.begin(), w_.key_.begin() + static_cast<ptrdiff_t>(left), further);
        const Workspace::Key &k = w_.key_[--left];
        w_.list_[n++] = {k.logit, k.id};
        have += static_cast<double>(k.weight);
    }
    n_list_ = n;
    sorted_ = best_known_ = false;
}

// "Exclude top choices": with some probability all but the least likely of those above the threshold go.
void Chain::xtc(const PhiloxBlock &random) {
    if (!(uniform_float(random.w[2]) < p_.xtc_probability)) return;
    float bound = static_cast<float>(static_cast<double>(best()) + log64(mass() * static_cast<double>(p_.xtc_threshold)));
    if (!listed_) keep_all();
    Candidate least{kInf, -1};
    size_t above = 0, n = 0;
    for (const Candidate &c : list())
        if (c.logit >= bound) {
            ++above;
            if (least.id < 0 || better(least, c)) least = c;
        }
    if (above < 2) return;
    for (const Candidate &c : list()) {
        w_.list_[n] = c;
        n += c.logit < bound || c.id == least.id;
    }
    n_list_ = n;
    best_known_ = false;
}

void Chain::keep_all() { keep_from(best() - 88.0f); }

void Chain::temperature() {
    float t = p_.temperature;
    if (p_.dynatemp_range > 0 && count() > 1) {
        double lo = std::max(0.001, static_cast<double>(t) - static_cast<double>(p_.dynatemp_range)),
               hi = static_cast<double>(t) + static_cast<double>(p_.dynatemp_range);
        double spread = entropy() / log64(static_cast<double>(count()));
        t = static_cast<float>(lo + (hi - lo) * pow64(spread, static_cast<double>(p_.dynatemp_exponent)));
    }
    if (t == 1) return;
    // Relative to the best, so that no quotient overflows.
    float m = best();
    if (listed_) {
        for (Candidate &c : list()) c.logit = (c.logit - m) / t;
    } else {
        settled();
        shift_ = m, scale_ = t;
        pending_ = true;
    }
    best_ = 0;
    best_known_ = true;
    offset_ = static_cast<double>(m) / static_cast<double>(t);
}

std::span<const float> Chain::settled() {
    if (pending_) {
        pending_ = false;
        float *row = w_.row_.data();
        for (size_t i = 0; i < row_.size(); ++i) row[i] = (row_[i] - shift_) / scale_;
        row_ = std::span<const float>(row, row_.size());
        owned_ = true;
        for (float &top : w_.tops_) top = (top - shift_) / scale_;
        sums_scale_ = sums_scale_ == scale_ ? 1 : 0;
    }
    return row_;
}

void Chain::stage(Stage s, const PhiloxBlock &random) {
    // Mirostat chooses how much of the tail stays: the fixed truncations stand aside.
    bool truncates = p_.mirostat == 0 && count() > 0;
    auto ln = [](float v) { return log64(static_cast<double>(v)); };
    switch (s) {
        case Stage::penalties:
            return penalties();
        case Stage::dry:
            return dry();
        case Stage::temperature:
            return temperature();
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
            if (truncates && p_.epsilon_cutoff > 0)
                keep_from(static_cast<float>(static_cast<double>(best()) + log64(mass() * static_cast<double>(p_.epsilon_cutoff))));
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
