// SPDX-License-Identifier: Apache-2.0
// Slots of worker numbers are bits of one word each 64; a task takes a free bit and gives it back. Tasks never wait
// for each other, so one that finds no free slot may yield until there is one.
#include "thread/host_executor.h"

#include <atomic>
#include <bit>

#include "base/error.h"
#include "thread/fp_env.h"
#include "thread/pool.h"

#if defined(__unix__)
#include <sched.h>
#endif

namespace inlay::thread {
namespace {

class HostExecutor final : public Executor {
public:
    explicit HostExecutor(const HostHooks &h) : hooks_(h) {
        for (int i = 0; i < h.width; ++i) free_[i >> 6].fetch_or(uint64_t{1} << (i & 63), std::memory_order_relaxed);
    }
    int width() const noexcept override { return hooks_.width; }

    void run(int64_t n, Task fn, void *ctx) override {
        if (n <= 0) return;
        Phase p{this, fn, ctx, n, {}};
        const int32_t status = hooks_.parallel_for(hooks_.user, n, task, &p);
        const int64_t ran = p.ran.load(std::memory_order_acquire);
        if (status != 0) fail(Code::cancelled, "the host's executor returned ", status, " after ", ran, " of ", n, " tasks");
        if (ran != n) fail(Code::state, "the host's executor ran ", ran, " tasks of ", n);
    }

private:
    struct Phase {
        HostExecutor *self;
        Task fn;
        void *ctx;
        int64_t n;
        std::atomic<int64_t> ran;
    };

    static void task(void *ctx, int64_t i) {
        Phase &p = *static_cast<Phase *>(ctx);
        if (i < 0 || i >= p.n) return;
        FpGuard fp;
        const int worker = p.self->take();
        p.fn(p.ctx, i, worker);
        p.self->give(worker);
        p.ran.fetch_add(1, std::memory_order_acq_rel);
    }

    int take() noexcept {
        for (;;) {
            for (int w = 0; w * 64 < hooks_.width; ++w) {
                uint64_t bits = free_[w].load(std::memory_order_relaxed);
                while (bits) {
                    const int bit = std::countr_zero(bits);
                    if (free_[w].compare_exchange_weak(bits, bits & (bits - 1), std::memory_order_acquire)) return w * 64 + bit;
                }
            }
#if defined(__unix__)
            sched_yield();
#endif
        }
    }
    void give(int worker) noexcept { free_[worker >> 6].fetch_or(uint64_t{1} << (worker & 63), std::memory_order_release); }

    HostHooks hooks_;
    std::atomic<uint64_t> free_[Pool::max_threads / 64] = {};
};

}  // namespace

Owned<Executor> make_host_executor(Memory &memory, const HostHooks &h) {
    if (!h.parallel_for) fail(Code::invalid_argument, "the host's executor has no parallel_for");
    if (h.width < 1 || h.width > Pool::max_threads) fail(Code::invalid_argument, "thread count ", h.width, " is not in 1..", Pool::max_threads);
    return make_owned<HostExecutor>(memory, h);
}

}  // namespace inlay::thread
