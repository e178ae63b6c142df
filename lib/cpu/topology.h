// SPDX-License-Identifier: Apache-2.0
// What this process may use of the machine: physical cores (SMT siblings once), the cgroup's CPU quota and memory
// limit, cache sizes. Read from sysfs and cgroup files when asked; a file that is missing means "no limit known".
#pragma once

#include <cstdint>

namespace inlay::cpu {

struct Topology {
    static constexpr int max_cores = 1024;

    int logical = 1;             // CPUs that this process may run on
    int physical = 1;            // cores among them
    double quota = 0;            // CPUs' worth of time by cgroup; 0 = none
    uint64_t memory_limit = 0;   // bytes by cgroup; 0 = none
    uint64_t l2_bytes = 0;       // of one core; 0 = not known
    uint64_t l3_bytes = 0;
    int16_t core_cpu[max_cores] = {};  // [physical] one CPU number for each core

    // One thread a physical core, and not more than the quota pays for: a throttled thread stalls every phase.
    int default_threads() const noexcept;
};

// `root` is put before every path ("" = the real system); a test gives a folder of its own. With a root, the CPUs come
// from its files alone and not from this process's affinity mask.
Topology read_topology(const char *root = "") noexcept;

}  // namespace inlay::cpu
