// SPDX-License-Identifier: Apache-2.0
// The types that files mostly hold go from the file's form into a panel without being taken apart into codes: a file's
// word of four bytes is, but for its bits' order, a panel's word of the same row. Four rows at once, so that four words make
// one store of 16 bytes: loading is then bound by memory and not by this. What it writes is what file_to_codes() and
// codes_to_panel() would. A vector is a word of each of the four rows; the compiler lowers it for any CPU.
#include <cstring>

#include "base/dtype.h"
#include "tensor/block_codes.h"

namespace inlay::tensor {

namespace {

using Words = uint32_t __attribute__((vector_size(16)));

constexpr uint32_t kLow4 = 0x0f0f0f0fu, kHigh4 = 0xf0f0f0f0u, kLow2 = 0x03030303u, kLow1 = 0x01010101u;

Words load(const uint8_t *p) noexcept {
    Words v;
    std::memcpy(&v, p, 16);
    return v;
}
void store(uint8_t *p, Words v) noexcept { std::memcpy(p, &v, 16); }

// The same place of four rows.
struct Rows {
    const uint8_t *p[4];
    Rows at(int64_t n) const noexcept { return {{p[0] + n, p[1] + n, p[2] + n, p[3] + n}}; }
};

// Word v of each row's 16 bytes as out[v].
void turn(const Words row[4], Words out[4]) noexcept {
    const Words a = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5), b = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const Words c = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7), d = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    out[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}
void turn(const Rows &r, Words out[4]) noexcept {
    const Words row[4] = {load(r.p[0]), load(r.p[1]), load(r.p[2]), load(r.p[3])};
    turn(row, out);
}
Words word(const Rows &r) noexcept {
    Words v;
    for (int i = 0; i < 4; ++i) {
        uint32_t x;
        std::memcpy(&x, r.p[i], 4);
        v[i] = x;
    }
    return v;
}
void put_halves(const Rows &r, uint8_t *at) noexcept {  // an f16 of each row
    for (int i = 0; i < 4; ++i) std::memcpy(at + 2 * i, r.p[i], 2);
}

// Of 32 bits, bit 4 * g + i becomes bit 8 * i + g: two transposes of 4 x 4 bits, then their nibbles interleaved.
Words turn_bits(Words x) noexcept {
    Words t = (x ^ (x >> 3)) & 0x0a0a0a0au;  // 2 x 2 within each 16 bits ..
    x ^= t ^ (t << 3);
    t = (x ^ (x >> 6)) & 0x00cc00ccu;        // .. and 2 x 2 of those: nibble i of a half now holds bit i of its four groups
    x ^= t ^ (t << 6);
    Words low = x & 0xffffu, high = x >> 16;
    low = (low | low << 8) & 0x00ff00ffu;
    high = (high | high << 8) & 0x00ff00ffu;
    return ((low | low << 4) & kLow4) | ((high | high << 4) & kLow4) << 4;
}

// 32 bytes of a row as eight words, four bits of each, into a block's four vectors.
void put_nibbles(const Rows &qs, int shift, uint8_t *at) noexcept {
    Words row[4], out[4];
    for (int i = 0; i < 4; ++i) row[i] = ((load(qs.p[i]) >> shift) & kLow4) | ((load(qs.p[i] + 16) >> shift << 4) & kHigh4);
    turn(row, out);
    for (int v = 0; v < 4; ++v) store(at + 64 * v, out[v]);
}
void put_16_bytes(const Rows &qs, uint8_t *at) noexcept {  // of types whose nibbles already stand so
    Words out[4];
    turn(qs, out);
    for (int v = 0; v < 4; ++v) store(at + 64 * v, out[v]);
}

// Types of 32: two blocks a unit, each with an f16 scale.
template <class Put>
void rows_of_32(Rows r, int64_t cols, int file_block, const kernels::PanelLayout &l, int lane, uint8_t *body, Put put) noexcept {
    const int codes = kernels::codes_at(l) + 4 * lane;
    for (int64_t ib = 0; ib < cols / 32; ++ib, r = r.at(file_block)) {
        uint8_t *unit = body + ib / 2 * l.unit_bytes;
        put_halves(r, unit + 32 * (ib % 2) + 2 * lane);
        put(r, unit + codes + (ib % 2) * l.block_bytes);
    }
}

// Eight scales and eight mins of six bits in 12 bytes, into three words: sc0 m0 sc1 m1 ..
void put_scales_k4(const Rows &s, uint8_t *at) noexcept {
    const Words s0 = word(s), s1 = word(s.at(4)), s2 = word(s.at(8));
    const Words sc_low = s0 & 0x3f3f3f3fu, mn_low = s1 & 0x3f3f3f3fu;
    const Words sc_high = (s2 & kLow4) | ((s0 >> 2) & 0x30303030u), mn_high = ((s2 >> 4) & kLow4) | ((s1 >> 2) & 0x30303030u);
    auto sc = [&](int j) { return ((j < 4 ? sc_low : sc_high) >> (8 * (j % 4))) & 63u; };
    auto mn = [&](int j) { return ((j < 4 ? mn_low : mn_high) >> (8 * (j % 4))) & 63u; };
    auto value = [&](int i) { return i % 2 ? mn(i / 2) : sc(i / 2); };
    for (int w = 0; w < 3; ++w) {
        Words x = ((mn(7) >> (2 * w)) & 3u) << 30;
        for (int i = 0; i < 5; ++i) x |= value(5 * w + i) << (6 * i);
        store(at + 64 * w, x);
    }
}

template <bool kFive>
void q45_k(const Rows &p, const kernels::PanelLayout &l, int lane, uint8_t *unit) noexcept {
    put_scales_k4(p.at(4), unit + 4 * lane);
    put_halves(p, unit + kernels::kSixBits + 2 * lane);
    put_halves(p.at(2), unit + kernels::kSixBits + 32 + 2 * lane);
    uint8_t *at = unit + kernels::codes_at(l) + 4 * lane;
    const Rows qs = p.at(kFive ? 48 : 16);
    Words high[8];
    if (kFive) turn(p.at(16), high), turn(p.at(32), high + 4);
    for (int b = 0; b < 8; ++b, at += l.block_bytes) {
        put_nibbles(qs.at(32 * (b / 2)), b % 2 * 4, at);
        if (!kFive) continue;
        Words x = {};
        for (int g = 0; g < 8; ++g) x |= ((high[g] >> b) & kLow1) << g;
        store(at + 256, x);
    }
}

void q6_k(const Rows &p, const kernels::PanelLayout &l, int lane, uint8_t *unit) noexcept {
    for (int r = 0; r < 4; ++r)
        for (int i = 0; i < 16; ++i) unit[16 * i + lane + r] = p.p[r][192 + i];
    uint8_t *at = unit + kernels::codes_at(l) + 4 * lane;
    for (int half = 0; half < 2; ++half) {  // of 128 values: low nibbles of 64 bytes, then their high ones
        Words high[8];
        turn(p.at(128 + 32 * half), high), turn(p.at(144 + 32 * half), high + 4);
        for (int j = 0; j < 4; ++j, at += l.block_bytes) {
            put_nibbles(p.at(64 * half + 32 * (j % 2)), j / 2 * 4, at);
            for (int h = 0; h < 2; ++h) {
                Words x = {};
                for (int g = 0; g < 4; ++g) x |= ((high[4 * h + g] >> (2 * j)) & kLow2) << (2 * g);
                store(at + 256 + 64 * h, x);
            }
        }
    }
}

}  // namespace

bool pack_four_rows(DType t, const uint8_t *src, size_t stride, int64_t cols, int lane, uint8_t *panel) noexcept {
    const kernels::PanelLayout &l = *panel_layout(t);
    uint8_t *body = panel + kernels::panel_header(l, cols);
    const Rows r = {{src, src + stride, src + 2 * stride, src + 3 * stride}};
    switch (t) {
    case DType::q4_0:
    case DType::iq4_nl:
        rows_of_32(r, cols, 18, l, lane, body, [](const Rows &p, uint8_t *at) { put_16_bytes(p.at(2), at); });
        return true;
    case DType::q5_0:
        rows_of_32(r, cols, 22, l, lane, body, [](const Rows &p, uint8_t *at) {
            put_16_bytes(p.at(6), at);
            store(at + 256, turn_bits(word(p.at(2))));
        });
        return true;
    case DType::q8_0:
        rows_of_32(r, cols, 34, l, lane, body, [](const Rows &p, uint8_t *at) {
            for (int h = 0; h < 2; ++h) {
                Words out[4];
                turn(p.at(2 + 16 * h), out);
                for (int v = 0; v < 4; ++v) store(at + 256 * h + 64 * v, out[v] ^ 0x80808080u);
            }
        });
        return true;
    case DType::q4_k:
        for (int64_t i = 0; i < cols / 256; ++i) q45_k<false>(r.at(144 * i), l, lane, body + i * l.unit_bytes);
        return true;
    case DType::q5_k:
        for (int64_t i = 0; i < cols / 256; ++i) q45_k<true>(r.at(176 * i), l, lane, body + i * l.unit_bytes);
        return true;
    case DType::q6_k:
        for (int64_t i = 0; i < cols / 256; ++i) {
            q6_k(r.at(210 * i), l, lane, body + i * l.unit_bytes);
            put_halves(r.at(210 * i + 208), panel + 32 * i + 2 * lane);
        }
        return true;
    default: return false;
    }
}

}  // namespace inlay::tensor
