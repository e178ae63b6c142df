// SPDX-License-Identifier: Apache-2.0
// Simple element-by-element kernels, dot and axpy, and the 16-bit float conversions.
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

void add_rows(const float *x, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { store_n(y + i, add(load_n(x + i, c), load_n(y + i, c)), c); });
}
void scale_rows(const float *x, float a, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { store_n(y + i, mul(load_n(x + i, c), set1(a)), c); });
}
void softcap(const float *x, float a, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) {
        store_n(y + i, mul(set1(a), tanh(div(load_n(x + i, c), set1(a)))), c);
    });
}
void axpy(const float *x, float a, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) {
        store_n(y + i, fma(set1(a), load_n(x + i, c), load_n(y + i, c)), c);
    });
}
float dot(const float *x, const float *y, int64_t n) noexcept {
    V sum = zero();
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { sum = fma(load_n(x + i, c), load_n(y + i, c), sum); });
    return tree_sum(sum);
}
void map_exp(const float *x, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { store_n(y + i, exp(load_n(x + i, c)), c); });
}
void map_tanh(const float *x, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { store_n(y + i, tanh(load_n(x + i, c)), c); });
}
void map_erf(const float *x, float *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int c) __attribute__((always_inline)) { store_n(y + i, erf(load_n(x + i, c)), c); });
}

// A last group that is short goes through a copy: F16C has no masked form.
template <class Load>
INLAY_INLINE void widen(const uint16_t *x, float *y, int64_t n, Load load16) {
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        if (count == kLanes) return store(y + i, load16(x + i));
        uint16_t part[kLanes] = {};
        for (int j = 0; j < count; ++j) part[j] = x[i + j];
        store_part(y + i, load16(part), count);
    });
}
void f32_from_f16(const uint16_t *x, float *y, int64_t n) noexcept {
    widen(x, y, n, [](const uint16_t *p) { return load_f16(p); });
}
void f32_from_bf16(const uint16_t *x, float *y, int64_t n) noexcept {
    widen(x, y, n, [](const uint16_t *p) { return load_bf16(p); });
}
void f16_from_f32(const float *x, uint16_t *y, int64_t n) noexcept {
    each_group(n, [&](int64_t i, int count) __attribute__((always_inline)) {
        if (count == kLanes) return store_f16(y + i, load(x + i));
        uint16_t part[kLanes];
        store_f16(part, load_part(x + i, count));
        for (int j = 0; j < count; ++j) y[i + j] = part[j];
    });
}
void bf16_from_f32(const float *x, uint16_t *y, int64_t n) noexcept {
    for (int64_t i = 0; i < n; ++i) {
        uint32_t b;
        __builtin_memcpy(&b, x + i, 4);
        y[i] = static_cast<uint16_t>((b & 0x7fffffffu) > 0x7f800000u ? (b >> 16) | 0x40u : (b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
    }
}

}  // namespace

void init_map(kernels::KernelTable &t) noexcept;
void init_map(kernels::KernelTable &t) noexcept {
    t.add = add_rows;
    t.scale = scale_rows;
    t.softcap = softcap;
    t.axpy = axpy;
    t.dot = dot;
    t.map_exp = map_exp;
    t.map_tanh = map_tanh;
    t.map_erf = map_erf;
    t.f32_from_f16 = f32_from_f16;
    t.f32_from_bf16 = f32_from_bf16;
    t.f16_from_f32 = f16_from_f32;
    t.bf16_from_f32 = bf16_from_f32;
}

}  // namespace inlay::INLAY_TIER
