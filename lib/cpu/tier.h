// SPDX-License-Identifier: Apache-2.0
// Kernel tiers: which instruction sets this CPU and its operating system offer, as a set of named steps. The ids name
// folders of lib/kernels, CLI values and tables. Detection reads the CPU only; nothing is kept.
#pragma once

#include <cstdint>
#include <string_view>

namespace inlay::cpu {

// Ascending within a family. A CPU may lack a step and have a later one (Zen 4 has no AVX-VNNI but AVX512-VNNI), so
// what is usable is a set, not a maximum.
enum class Tier : uint8_t { scalar, avx2, avxvnni, avx512, avx512vnni, neon, dotprod, i8mm, count_ };

class TierSet {
public:
    constexpr bool has(Tier t) const noexcept { return (bits_ >> static_cast<int>(t)) & 1u; }
    constexpr void add(Tier t) noexcept { bits_ |= 1u << static_cast<int>(t); }
    constexpr Tier best() const noexcept {
        for (int i = static_cast<int>(Tier::count_) - 1; i > 0; --i)
            if ((bits_ >> i) & 1u) return static_cast<Tier>(i);
        return Tier::scalar;
    }
    // Those up to and including `t`.
    constexpr TierSet up_to(Tier t) const noexcept {
        TierSet s;
        s.bits_ = bits_ & ((2u << static_cast<int>(t)) - 1u);
        return s;
    }
    constexpr bool operator==(const TierSet &) const noexcept = default;

private:
    uint32_t bits_ = 1;  // scalar is always there
};

const char *tier_name(Tier t) noexcept;
// False for an unknown name.
bool tier_from_name(std::string_view name, Tier *out) noexcept;

// What this CPU runs and its OS saves on a context switch (XCR0).
TierSet detect_tiers() noexcept;

// The tiers to build a kernel table from. `asked` empty or "auto" = all of `present`; a tier's name = all of those up
// to it. INVALID_ARGUMENT for an unknown name, UNSUPPORTED for a tier that `present` lacks.
TierSet select_tiers(std::string_view asked, TierSet present);

}  // namespace inlay::cpu
