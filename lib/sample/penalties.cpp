// SPDX-License-Identifier: Apache-2.0
// What changes single logits: mask, bans, bias, the three penalties, DRY. Costs follow the history, not the vocabulary.
#include <algorithm>
#include <cstring>
#include <limits>

#include "sample/chain_impl.h"
#include "sample/math.h"

namespace inlay::sample {

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
}

bool Chain::restricts() const noexcept {
    return r_.mask || !r_.forbidden.empty() || !p_.logit_bias.empty() || !p_.banned.empty() || !p_.allowed.empty();
}

float *Chain::own_row() {
    settled();
    if (!owned_) {
        std::memcpy(w_.row_.data(), row_.data(), row_.size_bytes());
        row_ = std::span<const float>(w_.row_.data(), row_.size());
        owned_ = true;
    }
    best_known_ = looked_ = false;
    sums_scale_ = 0;
    return w_.row_.data();
}

void Chain::restrict_row() {
    if (!restricts()) return;
    int32_t n = static_cast<int32_t>(row_.size());
    if (!p_.allowed.empty()) {
        float *row = w_.row_.data();
        std::fill_n(row, n, -kInf);
        for (int32_t id : p_.allowed) row[id] = row_[static_cast<size_t>(id)];
        row_ = std::span<const float>(row, row_.size());
        owned_ = true;
    }
    float *row = own_row();
    if (r_.mask)
        for (int32_t at = 0, word = 0; at < n; at += 32, ++word) {
            uint32_t bits = r_.mask[word];
            if (bits == UINT32_MAX) continue;
            int32_t m = std::min(32, n - at);
            if (bits == 0) {
                std::fill_n(row + at, m, -kInf);
                continue;
            }
            for (int32_t i = 0; i < m; ++i)
                if (!(bits >> i & 1)) row[at + i] = -kInf;
        }
    for (int32_t id : p_.banned) row[id] = -kInf;
    for (int32_t id : r_.forbidden) row[id] = -kInf;
    for (const Bias &b : p_.logit_bias) row[b.id] = b.value <= -100 ? -kInf : row[b.id] + b.value;
}

void Chain::penalties() {
    bool repeat = p_.repetition_penalty != 1 && p_.penalty_last_n != 0;
    bool tally = (p_.presence_penalty != 0 || p_.frequency_penalty != 0) && p_.penalty_last_n != 0;
    if (!repeat && !tally) return;
    // A count holds 2 * (times that presence and frequency see) + (1 when repetition sees it).
    auto touch = [&](int32_t id) -> uint32_t & {
        uint32_t &c = w_.counts_[static_cast<size_t>(id)];
        if (c == 0) w_.touched_.push_back(id);
        return c;
    };
    w_.touched_.clear();
    int64_t n = static_cast<int64_t>(h_.tokens.size());
    int64_t from = p_.penalty_last_n < 0 ? 0 : std::max<int64_t>(0, n - p_.penalty_last_n);
    if (repeat)
        for (int64_t i = from; i < n; ++i) touch(h_.tokens[static_cast<size_t>(i)]) |= 1;
    if (tally)
        for (int64_t i = p_.penalize_prompt ? from : std::max(from, h_.n_prompt); i < n; ++i) touch(h_.tokens[static_cast<size_t>(i)]) += 2;
    auto penalised = [&](float x, uint32_t c) {
        if (c & 1) {
            if (offset_ == 0) {
                x = x > 0 ? x / p_.repetition_penalty : x * p_.repetition_penalty;
            } else {
                double whole = static_cast<double>(x) + offset_, penalty = static_cast<double>(p_.repetition_penalty);
                x = static_cast<float>((whole > 0 ? whole / penalty : whole * penalty) - offset_);
            }
        }
        if (c >> 1) x = x - static_cast<float>(c >> 1) * p_.frequency_penalty - p_.presence_penalty;
        return x;
    };
    if (listed_) {
        for (Candidate &c : list()) c.logit = penalised(c.logit, w_.counts_[static_cast<size_t>(c.id)]);
        sorted_ = best_known_ = false;
    } else {
        float *row = own_row();
        for (int32_t id : w_.touched_) row[id] = penalised(row[id], w_.counts_[static_cast<size_t>(id)]);
    }
    for (int32_t id : w_.touched_) w_.counts_[static_cast<size_t>(id)] = 0;
}

// "Don't repeat yourself": a token that would extend the longest repeat of the tail of length L >= allowed_length costs
// multiplier * base^(L - allowed_length). The lengths are the Z function of the reversed history: linear time.
void Chain::dry() {
    if (p_.dry_multiplier == 0 || p_.dry_last_n == 0) return;
    int64_t all = static_cast<int64_t>(h_.tokens.size());
    int64_t n = p_.dry_last_n < 0 ? all : std::min<int64_t>(all, p_.dry_last_n);
    auto back = [&](int64_t i) { return h_.tokens[static_cast<size_t>(all - 1 - i)]; };  // i = 0: the last token
    auto breaker = [&](int32_t id) { return std::find(p_.dry_breakers.begin(), p_.dry_breakers.end(), id) != p_.dry_breakers.end(); };
    int64_t tail = 0;  // a repeat may not reach back over a breaker
    while (tail < n && !breaker(back(tail))) ++tail;
    if (n < 2 || tail < p_.dry_allowed_length) return;
    w_.match_.assign(static_cast<size_t>(n), 0);
    auto z = [&](int64_t i) -> int32_t & { return w_.match_[static_cast<size_t>(i)]; };
    for (int64_t i = 1, left = 0, right = 0; i < n; ++i) {
        int64_t len = i < right ? std::min<int64_t>(right - i, z(i - left)) : 0;
        while (i + len < n && back(len) == back(i + len)) ++len;
        z(i) = static_cast<int32_t>(len);
        if (i + len > right) left = i, right = i + len;
    }
    w_.touched_.clear();
    for (int64_t i = 1; i < n; ++i) {
        int32_t len = static_cast<int32_t>(std::min<int64_t>(z(i), tail)), next = back(i - 1);
        if (len < p_.dry_allowed_length || breaker(next)) continue;
        uint32_t &c = w_.counts_[static_cast<size_t>(next)];
        if (c == 0) w_.touched_.push_back(next);
        c = std::max(c, static_cast<uint32_t>(len));
    }
    auto cost = [&](uint32_t len) {
        // 1e30 keeps the logit finite whatever the repeat's length.
        double v = p_.dry_multiplier * exp64(log64(p_.dry_base) * static_cast<double>(len - static_cast<uint32_t>(p_.dry_allowed_length)));
        return static_cast<float>(std::min(v, 1e30));
    };
    if (listed_) {
        for (Candidate &c : list())
            if (uint32_t len = w_.counts_[static_cast<size_t>(c.id)]) c.logit -= cost(len);
        sorted_ = best_known_ = false;
    } else if (!w_.touched_.empty()) {
        float *row = own_row();
        for (int32_t id : w_.touched_) row[id] -= cost(w_.counts_[static_cast<size_t>(id)]);
    }
    for (int32_t id : w_.touched_) w_.counts_[static_cast<size_t>(id)] = 0;
}

}  // namespace inlay::sample
