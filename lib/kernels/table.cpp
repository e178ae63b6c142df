// SPDX-License-Identifier: Apache-2.0
// The cascade: ref fills everything, then each tier writes over it what it does better.
#include "kernels/table.h"

// meson defines INLAY_TIERS(X) as the tiers it built, ascending: X(avx2) X(avx512) ...
#include "kernels/kernels_config.h"

namespace inlay {

namespace ref {
void init(kernels::KernelTable &t) noexcept;
}
#define INLAY_TIER_DECLARE(tier)                 \
    namespace tier {                             \
    void init(kernels::KernelTable &t) noexcept; \
    }
INLAY_TIERS(INLAY_TIER_DECLARE)
#undef INLAY_TIER_DECLARE

namespace kernels {

KernelTable build_table(cpu::TierSet tiers) noexcept {
    KernelTable t;
    ref::init(t);
#define INLAY_TIER_INIT(tier) \
    if (tiers.has(cpu::Tier::tier)) inlay::tier::init(t);
    INLAY_TIERS(INLAY_TIER_INIT)
#undef INLAY_TIER_INIT
    (void)tiers;
    return t;
}

bool tier_built(cpu::Tier t) noexcept {
#define INLAY_TIER_BUILT(tier) \
    if (t == cpu::Tier::tier) return true;
    INLAY_TIERS(INLAY_TIER_BUILT)
#undef INLAY_TIER_BUILT
    return t == cpu::Tier::scalar;
}

}  // namespace kernels
}  // namespace inlay
