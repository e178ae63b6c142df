// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "base/error.h"
#include "thread/fp_env.h"
#include "thread/host_executor.h"
#include "thread/pool.h"
#include "thread/tbb_executor.h"

using namespace inlay;
using namespace inlay::thread;

namespace {

template <class F>
Code code_of(F &&f) {
    try {
        f();
    } catch (const Error &e) {
        return e.code();
    }
    return Code::ok;
}

double cpu_seconds() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

void nap_ms(int ms) {
    timespec t{ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, nullptr);
}

// Each task once, and never two with one worker number.
void check_phases(Executor &ex, int rounds) {
    std::vector<std::atomic<int>> in_use(static_cast<size_t>(ex.width()));
    std::atomic<int> clashes{0};
    for (int round = 0; round < rounds; ++round) {
        const int64_t n = (round * 37) % 101;
        std::vector<int> ran(static_cast<size_t>(n), 0);  // plain ints: the phase's end must publish them
        parallel_for(ex, n, [&](int64_t i, int worker) {
            if (in_use[static_cast<size_t>(worker)].fetch_add(1) != 0) ++clashes;
            ++ran[static_cast<size_t>(i)];
            in_use[static_cast<size_t>(worker)].fetch_sub(1);
        });
        for (int r : ran) REQUIRE(r == 1);
    }
    CHECK(clashes.load() == 0);
}

int32_t serial_host(void *user, int64_t n, void (*task)(void *, int64_t), void *ctx) {
    ++*static_cast<int *>(user);
    for (int64_t i = n; i-- > 0;) task(ctx, i);
    return 0;
}
int32_t threaded_host(void *, int64_t n, void (*task)(void *, int64_t), void *ctx) {
    std::atomic<int64_t> next{0};
    std::vector<std::thread> ts;
    for (int t = 0; t < 4; ++t)
        ts.emplace_back([&] {
            for (int64_t i; (i = next++) < n;) task(ctx, i);
        });
    for (auto &t : ts) t.join();
    return 0;
}

}  // namespace

TEST_CASE("a pool runs each task once") {
    Memory mem;
    for (int width : {1, 2, 3, 8}) {
        CAPTURE(width);
        Pool pool(mem, {.threads = width});
        CHECK(pool.width() == width);
        check_phases(pool, 300);
    }
    CHECK(mem.used() == 0);
}

TEST_CASE("workers that slept take part again") {
    Memory mem;
    Pool pool(mem, {.threads = 3, .spin_us = 0});
    for (int round = 0; round < 20; ++round) {
        check_phases(pool, 5);
        nap_ms(1);
    }
}

TEST_CASE("more work than one thread does is stolen") {
    Memory mem;
    Pool pool(mem, {.threads = 2});
    std::atomic<int> by[2] = {};
    for (int round = 0; round < 50 && by[1] == 0; ++round)
        parallel_for(pool, 64, [&](int64_t i, int worker) {
            ++by[worker];
            if (i < 32) nap_ms(1);  // the caller's half is slow
        });
    CHECK(by[1] > 0);
}

TEST_CASE("an idle pool uses no CPU") {
    Memory mem;
    Pool pool(mem, {.threads = 4});
    parallel_for(pool, 100, [](int64_t, int) {});
    nap_ms(20);
    const double before = cpu_seconds();
    nap_ms(200);
    CHECK(cpu_seconds() - before < 0.05);  // four spinning threads would take 0.2 s of each core
}

TEST_CASE("threads are named, and all signals stay with the host") {
    Memory mem;
    Pool pool(mem, {.threads = 2, .name = "inlay-test-pool"});
    std::atomic<bool> seen{false}, blocked{true};
    char name[16] = {};
    for (int round = 0; round < 200 && !seen; ++round)
        parallel_for(pool, 2, [&](int64_t, int worker) {
            if (worker == 0) return nap_ms(1);
            sigset_t set;
            pthread_sigmask(SIG_SETMASK, nullptr, &set);
            for (int s : {SIGINT, SIGTERM, SIGUSR1, SIGPROF, SIGCHLD}) blocked = blocked && sigismember(&set, s) == 1;
            pthread_getname_np(pthread_self(), name, sizeof name);
            seen = true;
        });
    REQUIRE(seen);
    CHECK(blocked);
    CHECK(std::strcmp(name, "inlay-test-1") == 0);
}

TEST_CASE("the host's floating-point state neither leaks in nor is lost") {
    Memory mem;
    const uint64_t host = fp_state();
#if defined(__x86_64__)
    const uint64_t odd = 0x9fc0 | 0x6000;  // FTZ, DAZ, round to zero
#else
    const uint64_t odd = uint64_t{1} << 24;  // FZ
#endif
    set_fp_state(odd);
    {
        Pool pool(mem, {.threads = 3});
        std::atomic<int> wrong{0};
        parallel_for(pool, 64, [&](int64_t, int) { wrong += (fp_state() & ~kFpFlags) != kFpDefault; });
        CHECK(wrong == 0);
    }
    const uint64_t after = fp_state();
    set_fp_state(host);
    CHECK((after & ~kFpFlags) == (odd & ~kFpFlags));
}

TEST_CASE("a forked child finishes its phases alone and can free the pool") {
    Memory mem;
    auto pool = make_owned<Pool>(mem, mem, PoolOptions{.threads = 3});
    check_phases(*pool, 5);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        std::atomic<int> n{0};
        parallel_for(*pool, 50, [&](int64_t, int) { ++n; });
        pool.reset();
        _exit(n == 50 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    check_phases(*pool, 5);
}

TEST_CASE("widths out of range are refused") {
    Memory mem;
    for (int w : {0, -1, 1025}) {
        CHECK(code_of([&] { Pool(mem, {.threads = w}); }) == Code::invalid_argument);
        CHECK(code_of([&] { make_host_executor(mem, {.parallel_for = serial_host, .width = w}); }) == Code::invalid_argument);
    }
    CHECK(code_of([&] { make_host_executor(mem, {}); }) == Code::invalid_argument);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // those need the address space themselves
TEST_CASE("a system that gives no more threads is a clean LIMIT") {
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        rlimit lim{64u << 20, 64u << 20};  // no room for the stacks of 64 threads
        setrlimit(RLIMIT_AS, &lim);
        Memory mem;
        Code c = code_of([&] { Pool(mem, {.threads = 64}); });
        _exit(c == Code::limit && mem.used() == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("the host's job system runs the phases") {
    Memory mem;
    int calls = 0;
    auto ex = make_host_executor(mem, {.user = &calls, .parallel_for = serial_host, .width = 2});
    check_phases(*ex, 20);
    CHECK(calls == 19);  // an empty phase is not given to the host
    auto wide = make_host_executor(mem, {.parallel_for = threaded_host, .width = 2});  // 4 threads for 2 slots
    check_phases(*wide, 20);
}

TEST_CASE("a host that fails or forgets tasks is told so") {
    Memory mem;
    auto stops = [](void *, int64_t, void (*)(void *, int64_t), void *) -> int32_t { return 7; };
    auto forgets = [](void *, int64_t n, void (*task)(void *, int64_t), void *ctx) -> int32_t {
        for (int64_t i = 1; i < n; ++i) task(ctx, i);
        return 0;
    };
    auto a = make_host_executor(mem, {.parallel_for = stops, .width = 1});
    CHECK(code_of([&] { parallel_for(*a, 3, [](int64_t, int) {}); }) == Code::cancelled);
    auto b = make_host_executor(mem, {.parallel_for = forgets, .width = 1});
    CHECK(code_of([&] { parallel_for(*b, 3, [](int64_t, int) {}); }) == Code::state);
}

TEST_CASE("TBB's arena runs the phases, or says that it is not there") {
    Memory mem;
    Owned<Executor> ex;
    Code c = code_of([&] { ex = make_tbb_executor(mem, 3); });
    if (c == Code::unsupported) {
        MESSAGE("SKIP: this build has no TBB");
        return;
    }
    REQUIRE(c == Code::ok);
    CHECK(ex->width() >= 1);
    CHECK(ex->width() <= 3);
    check_phases(*ex, 100);
}
