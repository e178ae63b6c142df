// SPDX-License-Identifier: Apache-2.0
// Storing one token of one head into its panel (signatures/attention.h holds the layout).
#pragma once

#include "kernels/lanes/lanes.h"

namespace inlay::INLAY_TIER {
namespace {

using kernels::KvType;

INLAY_INLINE uint16_t bf16_bits(float f) {
    uint32_t b;
    __builtin_memcpy(&b, &f, 4);
    return static_cast<uint16_t>((b & 0x7fffffffu) > 0x7f800000u ? (b >> 16) | 0x40u : (b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
}

// 16 values as they are stored.
template <KvType T, class E>
INLAY_INLINE void narrow(V v, E *out) {
    if constexpr (T == KvType::f32) store(out, v);
    else if constexpr (T == KvType::f16) store_f16(out, v);
    else {
        float f[kLanes];
        store(f, v);
        for (int j = 0; j < kLanes; ++j) out[j] = bf16_bits(f[j]);
    }
}

template <KvType T, class E>
void kv_write(const float *k, const float *v, uint8_t *panel, int64_t slot, int64_t k_dim, int64_t v_dim) noexcept {
    E *kp = reinterpret_cast<E *>(panel) + slot;
    each_group(k_dim, [&](int64_t i, int count) __attribute__((always_inline)) {
        E part[kLanes];
        narrow<T>(load_n(k + i, count), part);
        for (int j = 0; j < count; ++j) kp[(i + j) * kLanes] = part[j];
    });
    E *vp = reinterpret_cast<E *>(panel + kernels::kv_v_offset(T, k_dim)) + slot * kernels::v_stride(T, v_dim);
    each_group(v_dim, [&](int64_t i, int count) __attribute__((always_inline)) { narrow<T>(load_n(v + i, count), vp + i); });
}

// 32 values to int8 and one f16 scale; values past `count` are zeros. NaN or Inf in x makes the scale NaN.
INLAY_INLINE uint16_t round_block(const float *x, int count, int8_t *q) {
    V lo = count >= kLanes ? load(x) : load_part(x, count);
    V hi = count >= 2 * kLanes ? load(x + kLanes) : count > kLanes ? load_part(x + kLanes, count - kLanes) : zero();
    if (tree_sum(add(sub(lo, lo), sub(hi, hi))) != 0.0f) {  // NaN or Inf somewhere: the scale says so
        for (int j = 0; j < 2 * kLanes; ++j) q[j] = 0;
        return 0x7e00;
    }
    const float amax = tree_max(max(abs(lo), abs(hi)));
    uint16_t d16[kLanes];
    store_f16(d16, set1(amax / 127.0f));
    const float d = half_value(d16[0]);
    const V inv = set1(d > 0.0f ? 1.0f / d : 0.0f);
    const V most = set1(127.0f), round = set1(kernels::kRound);
    float f[2 * kLanes];
    store(f, sub(add(max(neg(most), min(most, mul(lo, inv))), round), round));
    store(f + kLanes, sub(add(max(neg(most), min(most, mul(hi, inv))), round), round));
    for (int j = 0; j < 2 * kLanes; ++j) q[j] = static_cast<int8_t>(f[j]);
    return d16[0];
}

void kv_write_q8_0(const float *k, const float *v, uint8_t *panel, int64_t slot, int64_t k_dim, int64_t v_dim) noexcept {
    const int64_t k_pad = kernels::round_up(k_dim, 32);
    uint16_t *k_scales = reinterpret_cast<uint16_t *>(panel + k_pad * kLanes);
    int8_t q[32];
    for (int64_t i = 0; i < k_pad; i += 32) {
        k_scales[i / 32 * kLanes + slot] = round_block(k + i, static_cast<int>(k_dim - i < 32 ? k_dim - i : 32), q);
        for (int64_t j = 0; j < 32; ++j)
            panel[(i + j) / 4 * 64 + slot * 4 + j % 4] = static_cast<uint8_t>(q[j] + 128);
    }
    uint8_t *vp = panel + kernels::kv_v_offset(KvType::q8_0, k_dim);
    const int64_t stride = kernels::v_stride(KvType::q8_0, v_dim);
    uint16_t *v_scales = reinterpret_cast<uint16_t *>(vp + kLanes * stride);
    for (int64_t i = 0; i < stride; i += 32) {
        v_scales[i / 32 * kLanes + slot] = round_block(v + i, static_cast<int>(v_dim - i < 32 ? v_dim - i : 32), q);
        __builtin_memcpy(vp + slot * stride + i, q, 32);
    }
}

}  // namespace

void init_kv_write(kernels::KernelTable &t) noexcept;
void init_kv_write(kernels::KernelTable &t) noexcept {
    t.kv_write_f32 = kv_write<KvType::f32, float>;
    t.kv_write_f16 = kv_write<KvType::f16, uint16_t>;
    t.kv_write_bf16 = kv_write<KvType::bf16, uint16_t>;
    t.kv_write_q8_0 = kv_write_q8_0;
}

}  // namespace inlay::INLAY_TIER
