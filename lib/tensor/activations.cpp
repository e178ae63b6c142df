// SPDX-License-Identifier: Apache-2.0
// Seven arrays one after the other in one buffer, each row padded so that kernels never look at a length: q to 64
// values, scales and sums to two blocks, f32 rows to 16.
#include "tensor/activations.h"

#include <cstring>

#include "base/checked.h"

namespace inlay::tensor {

namespace {

struct Layout {
    int64_t ldq = 0, ldb = 0, ldx = 0;
    uint64_t d = 0, sd = 0, n128 = 0, h128 = 0, s16 = 0, n16 = 0, bytes = 0;  // byte offsets; q and x are at 0
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
    l.ldq = ldq.to<int64_t>("row length");
    l.ldb = ldb.to<int64_t>("blocks a row");
    Checked each = (n * ldb * Checked(4)).rounded_up(64), at = n * ldq;
    l.d = at.value();
    l.sd = (at += each).value();
    l.n128 = (at += each).value();
    l.h128 = (at += each).value();
    l.s16 = (at += each + each).value();
    l.n16 = (at += each).value();
    at += each;
    l.bytes = (at += each).value();
    return l;
}

}  // namespace

ActKind act_kind(DType t) noexcept {
    return t == DType::f32 || t == DType::f16 || t == DType::bf16 ? ActKind::f32 : ActKind::q8;
}

uint64_t Activations::bytes(ActKind kind, int64_t n_tokens, int64_t cols) { return layout_of(kind, n_tokens, cols).bytes; }

Activations::Activations(Memory &m, ActKind kind, int64_t n_tokens, int64_t cols)
    : data_(m, Checked(bytes(kind, n_tokens, cols)).size(), 64, MemTag::scratch), kind_(kind), n_tokens_(n_tokens), cols_(cols) {}

void Activations::reshape(ActKind kind, int64_t n_tokens, int64_t cols) {
    uint64_t need = bytes(kind, n_tokens, cols);
    require(need <= data_.size(), "activations of ", need, " bytes in a buffer of ", data_.size());
    kind_ = kind;
    n_tokens_ = n_tokens;
    cols_ = cols;
}

kernels::ActRows Activations::rows(int64_t t) noexcept {
    Layout l = layout_of(kind_, n_tokens_, cols_);
    std::byte *p = data_.data();
    return {reinterpret_cast<int8_t *>(p) + t * l.ldq,
            reinterpret_cast<float *>(p + l.d) + t * l.ldb,
            reinterpret_cast<float *>(p + l.sd) + t * l.ldb,
            reinterpret_cast<int32_t *>(p + l.n128) + t * l.ldb,
            reinterpret_cast<int32_t *>(p + l.h128) + t * l.ldb * 2,
            reinterpret_cast<int16_t *>(p + l.s16) + t * l.ldb * 2,
            reinterpret_cast<int16_t *>(p + l.n16) + t * l.ldb * 4,
            l.ldq,
            l.ldb};
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
    return {r.q, r.d, r.sd, r.n128, r.h128, r.s16, r.n16, nullptr, r.ldq, r.ldb, 0};
}

void quantize_rows(const kernels::KernelTable &table, const float *x, int64_t ldx, int64_t token0, int64_t n, Activations &a) noexcept {
    if (a.kind() == ActKind::q8) {
        kernels::ActRows out = a.rows(token0);
        table.quantize_q8(x, ldx, n, a.cols(), &out);
        return;
    }
    const int64_t pad = a.view(0).ldx - a.cols();
    for (int64_t t = 0; t < n; ++t) {
        float *to = a.x(token0 + t);
        std::memcpy(to, x + t * ldx, static_cast<size_t>(a.cols()) * 4);
        std::memset(to + a.cols(), 0, static_cast<size_t>(pad) * 4);
    }
}

}  // namespace inlay::tensor
