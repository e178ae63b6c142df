// SPDX-License-Identifier: Apache-2.0
// The one place where hyper-parameters are held to sense, whichever format they came from.
#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace inlay::model {

namespace {

void in_range(const char *what, int64_t v, int64_t low, uint64_t high) {
    if (v < low) fail(Code::format, what, " is ", v, ", at least ", low, " is needed");
    if (static_cast<uint64_t>(v) > high) fail(Code::limit, what, " ", v, " exceeds the limit ", high);
}

void finite(const char *what, double v) {
    if (!std::isfinite(v)) fail(Code::format, what, " is not a finite number");
}

void check_rope(const RopeSpec &r, int32_t head) {
    if (r.dims < 2 || r.dims > head || r.dims % 2) fail(Code::format, "rope dimensions ", r.dims, " must be even and 2 to ", head);
    // Below 1 the slowest pair would turn faster than the first; 1e-30 .. 1e30 is far beyond any model.
    if (!(r.theta > 1e-30 && r.theta < 1e30)) fail(Code::format, "rope base ", r.theta, " is not a usable number");
    if (!(r.factor > 1e-6 && r.factor < 1e6)) fail(Code::format, "rope scaling factor ", r.factor, " is not a usable number");
    if (!(r.attention_factor > 1e-6 && r.attention_factor < 1e6))
        fail(Code::format, "rope attention factor ", r.attention_factor, " is not a usable number");
    for (const auto *list : {&r.short_factor, &r.long_factor}) {
        if (!list->empty() && static_cast<int64_t>(list->size()) != r.dims / 2)
            fail(Code::format, "rope has ", list->size(), " frequency factors, ", r.dims / 2, " are needed");
        for (float f : *list)
            if (!(f > 0.0f && f < 1e30f)) fail(Code::format, "rope frequency factor ", f, " is not a usable number");
    }
    if (r.scaling == RopeScaling::longrope && (r.short_factor.empty() || r.long_factor.empty()))
        fail(Code::format, "longrope scaling without its short and long factors");
    if (r.scaling == RopeScaling::llama3 || r.scaling == RopeScaling::yarn || r.scaling == RopeScaling::longrope)
        if (r.original_ctx < 1) fail(Code::format, "rope scaling needs an original context length, got ", r.original_ctx);
    if (r.scaling == RopeScaling::llama3 && !(r.low_freq_factor > 0 && r.high_freq_factor > r.low_freq_factor))
        fail(Code::format, "rope frequency factors ", r.low_freq_factor, " and ", r.high_freq_factor, " are not ascending");
    if (r.scaling == RopeScaling::yarn && !(r.beta_slow > 0 && r.beta_fast >= r.beta_slow && r.theta != 1.0))
        fail(Code::format, "yarn betas ", r.beta_fast, " and ", r.beta_slow, " are not usable");
    if (r.scaling == RopeScaling::dynamic && (r.dims <= 2 || r.ctx < 1 || r.factor < 1.0))
        fail(Code::format, "dynamic rope scaling needs more than 2 dimensions, a context length and a factor of at least 1");
}

}  // namespace

int32_t Config::max_head() const noexcept {
    int32_t n = 0;
    for (const auto &l : layers) n = std::max(n, l.n_head);
    return n;
}
int32_t Config::max_head_kv() const noexcept {
    int32_t n = 0;
    for (const auto &l : layers) n = std::max(n, l.n_head_kv);
    return n;
}
int32_t Config::max_ff() const noexcept {
    int32_t n = 0;
    for (const auto &l : layers)
        if (!l.moe) n = std::max(n, l.n_ff);
    return n;
}
int32_t Config::max_window() const noexcept {
    int32_t n = 0;
    for (const auto &l : layers) n = std::max(n, l.window);
    return n;
}

void Config::fill_layers(const LayerConfig &all, const Limits &limits) {
    in_range("layer count", n_layers, 1, limits.layers);
    layers.assign(static_cast<size_t>(n_layers), all);
}

void extend_context(Config &c, const Limits &limits) noexcept {
    if (c.ropes.empty()) return;
    const RopeSpec &r = c.ropes[0];
    double reach = c.ctx;
    if (r.scaling == RopeScaling::yarn) reach = r.original_ctx * r.factor;
    if (r.scaling == RopeScaling::dynamic) reach = 4.0 * r.ctx * r.factor;
    if (reach > c.ctx) c.ctx = static_cast<int32_t>(std::min(reach, static_cast<double>(limits.ctx)));
}

void Config::check(const Limits &limits) const {
    in_range("layer count", n_layers, 1, limits.layers);
    require(layers.size() == static_cast<size_t>(n_layers), "config has ", layers.size(), " layers of ", n_layers);
    in_range("embedding length", hidden, 1, limits.embedding);
    in_range("vocabulary size", vocab, 1, limits.vocab);
    // "As long as the model" of nothing, or of billions, is a cap overrun and never clamped in silence.
    if (ctx < 0) fail(Code::format, "context length is ", ctx);
    if (ctx == 0 || static_cast<uint64_t>(ctx) > limits.ctx) fail(Code::limit, "context length ", ctx, " is not within 1 to ", limits.ctx);
    // 4,096 is 8 times the largest head of any published model; it bounds the attention's scratch.
    in_range("key length", head_k, 1, 4096);
    in_range("value length", head_v, 1, 4096);
    for (const LayerConfig &l : layers) {
        in_range("head count", l.n_head, 1, limits.heads);
        in_range("key/value head count", l.n_head_kv, 1, limits.heads);
        if (l.n_head % l.n_head_kv)
            fail(Code::format, "head count ", l.n_head, " is no multiple of the key/value head count ", l.n_head_kv);
        if (!l.moe) in_range("feed-forward length", l.n_ff, 1, limits.embedding * 16);
        in_range("sliding window", l.window, 0, limits.ctx);
        require(l.rope < static_cast<int32_t>(ropes.size()), "layer turns by rope ", l.rope, " of ", ropes.size());
        if (l.moe && moe.n_experts == 0) fail(Code::format, "a layer of experts in a model without them");
    }
    const int32_t turned = mla.kv_rank ? mla.qk_rope : head_k;
    for (const RopeSpec &r : ropes) check_rope(r, turned);
    if (!(eps > 1e-30 && eps < 1.0)) fail(Code::format, "norm epsilon ", eps, " is not between 0 and 1");
    finite("attention scale", attn_scale);
    if (!(attn_softcap >= 0 && attn_softcap < 1e30)) fail(Code::format, "attention softcap ", attn_softcap, " is not usable");
    if (!(final_softcap >= 0 && final_softcap < 1e30)) fail(Code::format, "final softcap ", final_softcap, " is not usable");
    finite("embedding scale", embed_scale);
    finite("residual scale", residual_scale);
    finite("logit scale", logit_scale);
    in_range("learned positions", n_positions, 0, limits.ctx);
    in_range("position offset", position_offset, 0, limits.ctx);
    in_range("token types", n_token_types, 0, limits.vocab);
    if (n_positions > 0 && ctx + position_offset > n_positions)
        fail(Code::format, "context length ", ctx, " exceeds the ", n_positions, " learned positions");
    in_range("expert count", moe.n_experts, 0, limits.experts);
    if (moe.n_experts) {
        if (moe.n_used < 1 || moe.n_used > moe.n_experts) fail(Code::format, "experts used ", moe.n_used, " must be 1 to ", moe.n_experts);
        in_range("expert feed-forward length", moe.n_ff, 1, limits.embedding * 16);
        in_range("shared feed-forward length", moe.shared_ff, 0, limits.embedding * 16);
        finite("expert weight scale", moe.weight_scale);
        if (moe.n_groups < 1 || moe.n_experts % moe.n_groups || moe.n_groups_used < 1 || moe.n_groups_used > moe.n_groups)
            fail(Code::format, "expert groups ", moe.n_groups_used, " of ", moe.n_groups, " do not fit ", moe.n_experts, " experts");
        if (moe.n_used > moe.n_experts / moe.n_groups * moe.n_groups_used)
            fail(Code::format, "experts used ", moe.n_used, " exceed those of the groups used");
    }
    if (mla.kv_rank) {
        in_range("latent rank", mla.kv_rank, 1, limits.embedding);
        in_range("query rank", mla.q_rank, 0, limits.embedding);
        in_range("latent key length", mla.qk_nope, 1, 4096);
        in_range("latent rope length", mla.qk_rope, 2, 4096);
    }
}

}  // namespace inlay::model
