// SPDX-License-Identifier: Apache-2.0
// An executor over an own oneTBB task_arena, for hosts that share their cores with other TBB work. It uses no
// global_control; TBB's own worker threads are process-wide and live as TBB decides (docs/threads.md).
#pragma once

#include "base/memory.h"
#include "thread/executor.h"

namespace inlay::thread {

// The width is at most TBB's own count of cores. UNSUPPORTED in a build without TBB, INVALID_ARGUMENT for a width out of 1..Pool::max_threads.
Owned<Executor> make_tbb_executor(Memory &memory, int width);

}  // namespace inlay::thread
