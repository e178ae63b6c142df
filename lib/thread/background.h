// SPDX-License-Identifier: Apache-2.0
// One thread that serves an object until it is told to end, and a descriptor that says "there is something": what an
// engine in background mode needs of the system.
#pragma once

#include <cstdint>

namespace inlay::thread {

class Background {
public:
    using Fn = void (*)(void *);
    Background() noexcept = default;
    ~Background() { join(); }
    Background(const Background &) = delete;
    Background &operator=(const Background &) = delete;

    // Runs fn(ctx) on a new thread with every signal masked. LIMIT when the system gives none.
    void start(Fn fn, void *ctx, const char *name);
    bool started() const noexcept { return started_; }
    // Waits for fn to return; in a forked child, where the thread does not exist, does nothing.
    void join() noexcept;

private:
    static void *main(void *self);

    Fn fn_ = nullptr;
    void *ctx_ = nullptr;
    bool started_ = false;
    uint64_t handle_ = 0;
    int64_t pid_ = 0;
};

// A descriptor for select, poll or epoll: readable while set.
class WakeDescriptor {
public:
    WakeDescriptor();  // IO when the system gives none
    ~WakeDescriptor();
    WakeDescriptor(const WakeDescriptor &) = delete;
    WakeDescriptor &operator=(const WakeDescriptor &) = delete;
    int fd() const noexcept { return fd_; }
    void set() noexcept;
    void clear() noexcept;

private:
    int fd_ = -1;
};

}  // namespace inlay::thread
