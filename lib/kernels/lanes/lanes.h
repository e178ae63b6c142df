// SPDX-License-Identifier: Apache-2.0
// Sixteen f32 lanes, the unit that the row-wise kernels are written in (generic/). Each tier gives the same operations
// on its own registers, every one of them exact or correctly rounded, so a kernel written once has the same bits on all.
// Included inside a tier's folder only: INLAY_TIER names the namespace, everything in it is local to the file.
#pragma once

#include "kernels/polynomials.h"
#include "kernels/signatures.h"

#if !defined(INLAY_TIER)
#error "INLAY_TIER names the tier that this file is compiled for"
#elif defined(__AVX512F__)
#include "kernels/lanes/avx512.h"
#elif defined(__AVX2__)
#include "kernels/lanes/avx2.h"
#elif defined(__aarch64__) && !defined(INLAY_PLAIN_LANES)
#include "kernels/lanes/neon.h"
#else
#include "kernels/lanes/plain.h"
#endif

namespace inlay::INLAY_TIER {
namespace {

inline constexpr int kLanes = 16;

INLAY_INLINE V zero() { return set1(0.0f); }

// 2^n * exp's polynomial, as n and p. t = x log2 e, rounded to a whole number by the magic constant, whose low bits then
// are n + bias: shifted to the exponent they are 2^n without a conversion.
template <int bias>
INLAY_INLINE V exp_core(V x) {
    const V magic = set1(kernels::kRound + static_cast<float>(bias));
    const V t = fma(x, set1(kernels::kLog2e), magic);
    const V n = sub(t, magic);
    V r = fma(neg(n), set1(kernels::kLn2Hi), x);
    r = fma(neg(n), set1(kernels::kLn2Lo), r);
    V p = set1(kernels::kExp[4]);
    p = fma(p, r, set1(kernels::kExp[3]));
    p = fma(p, r, set1(kernels::kExp[2]));
    p = fma(p, r, set1(kernels::kExp[1]));
    p = fma(p, r, set1(kernels::kExp[0]));
    p = add(fma(mul(r, r), p, r), set1(1.0f));
    return mul(p, low_bits_to_exponent(t));
}
// exp(x); 0 below kExpMin, +Inf above kExpMax, NaN of NaN. 1 at 0, exactly.
INLAY_INLINE V exp(V x) {
    // 2^(n - 1), doubled by an addition: n = 128 has no float of its own.
    V p = exp_core<126>(x);
    p = select(lt(x, set1(kernels::kExpMin)), zero(), add(p, p));
    return select(lt(set1(kernels::kExpMax), x), set1(__builtin_inff()), p);
}
// The same for x <= 0 or NaN.
INLAY_INLINE V exp_down(V x) { return select(lt(x, set1(kernels::kExpMin)), zero(), exp_core<127>(x)); }

INLAY_INLINE V tanh(V x) {
    V z = mul(x, x);
    V p = set1(kernels::kTanh[4]);
    p = fma(p, z, set1(kernels::kTanh[3]));
    p = fma(p, z, set1(kernels::kTanh[2]));
    p = fma(p, z, set1(kernels::kTanh[1]));
    p = fma(p, z, set1(kernels::kTanh[0]));
    V small = fma(mul(x, z), p, x);
    V a = abs(x);
    V e = exp(add(a, a));
    V large = copy_sign(sub(set1(1.0f), div(set1(2.0f), add(e, set1(1.0f)))), x);
    return select(lt(a, set1(kernels::kTanhSmall)), small, large);
}

INLAY_INLINE V erf(V x) {
    V z = mul(x, x);
    V p = set1(kernels::kErfSmall[6]);
    for (int i = 5; i >= 0; --i) p = fma(p, z, set1(kernels::kErfSmall[i]));
    V small = fma(x, p, x);
    V a = abs(x);
    V t = min(set1(4.0f), a);
    V q = set1(kernels::kErfLarge[7]);
    for (int i = 6; i >= 0; --i) q = fma(q, t, set1(kernels::kErfLarge[i]));
    V large = copy_sign(sub(set1(1.0f), exp(q)), x);
    return select(eq(x, x), select(lt(a, set1(1.0f)), small, large), x);
}

// Calls f(i, count) for each group of 16 of n, count < 16 in the last one.
template <class F>
INLAY_INLINE void each_group(int64_t n, F &&f) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
    if (i < n) f(i, static_cast<int>(n - i));
}
INLAY_INLINE V load_n(const float *p, int count) { return count == kLanes ? load(p) : load_part(p, count); }
INLAY_INLINE void store_n(float *p, V v, int count) {
    if (count == kLanes) store(p, v);
    else store_part(p, v, count);
}

}  // namespace
}  // namespace inlay::INLAY_TIER
