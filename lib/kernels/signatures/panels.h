// SPDX-License-Identifier: Apache-2.0
// The layouts of packed weights (docs/numerics.md section 3 draws them). A panel is 16 rows over all of K: an optional
// header of scales, then units of 64 or 256 k: the unit's scales first (a jump forward to them would stop the hardware's
// prefetcher), then its blocks of 32 k. The codes of a block stand in 64-byte vectors:
// byte 4 * row + i of a vector belongs to that row and to k = 4 * group + i, group 0..7.
//   nibbles  4 vectors: vector v holds group v in its low and group v + 4 in its high four bits
//   crumbs   2 vectors: vector h holds groups 4h..4h+3, two bits each, group 4h in the lowest
//   bits     1 vector:  bit g belongs to group g
//   bytes    8 vectors: vector g is group g
// So one shift and one AND bring 16 rows' codes into place in every instruction set.
#pragma once

#include "kernels/types.h"

namespace inlay::kernels {

// Bytes of one block's codes of 16 rows.
constexpr int kU2 = 128, kU3 = 192, kU4 = 256, kU5 = 320, kU6 = 384, kU8 = 512;

// How K-quants' 6-bit scales are kept: sixteen values of a row in three 32-bit words, five a word from the lowest bit
// up, and the sixteenth in the words' top two bits. A word of 16 rows is one 64-byte vector.
constexpr int kSixBits = 3 * 64;

struct PanelLayout {
    int32_t unit_k;       // 64, 256; 1 (F32 F16) or 2 (BF16) for floats
    int32_t unit_bytes;
    int32_t block_bytes;  // codes of one block of 32 k
    int32_t header_bytes; // of each header_k, at the panel's start, rounded up to 64 as a whole
    int32_t header_k;
};

// The comments list a unit's scales.
constexpr PanelLayout kLayoutF32 = {1, 64, 0, 0, 1};
constexpr PanelLayout kLayoutF16 = {1, 32, 0, 0, 1};
constexpr PanelLayout kLayoutBF16 = {2, 64, 0, 0, 1};                            // [row][2]
constexpr PanelLayout kLayoutQ4_0 = {64, 2 * kU4 + 64, kU4, 0, 1};               // f16 d[2][16]
constexpr PanelLayout kLayoutQ4_1 = {64, 2 * kU4 + 128, kU4, 0, 1};              // f16 d[2][16], m[2][16]
constexpr PanelLayout kLayoutQ5_0 = {64, 2 * kU5 + 64, kU5, 0, 1};               // nibbles, bits; f16 d[2][16]
constexpr PanelLayout kLayoutQ5_1 = {64, 2 * kU5 + 128, kU5, 0, 1};
constexpr PanelLayout kLayoutQ8_0 = {64, 2 * kU8 + 64, kU8, 0, 1};               // w + 128; f16 d[2][16]
constexpr PanelLayout kLayoutQ2_K = {256, 8 * kU2 + 256 + 64, kU2, 0, 1};        // u8 (sc | m << 4)[16][16], f16 d[16], dmin[16]
constexpr PanelLayout kLayoutQ3_K = {256, 8 * kU3 + kSixBits, kU3, 32, 256};     // crumbs, bits; sc + 32; header f16 d
constexpr PanelLayout kLayoutQ4_K = {256, 8 * kU4 + kSixBits + 64, kU4, 0, 1};   // six bits: sc0 m0 sc1 m1 ..; f16 d[16], dmin[16]
constexpr PanelLayout kLayoutQ5_K = {256, 8 * kU5 + kSixBits + 64, kU5, 0, 1};
constexpr PanelLayout kLayoutQ6_K = {256, 8 * kU6 + 256, kU6, 32, 256};          // nibbles, crumbs; i8 sc[16][16]; header f16 d
constexpr PanelLayout kLayoutIQ4_NL = kLayoutQ4_0;
constexpr PanelLayout kLayoutIQ4_XS = {256, 8 * kU4 + 128, kU4, 0, 1};           // six-bit sc + 32: u32[16] 0..4, u16[16] 5 6; f16 d
constexpr PanelLayout kLayoutMXFP4 = {64, 2 * kU4, kU4, 16, 32};                 // header e8m0[16]

constexpr PanelLayout kLayoutTQ2_0 = {256, 8 * kU2, kU2, 32, 256};               // crumbs; header f16 d. TQ1_0 too
// IQ1 and IQ2 have the form of Q3_K, IQ3 that of IQ4_XS: codes of 3 and 4 bits for a code book, factors 2 s + 1 as six-bit values.

// Where a unit's codes begin: after its scales.
constexpr int codes_at(const PanelLayout &l) { return l.unit_bytes - l.unit_k / 32 * l.block_bytes; }
constexpr int64_t panel_units(const PanelLayout &l, int64_t cols) { return (cols + l.unit_k - 1) / l.unit_k; }
constexpr int64_t panel_header(const PanelLayout &l, int64_t cols) {
    return (panel_units(l, cols) * (l.unit_k / l.header_k) * l.header_bytes + 63) / 64 * 64;
}
constexpr int64_t panel_bytes(const PanelLayout &l, int64_t cols) {
    return panel_header(l, cols) + (panel_units(l, cols) * l.unit_bytes + 63) / 64 * 64;
}

// Code books of the 4-bit non-linear types (ggml's kvalues_iq4nl; OCP MXFP4's values doubled, d halved).
constexpr int8_t kIq4nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr int8_t kMxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Magnitude and sign (the highest bit of the code) of the lattice types. IQ1's are 8 times -1, 0, 1, plus or minus 1.
constexpr int8_t kIq1[16] = {-7, 1, 9, 0, -9, -1, 7};
constexpr int8_t kIq2[16] = {8, 25, 43, 0, -8, -25, -43};
constexpr int8_t kIq3xxs[16] = {4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62};
constexpr int8_t kIq3s[16] = {1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15};

}  // namespace inlay::kernels
