// SPDX-License-Identifier: Apache-2.0
// Speculation without a second model: what followed the last time that the newest tokens stood in the sequence.
#pragma once

#include <algorithm>

#include "base/containers.h"

namespace inlay::engine {

// Appends at most n tokens. Looks for the latest earlier place of the last 4 tokens, then of the last 3, then 2.
inline void lookup(const Vector<int32_t> &tokens, int32_t n, Vector<int32_t> &out) {
    int32_t have = static_cast<int32_t>(tokens.size());
    if (n <= 0) return;
    const int32_t *t = tokens.data();
    int32_t best = -1, best_length = 1;  // one pass: the longest match of 2 to 4, the latest among equals
    for (int32_t end = have - 2; end >= 1 && best_length < 4; --end) {
        if (t[end] != t[have - 1]) continue;
        int32_t length = 1;
        while (length < 4 && length <= end && t[end - length] == t[have - 1 - length]) ++length;
        if (length > best_length) best = end, best_length = length;
    }
    if (best < 0) return;
    for (int32_t i = best + 1; i < have && n > 0; ++i, --n) out.push_back(t[i]);
}

}  // namespace inlay::engine
