// SPDX-License-Identifier: Apache-2.0
// One block of a quantised row, taken apart: its codes in k order and its scales as the file holds them. The file's
// form, the packed form and the values all meet here, so each is written once.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/signatures/panels.h"

namespace inlay::tensor {

struct BlockCodes {
    uint8_t q[256];        // [block]; q8_0: the file's value + 128
    uint8_t sc[16];        // sub-scales; q2_k: scale | min << 4; mxfp4: e8m0 in sc[0]; IQ1 IQ2 IQ3: the odd factor 2 s + 1
    uint8_t mn[8];         // q4_k, q5_k: sub-mins
    uint16_t d, m;         // f16 bits of the block's scale and min (q4_1 q5_1: m; K-quants: dmin)
};

// From one block of the file's form. `t` is a quantised packable type.
void file_to_codes(DType t, const uint8_t *block, BlockCodes &c) noexcept;
// The values, by the format's own formula and roundings. [block]
void codes_to_values(DType t, const BlockCodes &c, float *out) noexcept;

// The same of the lattice and ternary types (IQ1 IQ2 IQ3 TQ).
void grid_to_codes(DType t, const uint8_t *block, BlockCodes &c) noexcept;
void grid_to_values(DType t, const BlockCodes &c, float *out) noexcept;

// To and from lane `lane` of a panel. `ib` counts blocks of the file's form along K.
void codes_to_panel(DType t, const BlockCodes &c, int64_t cols, int64_t ib, int lane, uint8_t *panel) noexcept;
void panel_to_codes(DType t, const uint8_t *panel, int64_t cols, int64_t ib, int lane, BlockCodes &c) noexcept;

// Four rows, `stride` bytes apart, into lanes lane..lane + 3 at once, for the types that files mostly hold; false, and nothing
// written, for others. Of an odd number of blocks of 32 the last unit's second half is left alone.
bool pack_four_rows(DType t, const uint8_t *src, size_t stride, int64_t cols, int lane, uint8_t *panel) noexcept;

// Layout of every packable type; null for others.
const kernels::PanelLayout *panel_layout(DType t) noexcept;

}  // namespace inlay::tensor
