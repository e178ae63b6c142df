// SPDX-License-Identifier: Apache-2.0
// The generated Unicode data (tables.cpp, by gen.py). Only unicode.h and normal_form.cpp look in here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inlay::text::tables {

// class_masks[class_data[class_index[cp >> 7] * 128 + (cp & 127)]]; the others likewise.
extern const uint16_t class_masks[];
extern const uint16_t class_index[];
extern const uint8_t class_data[];
extern const uint8_t ccc_index[];
extern const uint8_t ccc_data[];
extern const uint8_t norm_index[];
extern const uint8_t norm_data[];

// Sorted by the first column.
extern const uint32_t lower_from[];
extern const uint32_t lower_to[];
extern const uint32_t decomp_from[];
extern const uint32_t decomp_at[];  // pool offset | canonical length << 16 | compatible length << 24
extern const uint32_t decomp_pool[];
extern const uint32_t compose_first[];
extern const uint32_t compose_second[];
extern const uint32_t compose_to[];
extern const size_t n_lower, n_decomp, n_compose;

}  // namespace inlay::text::tables
