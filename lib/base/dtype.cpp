// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

namespace inlay {

namespace {

// Block sizes: ggml-common.h; the layouts are written out in docs/numerics.md.
constexpr DTypeInfo table[] = {
    {DType::f32, "f32", 1, 4, true},          {DType::f16, "f16", 1, 2, true},
    {DType::q4_0, "q4_0", 32, 18, true},      {DType::q4_1, "q4_1", 32, 20, true},
    {DType::q5_0, "q5_0", 32, 22, true},      {DType::q5_1, "q5_1", 32, 24, true},
    {DType::q8_0, "q8_0", 32, 34, true},      {DType::q2_k, "q2_k", 256, 84, true},
    {DType::q3_k, "q3_k", 256, 110, true},    {DType::q4_k, "q4_k", 256, 144, true},
    {DType::q5_k, "q5_k", 256, 176, true},    {DType::q6_k, "q6_k", 256, 210, true},
    {DType::iq2_xxs, "iq2_xxs", 256, 66, true}, {DType::iq2_xs, "iq2_xs", 256, 74, true},
    {DType::iq3_xxs, "iq3_xxs", 256, 98, true}, {DType::iq1_s, "iq1_s", 256, 50, true},
    {DType::iq4_nl, "iq4_nl", 32, 18, true},  {DType::iq3_s, "iq3_s", 256, 110, true},
    {DType::iq2_s, "iq2_s", 256, 82, true},   {DType::iq4_xs, "iq4_xs", 256, 136, true},
    {DType::i8, "i8", 1, 1, false},           {DType::i16, "i16", 1, 2, false},
    {DType::i32, "i32", 1, 4, false},         {DType::i64, "i64", 1, 8, false},
    {DType::f64, "f64", 1, 8, false},         {DType::iq1_m, "iq1_m", 256, 56, true},
    {DType::bf16, "bf16", 1, 2, true},        {DType::tq1_0, "tq1_0", 256, 54, true},
    {DType::tq2_0, "tq2_0", 256, 66, true},   {DType::mxfp4, "mxfp4", 32, 17, true},
};

}  // namespace

const DTypeInfo *dtype_info(int32_t id) noexcept {
    for (const DTypeInfo &d : table)
        if (static_cast<int32_t>(d.type) == id) return &d;
    return nullptr;
}

const char *dtype_removed_name(int32_t id) noexcept {
    switch (id) {
    case 4: return "Q4_2";
    case 5: return "Q4_3";
    case 31: return "Q4_0_4_4";
    case 32: return "Q4_0_4_8";
    case 33: return "Q4_0_8_8";
    case 36: return "IQ4_NL_4_4";
    case 37: return "IQ4_NL_4_8";
    case 38: return "IQ4_NL_8_8";
    default: return nullptr;
    }
}

const char *dtype_name(DType t) noexcept {
    const DTypeInfo *d = dtype_info(t);
    return d ? d->name : "?";
}

}  // namespace inlay
