// SPDX-License-Identifier: Apache-2.0
// Tier detection: cpuid and XCR0 on x86-64, the kernel's hwcap words on AArch64.
#include "cpu/tier.h"

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace inlay::cpu {
namespace {

constexpr const char *kNames[] = {"scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "dotprod", "i8mm"};
static_assert(sizeof kNames / sizeof kNames[0] == static_cast<size_t>(Tier::count_));

constexpr bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

}  // namespace

const char *tier_name(Tier t) noexcept { return t < Tier::count_ ? kNames[static_cast<int>(t)] : "?"; }

bool tier_from_name(std::string_view name, Tier *out) noexcept {
    for (int i = 0; i < static_cast<int>(Tier::count_); ++i)
        if (name == kNames[i]) {
            *out = static_cast<Tier>(i);
            return true;
        }
    return false;
}

#if defined(__x86_64__)
TierSet detect_tiers() noexcept {
    TierSet set;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return set;
    constexpr uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    if (!all(c, fma | osxsave | avx | f16c)) return set;
    uint32_t xcr0, high;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    if (!all(xcr0, 0x6)) return set;  // xmm and ymm state
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return set;
    const uint32_t max_subleaf = a, ebx = b, ecx = c;
    constexpr uint32_t bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    if (!all(ebx, bmi1 | avx2 | bmi2)) return set;
    set.add(Tier::avx2);
    if (max_subleaf >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && all(a, 1u << 4)) set.add(Tier::avxvnni);
    constexpr uint32_t f = 1u << 16, dq = 1u << 17, cd = 1u << 28, bw = 1u << 30, vl = 1u << 31;
    if (!all(xcr0, 0xe6) || !all(ebx, f | dq | cd | bw | vl)) return set;  // opmask and zmm state
    set.add(Tier::avx512);
    if (all(ecx, 1u << 11)) set.add(Tier::avx512vnni);
    return set;
}
#elif defined(__aarch64__)
TierSet detect_tiers() noexcept {
    TierSet set;
    set.add(Tier::neon);  // part of AArch64's base
#if defined(__linux__)
    constexpr unsigned long asimddp = 1ul << 20, i8mm = 1ul << 13;
    if (getauxval(AT_HWCAP) & asimddp) {
        set.add(Tier::dotprod);
        if (getauxval(AT_HWCAP2) & i8mm) set.add(Tier::i8mm);
    }
#endif
    return set;
}
#else
TierSet detect_tiers() noexcept { return {}; }
#endif

TierSet select_tiers(std::string_view asked, TierSet present) {
    if (asked.empty() || asked == "auto") return present;
    Tier t;
    if (!tier_from_name(asked, &t))
        fail(Code::invalid_argument, "CPU tier ", quoted{asked}, " is none of auto scalar avx2 avxvnni avx512 avx512vnni neon dotprod i8mm");
    if (!present.has(t)) fail(Code::unsupported, "CPU tier ", tier_name(t), " is not offered by this CPU, whose best is ", tier_name(present.best()));
    return present.up_to(t);
}

}  // namespace inlay::cpu
