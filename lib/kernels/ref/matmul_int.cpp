// SPDX-License-Identifier: Apache-2.0
// Quantised weights with int8 activations: the reference (docs/numerics.md section 5). A block of 32 k is, for each of
// 16 rows, one or two exact integer dot products and as many fma; a group of 256 k is one more. The weights of a block
// are taken out of the panel as int16, k by k, so that the integer loop runs over 16 lanes and a plain compiler vectorises it.
#include <bit>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/signatures.h"

namespace inlay::ref {

namespace {

using namespace kernels;

// What a type's block comes to. sum = sum over k of w * q, exact, over the block, or each half of it where scales are for 16 k; then
//   part = fma(float(sum) * p, scale, part)
//   part = fma(min, float(sum q) * p, part)     types with a float min a block
//   mins += m[0] * s16[0] + m[1] * s16[1]       k-quants with mins, exact
// and at the end of a group part = fma(float(mins), min / 8, part), acc = fma(part, d, acc).
struct Block {
    int16_t w[kBlock][kPanelRows];
    float scale[kPanelRows], min[kPanelRows];
    int16_t m[2][kPanelRows];
};
enum class Mins { none, block, group };
// Scales over 16 k, multiplied into w.
template <class Type>
constexpr bool halved = &Type::layout == &kLayoutQ2_K || &Type::layout == &kLayoutQ3_K || &Type::layout == &kLayoutQ6_K;

float half_at(const uint8_t *p, int r) {
    uint16_t h;
    std::memcpy(&h, p + 2 * r, 2);
    return f32_from_f16(h);
}
uint32_t word_at(const uint8_t *p, int r) {
    uint32_t w;
    std::memcpy(&w, p + 4 * r, 4);
    return w;
}
// The i-th of sixteen six-bit values.
int six_at(const uint8_t *p, int i, int r) {
    if (i < 15) return (word_at(p + 64 * (i / 5), r) >> (6 * (i % 5))) & 63;
    return static_cast<int>(word_at(p, r) >> 30 | (word_at(p + 64, r) >> 30) << 2 | (word_at(p + 128, r) >> 30) << 4);
}

// Codes of a block: nibbles, then crumbs, then bits, each where the type has them.
template <bool nibbles, bool crumbs, bool bits>
int code_at(const uint8_t *p, int g, int at) {
    int v = 0, shift = 0;
    if constexpr (nibbles) {
        v = (p[64 * (g & 3) + at] >> (4 * (g >> 2))) & 15;
        p += 256;
        shift = 4;
    }
    if constexpr (crumbs) {
        v |= ((p[64 * (g >> 2) + at] >> (2 * (g & 3))) & 3) << shift;
        p += 128;
        shift += 2;
    }
    if constexpr (bits) v |= ((p[at] >> g) & 1) << shift;
    return v;
}
// w[k][r] = value(code, k, r).
template <bool nibbles, bool crumbs, bool bits, class F>
void codes(const uint8_t *p, Block &b, F &&value) {
    for (int g = 0; g < 8; ++g)
        for (int r = 0; r < kPanelRows; ++r)
            for (int i = 0; i < 4; ++i)
                b.w[4 * g + i][r] = static_cast<int16_t>(value(code_at<nibbles, crumbs, bits>(p, g, 4 * r + i), 4 * g + i, r));
}

// Each type: its layout, its mins, and read(), which fills a Block from unit u, block j of it.
template <const PanelLayout &L, bool bits, int offset>
struct Plain {
    static constexpr const PanelLayout &layout = L;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        codes<true, false, bits>(unit + codes_at(L) + j * L.block_bytes, b, [](int c, int, int) { return c - offset; });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(unit + 32 * j, r);
    }
};
template <const PanelLayout &L, bool bits>
struct WithMin {
    static constexpr const PanelLayout &layout = L;
    static constexpr Mins mins = Mins::block;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        Plain<L, bits, 0>::read(panel, unit, u, j, b);
        for (int r = 0; r < kPanelRows; ++r) b.min[r] = half_at(unit + 64 + 32 * j, r);
    }
};
struct Q8_0 {
    static constexpr const PanelLayout &layout = kLayoutQ8_0;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        const uint8_t *p = unit + codes_at(layout) + j * kU8;
        for (int k = 0; k < kBlock; ++k)
            for (int r = 0; r < kPanelRows; ++r) b.w[k][r] = static_cast<int16_t>(p[64 * (k / 4) + 4 * r + k % 4] - 128);
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(unit + 32 * j, r);
    }
};
struct Iq4Nl {
    static constexpr const PanelLayout &layout = kLayoutIQ4_NL;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        codes<true, false, false>(unit + codes_at(layout) + j * kU4, b, [](int c, int, int) { return kIq4nl[c]; });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(unit + 32 * j, r);
    }
};
struct Mxfp4 {
    static constexpr const PanelLayout &layout = kLayoutMXFP4;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        codes<true, false, false>(unit + codes_at(layout) + j * kU4, b, [](int c, int, int) { return kMxfp4[c]; });
        for (int r = 0; r < kPanelRows; ++r) {
            uint32_t e = panel[(2 * u + j) * 16 + r];
            b.scale[r] = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
        }
    }
};
// q4_k, q5_k: scale = d * sc, exact (11 + 6 bits).
template <const PanelLayout &L, bool bits>
struct KWithMin {
    static constexpr const PanelLayout &layout = L;
    static constexpr Mins mins = Mins::group;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        const uint8_t *six = unit, *d = six + kSixBits;
        codes<true, false, bits>(unit + codes_at(L) + j * L.block_bytes, b, [](int c, int, int) { return c; });
        for (int r = 0; r < kPanelRows; ++r) {
            b.scale[r] = half_at(d, r) * static_cast<float>(six_at(six, 2 * j, r));
            b.min[r] = -half_at(d + 32, r);
            b.m[0][r] = b.m[1][r] = static_cast<int16_t>(six_at(six, 2 * j + 1, r));
        }
    }
};
// The 16-k scales of q2_k, q3_k and q6_k are multiplied into the integers: |sum| stays below 2^24.
struct Q2K {
    static constexpr const PanelLayout &layout = kLayoutQ2_K;
    static constexpr Mins mins = Mins::group;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        const uint8_t *sc = unit, *d = sc + 256;
        codes<false, true, false>(unit + codes_at(layout) + j * kU2, b, [&](int c, int k, int r) { return c * (sc[16 * (2 * j + k / 16) + r] & 15); });
        for (int r = 0; r < kPanelRows; ++r) {
            b.scale[r] = half_at(d, r);
            b.min[r] = -half_at(d + 32, r);
            for (int h = 0; h < 2; ++h) b.m[h][r] = sc[16 * (2 * j + h) + r] >> 4;
        }
    }
};
struct Q3K {
    static constexpr const PanelLayout &layout = kLayoutQ3_K;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        const uint8_t *six = unit;
        codes<false, true, true>(unit + codes_at(layout) + j * kU3, b, [&](int c, int k, int r) { return (c - 4) * (six_at(six, 2 * j + k / 16, r) - 32); });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(panel + 32 * u, r);
    }
};
struct Q6K {
    static constexpr const PanelLayout &layout = kLayoutQ6_K;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        const auto *sc = reinterpret_cast<const int8_t *>(unit);
        codes<true, true, false>(unit + codes_at(layout) + j * kU6, b, [&](int c, int k, int r) { return (c - 32) * sc[16 * (2 * j + k / 16) + r]; });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(panel + 32 * u, r);
    }
};
struct Iq4Xs {
    static constexpr const PanelLayout &layout = kLayoutIQ4_XS;
    static constexpr Mins mins = Mins::none;
    static int scale_at(const uint8_t *p, int i, int r) {
        uint16_t x;
        std::memcpy(&x, p + 64 + 2 * r, 2);
        uint32_t w = word_at(p, r);
        return i < 5 ? (w >> (6 * i)) & 63 : i < 7 ? (x >> (6 * (i - 5))) & 63 : static_cast<int>(w >> 30 | (x >> 12) << 2);
    }
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        const uint8_t *tail = unit;
        codes<true, false, false>(unit + codes_at(layout) + j * kU4, b, [](int c, int, int) { return kIq4nl[c]; });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(tail + 96, r) * static_cast<float>(scale_at(tail, j, r) - 32);
    }
};
// iq3_*: iq4_xs's form with another book and factors 2 s + 1.
template <const int8_t (&book)[16], bool quarter>
struct Iq3 {
    static constexpr const PanelLayout &layout = kLayoutIQ4_XS;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *, const uint8_t *unit, int64_t, int j, Block &b) {
        codes<true, false, false>(unit + codes_at(layout) + j * kU4, b, [](int c, int, int) { return book[c]; });
        for (int r = 0; r < kPanelRows; ++r)
            b.scale[r] = half_at(unit + 96, r) * (quarter ? 0.25f : 1.0f) * static_cast<float>(Iq4Xs::scale_at(unit, j, r));
    }
};
// iq1_*, iq2_*: q3_k's form with a book and factors 2 s + 1.
template <const int8_t (&book)[16]>
struct Book16 {
    static constexpr const PanelLayout &layout = kLayoutQ3_K;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        codes<false, true, true>(unit + codes_at(layout) + j * kU3, b, [&](int c, int k, int r) { return book[c] * six_at(unit, 2 * j + k / 16, r); });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(panel + 32 * u, r) * 0.125f;
    }
};
struct Ternary {
    static constexpr const PanelLayout &layout = kLayoutTQ2_0;
    static constexpr Mins mins = Mins::none;
    static void read(const uint8_t *panel, const uint8_t *unit, int64_t u, int j, Block &b) {
        codes<false, true, false>(unit + codes_at(layout) + j * kU2, b, [](int c, int, int) { return c - 1; });
        for (int r = 0; r < kPanelRows; ++r) b.scale[r] = half_at(panel + 32 * u, r);
    }
};

struct Sums {
    float acc[kPanelRows], part[kPanelRows];
    int32_t mins[kPanelRows];
};

template <class Type>
void step(const Block &b, const ActView &a, int64_t t, int64_t ib, Sums &s) {
    constexpr int parts = halved<Type> ? 2 : 1;
    const int8_t *q = a.q + t * a.ldq + ib * kBlock;
    int32_t sum[parts][kPanelRows] = {};
    for (int k = 0; k < kBlock; ++k) {
        const int16_t x = q[k];
        for (int r = 0; r < kPanelRows; ++r) sum[k * parts / kBlock][r] += b.w[k][r] * x;
    }
    const int64_t at = t * a.ldb + ib;
    for (int r = 0; r < kPanelRows; ++r) {
        for (int h = 0; h < parts; ++h) s.part[r] = std::fma(static_cast<float>(sum[h][r]) * a.p[at], b.scale[r], s.part[r]);
        if constexpr (Type::mins == Mins::block) s.part[r] = std::fma(b.min[r], a.sp[at], s.part[r]);
        if constexpr (Type::mins == Mins::group) s.mins[r] += b.m[0][r] * a.s16[2 * at] + b.m[1][r] * a.s16[2 * at + 1];
    }
}

// After a group's last block.
template <class Type>
void end_group(const Block &b, float d, Sums &s) {
    for (int r = 0; r < kPanelRows; ++r) {
        if constexpr (Type::mins == Mins::group) s.part[r] = std::fma(static_cast<float>(s.mins[r]), b.min[r] * 0.125f, s.part[r]);
        s.acc[r] = std::fma(s.part[r], d, s.acc[r]);
        s.part[r] = 0;
        s.mins[r] = 0;
    }
}

template <class Type>
void matmul(const MatmulArgs *m) noexcept {
    constexpr int kTokens = 32;  // a block is taken apart once for so many tokens; their sums are 6 KiB
    constexpr const PanelLayout &l = Type::layout;
    const int64_t units = panel_units(l, m->cols), header = panel_header(l, m->cols);
    for (int64_t p = 0; p < m->n_panels; ++p) {
        const uint8_t *panel = m->panels + p * m->panel_bytes;
        const int64_t left = m->n_rows - p * kPanelRows;
        const int rows = left < kPanelRows ? static_cast<int>(left) : kPanelRows;
        for (int64_t t0 = 0; t0 < m->n_tokens; t0 += kTokens) {
            const int n = m->n_tokens - t0 < kTokens ? static_cast<int>(m->n_tokens - t0) : kTokens;
            Sums sums[kTokens] = {};
            Block b;
            for (int64_t u = 0; u < units; ++u)
                for (int j = 0; j < l.unit_k / kBlock; ++j) {
                    Type::read(panel, panel + header + u * l.unit_bytes, u, j, b);
                    const int64_t ib = u * (l.unit_k / kBlock) + j;
                    const bool last = ib % kGroupBlocks == kGroupBlocks - 1 || ib == m->act.ldb - 1;
                    for (int t = 0; t < n; ++t) {
                        step<Type>(b, m->act, t0 + t, ib, sums[t]);
                        if (last) end_group<Type>(b, m->act.d[(t0 + t) * m->act.ldg + ib / kGroupBlocks], sums[t]);
                    }
                }
            for (int t = 0; t < n; ++t)
                for (int r = 0; r < rows; ++r) {
                    const float *add = m->add ? m->add + (t0 + t) * m->ld_add + p * kPanelRows + r : nullptr;
                    m->y[(t0 + t) * m->ldy + p * kPanelRows + r] = add ? *add + sums[t].acc[r] : sums[t].acc[r];
                }
        }
    }
}

}  // namespace

void init_matmul_int(KernelTable &t) noexcept;
void init_matmul_int(KernelTable &t) noexcept {
    t.matmul_q4_0 = matmul<Plain<kLayoutQ4_0, false, 8>>;
    t.matmul_q4_1 = matmul<WithMin<kLayoutQ4_1, false>>;
    t.matmul_q5_0 = matmul<Plain<kLayoutQ5_0, true, 16>>;
    t.matmul_q5_1 = matmul<WithMin<kLayoutQ5_1, true>>;
    t.matmul_q8_0 = matmul<Q8_0>;
    t.matmul_q2_k = matmul<Q2K>;
    t.matmul_q3_k = matmul<Q3K>;
    t.matmul_q4_k = matmul<KWithMin<kLayoutQ4_K, false>>;
    t.matmul_q5_k = matmul<KWithMin<kLayoutQ5_K, true>>;
    t.matmul_q6_k = matmul<Q6K>;
    t.matmul_iq4_nl = matmul<Iq4Nl>;
    t.matmul_iq4_xs = matmul<Iq4Xs>;
    t.matmul_mxfp4 = matmul<Mxfp4>;
    t.matmul_tq2_0 = matmul<Ternary>;
    t.matmul_iq1_m = matmul<Book16<kIq1>>;
    t.matmul_iq2_s = matmul<Book16<kIq2>>;
    t.matmul_iq3_xxs = matmul<Iq3<kIq3xxs, true>>;
    t.matmul_iq3_s = matmul<Iq3<kIq3s, false>>;
}

}  // namespace inlay::ref
