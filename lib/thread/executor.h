// SPDX-License-Identifier: Apache-2.0
// Where work runs. A phase is `n` tasks that never wait for each other, so a host's job system may run them on fewer
// threads than it has, in any order. run() returns when all are done; the caller's thread takes part.
#pragma once

#include <cstdint>
#include <type_traits>

namespace inlay::thread {

class Executor {
public:
    // `worker` is in [0, width()) and no two tasks with the same worker run at once: it picks scratch memory.
    using Task = void (*)(void *ctx, int64_t task, int worker);

    virtual ~Executor() = default;
    virtual int width() const noexcept = 0;
    // Tasks must not throw. One run() at a time on an executor (the engine's step holds it).
    virtual void run(int64_t n, Task fn, void *ctx) = 0;
};

// parallel_for(ex, n, [&](int64_t task, int worker) { … });
template <class F>
void parallel_for(Executor &ex, int64_t n, F &&f) {
    using Fn = std::remove_reference_t<F>;
    ex.run(n, [](void *ctx, int64_t task, int worker) { (*static_cast<Fn *>(ctx))(task, worker); }, const_cast<void *>(static_cast<const void *>(&f)));
}

// All on the caller's thread.
class SerialExecutor final : public Executor {
public:
    int width() const noexcept override { return 1; }
    void run(int64_t n, Task fn, void *ctx) override {
        for (int64_t i = 0; i < n; ++i) fn(ctx, i, 0);
    }
};

}  // namespace inlay::thread
