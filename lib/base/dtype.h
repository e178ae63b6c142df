// SPDX-License-Identifier: Apache-2.0
// Element types of weights and caches. The numbers are ggml's type ids (ggml.h), which GGUF files hold; they are
// also the public INLAY_DTYPE_* values.
#pragma once

#include <cstdint>

namespace inlay {

enum class DType : int32_t {
    f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8,
    q2_k = 10, q3_k = 11, q4_k = 12, q5_k = 13, q6_k = 14,
    iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21, iq2_s = 22, iq4_xs = 23,
    i8 = 24, i16 = 25, i32 = 26, i64 = 27, f64 = 28, iq1_m = 29, bf16 = 30, tq1_0 = 34, tq2_0 = 35, mxfp4 = 39,
};

struct DTypeInfo {
    DType type;
    const char *name;      // "q4_k": lower case, as CLI and messages show it
    int32_t block;         // weights a block
    int32_t block_bytes;
    bool weight;           // may be a weight matrix (else: side tensors only)
};

// Null for an id that is not a known type (removed ids are told apart by dtype_removed_name).
const DTypeInfo *dtype_info(int32_t id) noexcept;
inline const DTypeInfo *dtype_info(DType t) noexcept { return dtype_info(static_cast<int32_t>(t)); }
// "Q4_2" for ids that ggml once had; null otherwise.
const char *dtype_removed_name(int32_t id) noexcept;
const char *dtype_name(DType t) noexcept;  // "?" for an unknown one

}  // namespace inlay
