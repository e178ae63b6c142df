// SPDX-License-Identifier: Apache-2.0
// Random weight matrices in the file's form, for tests of packing and products.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/dtype.h"
#include "base/half.h"
#include "base/rng.h"

namespace inlay::test {

inline constexpr DType kPackable[] = {DType::f32,  DType::f16,  DType::bf16, DType::q4_0, DType::q4_1,   DType::q5_0,   DType::q5_1, DType::q8_0,
                                      DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4,
                                      DType::tq1_0, DType::tq2_0, DType::iq1_s, DType::iq1_m, DType::iq2_xxs, DType::iq2_xs, DType::iq2_s,
                                      DType::iq3_xxs, DType::iq3_s};

// Numbers that depend on the seed alone.
class Random {
public:
    explicit Random(uint64_t seed) : seed_(seed) {}
    uint32_t word() {
        if (at_ == 4) block_ = philox(seed_, 0, count_++), at_ = 0;
        return block_.w[at_++];
    }
    float uniform(float lo, float hi) { return lo + (hi - lo) * uniform_float(word()); }

private:
    uint64_t seed_, count_ = 0;
    PhiloxBlock block_ = {};
    int at_ = 4;
};

// rows x cols in the file's form: any code, scales of sensible size.
inline std::vector<uint8_t> random_weights(DType t, int64_t rows, int64_t cols, Random &r) {
    const DTypeInfo &info = *dtype_info(t);
    std::vector<uint8_t> out(static_cast<size_t>(rows * (cols / info.block) * info.block_bytes));
    auto put_half = [&](uint8_t *p, float f) {
        uint16_t h = f16_from_f32(f);
        std::memcpy(p, &h, 2);
    };
    for (uint8_t *p = out.data(); p < out.data() + out.size(); p += info.block_bytes) {
        for (int i = 0; i < info.block_bytes; ++i) p[i] = static_cast<uint8_t>(r.word());
        auto scale = [&] { return r.uniform(-0.01f, 0.02f); };
        switch (t) {
        case DType::f32: {
            float f = scale();
            std::memcpy(p, &f, 4);
            break;
        }
        case DType::f16: put_half(p, scale()); break;
        case DType::bf16: {
            uint16_t h = bf16_from_f32(scale());
            std::memcpy(p, &h, 2);
            break;
        }
        case DType::q4_1:
        case DType::q5_1:
        case DType::q4_k:
        case DType::q5_k: put_half(p, scale()), put_half(p + 2, scale()); break;
        case DType::q2_k: put_half(p + 80, scale()), put_half(p + 82, scale()); break;
        case DType::q3_k: put_half(p + 108, scale()); break;
        case DType::q6_k: put_half(p + 208, scale()); break;
        case DType::tq1_0: put_half(p + 52, scale()); break;
        case DType::tq2_0: put_half(p + 64, scale()); break;
        case DType::iq1_m: {  // its f16 scale: the top four bits of four words
            const uint16_t h = f16_from_f32(scale());
            for (int i = 0; i < 4; ++i) p[49 + 2 * i] = static_cast<uint8_t>((p[49 + 2 * i] & 15) | (h >> (4 * i) & 15) << 4);
            break;
        }
        case DType::mxfp4: p[0] = static_cast<uint8_t>(r.word() % 8 ? 118 + r.word() % 8 : r.word() % 3); break;
        default: put_half(p, scale()); break;
        }
    }
    return out;
}

}  // namespace inlay::test
