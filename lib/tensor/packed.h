// SPDX-License-Identifier: Apache-2.0
// Weight matrices in the one form that all tiers compute from: panels of 16 output rows (docs/numerics.md section 3).
// Packing streams: rows come in slices as they are read, go to their place once, and no second copy exists.
#pragma once

#include <cstdint>
#include <span>

#include "base/dtype.h"
#include "base/memory.h"
#include "kernels/signatures.h"

namespace inlay::tensor {

// Whether a matrix of this file type can be packed (and multiplied).
bool packable(DType t) noexcept;
// Bytes of rows x cols in packed form; LIMIT on overflow, UNSUPPORTED for a type that cannot be packed, FORMAT when
// cols is not a multiple of the type's block. Never more than the file's bytes but for the last panel's missing rows,
// and the last 32 of an odd number of blocks.
uint64_t packed_bytes(DType t, int64_t rows, int64_t cols);
// Bytes of one row in the file's form; same errors.
uint64_t file_row_bytes(DType t, int64_t cols);

class PackedMatrix {
public:
    PackedMatrix() noexcept = default;
    DType dtype() const noexcept { return dtype_; }
    int64_t rows() const noexcept { return rows_; }
    int64_t cols() const noexcept { return cols_; }
    int64_t n_panels() const noexcept { return (rows_ + kernels::kPanelRows - 1) / kernels::kPanelRows; }
    int64_t panel_bytes() const noexcept { return panel_bytes_; }
    uint64_t bytes() const noexcept { return static_cast<uint64_t>(n_panels() * panel_bytes_); }
    const uint8_t *panel(int64_t p) const noexcept { return panels_ + p * panel_bytes_; }
    uint8_t *panel(int64_t p) noexcept { return panels_ + p * panel_bytes_; }  // never of a packed_view()
    explicit operator bool() const noexcept { return panels_ != nullptr; }

private:
    friend PackedMatrix make_packed(Memory &, DType, int64_t, int64_t);
    friend PackedMatrix packed_at(DType, int64_t, int64_t, std::span<std::byte>);
    DType dtype_ = DType::f32;
    int64_t rows_ = 0, cols_ = 0, panel_bytes_ = 0;
    uint8_t *panels_ = nullptr;
    Buffer data_;  // empty where the panels lie elsewhere
};

// Room for the matrix: 64-byte aligned; 2 MiB aligned and with huge pages asked for when large. Rows are undefined
// until packed; lanes past `rows` are zero. Same errors as packed_bytes().
PackedMatrix make_packed(Memory &m, DType t, int64_t rows, int64_t cols);

// The same in the caller's memory of packed_bytes() bytes, 64-byte aligned, which must outlive the matrix. INTERNAL for another size.
PackedMatrix place_packed(DType t, int64_t rows, int64_t cols, std::span<std::byte> room);
// Panels that are there already and are only read (a pack file); else the same.
PackedMatrix packed_view(DType t, int64_t rows, int64_t cols, std::span<const std::byte> panels);

// A number that changes when the layout of the type's panels does.
uint64_t panel_layout_id(DType t) noexcept;

// Puts rows [row0, row0 + n) in place from the file's form (any alignment, file_row_bytes() apart). Any row0: several
// matrices of one type become one by packing them one below the other. Two threads may pack at once when their rows
// share no panel of 16.
void pack_rows(PackedMatrix &w, int64_t row0, int64_t n, const void *file_rows);

// Row `row` as f32: bit for bit what dequantize() gives of the file's row. [cols]
void unpack_row(const PackedMatrix &w, int64_t row, float *out);

// n values (a multiple of the type's block) of the file's form as f32, by the format's definition: the formulas and
// the order of their roundings are those of the `gguf` package. Any alignment of src.
void dequantize(DType t, const void *src, int64_t n, float *dst);

}  // namespace inlay::tensor
