// SPDX-License-Identifier: Apache-2.0
// The inner loop of matmul_chain.h: two tokens x five panels over a group of 256 k. By hand, as it lives from keeping all ten f32 sums
// and two blocks' products in 32 registers: gcc 12 spills, and each store takes a slot from the products (386 GOP/s against 435).
//   first ten: f32 sums of both tokens; zmm10-17 and zmm18-25: the four products of each token, of this block and of the one before in turns;
//   zmm26, 27: four activations of each token; zmm28: codes; zmm29-31: what taking sums apart needs
// The lines of INLAY_PRODUCTS and INLAY_SUMS are woven together, a few shifts and additions behind every two products, beginning when the last
// block's products are long done.
#pragma once

#include "kernels/x86/avx512vnni/chain_record.h"

namespace inlay::INLAY_TIER {
namespace {

#if defined(INLAY_SIMDE)  // emulated: the same by intrinsics

INLAY_INLINE void chain_group(const uint8_t *w, const ActView &a, int64_t t1, int64_t, F (&f)[2][kChain]) {
    for (int t = 0; t < 2; ++t) {
        const ActView x = advance(a, t * t1, 0);
        for (int i = 0; i < kChain; ++i) f[t][i] = zerof();
        for (int b = 0; b < kGroupBlocks; ++b) {
            const uint8_t *at = w + b * ChainRecord::bytes;
            const I n8 = sra32<4>(bcast(x.n128 + b)), k = bcast(x.magic + b);
            I p[kLinks] = {n8, zero(), zero(), zero()};
            for (int v = 0; v < 8 * kLinks; ++v) p[v % kLinks] = dot(p[v % kLinks], load(at + 64 * v), bcast(x.q + b * kBlock + v / kLinks * 4));
            I s = sub32(p[0], sll32<4>(sub32(p[1], sll32<4>(sub32(p[2], sll32<4>(p[3]))))));
            s = sra32<16>(sll32<16>(s));
            for (int i = 0; i < kChain; ++i) {
                const F scale = loadf(reinterpret_cast<const float *>(at + ChainRecord::scale) + 16 * i);
                f[t][i] = fma(subf(as_f(add32(i ? s : sub32(s, n8), k)), as_f(k)), scale, f[t][i]);
                if (i < kLinks) s = sra32<4>(sub32(p[i], s));
            }
        }
        for (int i = 0; i < kChain; ++i) {
            const uint8_t *at = w + ChainRecord::group + i * ChainRecord::panel_bytes;
            f[t][i] = fma(group_mins<4>(at + 64, x, 0), loadf(reinterpret_cast<const float *>(at)), f[t][i]);
        }
    }
}

#else

#define Z(n) "%%zmm" #n
#define OP(name, ...) name " " __VA_ARGS__ "\n\t"
#define OP2(name, a, b) OP(name, a ", " b)
#define OP3(name, a, b, c) OP(name, a ", " b ", " c)

// ---- products: sums p0 .. p3 of a token (pointers q, n: its activations and -128 * sums) begin; four activations; one vector of codes
#define BEGIN(n, at, p0, p1, p2, p3)                                                                                             \
    OP2("vpbroadcastd", at "(%[" n "])", Z(p0)) OP3("vpsrad", "$4", Z(p0), Z(p0)) OP3("vpxord", Z(p1), Z(p1), Z(p1)) \
        OP3("vpxord", Z(p2), Z(p2), Z(p2)) OP3("vpxord", Z(p3), Z(p3), Z(p3))
#define ACTS(g, at) OP2("vpbroadcastd", #g "*4+" at "(%[q0])", Z(26)) OP2("vpbroadcastd", #g "*4+" at "(%[q1])", Z(27))
#define DOTS(v, at, p, q) \
    OP2("vmovdqu64", #v "*64+" at "(%[w])", Z(28)) OP3("vpdpbusd", Z(26), Z(28), Z(p)) OP3("vpdpbusd", Z(27), Z(28), Z(q))

// ---- sums of a token out of p0 .. p3, in 14 steps; s: where the block's scales are, k: its place among its row's blocks
#define APART0(p2, p3) OP3("vpslld", "$4", Z(p3), Z(30)) OP3("vpsubd", Z(30), Z(p2), Z(30))
#define APART1(p1) OP3("vpslld", "$4", Z(30), Z(30)) OP3("vpsubd", Z(30), Z(p1), Z(30))
#define APART2(p0) OP3("vpslld", "$4", Z(30), Z(30)) OP3("vpsubd", Z(30), Z(p0), Z(30))
#define APART3(m, k) OP3("vpslld", "$16", Z(30), Z(30)) OP3("vpsrad", "$16", Z(30), Z(30)) OP2("vpbroadcastd", k "(%[" m "])", Z(31))
#define APART4(p0) OP3("vpsubd", Z(30), Z(p0), Z(p0)) OP3("vpsrad", "$4", Z(p0), Z(p0))
#define APART5(n, k) OP2("vpbroadcastd", k "(%[" n "])", Z(29)) OP3("vpsrad", "$4", Z(29), Z(29)) OP3("vpaddd", Z(31), Z(30), Z(30))
#define APART6(p0, p1) OP3("vpsubd", Z(p0), Z(p1), Z(p1)) OP3("vpsubd", Z(29), Z(30), Z(30)) OP3("vpaddd", Z(31), Z(p0), Z(p0))
#define APART7(p0, p1) OP3("vpsrad", "$4", Z(p1), Z(p1)) OP3("vsubps", Z(31), Z(30), Z(30)) OP3("vsubps", Z(31), Z(p0), Z(p0))
#define APART8(s, f, p0, p1, p2)                                                                                                        \
    OP3("vfmadd231ps", s "(%[w])", Z(30), "%[" f "0]") OP3("vfmadd231ps", "64+" s "(%[w])", Z(p0), "%[" f "1]") OP3("vpsubd", Z(p1), Z(p2), Z(p2))
#define APART9(p1, p2) OP3("vpaddd", Z(31), Z(p1), Z(p1)) OP3("vpsrad", "$4", Z(p2), Z(p2))
#define APART10(p1, p2, p3) OP3("vsubps", Z(31), Z(p1), Z(p1)) OP3("vpsubd", Z(p2), Z(p3), Z(p3)) OP3("vpaddd", Z(31), Z(p2), Z(p2))
#define APART11(s, f, p1, p2, p3) \
    OP3("vfmadd231ps", "128+" s "(%[w])", Z(p1), "%[" f "2]") OP3("vpsrad", "$4", Z(p3), Z(p3)) OP3("vsubps", Z(31), Z(p2), Z(p2))
#define APART12(s, f, p2, p3) OP3("vfmadd231ps", "192+" s "(%[w])", Z(p2), "%[" f "3]") OP3("vpaddd", Z(31), Z(p3), Z(p3))
#define APART13(s, f, p3) OP3("vsubps", Z(31), Z(p3), Z(p3)) OP3("vfmadd231ps", "256+" s "(%[w])", Z(p3), "%[" f "4]")

// ---- the products of a block into a, b (w, q, k: where its codes and activations are) and the sums of the one before out of c, d
#define FIRST_BLOCK(w, q, k, a0, a1, a2, a3, b0, b1, b2, b3)                                                                                       \
    BEGIN("n0", k, a0, a1, a2, a3) BEGIN("n1", k, b0, b1, b2, b3)                                                                                  \
    ACTS(0, q) DOTS(0, w, a0, b0) DOTS(1, w, a1, b1) DOTS(2, w, a2, b2) DOTS(3, w, a3, b3)                                                         \
    ACTS(1, q) DOTS(4, w, a0, b0) DOTS(5, w, a1, b1) DOTS(6, w, a2, b2) DOTS(7, w, a3, b3)                                                         \
    ACTS(2, q) DOTS(8, w, a0, b0) DOTS(9, w, a1, b1) DOTS(10, w, a2, b2) DOTS(11, w, a3, b3)                                                       \
    ACTS(3, q) DOTS(12, w, a0, b0) DOTS(13, w, a1, b1) DOTS(14, w, a2, b2) DOTS(15, w, a3, b3)                                                     \
    ACTS(4, q) DOTS(16, w, a0, b0) DOTS(17, w, a1, b1) DOTS(18, w, a2, b2) DOTS(19, w, a3, b3)                                                     \
    ACTS(5, q) DOTS(20, w, a0, b0) DOTS(21, w, a1, b1) DOTS(22, w, a2, b2) DOTS(23, w, a3, b3)                                                     \
    ACTS(6, q) DOTS(24, w, a0, b0) DOTS(25, w, a1, b1) DOTS(26, w, a2, b2) DOTS(27, w, a3, b3)                                                     \
    ACTS(7, q) DOTS(28, w, a0, b0) DOTS(29, w, a1, b1) DOTS(30, w, a2, b2) DOTS(31, w, a3, b3)
#define BLOCK(w, q, k, a0, a1, a2, a3, b0, b1, b2, b3, s, l, c0, c1, c2, c3, d0, d1, d2, d3)                                                        \
    BEGIN("n0", k, a0, a1, a2, a3) BEGIN("n1", k, b0, b1, b2, b3)                                                                                   \
    ACTS(0, q) DOTS(0, w, a0, b0) DOTS(1, w, a1, b1) DOTS(2, w, a2, b2) DOTS(3, w, a3, b3)                                                          \
    ACTS(1, q) DOTS(4, w, a0, b0) APART0(c2, c3) DOTS(5, w, a1, b1) APART1(c1)                                                                      \
        DOTS(6, w, a2, b2) APART2(c0) DOTS(7, w, a3, b3) APART3("m0", l)                                                                            \
    ACTS(2, q) DOTS(8, w, a0, b0) APART4(c0) DOTS(9, w, a1, b1) APART5("n0", l)                                                                     \
        DOTS(10, w, a2, b2) APART6(c0, c1) DOTS(11, w, a3, b3) APART7(c0, c1)                                                                       \
    ACTS(3, q) DOTS(12, w, a0, b0) APART8(s, "f0", c0, c1, c2) DOTS(13, w, a1, b1) APART9(c1, c2)                                                   \
        DOTS(14, w, a2, b2) APART10(c1, c2, c3) DOTS(15, w, a3, b3) APART11(s, "f0", c1, c2, c3)                                                    \
    ACTS(4, q) DOTS(16, w, a0, b0) APART12(s, "f0", c2, c3) DOTS(17, w, a1, b1) APART13(s, "f0", c3)                                                \
        DOTS(18, w, a2, b2) APART0(d2, d3) DOTS(19, w, a3, b3) APART1(d1)                                                                           \
    ACTS(5, q) DOTS(20, w, a0, b0) APART2(d0) DOTS(21, w, a1, b1) APART3("m1", l)                                                                   \
        DOTS(22, w, a2, b2) APART4(d0) DOTS(23, w, a3, b3) APART5("n1", l)                                                                          \
    ACTS(6, q) DOTS(24, w, a0, b0) APART6(d0, d1) DOTS(25, w, a1, b1) APART7(d0, d1)                                                                \
        DOTS(26, w, a2, b2) APART8(s, "f1", d0, d1, d2) DOTS(27, w, a3, b3) APART9(d1, d2)                                                          \
    ACTS(7, q) DOTS(28, w, a0, b0) APART10(d1, d2, d3) DOTS(29, w, a1, b1) APART11(s, "f1", d1, d2, d3)                                             \
        DOTS(30, w, a2, b2) APART12(s, "f1", d2, d3) DOTS(31, w, a3, b3) APART13(s, "f1", d3)

// ---- mins of panel i: both tokens' sums in p, q
#define MINS(i, v, p, q)                                              \
    OP2("vmovdqu64", #i "*320+64+" #v "*64+4736(%[w])", Z(28))        \
    OP3("vpdpwssd", #v "*4(%[b0])%{1to16%}", Z(28), Z(p)) OP3("vpdpwssd", #v "*4(%[b1])%{1to16%}", Z(28), Z(q))
#define ZERO(p) OP3("vpxord", p, p, p)
#define ADD_MINS(i, p, q)                                                                                     \
    OP2("vcvtdq2ps", Z(p), Z(p)) OP2("vcvtdq2ps", Z(q), Z(q))                                                 \
    OP3("vfmadd231ps", #i "*320+4736(%[w])", Z(p), "%[f0" #i "]") OP3("vfmadd231ps", #i "*320+4736(%[w])", Z(q), "%[f1" #i "]")

// w: a record of five panels; a: of the first token, the second stands t1 rows behind (0: there is none, and the first is computed twice);
// the next two tokens' activations, `ahead` bytes behind these, are asked for. f: the group's sums before its d.
INLAY_INLINE void chain_group(const uint8_t *w, const ActView &a, int64_t t1, int64_t ahead, F (&f)[2][kChain]) {
    static_assert(ChainRecord::bytes == 2368 && ChainRecord::scale == 2048 && ChainRecord::panel_bytes == 320);
    const int8_t *q0 = a.q, *q1 = a.q + t1 * a.ldq;
    const int32_t *m0 = a.magic, *m1 = a.magic + t1 * a.ldb, *n0 = a.n128, *n1 = a.n128 + t1 * a.ldb;
    const int16_t *b0 = a.b16, *b1 = a.b16 + t1 * a.ldb;
    int64_t count;
    asm volatile(
        FIRST_BLOCK("0", "0", "0", 10, 11, 12, 13, 14, 15, 16, 17)
        ZERO("%[f00]") ZERO("%[f01]") ZERO("%[f02]") ZERO("%[f03]") ZERO("%[f04]")
        ZERO("%[f10]") ZERO("%[f11]") ZERO("%[f12]") ZERO("%[f13]") ZERO("%[f14]")
        "mov $3, %k[count]\n"
        "1:\n\t"
        "prefetcht0 (%[q0],%[ahead])\n\tprefetcht0 (%[q1],%[ahead])\n\t"
        BLOCK("2368", "32", "4", 18, 19, 20, 21, 22, 23, 24, 25, "2048", "0", 10, 11, 12, 13, 14, 15, 16, 17)
        BLOCK("4736", "64", "8", 10, 11, 12, 13, 14, 15, 16, 17, "4416", "4", 18, 19, 20, 21, 22, 23, 24, 25)
        "add $4736, %[w]\n\tadd $64, %[q0]\n\tadd $64, %[q1]\n\tadd $8, %[m0]\n\tadd $8, %[m1]\n\tadd $8, %[n0]\n\tadd $8, %[n1]\n\t"
        "dec %k[count]\n\tjne 1b\n\t"
        "prefetcht0 (%[q0],%[ahead])\n\tprefetcht0 (%[q1],%[ahead])\n\t"
        BLOCK("2368", "32", "4", 18, 19, 20, 21, 22, 23, 24, 25, "2048", "0", 10, 11, 12, 13, 14, 15, 16, 17)
        ZERO(Z(10)) ZERO(Z(11)) ZERO(Z(12)) ZERO(Z(13)) ZERO(Z(14)) ZERO(Z(15)) ZERO(Z(16)) ZERO(Z(17)) ZERO(Z(26)) ZERO(Z(27))
        MINS(0, 0, 10, 14) APART0(20, 21) APART1(19) MINS(0, 1, 10, 14) APART2(18) MINS(0, 2, 10, 14) APART3("m0", "4") MINS(0, 3, 10, 14) APART4(18)
        MINS(1, 0, 11, 15) APART5("n0", "4") MINS(1, 1, 11, 15) APART6(18, 19) APART7(18, 19) MINS(1, 2, 11, 15) APART8("4416", "f0", 18, 19, 20)
        MINS(1, 3, 11, 15) APART9(19, 20) MINS(2, 0, 12, 16) APART10(19, 20, 21) MINS(2, 1, 12, 16) APART11("4416", "f0", 19, 20, 21) MINS(2, 2, 12, 16)
        APART12("4416", "f0", 20, 21) MINS(2, 3, 12, 16) APART13("4416", "f0", 21) APART0(24, 25) MINS(3, 0, 13, 17) APART1(23) MINS(3, 1, 13, 17)
        APART2(22) MINS(3, 2, 13, 17) APART3("m1", "4") APART4(22) MINS(3, 3, 13, 17) APART5("n1", "4") MINS(4, 0, 26, 27) APART6(22, 23) APART7(22, 23)
        MINS(4, 1, 26, 27) APART8("4416", "f1", 22, 23, 24) APART9(23, 24) MINS(4, 2, 26, 27) APART10(23, 24, 25) APART11("4416", "f1", 23, 24, 25)
        MINS(4, 3, 26, 27) APART12("4416", "f1", 24, 25) APART13("4416", "f1", 25)
        ADD_MINS(0, 10, 14) ADD_MINS(1, 11, 15) ADD_MINS(2, 12, 16) ADD_MINS(3, 13, 17) ADD_MINS(4, 26, 27)
        : [f00] "=&v"(f[0][0]), [f01] "=&v"(f[0][1]), [f02] "=&v"(f[0][2]), [f03] "=&v"(f[0][3]), [f04] "=&v"(f[0][4]), [f10] "=&v"(f[1][0]),
          [f11] "=&v"(f[1][1]), [f12] "=&v"(f[1][2]), [f13] "=&v"(f[1][3]), [f14] "=&v"(f[1][4]), [w] "+&r"(w), [q0] "+&r"(q0), [q1] "+&r"(q1),
          [m0] "+&r"(m0), [m1] "+&r"(m1), [n0] "+&r"(n0), [n1] "+&r"(n1), [count] "=&r"(count)
        : [b0] "r"(b0), [b1] "r"(b1), [ahead] "r"(ahead)
        : "memory", "cc", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23",
          "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31");
}

#undef Z
#undef OP
#undef OP2
#undef OP3
#undef BEGIN
#undef ACTS
#undef DOTS
#undef APART0
#undef APART1
#undef APART2
#undef APART3
#undef APART4
#undef APART5
#undef APART6
#undef APART7
#undef APART8
#undef APART9
#undef APART10
#undef APART11
#undef APART12
#undef APART13
#undef FIRST_BLOCK
#undef BLOCK
#undef MINS
#undef ZERO
#undef ADD_MINS

#endif

}  // namespace
}  // namespace inlay::INLAY_TIER
