// SPDX-License-Identifier: Apache-2.0
// The left side of a matrix product: rows of f32 as they are (float weights), or rounded to int8 per 32 with their
// scales and sums (integer weights). Rounded once for all matrices that read the same rows.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/memory.h"
#include "kernels/signatures.h"

namespace inlay::tensor {

enum class ActKind : uint8_t { f32, q8 };
ActKind act_kind(DType weights) noexcept;

// Columns that share a scale: what is rounded apart starts at a multiple of it.
inline constexpr int64_t kActGroup = kernels::kGroupBlocks * kernels::kBlock;

class Activations {
public:
    Activations() noexcept = default;
    // Room for n_tokens rows of cols values. Throws what Memory throws.
    Activations(Memory &m, ActKind kind, int64_t n_tokens, int64_t cols);
    static uint64_t bytes(ActKind kind, int64_t n_tokens, int64_t cols);

    // Another row length in the same room, for buffers shared by layers: INTERNAL when it does not fit. Contents are
    // undefined afterwards.
    void reshape(ActKind kind, int64_t n_tokens, int64_t cols);

    ActKind kind() const noexcept { return kind_; }
    int64_t n_tokens() const noexcept { return n_tokens_; }
    int64_t cols() const noexcept { return cols_; }
    kernels::ActView view(int64_t token) const noexcept;
    kernels::ActRows rows(int64_t token) noexcept;
    float *x(int64_t token) noexcept;  // kind f32: [ldx]

private:
    Buffer data_;
    ActKind kind_ = ActKind::f32;
    int64_t n_tokens_ = 0, cols_ = 0;
};

// Rows [token0, token0 + n) of `a` from x [n, ldx] (x points at token0's row): rounds (q8) or copies (f32), and fills
// the padding. Tasks over disjoint tokens may run at once.
void quantize_rows(const kernels::KernelTable &table, const float *x, int64_t ldx, int64_t token0, int64_t n, Activations &a) noexcept;
// The same of columns [col0, col0 + cols) alone, whole groups but for the row's last one; x points at column col0. The
// columns' tasks may run at once too.
void quantize_columns(const kernels::KernelTable &table, const float *x, int64_t ldx, int64_t token0, int64_t n, int64_t col0, int64_t cols,
                      Activations &a) noexcept;

}  // namespace inlay::tensor
