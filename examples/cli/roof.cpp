// SPDX-License-Identifier: Apache-2.0
// Three loops, each in the widest form that this CPU has. x86-64 only; elsewhere the arithmetic peaks are 0 (unknown).
#include "roof.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "session.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cli {

namespace {

constexpr size_t read_bytes = 256u << 20;  // far beyond any last-level cache that a VM is given a share of

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t read_all(const char *p, size_t n) {
    // Four streams of 32-byte loads with a prefetch 4 KiB ahead: one stream leaves a third of the bandwidth unused.
    __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
    const size_t q = n / 4;
    for (size_t i = 0; i + 64 <= q; i += 64) {
        for (int k = 0; k < 4; ++k) _mm_prefetch(p + k * q + i + 4096, _MM_HINT_T0);
        for (int h = 0; h < 64; h += 32) {
            s0 = _mm256_xor_si256(s0, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + i + h)));
            s1 = _mm256_xor_si256(s1, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + q + i + h)));
            s2 = _mm256_xor_si256(s2, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + 2 * q + i + h)));
            s3 = _mm256_xor_si256(s3, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + 3 * q + i + h)));
        }
    }
    s0 = _mm256_xor_si256(_mm256_xor_si256(s0, s1), _mm256_xor_si256(s2, s3));
    return static_cast<uint64_t>(_mm256_extract_epi64(s0, 0));
}

// Each loop keeps 10 independent chains: latency 4-5 times two ports.
constexpr int chains = 10;
__attribute__((target("avx2,fma"))) void f32_loop(long n) {
    __m256 a[chains], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
    for (auto &v : a) v = y;
    for (long i = 0; i < n; ++i)
#pragma GCC unroll 10
        for (int k = 0; k < chains; ++k) {
            a[k] = _mm256_fmadd_ps(a[k], x, y);
            asm volatile("" : "+x"(a[k]));
        }
}
__attribute__((target("avx512f,avx512vnni"))) void int8_loop_vnni(long n) {
    __m512i a[chains], x = _mm512_set1_epi8(1);
    for (auto &v : a) v = _mm512_setzero_si512();
    for (long i = 0; i < n; ++i)
#pragma GCC unroll 10
        for (int k = 0; k < chains; ++k) {
            a[k] = _mm512_dpbusd_epi32(a[k], x, x);
            asm volatile("" : "+v"(a[k]));
        }
}
__attribute__((target("avx2"))) void int8_loop_avx2(long n) {
    __m256i a[chains], x = _mm256_set1_epi8(1);
    for (auto &v : a) v = x;
    for (long i = 0; i < n; ++i)
#pragma GCC unroll 10
        for (int k = 0; k < chains; ++k) {
            a[k] = _mm256_maddubs_epi16(a[k], x);
            asm volatile("" : "+x"(a[k]));
        }
}
#endif

template <class F>
double on_threads(int threads, F &&f) {  // seconds of the slowest
    std::vector<std::thread> t;
    double t0 = now_ms();
    for (int i = 1; i < threads; ++i) t.emplace_back([&, i] { f(i); });
    f(0);
    for (auto &x : t) x.join();
    return (now_ms() - t0) * 1e-3;
}

}  // namespace

Roof measure_roof(int threads) {
    Roof r;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return r;
    size_t bytes = read_bytes * static_cast<size_t>(threads);
    char *p = static_cast<char *>(std::aligned_alloc(2u << 20, bytes));
    if (p) {
        madvise(p, bytes, MADV_HUGEPAGE);
        std::memset(p, 1, bytes);
        volatile uint64_t sink = 0;
        for (int rep = 0; rep < 4; ++rep) {
            double s = on_threads(threads, [&](int i) { sink = sink + read_all(p + static_cast<size_t>(i) * read_bytes, read_bytes - 8192); });
            r.read_gbps = std::max(r.read_gbps, static_cast<double>(bytes) * 1e-9 / s);
        }
        std::free(p);
    }
    const long n = 4'000'000;
    const bool vnni = __builtin_cpu_supports("avx512vnni");
    for (int rep = 0; rep < 3; ++rep) {
        double s = on_threads(threads, [&](int) { vnni ? int8_loop_vnni(n) : int8_loop_avx2(n); });
        r.int8_gops = std::max(r.int8_gops, static_cast<double>(n) * chains * (vnni ? 128 : 64) * threads * 1e-9 / s);
        s = on_threads(threads, [&](int) { f32_loop(n); });
        r.f32_gflops = std::max(r.f32_gflops, static_cast<double>(n) * chains * 16 * threads * 1e-9 / s);
    }
#else
    (void)threads;
#endif
    return r;
}

}  // namespace cli
