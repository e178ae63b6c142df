// SPDX-License-Identifier: Apache-2.0
// Attention over KV panels. Scores and values are small matrix products: a tile of query rows shares each load of K or
// V, and every output keeps one chain of fma in ascending order, so tiles change nothing in the bits.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

using kernels::KvType;

// Accumulators a tile may hold, in V: AVX-512 24 of 32 registers (the rest: loads and a broadcast), AVX2 6 of 8 pairs,
// NEON 6 of 8 quads.
#if defined(__AVX512F__)
inline constexpr int kTile = 24, kTileRows = 12;
#elif defined(__AVX2__) || (defined(__aarch64__) && !defined(INLAY_PLAIN_LANES))
inline constexpr int kTile = 6, kTileRows = 6;
#else
inline constexpr int kTile = 8, kTileRows = 4;
#endif
constexpr int columns_of(int rows) {
    if (kTile == 6 && rows == 3) return 1;  // two columns would need 17 ymm registers
    int c = 1;
    while (c < 8 && rows * c * 2 <= kTile) c *= 2;
    return c;
}

template <KvType T>
INLAY_INLINE V load_kv(const uint8_t *p) {
    if constexpr (T == KvType::f32) return load(reinterpret_cast<const float *>(p));
    else if constexpr (T == KvType::f16) return load_f16(reinterpret_cast<const uint16_t *>(p));
    else if constexpr (T == KvType::bf16) return load_bf16(reinterpret_cast<const uint16_t *>(p));
    else return load_i8(reinterpret_cast<const int8_t *>(p));
}

INLAY_INLINE void prefetch(const uint8_t *p) { __builtin_prefetch(p, 0, 3); }
INLAY_INLINE void prefetch_l2(const uint8_t *p) { __builtin_prefetch(p, 0, 2); }

// ---- scores: R rows, P panels of 16 tokens
template <KvType T, int R, int P>
INLAY_INLINE void score_tile(const kernels::AttnScoresArgs *a, int64_t row, int64_t panel) {
    constexpr int64_t step = kLanes * kernels::kv_element_bytes(T);
    const float *q = a->q + row * a->ldq;
    const uint8_t *k[P], *ahead[P];
    for (int p = 0; p < P; ++p) {
        k[p] = a->panels[panel + p];
        // Panels lie far apart, so the hardware does not see the next one coming.
        ahead[p] = panel + P + p < a->n_panels ? a->panels[panel + P + p] : k[p];
    }
    // With few rows (decode) memory is what counts: the panel's V, read next, comes in beside its K.
    constexpr bool fetch_v = R <= 8;
    const int64_t v_offset = kernels::kv_v_offset(T, a->k_dim);
    V acc[R][P];
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) acc[r][p] = zero();
    for (int64_t i = 0; i < a->k_dim; ++i) {
        V kv[P];
        for (int p = 0; p < P; ++p) {
            prefetch(ahead[p] + i * step);
            if (fetch_v) prefetch_l2(k[p] + v_offset + i * step);
            kv[p] = load_kv<T>(k[p] + i * step);
        }
        for (int r = 0; r < R; ++r) {
            const V b = set1(q[r * a->ldq + i]);
            for (int p = 0; p < P; ++p) acc[r][p] = fma(b, kv[p], acc[r][p]);
        }
    }
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) store(a->s + (row + r) * a->lds + (panel + p) * kLanes, acc[r][p]);
}

template <KvType T, int R>
void score_rows(const kernels::AttnScoresArgs *a, int64_t row) {
    constexpr int P = columns_of(R);
    int64_t p = 0;
    for (; p + P <= a->n_panels; p += P) score_tile<T, R, P>(a, row, p);
    if constexpr (P > 1)
        for (; p < a->n_panels; ++p) score_tile<T, R, 1>(a, row, p);
}

// ---- values: R rows, C groups of 16 dims, starting at group `g`; weights p [R, ldp]
template <KvType T, int R, int C>
INLAY_INLINE void value_tile(const kernels::AttnValuesArgs *a, const float *p, int64_t row, int64_t g, int64_t v_offset, int64_t stride) {
    constexpr int64_t bytes = kernels::kv_element_bytes(T);
    float *o = a->o + row * a->ldo + g * kLanes;
    V acc[R][C];
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) acc[r][c] = load(o + r * a->ldo + c * kLanes);
    for (int64_t t = a->first; t < a->last;) {
        const int64_t panel = t / kLanes, next = (panel + 1) * kLanes;
        const uint8_t *v = a->panels[panel] + v_offset + (t % kLanes * stride + g * kLanes) * bytes;
        const int64_t end = next < a->last ? next : a->last;
        const int64_t ahead = next < a->last ? a->panels[panel + 1] - a->panels[panel] : 0;
        for (; t < end; ++t, v += stride * bytes) {
            for (int64_t line = 0; line < C * kLanes * bytes; line += 64) prefetch(v + ahead + line);
            V vv[C];
            for (int c = 0; c < C; ++c) vv[c] = load_kv<T>(v + c * kLanes * bytes);
            for (int r = 0; r < R; ++r) {
                const V b = set1(p[r * a->ldp + t]);
                for (int c = 0; c < C; ++c) acc[r][c] = fma(b, vv[c], acc[r][c]);
            }
        }
    }
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) store(o + r * a->ldo + c * kLanes, acc[r][c]);
}

template <KvType T, int R>
void value_rows(const kernels::AttnValuesArgs *a, int64_t row) {
    const int64_t stride = kernels::v_stride(T, a->v_dim), offset = kernels::kv_v_offset(T, a->k_dim);
    const float *p = a->p + row * a->ldp;
    if constexpr (T == KvType::q8_0) {
        // The scales of 32 dims go into the weights, 16 tokens at a time.
        constexpr int C = columns_of(R) < 2 ? 1 : 2;
        float scaled[R * kernels::kChunkTokens];
        kernels::AttnValuesArgs b = *a;
        b.ldp = kernels::kChunkTokens;
        for (int64_t g = 0; g < stride / kLanes; g += 2) {
            for (int64_t t = a->first / kLanes * kLanes; t < a->last; t += kLanes) {
                const V d = load_f16(reinterpret_cast<const uint16_t *>(a->panels[t / kLanes] + offset + kLanes * stride) + g / 2 * kLanes);
                for (int r = 0; r < R; ++r) store(scaled + r * b.ldp + t, mul(load(p + r * a->ldp + t), d));
            }
            for (int c = 0; c < 2; c += C) value_tile<T, R, C>(&b, scaled, row, g + c, offset, stride);
        }
    } else {
        constexpr int C = columns_of(R);
        int64_t g = 0;
        for (; g + C <= stride / kLanes; g += C) value_tile<T, R, C>(a, p, row, g, offset, stride);
        if constexpr (C > 1)
            for (; g < stride / kLanes; ++g) value_tile<T, R, 1>(a, p, row, g, offset, stride);
    }
}

// Tiles of the most rows that fit, then the widest that remain. f16 and q8_0 have every height (a group of query
// heads is one tile); the others, for tests, make do with powers of two, as code size counts too.
template <KvType T>
constexpr bool has_rows(int r) {
    return r <= kTileRows && (T == KvType::f16 || T == KvType::q8_0 ? r <= 8 || r == 12 : (r & (r - 1)) == 0);
}
template <KvType T, int R, bool scores, class Args>
void tile_rows(const Args *a, int64_t row) {
    for (; row + R <= a->rows; row += R) {
        if constexpr (scores) score_rows<T, R>(a, row);
        else value_rows<T, R>(a, row);
    }
    if constexpr (R > 1) {
        if (row == a->rows) return;
        constexpr int next = has_rows<T>(R - 1) ? R - 1 : has_rows<T>(R - 2) ? R - 2 : R > 4 && has_rows<T>(R - 4) ? R - 4 : R / 2;
        tile_rows<T, next, scores>(a, row);
    }
}
constexpr int most_rows(bool every) { return every ? kTileRows : kTileRows >= 8 ? 8 : 4; }

template <KvType T>
void attn_scores(const kernels::AttnScoresArgs *a) noexcept {
    tile_rows<T, most_rows(T == KvType::f16), true>(a, 0);
}
template <KvType T>
void attn_values(const kernels::AttnValuesArgs *a) noexcept {
    tile_rows<T, most_rows(T == KvType::f16 || T == KvType::q8_0), false>(a, 0);
}

// ---- softmax within a chunk, and the joining of chunks
void attn_softmax(const kernels::AttnSoftmaxArgs *a) noexcept {
    const int64_t from = a->first / kLanes * kLanes, to = (a->last + kLanes - 1) / kLanes * kLanes;
    const V low = set1(-__builtin_inff());
    // Lanes of the group at i that take part; the groups between the first and the last are whole.
    auto masked = [&](int64_t i, V v, V other) __attribute__((always_inline)) {
        if (i >= a->first && i + kLanes <= a->last) return v;
        const int64_t f = a->first - i, l = a->last - i;
        return select(lanes_in(static_cast<int>(f > 0 ? f : 0), static_cast<int>(l < kLanes ? l : kLanes)), v, other);
    };
    // Eight rows' maxima first: each is a chain that ends in a tree, and side by side they hide each other.
    for (int64_t row0 = 0; row0 < a->rows; row0 += 8) {
        const int64_t end = row0 + 8 < a->rows ? row0 + 8 : a->rows;
        for (int64_t row = row0; row < end; ++row) {
            float *s = a->s + row * a->lds;
            if (a->softcap > 0)
                for (int64_t i = from; i < to; i += kLanes) store(s + i, mul(set1(a->softcap), tanh(div(load(s + i), set1(a->softcap)))));
            V m = low;
            for (int64_t i = from; i < to; i += kLanes) m = max(masked(i, load(s + i), low), m);
            a->m[row] = tree_max(m);
        }
        for (int64_t row = row0; row < end; ++row) {
            float *s = a->s + row * a->lds;
            const V m = set1(a->m[row]);
            V sum = zero();
            for (int64_t i = from; i < to; i += kLanes) {
                const V p = masked(i, exp_down(sub(load(s + i), m)), zero());
                store(s + i, p);
                sum = add(sum, p);
            }
            a->l[row] = tree_sum(sum);
        }
    }
}

void attn_join(const kernels::AttnJoinArgs *a) noexcept {
    each_group(a->rows, [&](int64_t row, int count) __attribute__((always_inline)) {
        const V m = load_n(a->m + row, count), mc = load_n(a->mc + row, count), top = max(m, mc);
        const V fa = exp_down(sub(m, top)), fb = exp_down(sub(mc, top));
        store_n(a->m + row, top, count);
        store_n(a->l + row, fma(load_n(a->l + row, count), fa, mul(load_n(a->lc + row, count), fb)), count);
        float x[kLanes], y[kLanes];
        store(x, fa);
        store(y, fb);
        for (int r = 0; r < count; ++r) {
            float *o = a->o + (row + r) * a->ld;
            const float *oc = a->oc + (row + r) * a->ld;
            const V vx = set1(x[r]), vy = set1(y[r]);
            each_group(a->n, [&](int64_t i, int c) __attribute__((always_inline)) {
                store_n(o + i, fma(load_n(o + i, c), vx, mul(load_n(oc + i, c), vy)), c);
            });
        }
    });
}

}  // namespace

void init_attention(kernels::KernelTable &t) noexcept;
void init_attention(kernels::KernelTable &t) noexcept {
    t.attn_scores_f32 = attn_scores<KvType::f32>;
    t.attn_scores_f16 = attn_scores<KvType::f16>;
    t.attn_scores_bf16 = attn_scores<KvType::bf16>;
    t.attn_values_f32 = attn_values<KvType::f32>;
    t.attn_values_f16 = attn_values<KvType::f16>;
    t.attn_values_bf16 = attn_values<KvType::bf16>;
    t.attn_values_q8_0 = attn_values<KvType::q8_0>;
    t.attn_softmax = attn_softmax;
    t.attn_join = attn_join;
}

}  // namespace inlay::INLAY_TIER
