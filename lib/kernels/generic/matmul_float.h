// SPDX-License-Identifier: Apache-2.0
// F32, F16 and BF16 weights with f32 activations, on lanes*.h: each of 16 rows is one fma chain over k, so several
// tokens or panels run side by side to hide its latency of four cycles. A few tokens widen the weights in registers; more
// of them take a stretch of K that was widened once, while the next panels come from memory into L2 (matmul_batch.h says why there).
#pragma once

#include "kernels/signatures.h"

namespace inlay::INLAY_TIER {
namespace {

using namespace kernels;

// widened: f32 is made of them; step: k a vector holds; at(): the weights of k.. as f32.
struct WF32 {
    static constexpr bool widened = false;
    static constexpr const PanelLayout &layout = kLayoutF32;
    static constexpr int step = 1;
    INLAY_INLINE static void at(const uint8_t *p, F *w) { w[0] = loadf(reinterpret_cast<const float *>(p)); }
};
struct WF16 {
    static constexpr bool widened = true;
    static constexpr const PanelLayout &layout = kLayoutF16;
    static constexpr int step = 1;
    INLAY_INLINE static void at(const uint8_t *p, F *w) { w[0] = halves(p); }
};
struct WBF16 {
    static constexpr bool widened = true;
    static constexpr const PanelLayout &layout = kLayoutBF16;
    static constexpr int step = 2;
    INLAY_INLINE static void at(const uint8_t *p, F *w) {
        const I v = load(p);
        w[0] = as_f(sll32<16>(v));
        w[1] = as_f(and_(v, set32(static_cast<int32_t>(0xffff0000u))));
    }
};

// k that tiles pass over at once: widened ones of two panels are 16 KiB, half of a 32 KiB L1; f32 lie where they are, 128 KiB in L2.
template <class W>
constexpr int kFloatStretch = W::widened ? 128 : 1024;
// Tokens whose sums are kept while K goes by: 64 KiB of the scratch.
constexpr int kFloatTokens = 512;
// Bytes of a panel that memory is ahead of the arithmetic, at most: four such pieces stay in an L2 of 512 KiB.
constexpr int64_t kFloatAhead = 96 << 10;
// k between two of its requests, for up to so many tokens (AVX2, f32: 93 GFLOP/s of 8 tokens, 64 with 16 k); more tokens leave them to each
// tile's start, as the loop within costs 4 %.
constexpr int64_t kFloatEach = 4, kFloatAsked = 64;

INLAY_INLINE void put(const MatmulArgs *m, int64_t p, int64_t t, F f) {
    const int64_t left = m->n_rows - p * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    if (m->add) f = addf(loadf_n(m->add + t * m->ld_add + p * kPanelRows, rows), f);
    storef_n(m->y + t * m->ldy + p * kPanelRows, f, rows);
}

// P panels from p on x T tokens from t0 on, over all of K. Activations are padded with zeros to a multiple of step; the padding's
// weights are zero too, but a sum of -0 would turn +0: the odd last k is done alone.
template <class W, int P, int T>
void few_floats(const MatmulArgs *m, int64_t p, int64_t t0) {
    F acc[P][T];
    const uint8_t *w[P];
    for (int i = 0; i < P; ++i) {
        w[i] = m->panels + (p + i) * m->panel_bytes;
        for (int t = 0; t < T; ++t) acc[i][t] = zerof();
    }
    const float *x = m->act.x + t0 * m->act.ldx;
    const int64_t ld = m->act.ldx;
    constexpr int bytes = W::layout.unit_bytes;
    int64_t k = 0;
    for (; k + W::step <= m->cols; k += W::step) {
#pragma GCC unroll 4
        for (int i = 0; i < P; ++i) {
            F v[W::step];
            W::at(w[i], v);
            w[i] += bytes;
#pragma GCC unroll 2
            for (int s = 0; s < W::step; ++s)
#pragma GCC unroll 16
                for (int t = 0; t < T; ++t) acc[i][t] = fma(v[s], setf(x[t * ld + k + s]), acc[i][t]);
        }
    }
    if (k < m->cols)
        for (int i = 0; i < P; ++i) {
            F v[W::step];
            W::at(w[i], v);
            for (int t = 0; t < T; ++t) acc[i][t] = fma(v[0], setf(x[t * ld + k]), acc[i][t]);
        }
    for (int i = 0; i < P; ++i)
        for (int t = 0; t < T; ++t) put(m, p + i, t0 + t, acc[i][t]);
}

template <class W, int P, int T>
void few_floats_of(const MatmulArgs *m, int64_t p) {
    if constexpr (T > 1) {
        if (m->n_tokens < T) return few_floats_of<W, P, T - 1>(m, p);
    }
    few_floats<W, P, T>(m, p, 0);
}

// What a tile asks memory for while it computes: lines [from, to) of each panel in `shares`, one every `each` k.
struct NextFloats {
    const uint8_t *next;
    int64_t panel_bytes, from, to, each, shares;
    template <int P>
    INLAY_INLINE void ask(int64_t i) const {
        const int64_t n = to - from;
        for (int64_t line = from + i * n / shares; line < from + (i + 1) * n / shares; ++line)
            for (int j = 0; j < P; ++j) prefetch_l2(next + j * panel_bytes + 64 * line);
    }
};

// T tokens over n k of P panels, 16 f32 each k; sums is [T][P][16].
template <int P, int T>
void float_tile(const float *const (&w)[P], int64_t n, const float *x, int64_t ldx, const NextFloats &ahead, float *sums) {
    F acc[P][T];
    for (int i = 0; i < P; ++i)
        for (int t = 0; t < T; ++t) acc[i][t] = loadf(sums + 16 * (P * t + i));
    for (int64_t k = 0, share = 0; k < n; ++share) {
        ahead.ask<P>(share);
        for (const int64_t end = k + ahead.each < n ? k + ahead.each : n; k < end; ++k) {
            F v[P];
#pragma GCC unroll 2
            for (int i = 0; i < P; ++i) v[i] = loadf(w[i] + 16 * k);
#pragma GCC unroll 16
            for (int t = 0; t < T; ++t) {
                const F f = setf(x[t * ldx + k]);
#pragma GCC unroll 2
                for (int i = 0; i < P; ++i) acc[i][t] = fma(v[i], f, acc[i][t]);
            }
        }
    }
    for (int i = 0; i < P; ++i)
        for (int t = 0; t < T; ++t) storef(sums + 16 * (P * t + i), acc[i][t]);
}
template <int P, int T>
void float_tile_of(int64_t tokens, const float *const (&w)[P], int64_t n, const float *x, int64_t ldx, const NextFloats &ahead,
                   float *sums) {
    if constexpr (T > 1) {
        if (tokens < T) return float_tile_of<P, T - 1>(tokens, w, n, x, ldx, ahead, sums);
    }
    float_tile<P, T>(w, n, x, ldx, ahead, sums);
}

// n k of a panel as f32: where they lie, or widened to `out`.
template <class W>
INLAY_INLINE const float *widened(const uint8_t *panel, int64_t n, float *out) {
    if constexpr (!W::widened) {
        return reinterpret_cast<const float *>(panel);
    } else {
        float *to = out;
        for (int64_t k = 0; k < n; k += W::step, panel += W::layout.unit_bytes) {
            F v[W::step];
            W::at(panel, v);
#pragma GCC unroll 2
            for (int s = 0; s < W::step; ++s, to += 16) storef(to, v[s]);
        }
        return out;
    }
}

// All tokens of P panels from p on, tiles of up to T tokens, the last two of equal size.
template <class W, int P, int T, bool asks>
void many_floats(const MatmulArgs *m, int64_t p) {
    constexpr int64_t k_bytes = W::layout.unit_bytes / W::step, stretch = kFloatStretch<W>;
    static_assert(P * (kFloatTokens + (W::widened ? stretch : 0)) * 16 * sizeof(float) <= kMatmulScratch);
    auto *sums = static_cast<float *>(m->scratch), *room = sums + P * 16 * kFloatTokens;
    const uint8_t *panel = m->panels + p * m->panel_bytes;
    const int64_t distance = m->panel_bytes < kFloatAhead ? m->panel_bytes : kFloatAhead;
    for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kFloatTokens) {
        const int64_t n_tokens = m->n_tokens - t0 < kFloatTokens ? m->n_tokens - t0 : kFloatTokens, n_tiles = (n_tokens + T - 1) / T;
        for (int64_t i = 0; i < n_tokens * P * 16; i += 16) storef(sums + i, zerof());
        for (int64_t k = 0; k < m->cols; k += stretch) {
            const int64_t n = m->cols - k < stretch ? m->cols - k : stretch, at = k * k_bytes, lines = asks ? n * k_bytes / 64 : 0;
            const int64_t each = asks && n_tokens <= kFloatAsked ? kFloatEach : n, shares = (n + each - 1) / each;
            const float *w[P];
            for (int i = 0; i < P; ++i) w[i] = widened<W>(panel + i * m->panel_bytes + at, n, room + i * 16 * stretch);
            int64_t next = at + distance;
            if (next >= m->panel_bytes) next += (P - 1) * m->panel_bytes;
            const float *x = m->act.x + t0 * m->act.ldx + k;
            for (int64_t t = 0, i = 0, step; t < n_tokens; t += step, ++i) {
                const int64_t left = n_tokens - t;
                step = left <= T ? left : left < 2 * T ? (left + 1) / 2 : T;
                float_tile_of<P, T>(step, w, n, x + t * m->act.ldx, m->act.ldx,
                                    {panel + next, m->panel_bytes, i * lines / n_tiles, (i + 1) * lines / n_tiles, each, shares},
                                    sums + P * 16 * t);
            }
        }
        for (int64_t t = 0; t < n_tokens; ++t)
            for (int i = 0; i < P; ++i) put(m, p + i, t0 + t, loadf(sums + 16 * (P * t + i)));
    }
}

template <class W, int P, int T, bool asks>
INLAY_INLINE void float_panels(const MatmulArgs *m, int64_t p) {
    if (m->n_tokens > T)
        many_floats<W, P, T, asks>(m, p);
    else
        few_floats_of<W, P, T>(m, p);
}

// Two panels x T tokens fill the registers; one token alone takes `alone` panels for as many chains.
template <class W, int T, int alone, bool asks = true>
void matmul_float(const MatmulArgs *m) noexcept {
    int64_t p = 0;
    if (m->n_tokens == 1)
        for (; m->n_panels - p >= alone; p += alone) few_floats<W, alone, 1>(m, p, 0);
    for (; m->n_panels - p >= 2; p += 2) float_panels<W, 2, T, asks>(m, p);
    if (p < m->n_panels) float_panels<W, 1, T, asks>(m, p);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
