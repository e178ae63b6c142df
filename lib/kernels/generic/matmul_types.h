// SPDX-License-Identifier: Apache-2.0
// The integer weight types that a tier multiplies, each with its place in the table. A new type is a line here and one in
// kernels.def and ref/. Needs codes.h.
#pragma once

#include "kernels/generic/codes.h"

namespace inlay::INLAY_TIER {
namespace {

// get.operator()<Type>() is the tier's kernel. MxType, Iq2Type, Iq3Type: how the tier reads mxfp4, iq2_*
// and iq3_xxs, whose values + 128 are too large for sums of 16 bits.
template <class MxType, class Iq2Type, class Iq3Type, class Get>
void set_matmuls(KernelTable &t, Get get) noexcept {
    t.matmul_q4_0 = get.template operator()<Q4_0>();
    t.matmul_q4_1 = get.template operator()<Q4_1>();
    t.matmul_q5_0 = get.template operator()<Q5_0>();
    t.matmul_q5_1 = get.template operator()<Q5_1>();
    t.matmul_q8_0 = get.template operator()<Q8_0>();
    t.matmul_q2_k = get.template operator()<Q2K>();
    t.matmul_q3_k = get.template operator()<Q3K>();
    t.matmul_q4_k = get.template operator()<Q4K>();
    t.matmul_q5_k = get.template operator()<Q5K>();
    t.matmul_q6_k = get.template operator()<Q6K>();
    t.matmul_iq4_nl = get.template operator()<Iq4Nl>();
    t.matmul_iq4_xs = get.template operator()<Iq4Xs>();
    t.matmul_mxfp4 = get.template operator()<MxType>();
    t.matmul_tq2_0 = get.template operator()<TQ2_0>();
    t.matmul_iq1_m = get.template operator()<Iq1M>();
    t.matmul_iq2_s = get.template operator()<Iq2Type>();
    t.matmul_iq3_xxs = get.template operator()<Iq3Type>();
    t.matmul_iq3_s = get.template operator()<Iq3S>();
}

}  // namespace
}  // namespace inlay::INLAY_TIER
