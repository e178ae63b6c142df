// SPDX-License-Identifier: Apache-2.0
// The bytes of a KV panel and the kernels that work on them. A panel holds 16 tokens (one block of the cache) of one
// layer and KV head: first K, then V.
//
//   K: dims [k_dim] of rows of 16 tokens: element (i, t) at i * 16 + t. So q * K has a token in each lane.
//   V: tokens [16] of rows of v_pad dims (v_dim up to a multiple of 16, zeros past it). So p * V has a dim in each lane.
//   q8_0: int8 with one f16 scale per token and 32 dims. K bytes are value + 128 in groups of 4 dims, (i, t) at
//         (i / 4) * 64 + t * 4 + i % 4, k_dim up to a multiple of 32 (zeros past it), then scales [k_pad / 32][16];
//         V bytes are signed, [16][v_pad32], then scales [v_pad32 / 32][16].
#pragma once

#include "kernels/signatures/matmul.h"
#include "kernels/types.h"

namespace inlay::kernels {

inline constexpr int kKvTokens = 16;      // tokens a panel
inline constexpr int kChunkTokens = 256;  // keys that share one local maximum: the unit of the fixed order
inline constexpr int kChunkPanels = kChunkTokens / kKvTokens;

enum class KvType : int32_t { f32, f16, bf16, q8_0 };

constexpr int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
constexpr int64_t kv_element_bytes(KvType t) { return t == KvType::f32 ? 4 : t == KvType::q8_0 ? 1 : 2; }
// Dims of a V row as stored.
constexpr int64_t v_stride(KvType t, int64_t v_dim) { return round_up(v_dim, t == KvType::q8_0 ? 32 : 16); }
// Offset of V within a panel, and bytes of the whole; both multiples of 64.
constexpr int64_t kv_v_offset(KvType t, int64_t k_dim) {
    if (t == KvType::q8_0) return round_up(round_up(k_dim, 32) * 16 + round_up(k_dim, 32) / 32 * 32, 64);
    return round_up(k_dim * kKvTokens * kv_element_bytes(t), 64);
}
constexpr int64_t kv_panel_bytes(KvType t, int64_t k_dim, int64_t v_dim) {
    const int64_t v = v_stride(t, v_dim);
    return kv_v_offset(t, k_dim) + round_up(kKvTokens * v * kv_element_bytes(t) + (t == KvType::q8_0 ? v / 32 * 32 : 0), 64);
}

// Stores one token of one head at `slot` of a panel. Rounds to nearest even. q8_0: d = f16(amax / 127),
// q = round-half-even(x * (1 / d)) within +-127, 0 where d is 0.
using KvWriteFn = void(const float *k, const float *v, uint8_t *panel, int64_t slot, int64_t k_dim, int64_t v_dim) noexcept;

// s[r][t] = dot(q[r], K[t]): one chain of fma over dims from 0 upwards, starting at 0. q8_0: blocks of 32 dims, the
// exact integer dot of q's int8 and K's, then acc = fma(float(dot), (d_q * p_q) * d_k, acc).
// Tokens past the sequence's end within the last panel get a value that nobody uses.
struct AttnScoresArgs {
    const float *q;                // [rows, ldq], scaled; float types
    ActView act;                   // [rows]; q8_0
    const uint8_t *const *panels;  // [n_panels]
    float *s;                      // [rows, lds]
    int64_t ldq, lds, rows, n_panels, k_dim;
};
using AttnScoresFn = void(const AttnScoresArgs *) noexcept;

// Row by row over tokens [first, last) of a chunk: s = cap * tanh(s / cap) where cap > 0; m = max s; p = exp(s - m), in
// place of s; l = sum p by the rule of 16 partial sums. Tokens outside get p = 0 within the groups of 16 that are touched.
struct AttnSoftmaxArgs {
    float *s;  // [rows, lds]
    float *m;  // [rows]
    float *l;  // [rows]
    int64_t lds, rows, first, last;
    float softcap;
};
using AttnSoftmaxFn = void(const AttnSoftmaxArgs *) noexcept;

// o[r][i] = fma(p[r][t], V[t][i], o[r][i]) for t in [first, last) of the chunk, ascending. q8_0: fma(p * d, float(V), o).
struct AttnValuesArgs {
    const float *p;                // [rows, ldp]
    const uint8_t *const *panels;  // [kChunkPanels], those of [first, last) are read; to the panel's start, as in scores
    float *o;                      // [rows, ldo], v_stride() dims are written
    int64_t ldp, ldo, rows, first, last, k_dim, v_dim;
};
using AttnValuesFn = void(const AttnValuesArgs *) noexcept;

// Joins a chunk to the sums of those before it, row by row: top = m > mc ? m : mc, a = exp(m - top), b = exp(mc - top),
// l = fma(l, a, lc * b), o = fma(o, a, oc * b) over n dims, m = top.
struct AttnJoinArgs {
    float *m, *l;         // [rows]
    float *o;             // [rows, ld]
    const float *mc, *lc;
    const float *oc;
    int64_t ld, rows, n;
};
using AttnJoinFn = void(const AttnJoinArgs *) noexcept;

}  // namespace inlay::kernels
