// SPDX-License-Identifier: Apache-2.0
// Each loop keeps 10 independent chains in registers (latency 4-5 times two ports), written in assembly: the compiler is to choose
// neither the registers nor what it keeps. Reading is written with the compiler's vectors, so that it exists everywhere.
#include "roof_loops.h"

#include <cstring>
#include <iterator>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace cli {

namespace {

constexpr int chains = 10;
#define EACH_CHAIN(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9)

#if defined(__x86_64__)
#define READ_TARGET __attribute__((target("avx2")))
// Sources are registers 10 and 11, cleared first: denormals or NaN in them would cost their own time.
#define PEAK_LOOP(fn, isa, op)                                                                                               \
    __attribute__((target(isa))) void fn(long rounds) {                                                                           \
        asm volatile("vpxor %%xmm10, %%xmm10, %%xmm10\n vpxor %%xmm11, %%xmm11, %%xmm11\n" EACH_CHAIN(CLEAR)::: CLOBBER);          \
        for (long i = 0; i < rounds; ++i) asm volatile(EACH_CHAIN(op)::: CLOBBER);                                                \
    }
#define CLEAR(k) "vpxor %%xmm" #k ", %%xmm" #k ", %%xmm" #k "\n"
#define CLOBBER "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
#define F32_YMM(k) "vfmadd231ps %%ymm10, %%ymm11, %%ymm" #k "\n"
#define F32_ZMM(k) "vfmadd231ps %%zmm10, %%zmm11, %%zmm" #k "\n"
#define MADDUBS_YMM(k) "vpmaddubsw %%ymm10, %%ymm11, %%ymm" #k "\n"
#define MADD_YMM(k) "vpmaddwd %%ymm10, %%ymm11, %%ymm" #k "\n"
#define DPBUSD_YMM(k) "%{vex%} vpdpbusd %%ymm10, %%ymm11, %%ymm" #k "\n"
#define DPBUSD_ZMM(k) "vpdpbusd %%zmm10, %%zmm11, %%zmm" #k "\n"
#define DPBF16_ZMM(k) "vdpbf16ps %%zmm10, %%zmm11, %%zmm" #k "\n"
PEAK_LOOP(f32_ymm, "avx2,fma", F32_YMM)
PEAK_LOOP(f32_zmm, "avx512f", F32_ZMM)
PEAK_LOOP(maddubs_ymm, "avx2", MADDUBS_YMM)
PEAK_LOOP(madd_ymm, "avx2", MADD_YMM)
PEAK_LOOP(dpbusd_ymm, "avxvnni", DPBUSD_YMM)
PEAK_LOOP(dpbusd_zmm, "avx512vnni", DPBUSD_ZMM)
PEAK_LOOP(dpbf16_zmm, "avx512bf16", DPBF16_ZMM)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() { return __builtin_cpu_supports("avx512f"); }
bool has_avxvnni() { return __builtin_cpu_supports("avxvnni"); }
bool has_vnni() { return __builtin_cpu_supports("avx512vnni"); }
bool has_bf16() { return __builtin_cpu_supports("avx512bf16"); }
constexpr PeakLoop loops[] = {
    {"fmadd ymm", "f32", "avx2 fma", 16 * chains, has_avx2, f32_ymm},
    {"fmadd zmm", "f32", "avx512f", 32 * chains, has_avx512, f32_zmm},
    // Sums pairs in 16 bits and no further: a whole int8 product on AVX2 needs other instructions besides.
    {"maddubs ymm", "int8", "avx2", 64 * chains, has_avx2, maddubs_ymm},
    {"dpbusd ymm", "int8", "avxvnni", 64 * chains, has_avxvnni, dpbusd_ymm},
    {"dpbusd zmm", "int8", "avx512vnni", 128 * chains, has_vnni, dpbusd_zmm},
    {"madd ymm", "int16", "avx2", 32 * chains, has_avx2, madd_ymm},
    {"dpbf16 zmm", "bf16", "avx512bf16", 64 * chains, has_bf16, dpbf16_zmm},
};
#elif defined(__aarch64__)
#define READ_TARGET
#define PEAK_LOOP(fn, isa, op)                                                                          \
    __attribute__((target(isa))) void fn(long rounds) {                                                 \
        asm volatile("movi v10.4s, #0\n movi v11.4s, #0\n" EACH_CHAIN(CLEAR)::: CLOBBER);               \
        for (long i = 0; i < rounds; ++i) asm volatile(EACH_CHAIN(op)::: CLOBBER);                      \
    }
#define CLEAR(k) "movi v" #k ".4s, #0\n"
#define CLOBBER "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11"
#define FMLA(k) "fmla v" #k ".4s, v10.4s, v11.4s\n"
#define SDOT(k) "sdot v" #k ".4s, v10.16b, v11.16b\n"
#define SMMLA(k) "smmla v" #k ".4s, v10.16b, v11.16b\n"
PEAK_LOOP(f32_neon, "+simd", FMLA)
PEAK_LOOP(sdot_neon, "arch=armv8.2-a+dotprod", SDOT)
PEAK_LOOP(smmla_neon, "arch=armv8.2-a+i8mm", SMMLA)
bool has_neon() { return true; }
bool has_dotprod() { return getauxval(AT_HWCAP) >> 20 & 1; }
bool has_i8mm() { return getauxval(AT_HWCAP2) >> 13 & 1; }
constexpr PeakLoop loops[] = {
    {"fmla 4s", "f32", "neon", 8 * chains, has_neon, f32_neon},
    {"sdot 4s", "int8", "dotprod", 32 * chains, has_dotprod, sdot_neon},
    {"smmla 4s", "int8", "i8mm", 64 * chains, has_i8mm, smmla_neon},
};
#else
#define READ_TARGET
constexpr PeakLoop loops[] = {{"", "", "", 0, [] { return false; }, nullptr}};
#endif

using Lane = uint64_t __attribute__((vector_size(32), aligned(32), may_alias));
constexpr size_t ahead = 4096;  // bytes: a page, so that the next one's first lines are on their way (measured best on Zen 4)

}  // namespace

const PeakLoop *peak_loops(size_t *n) {
    *n = std::size(loops);
    return loops;
}

const PeakLoop *best_loop(const char *kind) {
    const PeakLoop *best = nullptr;
    for (const PeakLoop &l : loops)
        if (std::strcmp(l.kind, kind) == 0 && l.here()) best = &l;
    return best;
}

READ_TARGET uint64_t read_forward(const char *p, size_t n) {
    Lane s0 = {}, s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < n; i += 256) {
        const auto *v = reinterpret_cast<const Lane *>(p + i);
        for (size_t k = 0; k < 256; k += 64) __builtin_prefetch(p + i + k + ahead);
        s0 ^= v[0], s1 ^= v[1], s2 ^= v[2], s3 ^= v[3];
        s0 ^= v[4], s1 ^= v[5], s2 ^= v[6], s3 ^= v[7];
    }
    s0 ^= s1 ^ s2 ^ s3;
    return s0[0] ^ s0[1] ^ s0[2] ^ s0[3];
}

READ_TARGET uint64_t read_streams(const char *p, size_t n) {
    Lane s0 = {}, s1 = s0, s2 = s0, s3 = s0;
    const size_t q = n / 4;
    auto take = [](Lane &s, const char *at) __attribute__((always_inline)) {
        __builtin_prefetch(at + ahead);
        s ^= reinterpret_cast<const Lane *>(at)[0];
        s ^= reinterpret_cast<const Lane *>(at)[1];
    };
    for (size_t i = 0; i < q; i += 64) take(s0, p + i), take(s1, p + q + i), take(s2, p + 2 * q + i), take(s3, p + 3 * q + i);
    s0 ^= s1 ^ s2 ^ s3;
    return s0[0] ^ s0[1] ^ s0[2] ^ s0[3];
}

}  // namespace cli
