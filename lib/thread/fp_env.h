// SPDX-License-Identifier: Apache-2.0
// The floating-point state that every kernel runs in: round to nearest even, denormals kept, no traps. Bits would
// differ under a host's FTZ/DAZ or rounding mode, so the caller's thread is set for the time of a phase and put back.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace inlay::thread {

#if defined(__x86_64__)
inline uint64_t fp_state() noexcept { return _mm_getcsr(); }
inline void set_fp_state(uint64_t s) noexcept { _mm_setcsr(static_cast<unsigned>(s)); }
// MXCSR as the ABI starts a process with; the low six bits are sticky exception flags, which mean nothing here.
constexpr uint64_t kFpDefault = 0x1f80, kFpFlags = 0x3f;
#elif defined(__aarch64__)
inline uint64_t fp_state() noexcept {
    uint64_t s;
    __asm__ volatile("mrs %0, fpcr" : "=r"(s));
    return s;
}
inline void set_fp_state(uint64_t s) noexcept { __asm__ volatile("msr fpcr, %0" ::"r"(s)); }
constexpr uint64_t kFpDefault = 0, kFpFlags = 0;
#else
inline uint64_t fp_state() noexcept { return 0; }
inline void set_fp_state(uint64_t) noexcept {}
constexpr uint64_t kFpDefault = 0, kFpFlags = 0;
#endif

class FpGuard {
public:
    FpGuard() noexcept : saved_(fp_state()), changed_((saved_ & ~kFpFlags) != kFpDefault) {
        if (changed_) set_fp_state(kFpDefault);
    }
    ~FpGuard() {
        if (changed_) set_fp_state(saved_);
    }
    FpGuard(const FpGuard &) = delete;
    FpGuard &operator=(const FpGuard &) = delete;

private:
    uint64_t saved_;
    bool changed_;
};

}  // namespace inlay::thread
