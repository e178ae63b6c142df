// SPDX-License-Identifier: Apache-2.0
// The built-in executor: width - 1 threads and the caller. A phase gives each worker a contiguous range; one that is
// done takes tasks from the others' ends. Between phases workers spin for a moment, then sleep on a futex.
//
// A phase ends when its tasks are done, not when its workers are: a worker that the OS has not let run is closed out
// and its range is stolen, so another busy process costs its share of one core and not the whole step. For the same
// reason a forked child, which has none of the threads, still finishes its phases on the calling thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/memory.h"
#include "thread/executor.h"

namespace inlay::thread {

struct PoolOptions {
    int threads = 1;              // width, the caller's thread included; 1..max_threads
    uint32_t spin_us = 40;        // a wake-up by futex costs 5-50 us, so about that long a spin is never worse than twice the best
    const int16_t *cpus = nullptr;  // [threads] CPU for worker i (i = 0 is the caller and is left alone); null = no affinity
    const char *name = "inlay";   // threads are called name-1, name-2, …
};

class Pool final : public Executor {
public:
    static constexpr int max_threads = 1024;

    // INVALID_ARGUMENT for a width out of range; LIMIT when the system gives no more threads (those started are ended).
    Pool(Memory &memory, const PoolOptions &options);
    ~Pool() override;
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    int width() const noexcept override { return width_; }
    void run(int64_t n, Task fn, void *ctx) override;

private:
    struct Worker;
    struct Launch;

    static void *thread_main(void *launch);
    void worker_loop(int self) noexcept;
    void work(int self) noexcept;
    bool steal(int self, uint32_t *task) noexcept;
    void run_phase(uint32_t n, Task fn, void *ctx) noexcept;
    void stop(int started) noexcept;

    int width_;
    uint32_t spin_us_;
    int64_t pid_;
    Buffer storage_;
    Worker *workers_;  // [width]
    Task fn_ = nullptr;
    void *ctx_ = nullptr;
    int64_t first_ = 0;  // task number of the phase's task 0
    uint32_t epoch_ = 0;
};

}  // namespace inlay::thread
