// SPDX-License-Identifier: Apache-2.0
// Attention against a plain double one, and its bits over every way of cutting the same work.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/half.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "kv/store.h"
#include "tensor/attention.h"
#include "thread/pool.h"

using namespace inlay;
using kernels::KvType;

namespace {

kernels::KernelTable table_of(cpu::Tier t) { return kernels::build_table(cpu::detect_tiers().up_to(t)); }
kernels::KernelTable best_table() { return kernels::build_table(cpu::detect_tiers()); }

struct Case {
    int n_head, n_kv, k_dim, v_dim;
    int n_ctx, n_rows;
    float softcap = 0;
    int window = 0;
    bool causal = true;
    bool sinks = false;
    KvType type = KvType::f16;
};

// One sequence in a store whose blocks lie in a shuffled order, with NaN wherever nothing was written.
struct World {
    Case c;
    Memory mem;
    std::vector<float> q, k, v, sinks;
    std::vector<int32_t> blocks;
    kv::Store store;
    explicit World(const Case &cc, unsigned seed = 1)
        : c(cc), store(mem, kv::Layout(mem, cc.type, std::vector<kv::LayerShape>{{1, 16, 16}, {cc.n_kv, cc.k_dim, cc.v_dim}}), (cc.n_ctx + 15) / 16 + 3) {
        std::mt19937 rng(seed);
        std::normal_distribution<float> n;
        auto fill = [&](std::vector<float> &x, size_t size, float scale) {
            x.resize(size);
            for (float &f : x) f = n(rng) * scale;
        };
        fill(q, static_cast<size_t>(c.n_rows * c.n_head * c.k_dim), 1.5f);
        fill(k, static_cast<size_t>(c.n_ctx * c.n_kv * c.k_dim), 1.0f);
        fill(v, static_cast<size_t>(c.n_ctx * c.n_kv * c.v_dim), 1.0f);
        fill(sinks, static_cast<size_t>(c.n_head), 1.0f);
        std::memset(store.page(0), 0xff, static_cast<size_t>(store.layout().page_bytes() * store.n_pages()));  // NaN in every type
        for (int i = 0; i < (c.n_ctx + 15) / 16; ++i) blocks.push_back(i + 2);
        std::shuffle(blocks.begin(), blocks.end(), rng);
        const kernels::KernelTable t = best_table();
        store.write(t, 1, blocks.data(), 0, c.n_ctx, k.data(), c.n_kv * c.k_dim, v.data(), c.n_kv * c.v_dim);
    }
    tensor::AttnShape shape() const {
        tensor::AttnShape s;
        s.n_head = c.n_head, s.n_kv_head = c.n_kv, s.k_dim = c.k_dim, s.v_dim = c.v_dim;
        s.scale = 1.0f / std::sqrt(static_cast<float>(c.k_dim));
        s.softcap = c.softcap, s.window = c.window, s.causal = c.causal;
        s.sinks = c.sinks ? sinks.data() : nullptr;
        return s;
    }
    // Rows [first, first + n) as one sequence part.
    tensor::AttnSeq part(int first, int n) const {
        const int pos = c.n_ctx - c.n_rows + first;
        return {blocks.data(), pos, n, c.causal ? pos + n : c.n_ctx, first};
    }
    // `cuts`: lengths of the parts that the rows come in, one after the other in a plan of their own.
    std::vector<float> run(const kernels::KernelTable &t, const std::vector<int> &cuts, int width, bool together, int64_t max_work = 0) const {
        std::vector<float> out(static_cast<size_t>(c.n_rows * c.n_head * c.v_dim), 777.0f);
        Memory m;
        tensor::AttnPlan plan(m);
        thread::Pool pool(m, {.threads = width});
        std::vector<tensor::AttnSeq> seqs;
        int first = 0;
        auto go = [&] {
            plan.build(t, shape(), store.view(1), {q.data(), out.data(), c.n_head * c.k_dim, c.n_head * c.v_dim}, seqs, width,
                       max_work);
            do thread::parallel_for(pool, plan.n_tasks(), [&](int64_t i, int w) { plan.run(i, w); });
            while (plan.next_round());
            seqs.clear();
        };
        for (size_t i = 0; first < c.n_rows; ++i) {
            const int n = std::min(cuts[i % cuts.size()], c.n_rows - first);
            seqs.push_back(part(first, n));
            first += n;
            if (!together) go();
        }
        if (!seqs.empty()) go();
        return out;
    }
    // Keys and values as the store holds them, for the float types.
    float stored(float x) const {
        if (c.type == KvType::f16) return f32_from_f16(f16_from_f32(x));
        if (c.type == KvType::bf16) return f32_from_bf16(bf16_from_f32(x));
        return x;
    }
    std::vector<double> reference() const {
        std::vector<double> out(static_cast<size_t>(c.n_rows * c.n_head * c.v_dim), 0.0);
        const double scale = 1.0 / std::sqrt(static_cast<double>(c.k_dim));
        for (int r = 0; r < c.n_rows; ++r) {
            const int pos = c.n_ctx - c.n_rows + r;
            for (int h = 0; h < c.n_head; ++h) {
                const int kvh = h / (c.n_head / c.n_kv);
                std::vector<double> s(static_cast<size_t>(c.n_ctx), -INFINITY);
                double top = c.sinks ? static_cast<double>(sinks[static_cast<size_t>(h)]) : -INFINITY;
                for (int j = 0; j < c.n_ctx; ++j) {
                    bool sees = c.causal ? j <= pos && (!c.window || j > pos - c.window) : !c.window || std::abs(j - pos) <= c.window / 2;
                    if (!sees) continue;
                    double dot = 0;
                    for (int i = 0; i < c.k_dim; ++i)
                        dot += static_cast<double>(q[static_cast<size_t>((r * c.n_head + h) * c.k_dim + i)]) *
                               static_cast<double>(stored(k[static_cast<size_t>((j * c.n_kv + kvh) * c.k_dim + i)]));
                    dot *= scale;
                    if (c.softcap > 0) dot = static_cast<double>(c.softcap) * std::tanh(dot / static_cast<double>(c.softcap));
                    s[static_cast<size_t>(j)] = dot;
                    top = std::max(top, dot);
                }
                double sum = c.sinks ? std::exp(static_cast<double>(sinks[static_cast<size_t>(h)]) - top) : 0;
                for (double &x : s) sum += x = std::exp(x - top);
                for (int j = 0; j < c.n_ctx; ++j)
                    for (int i = 0; i < c.v_dim; ++i)
                        out[static_cast<size_t>((r * c.n_head + h) * c.v_dim + i)] +=
                            s[static_cast<size_t>(j)] / sum * static_cast<double>(stored(v[static_cast<size_t>((j * c.n_kv + kvh) * c.v_dim + i)]));
            }
        }
        return out;
    }
};

double relative_error(const std::vector<float> &a, const std::vector<double> &b) {
    double e = 0, n = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        e += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
        n += b[i] * b[i];
    }
    return std::sqrt(e / n);
}

bool same_bits(const std::vector<float> &a, const std::vector<float> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

const std::vector<Case> kCases = {
    {1, 1, 16, 16, 1, 1},
    {4, 1, 64, 64, 5, 5},
    {14, 2, 64, 64, 300, 1},
    {14, 2, 64, 64, 300, 40},
    {4, 1, 256, 256, 530, 17},
    {6, 6, 20, 20, 260, 30},
    {8, 2, 80, 80, 257, 9},
    {3, 3, 96, 96, 256, 64},
    {8, 1, 40, 24, 100, 100},          // k and v of different sizes
    {12, 2, 33, 17, 70, 3},            // odd sizes
    {4, 2, 64, 64, 700, 90, 0, 100},   // window
    {4, 2, 64, 64, 900, 5, 0, 300},
    {4, 4, 32, 32, 300, 33, 30.0f},    // softcap
    {4, 2, 64, 64, 600, 40, 0, 64, true, true},  // sinks
    {12, 12, 32, 32, 512, 512, 0, 0, false},     // an encoder
    {4, 4, 32, 32, 333, 333, 0, 128, false},
};

}  // namespace

TEST_CASE("attention is what the formula says") {
    const kernels::KernelTable best = best_table();
    for (Case c : kCases)
        for (KvType type : {KvType::f32, KvType::f16, KvType::bf16}) {
            c.type = type;
            CAPTURE(c.n_head);
            CAPTURE(c.k_dim);
            CAPTURE(c.n_ctx);
            CAPTURE(c.n_rows);
            CAPTURE(static_cast<int>(type));
            World w(c);
            CHECK(relative_error(w.run(best, {c.n_rows}, 1, true), w.reference()) < 2e-6);
        }
}

TEST_CASE("q8_0 keys and values lose only their rounding") {
    const kernels::KernelTable best = best_table();
    for (Case c : kCases) {
        c.type = KvType::q8_0;
        CAPTURE(c.n_head);
            CAPTURE(c.k_dim);
            CAPTURE(c.n_ctx);
            CAPTURE(c.n_rows);
        World w(c);
        CHECK(relative_error(w.run(best, {c.n_rows}, 1, true), w.reference()) < 0.02);
    }
}

TEST_CASE("bits do not depend on tiers, threads, chunks of rows or batching") {
    for (const Case &base : kCases)
        for (KvType type : {KvType::f32, KvType::f16, KvType::bf16, KvType::q8_0}) {
            Case c = base;
            c.type = type;
            CAPTURE(c.n_head);
            CAPTURE(c.k_dim);
            CAPTURE(c.n_ctx);
            CAPTURE(c.n_rows);
            CAPTURE(static_cast<int>(type));
            World w(c);
            const std::vector<float> first = w.run(table_of(cpu::Tier::scalar), {c.n_rows}, 1, true);
            for (cpu::Tier t : {cpu::Tier::avx2, cpu::Tier::avxvnni, cpu::Tier::avx512, cpu::Tier::avx512vnni, cpu::Tier::neon}) {
                if (!cpu::detect_tiers().has(t) || !kernels::tier_built(t)) continue;
                CAPTURE(cpu::tier_name(t));
                CHECK(same_bits(first, w.run(table_of(t), {c.n_rows}, 1, true)));
            }
            const kernels::KernelTable best = best_table();
            for (int width : {1, 2, 5})
                for (bool together : {false, true})
                    for (const std::vector<int> &cuts : {std::vector<int>{1}, {7}, {1, 13, 2, 64}}) {
                        if (c.n_rows == 1 && cuts[0] == 7) continue;
                        CHECK(same_bits(first, w.run(best, cuts, width, together)));
                        CHECK(same_bits(first, w.run(best, cuts, width, together, 100'000)));
                    }
        }
}

TEST_CASE("a row of a batch is the row alone, whatever its neighbours") {
    const kernels::KernelTable best = best_table();
    World a({14, 2, 64, 64, 600, 1}, 5), b({14, 2, 64, 64, 600, 1}, 5);
    // b: the same sequence in other blocks of a store that also holds other things.
    std::reverse(b.blocks.begin(), b.blocks.end());
    b.store.write(best, 1, b.blocks.data(), 0, 600, b.k.data(), 2 * 64, b.v.data(), 2 * 64);
    CHECK(same_bits(a.run(best, {1}, 1, true), b.run(best, {1}, 3, true)));
}

TEST_CASE("blocks that a window has left behind are never touched") {
    const kernels::KernelTable best = best_table();
    World w({4, 2, 64, 64, 900, 8, 0, 200});
    const std::vector<float> before = w.run(best, {8}, 1, true);
    for (int i = 0; i < (900 - 8 - 200) / 16; ++i) w.blocks[static_cast<size_t>(i)] = -(1 << 20);  // would fault
    CHECK(same_bits(before, w.run(best, {8}, 1, true)));
    CHECK(same_bits(before, w.run(best, {3}, 4, true)));
}
