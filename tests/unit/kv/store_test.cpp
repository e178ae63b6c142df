// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "kv/store.h"

using namespace inlay;
using namespace inlay::kv;
using kernels::KvType;

namespace {

template <class F>
Code code_of(F &&f) {
    try {
        f();
    } catch (const Error &e) {
        return e.code();
    }
    return Code::ok;
}

kernels::KernelTable table_of(cpu::Tier t) { return kernels::build_table(cpu::detect_tiers().up_to(t)); }

}  // namespace

TEST_CASE("a block holds all layers, each part on a 64-byte line") {
    Memory mem;
    for (KvType t : {KvType::f32, KvType::f16, KvType::bf16, KvType::q8_0}) {
        Layout l(mem, t, std::vector<LayerShape>{{2, 64, 64}, {0, 0, 0}, {1, 20, 33}});
        CHECK(l.n_layers() == 3);
        CHECK(l.layer_offset(0) == 0);
        CHECK(l.layer_offset(1) == 2 * l.panel_bytes(0));
        CHECK(l.layer_offset(2) == l.layer_offset(1));
        CHECK(l.page_bytes() == l.layer_offset(2) + l.panel_bytes(2));
        CHECK(l.page_bytes() % 64 == 0);
    }
    Layout f16(mem, KvType::f16, std::vector<LayerShape>{{2, 64, 64}});
    CHECK(f16.page_bytes() == 16 * 2 * 2 * 64 * 2);  // tokens, heads, K and V, dims, bytes: nothing more
    Layout q8(mem, KvType::q8_0, std::vector<LayerShape>{{2, 64, 64}});
    CHECK(q8.page_bytes() == 16 * 2 * 2 * 2 * 34);
}

TEST_CASE("sizes out of bounds are refused") {
    Memory mem;
    CHECK(code_of([&] { Layout(mem, KvType::f16, std::vector<LayerShape>{{1, 1 << 21, 64}}); }) == Code::limit);
    CHECK(code_of([&] { Layout(mem, KvType::f16, std::vector<LayerShape>{{1, 64, -1}}); }) == Code::limit);
    Memory small({}, 1 << 20);
    CHECK(code_of([&] { Store(small, Layout(small, KvType::f32, std::vector<LayerShape>{{8, 128, 128}}), 100); }) == Code::limit);
    CHECK(code_of([] { kv_type(DType::q4_k); }) == Code::unsupported);
    CHECK(kv_type(DType::q8_0) == KvType::q8_0);
}

TEST_CASE("what is written stands where the layout says") {
    Memory mem;
    const kernels::KernelTable t = table_of(cpu::Tier::scalar);
    const int kd = 20, vd = 33, heads = 2, n = 40;
    std::vector<float> k(n * heads * kd), v(n * heads * vd);
    for (size_t i = 0; i < k.size(); ++i) k[i] = static_cast<float>(i) * 0.37f - 100.0f;
    for (size_t i = 0; i < v.size(); ++i) v[i] = 50.0f - static_cast<float>(i) * 0.11f;
    const int32_t blocks[] = {4, 0, 2};
    Store s(mem, Layout(mem, KvType::f16, std::vector<LayerShape>{{1, 16, 16}, {heads, kd, vd}}), 5);
    s.write(t, 1, blocks, 0, 7, k.data(), heads * kd, v.data(), heads * vd);  // in two parts, across a block's border
    s.write(t, 1, blocks, 7, n - 7, k.data() + 7 * heads * kd, heads * kd, v.data() + 7 * heads * vd, heads * vd);
    const tensor::KvView view = s.view(1);
    for (int p = 0; p < n; ++p)
        for (int h = 0; h < heads; ++h) {
            const uint8_t *panel = view.base + blocks[p / 16] * view.page_bytes + h * view.panel_bytes;
            const auto *kp = reinterpret_cast<const uint16_t *>(panel);
            const auto *vp = reinterpret_cast<const uint16_t *>(panel + kernels::kv_v_offset(KvType::f16, kd)) + p % 16 * 48;
            for (int i = 0; i < kd; ++i) REQUIRE(kp[i * 16 + p % 16] == f16_from_f32(k[static_cast<size_t>((p * heads + h) * kd + i)]));
            for (int i = 0; i < 48; ++i)
                REQUIRE(vp[i] == (i < vd ? f16_from_f32(v[static_cast<size_t>((p * heads + h) * vd + i)]) : 0));
        }
}

TEST_CASE("every tier writes the same bytes") {
    const int kd = 40, vd = 72, n = 33;
    std::vector<float> k(n * kd), v(n * vd);
    for (size_t i = 0; i < k.size(); ++i) k[i] = std::sin(static_cast<float>(i)) * std::exp2(static_cast<float>(i % 40) - 20.0f);
    for (size_t i = 0; i < v.size(); ++i) v[i] = i % 97 == 0 ? INFINITY : i % 89 == 0 ? NAN : std::cos(static_cast<float>(i)) * 1e-6f;
    const int32_t blocks[] = {0, 1, 2};
    for (KvType type : {KvType::f32, KvType::f16, KvType::bf16, KvType::q8_0}) {
        std::vector<uint8_t> first;
        for (cpu::Tier t : {cpu::Tier::scalar, cpu::Tier::avx2, cpu::Tier::avx512, cpu::Tier::neon}) {
            if (!cpu::detect_tiers().has(t)) continue;
            Memory mem;
            Store s(mem, Layout(mem, type, std::vector<LayerShape>{{1, kd, vd}}), 3);
            std::memset(s.page(0), 0x5a, static_cast<size_t>(3 * s.layout().page_bytes()));
            s.write(table_of(t), 0, blocks, 0, n, k.data(), kd, v.data(), vd);
            std::vector<uint8_t> bytes(s.page(0), s.page(0) + 3 * s.layout().page_bytes());
            if (first.empty()) first = bytes;
            CAPTURE(cpu::tier_name(t));
            CHECK(first == bytes);
        }
    }
}

TEST_CASE("a copied block is the same bytes") {
    Memory mem;
    Store s(mem, Layout(mem, KvType::q8_0, std::vector<LayerShape>{{2, 32, 32}, {2, 32, 32}}), 4, 2);
    const size_t n = static_cast<size_t>(s.layout().page_bytes());
    for (size_t i = 0; i < n; ++i) s.page(1)[i] = static_cast<uint8_t>(i * 7);
    const Copy copies[] = {{1, 3}, {3, 0}};
    s.copy(copies);
    CHECK(std::memcmp(s.page(0), s.page(1), n) == 0);
    for (size_t i = 0; i < n; ++i) s.page(3)[i] = static_cast<uint8_t>(i * 11);
    // Out to the swap and back elsewhere, two at once.
    const Copy away[] = {{1, 1, Copy::Way::out}, {3, 0, Copy::Way::out}}, back[] = {{0, 2, Copy::Way::in}, {1, 3, Copy::Way::in}};
    s.copy(away);
    std::memset(s.page(1), 0, n);
    s.copy(back);
    CHECK(std::memcmp(s.page(3), s.page(0), n) == 0);
    CHECK(s.page(2)[1] == 11);
    CHECK(s.page(2)[n - 1] == static_cast<uint8_t>((n - 1) * 11));
}
