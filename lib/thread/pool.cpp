// SPDX-License-Identifier: Apache-2.0
// The pool's protocol, all of it on one word a worker: `state` = epoch << 2 | step.
//   caller:  ready(e)  → after its own work, closed(e) by compare-exchange; failing that, it waits for finished(e)
//   worker:  ready(e) → active(e) by compare-exchange, works, finished(e)
// Ranges are (begin, end) in one 64-bit word: the owner takes from the front, thieves from the back, both by
// compare-exchange. Task numbers are unique within a phase and no worker is inside two phases, so no value comes back.
#include "thread/pool.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <new>

#include "base/error.h"
#include "thread/fp_env.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace inlay::thread {
namespace {

enum Step : uint32_t { finished = 0, closed = 1, ready = 2, active = 3 };

inline uint32_t word(uint32_t epoch, Step s) { return epoch << 2 | s; }
inline Step step_of(uint32_t w) { return static_cast<Step>(w & 3u); }

inline uint64_t range(uint32_t begin, uint32_t end) { return static_cast<uint64_t>(end) << 32 | begin; }

inline void pause() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

inline int64_t now_ns() noexcept {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void sleep_while(std::atomic<uint32_t> &a, uint32_t value) noexcept {
#if defined(__linux__)
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&a), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
    a.wait(value);
#endif
}
void wake(std::atomic<uint32_t> &a) noexcept {
#if defined(__linux__)
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&a), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
#else
    a.notify_one();
#endif
}

// Spins for `spin_us` while `a` satisfies `stay`, then sleeps; returns the first value that doesn't. `sleeping` tells
// the writer that a wake is needed: both sides store and then load in one total order, so one of them sees the other.
template <class F>
uint32_t wait_while(std::atomic<uint32_t> &a, std::atomic<uint32_t> &sleeping, uint32_t spin_us, F &&stay) noexcept {
    const int64_t until = now_ns() + int64_t{spin_us} * 1000;
    for (;;) {
        // 32 pauses are 0.3-1.5 us on today's cores: rare enough that reading the clock costs nothing.
        for (int i = 0; i < 32; ++i) {
            uint32_t v = a.load(std::memory_order_acquire);
            if (!stay(v)) return v;
            pause();
        }
        if (now_ns() >= until) break;
    }
    sleeping.store(1, std::memory_order_seq_cst);
    for (;;) {
        uint32_t v = a.load(std::memory_order_seq_cst);
        if (!stay(v)) {
            sleeping.store(0, std::memory_order_relaxed);
            return v;
        }
        sleep_while(a, v);
    }
}

}  // namespace

// A cache line for what the caller writes and one for the range, which thieves write (128: adjacent-line prefetch).
struct alignas(128) Pool::Worker {
    std::atomic<uint32_t> state{finished};
    std::atomic<uint32_t> sleeping{0};         // the worker sleeps on `state`
    std::atomic<uint32_t> caller_sleeping{0};  // the caller sleeps on `state`
    pthread_t thread{};
    alignas(128) std::atomic<uint64_t> tasks{0};
};

struct Pool::Launch {
    Pool *pool;
    int self;
};

namespace {
constexpr uint32_t kStopEpoch = 0x3fffffffu;  // not used by a phase
}

Pool::Pool(Memory &memory, const PoolOptions &o) : width_(o.threads), spin_us_(o.spin_us), pid_(getpid()) {
    if (width_ < 1 || width_ > max_threads) fail(Code::invalid_argument, "thread count ", width_, " is not in 1..", max_threads);
    const size_t n = static_cast<size_t>(width_);
    storage_ = Buffer(memory, n * (sizeof(Worker) + sizeof(Launch)), alignof(Worker), MemTag::general);
    workers_ = storage_.as<Worker>();
    Launch *launches = reinterpret_cast<Launch *>(workers_ + n);
    for (int i = 0; i < width_; ++i) {
        new (workers_ + i) Worker;
        new (launches + i) Launch{this, i};
    }

    // New threads take over the creator's mask: all of a host's signals stay with the host's threads.
    sigset_t everything, before;
    sigfillset(&everything);
    pthread_sigmask(SIG_SETMASK, &everything, &before);
    int error = 0, started = 1;
    for (; started < width_ && !error; ++started) {
        error = pthread_create(&workers_[started].thread, nullptr, thread_main, launches + started);
        if (error) break;
#if defined(__linux__)
        char name[16] = {};
        size_t len = std::strlen(o.name);
        if (len > 10) len = 10;
        std::memcpy(name, o.name, len);
        name[len] = '-';
        std::to_chars(name + len + 1, name + sizeof name - 1, started);
        pthread_setname_np(workers_[started].thread, name);
        if (o.cpus && o.cpus[started] >= 0 && o.cpus[started] < CPU_SETSIZE) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(static_cast<size_t>(o.cpus[started]), &set);
            pthread_setaffinity_np(workers_[started].thread, sizeof set, &set);  // a CPU that is gone: run anywhere
        }
#endif
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error) {
        stop(started);
        fail(Code::limit, "thread ", started, " of ", width_, " could not be started: system error ", error);
    }
}

Pool::~Pool() {
    // In a forked child the threads do not exist, and joining them would never return.
    if (getpid() == pid_) stop(width_);
}

void Pool::stop(int started) noexcept {
    for (int i = 1; i < started; ++i) {
        workers_[i].state.store(word(kStopEpoch, ready), std::memory_order_seq_cst);
        wake(workers_[i].state);
    }
    for (int i = 1; i < started; ++i) pthread_join(workers_[i].thread, nullptr);
}

void *Pool::thread_main(void *p) {
    Launch *l = static_cast<Launch *>(p);
    set_fp_state(kFpDefault);
    l->pool->worker_loop(l->self);
    return nullptr;
}

void Pool::worker_loop(int self) noexcept {
    Worker &w = workers_[self];
    for (;;) {
        uint32_t v = wait_while(w.state, w.sleeping, spin_us_, [](uint32_t s) { return step_of(s) != ready; });
        if (v >> 2 == kStopEpoch) return;
        if (!w.state.compare_exchange_strong(v, v | active, std::memory_order_acq_rel)) continue;  // closed: came too late
        work(self);
        w.state.store(word(v >> 2, finished), std::memory_order_seq_cst);
        if (w.caller_sleeping.load(std::memory_order_seq_cst)) wake(w.state);
    }
}

void Pool::work(int self) noexcept {
    std::atomic<uint64_t> &own = workers_[self].tasks;
    uint32_t task;
    for (;;) {
        uint64_t r = own.load(std::memory_order_acquire);
        for (;;) {
            uint32_t begin = static_cast<uint32_t>(r), end = static_cast<uint32_t>(r >> 32);
            if (begin >= end) break;
            if (!own.compare_exchange_weak(r, range(begin + 1, end), std::memory_order_acq_rel)) continue;
            fn_(ctx_, first_ + begin, self);
            r = own.load(std::memory_order_acquire);
        }
        if (!steal(self, &task)) return;
        fn_(ctx_, first_ + task, self);
    }
}

// Takes the later half of the first range found, keeps it as its own and returns one task of it.
bool Pool::steal(int self, uint32_t *task) noexcept {
    for (int k = 1; k < width_; ++k) {
        int victim = self + k < width_ ? self + k : self + k - width_;
        std::atomic<uint64_t> &his = workers_[victim].tasks;
        uint64_t r = his.load(std::memory_order_acquire);
        for (;;) {
            uint32_t begin = static_cast<uint32_t>(r), end = static_cast<uint32_t>(r >> 32);
            if (begin >= end) break;
            uint32_t mid = begin + (end - begin) / 2;
            if (!his.compare_exchange_weak(r, range(begin, mid), std::memory_order_acq_rel)) continue;
            *task = mid;
            // An empty range is written by its owner alone, so a plain store is enough.
            workers_[self].tasks.store(range(mid + 1, end), std::memory_order_release);
            return true;
        }
    }
    return false;
}

void Pool::run(int64_t n, Task fn, void *ctx) {
    FpGuard fp;
    if (width_ == 1 || n <= 1) {
        for (int64_t i = 0; i < n; ++i) fn(ctx, i, 0);
        return;
    }
    constexpr int64_t most = 0x7fffffff;
    for (first_ = 0; first_ < n; first_ += most) run_phase(static_cast<uint32_t>(n - first_ < most ? n - first_ : most), fn, ctx);
}

void Pool::run_phase(uint32_t n, Task fn, void *ctx) noexcept {
    fn_ = fn;
    ctx_ = ctx;
    if (++epoch_ == kStopEpoch) epoch_ = 1;
    // With fewer tasks than workers the rest are left alone: neither woken nor waited for.
    const int used = n < static_cast<uint32_t>(width_) ? static_cast<int>(n) : width_;
    const uint64_t n64 = n, parts = static_cast<uint64_t>(used);
    for (int i = 0; i < used; ++i)
        workers_[i].tasks.store(range(static_cast<uint32_t>(n64 * i / parts), static_cast<uint32_t>(n64 * (i + 1) / parts)),
                                std::memory_order_relaxed);
    for (int i = 1; i < used; ++i) {
        Worker &w = workers_[i];
        w.state.store(word(epoch_, ready), std::memory_order_seq_cst);
        if (w.sleeping.load(std::memory_order_seq_cst)) wake(w.state);
    }
    work(0);
    for (int i = 1; i < used; ++i) {
        Worker &w = workers_[i];
        uint32_t expect = word(epoch_, ready);
        if (w.state.compare_exchange_strong(expect, word(epoch_, closed), std::memory_order_acq_rel)) continue;
        if (step_of(expect) == finished) continue;
        wait_while(w.state, w.caller_sleeping, spin_us_, [](uint32_t s) { return step_of(s) == active; });
    }
}

}  // namespace inlay::thread
