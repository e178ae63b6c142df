// SPDX-License-Identifier: Apache-2.0
// The loops that a machine's limits are measured with: arithmetic that does nothing but its one instruction, and plain
// reading of memory. `inlay bench` runs the best of each kind, bench/roof all of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cli {

struct PeakLoop {
    const char *name;    // the instruction and its width
    const char *kind;    // "int8", "int16", "bf16", "f32"
    const char *needs;   // what the CPU must have
    double ops;          // operations of one round, multiply + add = 2
    bool (*here)();      // whether this CPU has it
    void (*run)(long rounds);
};
// From narrow to wide: of one kind, the last that is here is the best. None on architectures that have no loops here.
const PeakLoop *peak_loops(size_t *n);
const PeakLoop *best_loop(const char *kind);  // or null

// Reads n bytes (a multiple of 256, 64-byte aligned) and returns something made of them all. Prefetches up to 4 KiB beyond.
uint64_t read_forward(const char *p, size_t n);  // one stream, as a product over packed weights reads
uint64_t read_streams(const char *p, size_t n);  // four quarters at once: where the prefetcher needs help on 4 KiB pages

}  // namespace cli
