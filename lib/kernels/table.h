// SPDX-License-Identifier: Apache-2.0
// Makes the kernel table of a set of tiers. Built once a runtime and held by const reference; chosen per matrix or
// row range, never per element.
#pragma once

#include "cpu/tier.h"
#include "kernels/signatures.h"

namespace inlay::kernels {

KernelTable build_table(cpu::TierSet tiers) noexcept;

// The tiers that this binary holds code for; a compiler without a flag leaves its tier out.
bool tier_built(cpu::Tier t) noexcept;

}  // namespace inlay::kernels
