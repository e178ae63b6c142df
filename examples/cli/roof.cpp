// SPDX-License-Identifier: Apache-2.0
// The best of each kind of loop, on all threads at once, for the share of the roof that `inlay bench` prints.
#include "roof.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "roof_loops.h"
#include "session.h"

namespace cli {

namespace {

constexpr size_t read_bytes = 256u << 20;  // far beyond any last-level cache that a VM is given a share of

template <class F>
double on_threads(int threads, F &&f) {  // seconds of the slowest
    std::vector<std::thread> t;
    double t0 = now_ms();
    for (int i = 1; i < threads; ++i) t.emplace_back([&, i] { f(i); });
    f(0);
    for (auto &x : t) x.join();
    return (now_ms() - t0) * 1e-3;
}

double peak(const char *kind, int threads) {  // operations/s * 1e-9
    const PeakLoop *loop = best_loop(kind);
    if (!loop) return 0;
    const long rounds = 4'000'000;  // some 10 ms
    double best = 0;
    for (int rep = 0; rep < 3; ++rep)
        best = std::max(best, loop->ops * static_cast<double>(rounds) * threads * 1e-9 / on_threads(threads, [&](int) { loop->run(rounds); }));
    return best;
}

}  // namespace

Roof measure_roof(int threads) {
    Roof r;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2")) return r;  // the reading loop is compiled for it
#endif
    size_t bytes = read_bytes * static_cast<size_t>(threads);
    char *p = static_cast<char *>(std::aligned_alloc(2u << 20, bytes));
    if (p) {
        madvise(p, bytes, MADV_HUGEPAGE);
        std::memset(p, 1, bytes);
        volatile uint64_t sink = 0;
        for (int rep = 0; rep < 6; ++rep) {
            auto read = rep % 2 ? read_forward : read_streams;
            double s = on_threads(threads, [&](int i) { sink = sink + read(p + static_cast<size_t>(i) * read_bytes, read_bytes - 8192); });
            r.read_gbps = std::max(r.read_gbps, static_cast<double>(bytes) * 1e-9 / s);
        }
        std::free(p);
    }
    r.int8_gops = peak("int8", threads);
    r.f32_gflops = peak("f32", threads);
    return r;
}

}  // namespace cli
