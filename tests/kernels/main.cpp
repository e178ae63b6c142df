// SPDX-License-Identifier: Apache-2.0
// check_kernels [--tier=T] [--kernel=SUBSTRING] [--seed=N]: exit 1 when a kernel's bits differ from ref's, 2 for a
// tier this CPU or build lacks.
#include <cstdlib>
#include <string_view>

#include "kernels/check.h"

using namespace inlay;

int main(int argc, char **argv) {
    std::string_view only_tier, only_kernel;
    uint64_t seed = 1;
    for (int i = 1; i < argc; ++i) {
        std::string_view a = argv[i];
        if (a.starts_with("--tier=")) only_tier = a.substr(7);
        else if (a.starts_with("--kernel=")) only_kernel = a.substr(9);
        else if (a.starts_with("--seed=")) seed = std::strtoull(argv[i] + 7, nullptr, 10);
        else return std::printf("unknown option %s\n", argv[i]), 2;
    }
    cpu::TierSet present = cpu::detect_tiers();
#if defined(INLAY_EMULATED_TIERS)  // simde/: all that is built, but it is AVX2 code
    if (!present.has(cpu::Tier::avx2)) return std::printf("SKIP: SIMDe's code needs AVX2\n"), 77;
    for (int i = 0; i < static_cast<int>(cpu::Tier::count_); ++i)
        if (kernels::tier_built(static_cast<cpu::Tier>(i))) present.add(static_cast<cpu::Tier>(i));
#endif
    const kernels::KernelTable ref = kernels::build_table({});
    int failures = 0, checked = 0;
    for (int i = 0; i < static_cast<int>(cpu::Tier::count_); ++i) {
        const auto tier = static_cast<cpu::Tier>(i);
        const char *name = cpu::tier_name(tier);
        if (!only_tier.empty() && only_tier != name) continue;
        if (!present.has(tier) || !kernels::tier_built(tier)) {
            if (only_tier == name) return std::printf("SKIP: tier %s is not in this CPU and build\n", name), 2;
            continue;
        }
        const kernels::KernelTable table = kernels::build_table(present.up_to(tier));
        cpu::TierSet below_set;  // what the table was before this tier: kernels it did not bring are checked already
        for (int j = 0; j < i; ++j)
            if (present.has(static_cast<cpu::Tier>(j))) below_set.add(static_cast<cpu::Tier>(j));
        const kernels::KernelTable below = kernels::build_table(below_set);
        int brought = 0, cases = 0;
#define INLAY_KERNEL(kernel, Fn, family)                                                                                          \
    if (std::string_view(#kernel).find(only_kernel) != std::string_view::npos && table.kernel != (i ? below.kernel : nullptr)) { \
        check::Report r = {#kernel, name, seed};                                                                                  \
        r.expect(table.kernel != nullptr, "no function");                                                                         \
        if (table.kernel) check::check(r, ref.kernel, table.kernel);                                                              \
        ++brought, cases += r.cases, failures += r.failures;                                                                      \
    }
#include "kernels/kernels.def"
#undef INLAY_KERNEL
        std::printf("tier %s: %d kernels, %d cases\n", name, brought, cases);
        checked += brought;
    }
    std::printf("%d kernels checked, %d failures\n", checked, failures);
    return failures || !checked ? 1 : 0;
}
