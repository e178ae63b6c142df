// SPDX-License-Identifier: Apache-2.0
// F32, F16 and BF16 weights with f32 activations, on lanes*.h: each of 16 rows is one fma chain over k, so several
// tokens or panels run side by side to hide its latency of four cycles.
#pragma once

#include "kernels/signatures.h"

namespace inlay::INLAY_TIER {
namespace {

using namespace kernels;

// step: k a vector holds; at(): the weights of k.. as f32.
struct WF32 {
    static constexpr const PanelLayout &layout = kLayoutF32;
    static constexpr int step = 1;
    INLAY_INLINE static void at(const uint8_t *p, F *w) { w[0] = loadf(reinterpret_cast<const float *>(p)); }
};
struct WF16 {
    static constexpr const PanelLayout &layout = kLayoutF16;
    static constexpr int step = 1;
    INLAY_INLINE static void at(const uint8_t *p, F *w) { w[0] = halves(p); }
};
struct WBF16 {
    static constexpr const PanelLayout &layout = kLayoutBF16;
    static constexpr int step = 2;
    INLAY_INLINE static void at(const uint8_t *p, F *w) {
        const I v = load(p);
        w[0] = as_f(sll32<16>(v));
        w[1] = as_f(and_(v, set32(static_cast<int32_t>(0xffff0000u))));
    }
};

INLAY_INLINE void put(const MatmulArgs *m, int64_t p, int64_t t, F f) {
    const int64_t left = m->n_rows - p * kPanelRows;
    const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
    if (m->add) f = addf(loadf_n(m->add + t * m->ld_add + p * kPanelRows, rows), f);
    storef_n(m->y + t * m->ldy + p * kPanelRows, f, rows);
}

// P panels from p on x T tokens from t0 on. Activations are padded with zeros to a multiple of step; the padding's
// weights are zero too, but a sum of -0 would turn +0: the odd last k is done alone.
template <class W, int P, int T>
void tile(const MatmulArgs *m, int64_t p, int64_t t0) {
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
INLAY_INLINE void tokens(const MatmulArgs *m, int64_t p) {
    int64_t t = 0;
    for (; m->n_tokens - t >= T; t += T) tile<W, P, T>(m, p, t);
    if constexpr (T > 4)
        for (; m->n_tokens - t >= 4; t += 4) tile<W, P, 4>(m, p, t);
    for (; m->n_tokens - t >= 1; ++t) tile<W, P, 1>(m, p, t);
}

// Two panels x T tokens fill the registers; one token alone takes `alone` panels for as many chains.
template <class W, int T, int alone>
void matmul_float(const MatmulArgs *m) noexcept {
    int64_t p = 0;
    if (m->n_tokens == 1)
        for (; m->n_panels - p >= alone; p += alone) tile<W, alone, 1>(m, p, 0);
    for (; m->n_panels - p >= 2; p += 2) tokens<W, 2, T>(m, p);
    if (p < m->n_panels) tokens<W, 1, T>(m, p);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
