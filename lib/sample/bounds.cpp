// SPDX-License-Identifier: Apache-2.0
// Softmax sums without computing them: one cheap pass bounds the sum of each block of the row, the few blocks that hold
// nearly all of it are computed, and mostly that tells which token is drawn. Every answer from here is the one that the
// exact sums give; where the bounds can't tell, they are computed.
#include <algorithm>

#include "sample/chain_impl.h"
#include "sample/math.h"

namespace inlay::sample {

namespace {
// The kernel's powers are off by 1e-4, what rounding does to arguments of 87 makes 4e-5, sums of 256 floats add 2e-6.
constexpr double kError = 2e-4;
// Weights below 2^-126 of their block's best count as that much, or as 0 in the exact sum.
constexpr double kTiny = 1e-30;
// Blocks that hold more than this share are computed: mostly one in ten of a row as models have them.
constexpr double kMuch = 1.0 / 1024;
// Sums of doubles in another order are off by less than 1e-13.
constexpr double kLess = 1 - 1e-12, kMore = 1 + 1e-12;
}  // namespace

// The temperature at which the first sum over the whole row will be asked for; 0 when none will be.
float Chain::first_scale(std::span<const Stage> order) const noexcept {
    if (p_.mirostat != 0) return 0;
    for (Stage s : order) switch (s) {
            case Stage::penalties:
            case Stage::dry:
                return 0;
            case Stage::temperature:
                if (p_.dynatemp_range > 0) return 0;
                if (p_.temperature != 1) return p_.temperature;
                break;
            case Stage::top_p:
                if (p_.top_p < 1) return 1;
                break;
            case Stage::top_n_sigma:
                if (p_.top_n_sigma > 0) return 0;
                break;
            case Stage::top_k:
                if (p_.top_k > 0) return 0;
                break;
            case Stage::typical:
                if (p_.typical_p < 1) return 0;
                break;
            case Stage::min_p:
                if (p_.min_p > 0) return 0;
                break;
            case Stage::epsilon:
                if (p_.epsilon_cutoff > 0) return 0;
                break;
            case Stage::eta:
                if (p_.eta_cutoff > 0) return 0;
                break;
            case Stage::xtc:
                if (p_.xtc_probability > 0) return 0;
                break;
        }
    return 1;
}

Extremes Chain::look(float scale) {
    constexpr float log2e = 1.4426950408889634f;
    Extremes e;
    if (scale > 0 || owned_ || given_.empty()) {
        e = w_.kernels_.block_tops(row_.data(), static_cast<int64_t>(row_.size()), scale > 0 ? log2e / scale : 0, w_.tops_.data(),
                                   w_.sums_.data());
    } else {
        e = extremes(w_.kernels_, given_);
        std::copy(given_.begin(), given_.end(), w_.tops_.begin());
    }
    best_ = e.max;
    best_known_ = looked_ = true;
    sums_scale_ = scale;
    return e;
}

// Bounds of each block's sum to mass_, computed where a block holds much of it. False: the row is too flat.
bool Chain::bound_mass(Mass &total) {
    const size_t blocks = w_.tops_.size();
    const float m = pending_ ? shift_ : best(), scale = sums_scale_;
    float *e = w_.weights_.data();
    for (size_t b = 0; b < blocks; ++b) e[b] = (w_.tops_[b] - m) / scale;
    w_.kernels_.map_exp(e, e, static_cast<int64_t>(blocks));
    double about = 0;
    for (size_t b = 0; b < blocks; ++b) about += static_cast<double>(e[b]) * static_cast<double>(w_.sums_[b]);
    const double much = about * kMuch;
    double left = 0;
    for (size_t b = 0; b < blocks; ++b)
        if (double s = static_cast<double>(e[b]) * static_cast<double>(w_.sums_[b]); s <= much) left += s;
    if (left > 0.5 * about) return false;
    total = {0, 0};
    for (size_t b = 0; b < blocks; ++b) {
        double s = static_cast<double>(e[b]) * static_cast<double>(w_.sums_[b]);
        Mass &mass = w_.mass_[b];
        if (s > much) {
            const size_t at = b * kBlock;
            const int64_t n = std::min<int64_t>(kBlock, static_cast<int64_t>(row_.size() - at));
            w_.kernels_.exp_blocks(row_.data() + at, n, m, scale, &mass.low);
            mass.high = mass.low;
        } else {
            mass = {std::max(0.0, s * (1 - kError) - kTiny), s * (1 + kError) + kTiny};
        }
        total.low += mass.low;
        total.high += mass.high;
    }
    total = {total.low * kLess, total.high * kMore};
    return true;
}

// What pick() would find, or -1 where the bounds leave a choice.
int32_t Chain::pick_surely(double u) {
    Mass total, at{0, 0};
    if (!bound_mass(total)) return -1;
    const double target_low = u * total.low * kLess, target_high = u * total.high * kMore;
    const size_t blocks = w_.mass_.size();
    size_t b = 0;
    for (;; ++b) {
        if (b == blocks) return -1;
        const Mass &s = w_.mass_[b];
        if ((at.low + s.low) * kLess > target_high) break;
        if ((at.high + s.high) * kMore > target_low) return -1;
        at.low += s.low;
        at.high += s.high;
    }
    const size_t first = b * kBlock, n = std::min<size_t>(kBlock, row_.size() - first);
    float *e = w_.weights_.data();
    for (size_t i = 0; i < n; ++i) e[i] = (row_[first + i] - shift_) / scale_;
    w_.kernels_.map_exp(e, e, static_cast<int64_t>(n));
    for (size_t i = 0; i < n; ++i) {
        const double weight = static_cast<double>(e[i]);
        if (!(weight > 0)) continue;
        at.low += weight;
        at.high += weight;
        if (at.low * kLess > target_high) return static_cast<int32_t>(first + i);
        if (at.high * kMore > target_low) return -1;
    }
    return -1;
}

}  // namespace inlay::sample
