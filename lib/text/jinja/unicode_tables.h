// SPDX-License-Identifier: Apache-2.0
// Shapes of the generated tables in unicode_tables.cpp: flags by range, case mappings as runs and as expansions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inlay::text::jinja {

struct FlagRange {  // flags of all code points from `first` to the next range
    uint32_t first;
    uint16_t flags;
};
struct CaseRun {  // first, first + step, ... (count of them) map to themselves + delta
    uint32_t first;
    uint16_t count;
    uint16_t step;
    int32_t delta;
};
struct CaseExpansion {
    uint32_t code;
    uint32_t to[3];  // 0 = end
};

extern const FlagRange kFlagRanges[];
extern const size_t kFlagRangeCount;
extern const CaseRun kUpperRuns[], kLowerRuns[], kTitleRuns[];
extern const size_t kUpperRunCount, kLowerRunCount, kTitleRunCount;
extern const CaseExpansion kUpperMore[], kLowerMore[], kTitleMore[];
extern const size_t kUpperMoreCount, kLowerMoreCount, kTitleMoreCount;

}  // namespace inlay::text::jinja
