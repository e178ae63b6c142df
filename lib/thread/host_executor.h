// SPDX-License-Identifier: Apache-2.0
// An executor over a host's own job system. The host gives one function, parallel_for; which thread runs a task is its
// affair. Worker numbers are handed out here, so a host cannot give a wrong one.
#pragma once

#include "base/memory.h"
#include "thread/executor.h"

namespace inlay::thread {

struct HostHooks {
    void *user = nullptr;
    // Calls task(ctx, i) once for each i in [0, n), on any threads and in any order, and returns when all are done.
    // 0 = done; anything else = the host failed or stopped.
    int32_t (*parallel_for)(void *user, int64_t n, void (*task)(void *ctx, int64_t i), void *ctx) = nullptr;
    int width = 1;  // tasks that the host runs at once; more are held back until a slot is free
};

// INVALID_ARGUMENT for a missing function or a width out of range. run() throws CANCELLED when the host's function
// returns an error, and STATE when it did not run each task once.
Owned<Executor> make_host_executor(Memory &memory, const HostHooks &hooks);

}  // namespace inlay::thread
