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
#else
#include "kernels/lanes/plain.h"
#endif

namespace inlay::INLAY_TIER {
namespace {

inline constexpr int kLanes = 16;

INLAY_INLINE V zero() { return set1(0.0f); }

// exp(x); 0 below kExpMin, +Inf above kExpMax, NaN stays. 1 at 0, exactly.
INLAY_INLINE V exp(V x) {
    V n = sub(add(mul(x, set1(kernels::kLog2e)), set1(kernels::kRound)), set1(kernels::kRound));
    V r = fma(neg(n), set1(kernels::kLn2Hi), x);
    r = fma(neg(n), set1(kernels::kLn2Lo), r);
    V p = set1(kernels::kExp[4]);
    p = fma(p, r, set1(kernels::kExp[3]));
    p = fma(p, r, set1(kernels::kExp[2]));
    p = fma(p, r, set1(kernels::kExp[1]));
    p = fma(p, r, set1(kernels::kExp[0]));
    p = add(fma(mul(r, r), p, r), set1(1.0f));
    // 2^(n - 1), doubled by an addition: n = 128 has no float of its own.
    p = mul(p, exp2i(sub(n, set1(1.0f))));
    p = add(p, p);
    p = select(lt(x, set1(kernels::kExpMin)), zero(), p);
    p = select(lt(set1(kernels::kExpMax), x), set1(__builtin_inff()), p);
    return select(eq(x, x), p, x);
}

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

// The fixed tree over 16 partial sums: s[j] += s[j + 8], then + 4, + 2, + 1.
INLAY_INLINE float tree_sum(V v) {
    float s[kLanes];
    store(s, v);
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) s[j] += s[j + step];
    return s[0];
}
INLAY_INLINE float tree_max(V v) {
    float s[kLanes];
    store(s, v);
    for (int step = 8; step > 0; step >>= 1)
        for (int j = 0; j < step; ++j) s[j] = s[j] > s[j + step] ? s[j] : s[j + step];
    return s[0];
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
