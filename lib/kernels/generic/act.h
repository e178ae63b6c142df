// SPDX-License-Identifier: Apache-2.0
// Activations, with the gate's product where there is one. The contract is ActArgs's.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

// exp(-x), x limited to +-86.5: past that a logistic is 0 or 1 anyway, and the limits cost less than exp's own edges.
INLAY_INLINE V exp_neg(V x) { return exp_core<127>(max(set1(-86.5f), min(set1(86.5f), neg(x)))); }

struct Silu {
    static INLAY_INLINE V of(V g) { return div(g, add(set1(1.0f), exp_neg(g))); }
};
struct QuickGelu {
    static INLAY_INLINE V of(V g) { return div(g, add(set1(1.0f), exp_neg(mul(g, set1(kernels::kQuickGelu))))); }
};
// 0.5 (1 + tanh u) = 1 / (1 + exp(-2 u)): one exponential, and no cancellation where g is far below 0.
struct GeluTanh {
    static INLAY_INLINE V of(V g) {
        const V twice = mul(g, fma(set1(kernels::kGeluTanhB), mul(g, g), set1(kernels::kGeluTanhA)));
        return div(g, add(set1(1.0f), exp_neg(twice)));
    }
};
struct GeluErf {
    static INLAY_INLINE V of(V g) {
        V t = erf(mul(g, set1(kernels::kSqrtHalf)));
        return mul(mul(set1(0.5f), g), add(set1(1.0f), t));
    }
};
struct Relu {
    static INLAY_INLINE V of(V g) { return select(lt(zero(), g), g, zero()); }
};

template <class Act>
void act(const kernels::ActArgs *a) noexcept {
    for (int64_t row = 0; row < a->rows; ++row) {
        const float *g = a->g + row * a->ldg;
        const float *u = a->u ? a->u + row * a->ldu : nullptr;
        float *y = a->y + row * a->ldy;
        each_group(a->n, [&](int64_t i, int count) __attribute__((always_inline)) {
            V v = Act::of(load_n(g + i, count));
            if (u) v = mul(v, load_n(u + i, count));
            store_n(y + i, v, count);
        });
    }
}

}  // namespace

void init_act(kernels::KernelTable &t) noexcept;
void init_act(kernels::KernelTable &t) noexcept {
    t.act_silu = act<Silu>;
    t.act_gelu_tanh = act<GeluTanh>;
    t.act_gelu_erf = act<GeluErf>;
    t.act_relu = act<Relu>;
    t.act_quick_gelu = act<QuickGelu>;
}

}  // namespace inlay::INLAY_TIER
