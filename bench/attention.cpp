// SPDX-License-Identifier: Apache-2.0
// bench/attention [--tier=T] [--heads=H] [--kv=N] [--dim=D] [--window=W] [--threads=T]
// One layer's attention: decode (1 row) and prefill (512 rows) at several depths, for each KV type. GFLOP/s counts
// 4 * heads * dim a visible key; GB/s the bytes of keys and values once. CPU time of the caller for one thread, wall
// time for more; best of several.
#include "tensor/attention.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "cpu/tier.h"
#include "kernels/table.h"
#include "kv/store.h"
#include "thread/pool.h"

using namespace inlay;

namespace {

double now(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
template <class F>
double best(F &&f, clockid_t clock) {
    double top = 1e30;
    const double begin = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 3 || now(CLOCK_MONOTONIC) - begin < 0.3; ++i) {
        const double t0 = now(clock);
        f();
        top = std::min(top, now(clock) - t0);
    }
    return top;
}

}  // namespace

int main(int argc, char **argv) {
    std::string_view tier;
    int heads = 14, n_kv = 2, dim = 64, window = 0, threads = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view a = argv[i];
        if (a.starts_with("--tier="))
            tier = a.substr(7);
        else if (a.starts_with("--heads="))
            heads = std::atoi(argv[i] + 8);
        else if (a.starts_with("--kv="))
            n_kv = std::atoi(argv[i] + 5);
        else if (a.starts_with("--dim="))
            dim = std::atoi(argv[i] + 6);
        else if (a.starts_with("--window="))
            window = std::atoi(argv[i] + 9);
        else if (a.starts_with("--threads="))
            threads = std::atoi(argv[i] + 10);
        else
            return std::printf("unknown option %s\n", argv[i]), 2;
    }
    const kernels::KernelTable table = kernels::build_table(cpu::select_tiers(tier, cpu::detect_tiers()));
    Memory mem;
    thread::Pool pool(mem, {.threads = threads});
    const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    std::printf("%d heads over %d of %d, window %d, %d threads\n%-6s %6s %6s %10s %9s %7s\n", heads, n_kv, dim, window, threads, "kv",
                "rows", "keys", "us", "GFLOP/s", "GB/s");
    for (DType t : {DType::f16, DType::q8_0, DType::bf16, DType::f32})
        for (int64_t n_rows : {1, 512})
            for (int64_t n_ctx : {512, 4096, 32768}) {
                // Several layers' worth for decode, so that the cache cannot hold them.
                const int layers = n_rows == 1 && n_ctx <= 4096 ? 16 : 1;
                if (n_rows > 1 && n_ctx > 4096) continue;
                std::vector<kv::LayerShape> shapes(static_cast<size_t>(layers), {n_kv, dim, dim});
                kv::Store store(mem, kv::Layout(mem, kv::kv_type(t), shapes), static_cast<int32_t>(n_ctx / 16));
                std::vector<int32_t> blocks(static_cast<size_t>(n_ctx / 16));
                for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<int32_t>(i);
                std::vector<float> k(static_cast<size_t>(n_kv * dim)), q(static_cast<size_t>(n_rows * heads * dim)), out(q.size());
                for (size_t i = 0; i < k.size(); ++i) k[i] = std::sin(static_cast<float>(i));
                for (size_t i = 0; i < q.size(); ++i) q[i] = std::cos(static_cast<float>(i));
                for (int l = 0; l < layers; ++l)
                    for (int64_t p = 0; p < n_ctx; ++p)
                        store.write(table, l, blocks.data(), p, 1, k.data(), n_kv * dim, k.data(), n_kv * dim);
                tensor::AttnShape shape;
                shape.n_head = heads, shape.n_kv_head = n_kv, shape.k_dim = shape.v_dim = dim, shape.window = window;
                shape.scale = 1.0f / std::sqrt(static_cast<float>(dim));
                const tensor::AttnSeq seq{blocks.data(), n_ctx - n_rows, n_rows, n_ctx, 0};
                tensor::AttnPlan plan(mem);
                const double s = best(
                                     [&] {
                                         for (int l = 0; l < layers; ++l) {
                                             plan.build(table, shape, store.view(l), {q.data(), out.data(), heads * dim, heads * dim},
                                                        {&seq, 1}, threads);
                                             thread::parallel_for(pool, plan.n_tasks(), [&](int64_t i, int w) { plan.run(i, w); });
                                         }
                                     },
                                     clock) /
                                 layers;
                double keys = 0;
                for (int64_t r = 0; r < n_rows; ++r) {
                    const int64_t seen = n_ctx - n_rows + r + 1;
                    keys += static_cast<double>(window ? std::min<int64_t>(window, seen) : seen);
                }
                const double bytes = static_cast<double>(store.layout().panel_bytes(0)) / 16 * n_kv *
                                     static_cast<double>(window ? std::min<int64_t>(window, n_ctx) : n_ctx);
                std::printf("%-6s %6lld %6lld %10.1f %9.1f %7.2f\n", dtype_name(t), static_cast<long long>(n_rows),
                            static_cast<long long>(n_ctx), s * 1e6, keys * 4 * heads * dim / s * 1e-9, bytes / s * 1e-9);
            }
}
