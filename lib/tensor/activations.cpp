// SPDX-License-Identifier: Apache-2.0
// A dozen arrays one after the other in one buffer, each row padded so that kernels never look at a length: q to 64
// values (or some more), scales and sums to two blocks, f32 rows to 16.
#include "tensor/activations.h"

#include <cstring>

#include "base/checked.h"
#include "tensor/huge_pages.h"

namespace inlay::tensor {

namespace {

struct Layout {
    int64_t ldq = 0, ldb = 0, ldg = 0, ldx = 0;
    uint64_t d = 0, p = 0, sp = 0, n128 = 0, h128 = 0, n16 = 0, s16 = 0, b16 = 0, magic = 0, m128 = 0, mh128 = 0;  // byte offsets; q and x are at 0
    uint64_t bytes = 0;
};

Layout layout_of(ActKind kind, int64_t n_tokens, int64_t cols) {
    Layout l;
    Checked n(n_tokens);
    if (kind == ActKind::f32) {
        l.ldx = Checked(cols).rounded_up(16).to<int64_t>("row length");
        l.bytes = (n * Checked(l.ldx) * Checked(4)).value();
        return l;
    }
    Checked ldq = Checked(cols).rounded_up(64), ldb = ldq / Checked(32);
    // No whole KiB: the rows of a tile would share few sets of the L1 cache with the weights.
    if (ldq.value() % 1024 == 0) ldq += Checked(64);
    l.ldq = ldq.to<int64_t>("row length");
    l.ldb = ldb.to<int64_t>("blocks a row");
    l.ldg = (l.ldb + kernels::kGroupBlocks - 1) / kernels::kGroupBlocks;
    const Checked each = (n * ldb * Checked(4)).rounded_up(64), twice = each + each;
    Checked at = n * ldq;
    auto put = [&](uint64_t &offset, const Checked &size) {
        offset = at.value();
        at += size;
    };
    put(l.d, (n * Checked(l.ldg) * Checked(4)).rounded_up(64));
    put(l.p, each);
    put(l.sp, each);
    put(l.n128, each);
    put(l.h128, twice);
    put(l.n16, twice);
    put(l.s16, each);
    put(l.b16, each);
    put(l.magic, each);
    put(l.m128, each);
    put(l.mh128, twice);
    l.bytes = at.value();
    return l;
}

}  // namespace

ActKind act_kind(DType t) noexcept {
    return t == DType::f32 || t == DType::f16 || t == DType::bf16 ? ActKind::f32 : ActKind::q8;
}

uint64_t Activations::bytes(ActKind kind, int64_t n_tokens, int64_t cols) { return layout_of(kind, n_tokens, cols).bytes; }

Activations::Activations(Memory &m, ActKind kind, int64_t n_tokens, int64_t cols)
    : data_(large_buffer(m, Checked(bytes(kind, n_tokens, cols)).size(), MemTag::scratch)), kind_(kind), n_tokens_(n_tokens), cols_(cols) {}

void Activations::reshape(ActKind kind, int64_t n_tokens, int64_t cols) {
    uint64_t need = bytes(kind, n_tokens, cols);
    require(need <= data_.size(), "activations of ", need, " bytes in a buffer of ", data_.size());
    kind_ = kind;
    n_tokens_ = n_tokens;
    cols_ = cols;
}

kernels::ActRows Activations::rows(int64_t t) noexcept {
    Layout l = layout_of(kind_, n_tokens_, cols_);
    std::byte *at = data_.data();
    return {.q = reinterpret_cast<int8_t *>(at) + t * l.ldq,
            .d = reinterpret_cast<float *>(at + l.d) + t * l.ldg,
            .p = reinterpret_cast<float *>(at + l.p) + t * l.ldb,
            .sp = reinterpret_cast<float *>(at + l.sp) + t * l.ldb,
            .n128 = reinterpret_cast<int32_t *>(at + l.n128) + t * l.ldb,
            .h128 = reinterpret_cast<int32_t *>(at + l.h128) + t * l.ldb * 2,
            .n16 = reinterpret_cast<int16_t *>(at + l.n16) + t * l.ldb * 4,
            .s16 = reinterpret_cast<int16_t *>(at + l.s16) + t * l.ldb * 2,
            .b16 = reinterpret_cast<int16_t *>(at + l.b16) + t * l.ldb,
            .magic = reinterpret_cast<int32_t *>(at + l.magic) + t * l.ldb,
            .m128 = reinterpret_cast<int32_t *>(at + l.m128) + t * l.ldb,
            .mh128 = reinterpret_cast<int32_t *>(at + l.mh128) + t * l.ldb * 2,
            .ldq = l.ldq,
            .ldb = l.ldb,
            .ldg = l.ldg,
            .blocks = l.ldb};
}

float *Activations::x(int64_t t) noexcept { return data_.as<float>() + t * layout_of(kind_, n_tokens_, cols_).ldx; }

kernels::ActView Activations::view(int64_t t) const noexcept {
    auto &self = const_cast<Activations &>(*this);
    if (kind_ == ActKind::f32) {
        kernels::ActView v = {};
        v.x = self.x(t);
        v.ldx = layout_of(kind_, n_tokens_, cols_).ldx;
        return v;
    }
    kernels::ActRows r = self.rows(t);
    return {r.q, r.d, r.p, r.sp, r.n128, r.h128, r.n16, r.s16, r.b16, r.magic, r.m128, r.mh128, nullptr, r.ldq, r.ldb, r.ldg, 0};
}

void quantize_rows(const kernels::KernelTable &table, const float *x, int64_t ldx, int64_t token0, int64_t n, Activations &a) noexcept {
    quantize_columns(table, x, ldx, token0, n, 0, a.cols(), a);
}

void quantize_columns(const kernels::KernelTable &table, const float *x, int64_t ldx, int64_t token0, int64_t n, int64_t col0, int64_t cols,
                      Activations &a) noexcept {
    const bool last = col0 + cols == a.cols();
    if (a.kind() == ActKind::q8) {
        const int64_t g = col0 / kActGroup, b = g * kernels::kGroupBlocks;
        kernels::ActRows to = a.rows(token0);
        const kernels::ActRows out = {to.q + col0,       to.d + g,         to.p + b,         to.sp + b,  to.n128 + b,     to.h128 + 2 * b,
                                      to.n16 + 4 * b,    to.s16 + 2 * b,   to.b16 + b,       to.magic + b, to.m128 + b,   to.mh128 + 2 * b,
                                      to.ldq,            to.ldb,           to.ldg,           last ? to.ldb - b : cols / kernels::kBlock};
        table.quantize_q8(x, ldx, n, cols, &out);
        return;
    }
    const int64_t ld = a.view(0).ldx, pad = last ? ld - a.cols() : 0;
    float *to = a.x(token0) + col0;
    for (int64_t t = 0; t < n; ++t, to += ld) {
        std::memcpy(to, x + t * ldx, static_cast<size_t>(cols) * 4);
        std::memset(to + cols, 0, static_cast<size_t>(pad) * 4);
    }
}

}  // namespace inlay::tensor
