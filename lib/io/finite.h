// SPDX-License-Identifier: Apache-2.0
// Looks for NaN and infinity in weights as they lie in the file: in every element of a float type, in the scales of a
// quantized block. Decoding never crashes on them, so this is a question of quality that callers ask on demand.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/dtype.h"

namespace inlay::io {

// Index of the first block (element, for float types) of `bytes` with a NaN or infinite value; nullopt when all are
// finite. `bytes` holds whole blocks. Integer types are always finite. An MXFP4 exponent of 255 is NaN by its standard.
std::optional<uint64_t> first_not_finite(DType type, std::span<const std::byte> bytes) noexcept;

}  // namespace inlay::io
