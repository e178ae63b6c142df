// SPDX-License-Identifier: Apache-2.0
// One host's resources: memory, files, threads, kernels, log, limits. Everything that is opened holds a shared_ptr to
// its Runtime; nothing else in the library outlives a call or is shared between runtimes.
#pragma once

#include <memory>
#include <mutex>

#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "cpu/tier.h"
#include "io/source.h"
#include "kernels/table.h"
#include "thread/executor.h"
#include "thread/host_executor.h"

namespace inlay::engine {

enum class ExecutorKind : int32_t { automatic = 0, pool = 1, tbb = 2, host = 3, caller = 4 };

struct RuntimeOptions {
    int n_threads = 0;           // 0 = physical cores within the cgroup quota
    uint64_t memory_bytes = 0;   // cap; 0 = none
    std::string_view tier;       // "" or "auto" = the best one
    ExecutorKind executor = ExecutorKind::automatic;
    bool blas = false;           // f32 products of many tokens by OpenBLAS; UNSUPPORTED where it is not built in
    MemoryHooks memory;
    thread::HostHooks host;
    io::FileHooks io;
    Log log;
    Limits limits;
};

class Runtime {
public:
    explicit Runtime(const RuntimeOptions &o);

    Memory &memory() noexcept { return memory_; }
    const Memory &memory() const noexcept { return memory_; }
    const Limits &limits() const noexcept { return limits_; }
    const Log &log() const noexcept { return log_; }
    const io::FileSystem &files() const noexcept { return files_; }
    const kernels::KernelTable &kernels() const noexcept { return kernels_; }
    cpu::Tier tier() const noexcept { return tier_; }
    ExecutorKind executor_kind() const noexcept { return kind_; }
    bool blas() const noexcept { return blas_; }
    int n_threads() const noexcept { return executor_->width(); }

    // The executor runs one phase at a time; who wants to compute holds the lock for its slice of work.
    thread::Executor &executor() noexcept { return *executor_; }
    std::mutex &executor_mutex() noexcept { return executor_mutex_; }

private:
    Memory memory_;
    Limits limits_;
    Log log_;
    io::FileSystem files_;
    kernels::KernelTable kernels_;
    cpu::Tier tier_;
    ExecutorKind kind_;
    bool blas_;
    Owned<thread::Executor> executor_;
    std::mutex executor_mutex_;
};

// The runtime object itself lies in the host's memory too, outside of its own account.
std::shared_ptr<Runtime> make_runtime(const RuntimeOptions &o);

}  // namespace inlay::engine
