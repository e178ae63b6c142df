// SPDX-License-Identifier: Apache-2.0
// Experts: every token picks a few, the pairs (expert, token) are sorted by expert so that each expert's weights are
// read once for all its tokens, and a token's sum runs over its experts in ascending order whoever shares the batch.
#include <algorithm>
#include <cmath>

#include "model/forward_state.h"

namespace inlay::model {

void Forward::State::route_rows(int64_t a, int64_t b, int worker) noexcept {
    const MoeConfig &moe = config.moe;
    const int64_t n = moe.n_experts, used = moe.n_used;
    float *p = work.data() + static_cast<size_t>(worker) * static_cast<size_t>(n);  // what the choice goes by
    const float *bias = weights.f32(layer_weights().router.bias), *choice_bias = weights.f32(layer_weights().selection_bias);
    for (int64_t r = a; r < b; ++r) {
        float *score = router.row(r);
        if (bias) k.add(bias, score, n);
        if (moe.gating == Gating::softmax) {
            k.softmax(score, n, 1, n);
        } else if (moe.gating == Gating::sigmoid) {
            for (int64_t e = 0; e < n; ++e) score[e] = -score[e];
            k.map_exp(score, score, n);
            for (int64_t e = 0; e < n; ++e) score[e] = 1.0f / (1.0f + score[e]);
        }
        std::copy_n(score, n, p);
        if (choice_bias) k.add(choice_bias, p, n);
        int32_t *ids = chosen.data() + r * used;
        float *w = chosen_weight.data() + r * used;
        limit_groups(p);
        // The best `used`, the lower id first on a tie; NaN is never chosen while a number is left.
        for (int64_t j = 0; j < used; ++j) {
            int64_t best = k.argmax(p, n);
            if (best < 0)
                for (best = 0; std::find(ids, ids + j, static_cast<int32_t>(best)) != ids + j;) ++best;
            ids[j] = static_cast<int32_t>(best);
            p[best] = std::nanf("");
        }
        std::sort(ids, ids + used);
        float sum = 0.0f;
        for (int64_t j = 0; j < used; ++j) w[j] = score[ids[j]], sum += w[j];
        if (moe.gating == Gating::softmax_of_chosen) {
            k.softmax(w, used, 1, used);
        } else if (moe.norm_weights) {
            if (moe.gating == Gating::sigmoid) sum += 1e-20f;  // as DeepSeek-V3 does against all zeros
            for (int64_t j = 0; j < used; ++j) w[j] /= sum;
        }
        if (moe.weight_scale != 1.0)
            for (int64_t j = 0; j < used; ++j) w[j] *= static_cast<float>(moe.weight_scale);
    }
}

// DeepSeek: only the best groups of experts stay in the choice. A group counts as its best, in V3 as its best two.
void Forward::State::limit_groups(float *p) const noexcept {
    const MoeConfig &moe = config.moe;
    const int32_t groups = moe.n_groups, size = moe.n_experts / groups;
    if (moe.n_groups_used >= groups) return;
    auto strength = [&](int32_t g) {
        float first = -INFINITY, second = -INFINITY;
        for (int32_t e = g * size; e < (g + 1) * size; ++e) {
            if (p[e] > first)
                second = first, first = p[e];
            else if (p[e] > second)
                second = p[e];
        }
        return moe.gating == Gating::sigmoid && size > 1 ? first + second : first;
    };
    for (int32_t drop = groups - moe.n_groups_used; drop > 0; --drop) {
        int32_t worst = -1;
        float least = INFINITY;
        for (int32_t g = 0; g < groups; ++g) {
            if (std::isnan(p[g * size])) continue;  // dropped before
            const float s = strength(g);
            if (worst < 0 || s <= least) worst = g, least = s;
        }
        if (worst < 0) return;
        for (int32_t e = worst * size; e < (worst + 1) * size; ++e) p[e] = std::nanf("");
    }
}

void Forward::State::bucket() noexcept {
    const int64_t used = config.moe.n_used, pairs = n_live * used;
    std::fill(expert_first.begin(), expert_first.end(), 0);
    for (int64_t i = 0; i < pairs; ++i) ++expert_first[static_cast<size_t>(chosen[static_cast<size_t>(i)]) + 1];
    busy.clear();
    for (size_t e = 0; e + 1 < expert_first.size(); ++e) {
        if (expert_first[e + 1]) busy.push_back(static_cast<int32_t>(e));
        expert_first[e + 1] += expert_first[e];
    }
    // Filling moves each expert's start to its end; the loop after it moves them back.
    for (int64_t i = 0; i < pairs; ++i) {
        const int32_t at = expert_first[static_cast<size_t>(chosen[static_cast<size_t>(i)])]++;
        pair_token[static_cast<size_t>(at)] = static_cast<int32_t>(i / used);
        chosen_pair[static_cast<size_t>(i)] = at;
    }
    for (size_t e = expert_first.size() - 1; e > 0; --e) expert_first[e] = expert_first[e - 1];
    expert_first[0] = 0;
}

void Forward::State::moe_in_rows(int64_t a, int64_t b) noexcept {
    const Linear &l = layer_weights().experts[0].gate_up;
    for (int64_t p = a; p < b; ++p) round_rows(l, t.row(pair_token[static_cast<size_t>(p)]), t.ld, p, 1, pair_q8, pair_f32);
}

// All experts of a layer have the same shapes; a slice belongs to one of the busy ones.
FfnCut Forward::State::expert_cut(const Expert &x, int64_t n) const noexcept {
    const auto share = static_cast<int64_t>(busy.size());
    return ffn_cut(x.gate_up, config.moe.n_ff, n, (wanted_slices() + share - 1) / share, false);
}

void Forward::State::prepare_experts(bool down) {
    n_slices = 0;
    busy_slices.clear();
    for (int32_t e : busy) {
        const Expert &x = layer_weights().experts[static_cast<size_t>(e)];
        const int64_t n = expert_first[static_cast<size_t>(e) + 1] - expert_first[static_cast<size_t>(e)];
        busy_slices.push_back(n_slices);
        n_slices += down ? make_tiles(x.down, n).total : expert_cut(x, n).total;
    }
}

void Forward::State::expert_slice(int64_t i, bool down, int worker) noexcept {
    const size_t at = static_cast<size_t>(std::upper_bound(busy_slices.begin(), busy_slices.end(), i) - busy_slices.begin()) - 1;
    const size_t e = static_cast<size_t>(busy[at]);
    const Expert &x = layer_weights().experts[e];
    const int64_t first = expert_first[e], n = expert_first[e + 1] - first;
    i -= busy_slices[at];
    if (down)
        product(x.down, make_tiles(x.down, n), i, pair_mid_q8, pair_mid_f32, first, n, pair_out.row(first), pair_out.ld, nullptr, worker);
    else
        ffn_slice(x.gate_up, x.down, expert_cut(x, n), i, {first, n, &pair_q8, &pair_f32, &pair_mid_q8, &pair_mid_f32}, worker);
}

void Forward::State::combine_rows(int64_t a, int64_t b) noexcept {
    const int64_t used = config.moe.n_used, h = config.hidden;
    for (int64_t r = a; r < b; ++r) {
        float *y = t.row(r);
        for (int64_t j = 0; j < used; ++j) {
            const size_t i = static_cast<size_t>(r * used + j);
            float *part = pair_out.row(chosen_pair[i]);
            const float *bias = weights.f32(layer_weights().experts[static_cast<size_t>(chosen[i])].down.bias);
            if (bias) k.add(bias, part, h);
            if (j == 0)
                k.scale(part, chosen_weight[i], y, h);
            else
                k.axpy(part, chosen_weight[i], y, h);
        }
    }
}

}  // namespace inlay::model
