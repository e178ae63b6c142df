// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured: read bandwidth, and the peaks of the arithmetic that kernels use.
#pragma once

namespace cli {

struct Roof {
    double read_gbps = 0;    // reading 256 MB a thread, 2 MiB pages where the system gives them
    double int8_gops = 0;    // multiply + add = 2 operations
    double f32_gflops = 0;
};

// About 0.5 s of all `threads` together.
Roof measure_roof(int threads);

}  // namespace cli
