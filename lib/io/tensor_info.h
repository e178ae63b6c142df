// SPDX-License-Identifier: Apache-2.0
// One entry of a checkpoint's tensor directory, whatever its container.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/dtype.h"

namespace inlay::io {

// Types of safetensors that no kernel takes (BOOL, U8, F8_E4M3 …) still stand in the directory, under this id.
constexpr DType kForeignDType = static_cast<DType>(-1);

struct TensorInfo {
    static constexpr uint32_t max_dims = 8;
    std::string_view name;
    DType dtype = DType::f32;
    std::string_view dtype_name;    // as messages show it: "q4_k", "F8_E4M3"
    uint32_t n_dims = 0;            // 0 only for a safetensors scalar
    uint64_t shape[max_dims] = {};  // row-major, slowest first: a weight matrix is {rows (outputs), columns (inputs)}
    uint64_t elements = 0;
    uint32_t source = 0;             // which file of the checkpoint
    uint64_t offset = 0, bytes = 0;  // in that file
};

}  // namespace inlay::io
