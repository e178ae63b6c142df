// SPDX-License-Identifier: Apache-2.0
// Codes into and out of one lane of a panel (the layout: kernels/signatures/panels.h).
#include <cstring>

#include "tensor/block_bits.h"
#include "tensor/block_codes.h"

namespace inlay::tensor {

using kernels::PanelLayout;
using kernels::kSixBits;

namespace {

// Which planes a type's codes are split into: bits in nibbles, crumbs above or alone, bits on top.
struct Planes {
    bool bytes, nibbles, crumbs, bits;
};
constexpr Planes planes_of(DType t) noexcept {
    switch (t) {
    case DType::q8_0: return {true, false, false, false};
    case DType::q5_0:
    case DType::q5_1:
    case DType::q5_k: return {false, true, false, true};
    case DType::q6_k: return {false, true, true, false};
    case DType::q2_k:
    case DType::tq1_0:
    case DType::tq2_0: return {false, false, true, false};
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::q3_k: return {false, false, true, true};
    default: return {false, true, false, false};
    }
}

// `at` = the lane's first byte of the block's first vector.
void put_block(Planes p, const uint8_t *q, uint8_t *at) noexcept {
    uint32_t g[8];
    for (int i = 0; i < 8; ++i) g[i] = load32(q + 4 * i);
    if (p.bytes) {
        for (int i = 0; i < 8; ++i) store32(at + 64 * i, g[i]);
        return;
    }
    if (p.nibbles) {
        for (int v = 0; v < 4; ++v) store32(at + 64 * v, (g[v] & kLow4) | (g[v + 4] & kLow4) << 4);
        for (int i = 0; i < 8; ++i) g[i] = (g[i] >> 4) & kLow4;
        at += 256;
    }
    if (p.crumbs) {
        for (int h = 0; h < 2; ++h) {
            const uint32_t *c = g + 4 * h;
            store32(at + 64 * h, (c[0] & kLow2) | (c[1] & kLow2) << 2 | (c[2] & kLow2) << 4 | (c[3] & kLow2) << 6);
        }
        for (int i = 0; i < 8; ++i) g[i] = (g[i] >> 2) & kLow2;
        at += 128;
    }
    if (p.bits) {
        uint32_t x = 0;
        for (int i = 0; i < 8; ++i) x |= (g[i] & kLow1) << i;
        store32(at, x);
    }
}

void get_block(Planes p, const uint8_t *at, uint8_t *q) noexcept {
    uint32_t g[8] = {};
    int shift = 0;
    if (p.bytes)
        for (int i = 0; i < 8; ++i) g[i] = load32(at + 64 * i);
    if (p.nibbles) {
        for (int i = 0; i < 8; ++i) g[i] = (load32(at + 64 * (i % 4)) >> (4 * (i / 4))) & kLow4;
        at += 256;
        shift = 4;
    }
    if (p.crumbs) {
        for (int i = 0; i < 8; ++i) g[i] |= ((load32(at + 64 * (i / 4)) >> (2 * (i % 4))) & kLow2) << shift;
        at += 128;
        shift += 2;
    }
    if (p.bits)
        for (int i = 0; i < 8; ++i) g[i] |= ((load32(at) >> i) & kLow1) << shift;
    for (int i = 0; i < 8; ++i) store32(q + 4 * i, g[i]);
}

// Sixteen six-bit values of a lane in three words.
void put_six(const uint8_t *v, uint8_t *at) noexcept {
    for (int w = 0; w < 3; ++w) {
        uint32_t x = static_cast<uint32_t>((v[15] >> (2 * w)) & 3) << 30;
        for (int i = 0; i < 5; ++i) x |= static_cast<uint32_t>(v[5 * w + i]) << (6 * i);
        store32(at + 64 * w, x);
    }
}
void get_six(const uint8_t *at, uint8_t *v) noexcept {
    v[15] = 0;
    for (int w = 0; w < 3; ++w) {
        uint32_t x = load32(at + 64 * w);
        for (int i = 0; i < 5; ++i) v[5 * w + i] = (x >> (6 * i)) & 63;
        v[15] = static_cast<uint8_t>(v[15] | (x >> 30) << (2 * w));
    }
}

}  // namespace

const PanelLayout *panel_layout(DType t) noexcept {
    switch (t) {
    case DType::f32: return &kernels::kLayoutF32;
    case DType::f16: return &kernels::kLayoutF16;
    case DType::bf16: return &kernels::kLayoutBF16;
    case DType::q4_0: return &kernels::kLayoutQ4_0;
    case DType::q4_1: return &kernels::kLayoutQ4_1;
    case DType::q5_0: return &kernels::kLayoutQ5_0;
    case DType::q5_1: return &kernels::kLayoutQ5_1;
    case DType::q8_0: return &kernels::kLayoutQ8_0;
    case DType::q2_k: return &kernels::kLayoutQ2_K;
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::q3_k: return &kernels::kLayoutQ3_K;
    case DType::tq1_0:
    case DType::tq2_0: return &kernels::kLayoutTQ2_0;
    case DType::q4_k: return &kernels::kLayoutQ4_K;
    case DType::q5_k: return &kernels::kLayoutQ5_K;
    case DType::q6_k: return &kernels::kLayoutQ6_K;
    case DType::iq4_nl: return &kernels::kLayoutIQ4_NL;
    case DType::iq3_xxs:
    case DType::iq3_s:
    case DType::iq4_xs: return &kernels::kLayoutIQ4_XS;
    case DType::mxfp4: return &kernels::kLayoutMXFP4;
    default: return nullptr;
    }
}

void codes_to_panel(DType t, const BlockCodes &c, int64_t cols, int64_t ib, int lane, uint8_t *panel) noexcept {
    const PanelLayout &l = *panel_layout(t);
    const Planes planes = planes_of(t);
    uint8_t *body = panel + kernels::panel_header(l, cols);
    if (l.unit_k == 64) {
        uint8_t *unit = body + ib / 2 * l.unit_bytes, *scales = unit;
        const int j = static_cast<int>(ib % 2);
        put_block(planes, c.q, unit + kernels::codes_at(l) + j * l.block_bytes + 4 * lane);
        if (t == DType::mxfp4) {
            panel[ib * 16 + lane] = c.sc[0];
            return;
        }
        store16(scales + 32 * j + 2 * lane, c.d);
        if (t == DType::q4_1 || t == DType::q5_1) store16(scales + 64 + 32 * j + 2 * lane, c.m);
        return;
    }
    uint8_t *unit = body + ib * l.unit_bytes, *tail = unit;
    for (int b = 0; b < 8; ++b) put_block(planes, c.q + 32 * b, unit + kernels::codes_at(l) + b * l.block_bytes + 4 * lane);
    switch (t) {
    case DType::q4_k:
    case DType::q5_k: {
        uint8_t v[16];
        for (int b = 0; b < 8; ++b) v[2 * b] = c.sc[b], v[2 * b + 1] = c.mn[b];
        put_six(v, tail + 4 * lane);
        store16(tail + kSixBits + 2 * lane, c.d);
        store16(tail + kSixBits + 32 + 2 * lane, c.m);
        break;
    }
    case DType::tq1_0:
    case DType::tq2_0: store16(panel + 32 * ib + 2 * lane, c.d); break;
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::q3_k:
        put_six(c.sc, tail + 4 * lane);
        store16(panel + 32 * ib + 2 * lane, c.d);
        break;
    case DType::q2_k:
        for (int i = 0; i < 16; ++i) tail[16 * i + lane] = c.sc[i];
        store16(tail + 256 + 2 * lane, c.d);
        store16(tail + 256 + 32 + 2 * lane, c.m);
        break;
    case DType::q6_k:
        for (int i = 0; i < 16; ++i) tail[16 * i + lane] = c.sc[i];
        store16(panel + 32 * ib + 2 * lane, c.d);
        break;
    case DType::iq3_xxs:
    case DType::iq3_s:
    case DType::iq4_xs: {
        uint32_t w = static_cast<uint32_t>(c.sc[7] & 3) << 30;
        for (int i = 0; i < 5; ++i) w |= static_cast<uint32_t>(c.sc[i]) << (6 * i);
        store32(tail + 4 * lane, w);
        store16(tail + 64 + 2 * lane, static_cast<uint16_t>(c.sc[5] | c.sc[6] << 6 | (c.sc[7] >> 2) << 12));
        store16(tail + 96 + 2 * lane, c.d);
        break;
    }
    default: break;
    }
}

void panel_to_codes(DType t, const uint8_t *panel, int64_t cols, int64_t ib, int lane, BlockCodes &c) noexcept {
    const PanelLayout &l = *panel_layout(t);
    const Planes planes = planes_of(t);
    const uint8_t *body = panel + kernels::panel_header(l, cols);
    if (l.unit_k == 64) {
        const uint8_t *unit = body + ib / 2 * l.unit_bytes, *scales = unit;
        const int j = static_cast<int>(ib % 2);
        get_block(planes, unit + kernels::codes_at(l) + j * l.block_bytes + 4 * lane, c.q);
        if (t == DType::mxfp4) {
            c.sc[0] = panel[ib * 16 + lane];
            return;
        }
        c.d = load16(scales + 32 * j + 2 * lane);
        if (t == DType::q4_1 || t == DType::q5_1) c.m = load16(scales + 64 + 32 * j + 2 * lane);
        return;
    }
    const uint8_t *unit = body + ib * l.unit_bytes, *tail = unit;
    for (int b = 0; b < 8; ++b) get_block(planes, unit + kernels::codes_at(l) + b * l.block_bytes + 4 * lane, c.q + 32 * b);
    switch (t) {
    case DType::q4_k:
    case DType::q5_k: {
        uint8_t v[16];
        get_six(tail + 4 * lane, v);
        for (int b = 0; b < 8; ++b) c.sc[b] = v[2 * b], c.mn[b] = v[2 * b + 1];
        c.d = load16(tail + kSixBits + 2 * lane);
        c.m = load16(tail + kSixBits + 32 + 2 * lane);
        break;
    }
    case DType::tq1_0:
    case DType::tq2_0: c.d = load16(panel + 32 * ib + 2 * lane); break;
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::q3_k:
        get_six(tail + 4 * lane, c.sc);
        c.d = load16(panel + 32 * ib + 2 * lane);
        break;
    case DType::q2_k:
        for (int i = 0; i < 16; ++i) c.sc[i] = tail[16 * i + lane];
        c.d = load16(tail + 256 + 2 * lane);
        c.m = load16(tail + 256 + 32 + 2 * lane);
        break;
    case DType::q6_k:
        for (int i = 0; i < 16; ++i) c.sc[i] = tail[16 * i + lane];
        c.d = load16(panel + 32 * ib + 2 * lane);
        break;
    case DType::iq3_xxs:
    case DType::iq3_s:
    case DType::iq4_xs: {
        uint32_t w = load32(tail + 4 * lane), x = load16(tail + 64 + 2 * lane);
        for (int i = 0; i < 5; ++i) c.sc[i] = (w >> (6 * i)) & 63;
        c.sc[5] = x & 63;
        c.sc[6] = (x >> 6) & 63;
        c.sc[7] = static_cast<uint8_t>(w >> 30 | (x >> 12) << 2);
        c.d = load16(tail + 96 + 2 * lane);
        break;
    }
    default: break;
    }
}

}  // namespace inlay::tensor
