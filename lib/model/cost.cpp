// SPDX-License-Identifier: Apache-2.0
#include "model/cost.h"

#include <algorithm>

namespace inlay::model {

namespace {

uint64_t count(const Linear &l) noexcept { return static_cast<uint64_t>(l.rows) * static_cast<uint64_t>(l.cols); }

uint64_t bytes(const Weights &w, const Linear &l) noexcept {
    uint64_t n = 0;
    for (int32_t i = 0; i < l.n_parts; ++i) n += w.matrix(l.parts[i].matrix).bytes();
    return n;
}

}  // namespace

TokenCost token_cost(const Weights &w, const Config &c) noexcept {
    TokenCost cost;
    auto add = [&](const Linear &l, uint64_t times = 1) {
        cost.layer_weights += count(l) * times;
        cost.step_bytes += bytes(w, l) * times;
    };
    for (int32_t i = w.range().begin; i < w.range().end; ++i) {
        const LayerWeights &l = w.layer(i);
        for (const Linear *m : {&l.qkv, &l.o, &l.gate_up, &l.down, &l.router, &l.shared_gate_up, &l.shared_down, &l.q_b, &l.kv_b}) add(*m);
        if (l.experts.empty()) continue;
        // All experts of a layer have one shape, and a token goes through n_used of them.
        uint64_t used = std::min<uint64_t>(static_cast<uint64_t>(c.moe.n_used), l.experts.size());
        add(l.experts[0].gate_up, used);
        add(l.experts[0].down, used);
    }
    cost.step_bytes += bytes(w, w.head);
    return cost;
}

}  // namespace inlay::model
