// SPDX-License-Identifier: Apache-2.0
// Five panels of four-bit codes as four (matmul_chain.h): a byte holds one panel's code and, times 16, the next one's, which are the packed
// bytes' halves put together anew.
#pragma once

#include "kernels/x86/lanes512.h"
#include "kernels/generic/codes.h"
#include "kernels/generic/matmul_few.h"

namespace inlay::INLAY_TIER {
namespace {

constexpr int kChain = 5;           // panels
constexpr int kLinks = kChain - 1;  // products
constexpr int kChainRows = kChain * kPanelRows;

// A group of 8 blocks: of each block 8 x 4 vectors of codes and five of scales; then each panel's min and four pairs of mins.
struct ChainRecord {
    static constexpr int scale = 8 * kLinks * 64;
    static constexpr int bytes = scale + 64 * kChain;
    static constexpr int group = kGroupBlocks * bytes;  // where the mins begin
    static constexpr int panel_bytes = 64 + 4 * 64;
    static constexpr int all = group + kChain * panel_bytes;
};

// Unit u of five panels.
template <class Type>
void unpack_chain(const uint8_t *panels, int64_t panel_bytes, int64_t cols, int64_t u, uint8_t *out) {
    using R = ChainRecord;
    constexpr const PanelLayout &L = Type::layout;
    const uint8_t *unit = panels + panel_header(L, cols) + u * L.unit_bytes;
    UnitScales s;
    for (int i = 0; i < kChain; ++i) {
        Type::scales(panels + i * panel_bytes, unit + i * panel_bytes, u, s);
        for (int b = 0; b < kGroupBlocks; ++b) storef(reinterpret_cast<float *>(out + b * R::bytes + R::scale) + 16 * i, scale_of<Type, 0>(s, b));
        uint8_t *g = out + R::group + i * R::panel_bytes;
        store(g, load(s.min[0]));
        for (int k = 0; k < 4; ++k) store(g + 64 + 64 * k, load(s.pair[k]));
    }
    const I low = set8(15);
    for (int b = 0; b < kGroupBlocks; ++b, out += R::bytes)
        for (int v = 0; v < 4; ++v) {
            const uint8_t *at = unit + codes_at(L) + b * L.block_bytes + 64 * v;
            I one = load(at);
#pragma GCC unroll 4
            for (int i = 0; i < kLinks; ++i) {
                const I two = load(at + (i + 1) * panel_bytes);
                store(out + 64 * (kLinks * v + i), select8(low, one, shift16<4>(two)));
                store(out + 64 * (kLinks * (v + 4) + i), select8(low, shift16<-4>(one), two));
                one = two;
            }
        }
}

}  // namespace
}  // namespace inlay::INLAY_TIER
