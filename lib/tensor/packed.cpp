// SPDX-License-Identifier: Apache-2.0
#include "tensor/packed.h"

#include <cstring>

#include "base/checked.h"
#include "base/half.h"
#include "base/hash.h"
#include "tensor/block_codes.h"
#include "tensor/huge_pages.h"

namespace inlay::tensor {

using kernels::kPanelRows;
using kernels::PanelLayout;

namespace {

bool is_float(DType t) noexcept { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }

struct Shape {
    const PanelLayout *layout;
    const DTypeInfo *info;
    uint64_t panel_bytes, n_panels, bytes;
};

Shape shape_of(DType t, int64_t rows, int64_t cols) {
    const PanelLayout *l = panel_layout(t);
    if (!l) fail(Code::unsupported, "weights of type ", dtype_name(t), " cannot be packed");
    const DTypeInfo *info = dtype_info(t);
    if (rows < 0 || cols < 0) fail(Code::invalid_argument, "matrix of ", rows, " x ", cols, " values");
    if (cols % info->block != 0) fail(Code::format, "row of ", cols, " values is not a multiple of ", info->name, "'s block of ", info->block);
    // The header and body of a panel are cols * a small constant: checked here with room, then computed plainly.
    (void)(Checked(cols).rounded_up(256) * Checked(128)).to<int64_t>("row bytes");
    uint64_t panel = static_cast<uint64_t>(kernels::panel_bytes(*l, cols));
    uint64_t n = (Checked(rows).rounded_up(kPanelRows) / Checked(kPanelRows)).value();
    return {l, info, panel, n, (Checked(panel) * Checked(n)).size()};
}

void pack_float_row(DType t, const uint8_t *src, int64_t cols, int lane, uint8_t *panel) noexcept {
    if (t == DType::f32) {
        for (int64_t k = 0; k < cols; ++k) std::memcpy(panel + 64 * k + 4 * lane, src + 4 * k, 4);
    } else if (t == DType::f16) {
        for (int64_t k = 0; k < cols; ++k) std::memcpy(panel + 32 * k + 2 * lane, src + 2 * k, 2);
    } else {
        for (int64_t k = 0; k < cols; ++k) std::memcpy(panel + 64 * (k / 2) + 4 * lane + 2 * (k % 2), src + 2 * k, 2);
        if (cols % 2) std::memset(panel + 64 * (cols / 2) + 4 * lane + 2, 0, 2);
    }
}

// Of an odd number of blocks of 32 the unit's second half: scale 0.
void pad_row(DType t, int64_t cols, int lane, uint8_t *panel) noexcept {
    if (dtype_info(t)->block == 32 && cols % 64) codes_to_panel(t, BlockCodes{}, cols, cols / 32, lane, panel);
}

void pack_row(DType t, const uint8_t *src, int64_t cols, int lane, uint8_t *panel) noexcept {
    if (is_float(t)) return pack_float_row(t, src, cols, lane, panel);
    const DTypeInfo &info = *dtype_info(t);
    const int64_t n = cols / info.block;
    BlockCodes c = {};
    for (int64_t ib = 0; ib < n; ++ib, src += info.block_bytes) {
        file_to_codes(t, src, c);
        codes_to_panel(t, c, cols, ib, lane, panel);
    }
    pad_row(t, cols, lane, panel);
}

// Lanes past the rows are 0.
void clear_last_panel(PackedMatrix &w) noexcept {
    if (w.rows() % kPanelRows) std::memset(w.panel(w.n_panels() - 1), 0, static_cast<size_t>(w.panel_bytes()));
}

}  // namespace

bool packable(DType t) noexcept { return panel_layout(t) != nullptr; }

uint64_t packed_bytes(DType t, int64_t rows, int64_t cols) { return shape_of(t, rows, cols).bytes; }

uint64_t file_row_bytes(DType t, int64_t cols) {
    Shape s = shape_of(t, 0, cols);
    return (Checked(cols) / Checked(s.info->block) * Checked(s.info->block_bytes)).value();
}

PackedMatrix make_packed(Memory &m, DType t, int64_t rows, int64_t cols) {
    Shape s = shape_of(t, rows, cols);
    PackedMatrix w;
    w.dtype_ = t;
    w.rows_ = rows;
    w.cols_ = cols;
    w.panel_bytes_ = static_cast<int64_t>(s.panel_bytes);
    w.data_ = large_buffer(m, s.bytes, MemTag::weights);
    w.panels_ = w.data_.as<uint8_t>();
    clear_last_panel(w);
    return w;
}

PackedMatrix packed_at(DType t, int64_t rows, int64_t cols, std::span<std::byte> panels) {
    Shape s = shape_of(t, rows, cols);
    if (panels.size() != s.bytes || reinterpret_cast<uintptr_t>(panels.data()) % 64)
        fail(Code::internal, "room of ", panels.size(), " bytes for a matrix of ", s.bytes);
    PackedMatrix w;
    w.dtype_ = t;
    w.rows_ = rows;
    w.cols_ = cols;
    w.panel_bytes_ = static_cast<int64_t>(s.panel_bytes);
    w.panels_ = reinterpret_cast<uint8_t *>(panels.data());
    return w;
}

PackedMatrix place_packed(DType t, int64_t rows, int64_t cols, std::span<std::byte> room) {
    PackedMatrix w = packed_at(t, rows, cols, room);
    clear_last_panel(w);
    return w;
}

PackedMatrix packed_view(DType t, int64_t rows, int64_t cols, std::span<const std::byte> panels) {
    return packed_at(t, rows, cols, {const_cast<std::byte *>(panels.data()), panels.size()});
}

uint64_t panel_layout_id(DType t) noexcept {
    const PanelLayout *l = panel_layout(t);
    return l ? hash_bytes(l, sizeof *l, static_cast<uint64_t>(t)) : 0;
}

void pack_rows(PackedMatrix &w, int64_t row0, int64_t n, const void *file_rows) {
    if (row0 < 0 || n < 0 || row0 > w.rows() || n > w.rows() - row0)
        fail(Code::internal, "rows ", row0, " + ", n, " of a matrix of ", w.rows());
    const size_t stride = file_row_bytes(w.dtype(), w.cols());
    const auto *src = static_cast<const uint8_t *>(file_rows);
    const DType t = w.dtype();
    for (int64_t row = row0, end = row0 + n; row < end;) {
        const int lane = static_cast<int>(row % kPanelRows);
        uint8_t *panel = w.panel(row / kPanelRows);
        const bool four = lane % 4 == 0 && end - row >= 4 && pack_four_rows(t, src, stride, w.cols(), lane, panel);
        if (four)
            for (int i = 0; i < 4; ++i) pad_row(t, w.cols(), lane + i, panel);
        else
            pack_row(t, src, w.cols(), lane, panel);
        row += four ? 4 : 1;
        src += (four ? 4 : 1) * stride;
    }
}

void unpack_row(const PackedMatrix &w, int64_t row, float *out) {
    if (row < 0 || row >= w.rows()) fail(Code::internal, "row ", row, " of a matrix of ", w.rows());
    const uint8_t *panel = w.panel(row / kPanelRows);
    const int lane = static_cast<int>(row % kPanelRows);
    const DType t = w.dtype();
    if (t == DType::f32) {
        for (int64_t k = 0; k < w.cols(); ++k) std::memcpy(out + k, panel + 64 * k + 4 * lane, 4);
    } else if (is_float(t)) {
        for (int64_t k = 0; k < w.cols(); ++k) {
            uint16_t h;
            std::memcpy(&h, t == DType::f16 ? panel + 32 * k + 2 * lane : panel + 64 * (k / 2) + 4 * lane + 2 * (k % 2), 2);
            out[k] = t == DType::f16 ? f32_from_f16(h) : f32_from_bf16(h);
        }
    } else {
        const int block = dtype_info(t)->block;
        BlockCodes c = {};
        for (int64_t ib = 0; ib < w.cols() / block; ++ib) {
            panel_to_codes(t, panel, w.cols(), ib, lane, c);
            codes_to_values(t, c, out + ib * block);
        }
    }
}

void dequantize(DType t, const void *src, int64_t n, float *dst) {
    Shape s = shape_of(t, 0, n);
    const auto *p = static_cast<const uint8_t *>(src);
    if (t == DType::f32) {
        std::memcpy(dst, p, static_cast<size_t>(n) * 4);
        return;
    }
    if (is_float(t)) {
        for (int64_t k = 0; k < n; ++k) {
            uint16_t h;
            std::memcpy(&h, p + 2 * k, 2);
            dst[k] = t == DType::f16 ? f32_from_f16(h) : f32_from_bf16(h);
        }
        return;
    }
    BlockCodes c = {};
    for (int64_t k = 0; k < n; k += s.info->block, p += s.info->block_bytes) {
        file_to_codes(t, p, c);
        codes_to_values(t, c, dst + k);
    }
}

}  // namespace inlay::tensor
