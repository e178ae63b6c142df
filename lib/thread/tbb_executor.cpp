// SPDX-License-Identifier: Apache-2.0
// The only file that sees TBB. Its exceptions end here.
#include "thread/tbb_executor.h"

#include "base/error.h"
#include "thread/fp_env.h"
#include "thread/pool.h"

#if INLAY_HAVE_TBB
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <exception>

namespace inlay::thread {
namespace {

class TbbExecutor final : public Executor {
public:
    explicit TbbExecutor(int width) : width_(width), arena_(width) {
        try {
            arena_.initialize();
        } catch (const std::exception &e) {
            fail(Code::out_of_memory, "TBB could not make an arena of ", width, ": ", e.what());
        }
    }
    int width() const noexcept override { return width_; }
    void run(int64_t n, Task fn, void *ctx) override {
        if (n <= 0) return;
        try {
            arena_.execute([&] {
                tbb::parallel_for(
                    tbb::blocked_range<int64_t>(0, n, 1),
                    [=](const tbb::blocked_range<int64_t> &r) {
                        FpGuard fp;  // TBB's threads carry the state of whoever made their arena
                        const int worker = tbb::this_task_arena::current_thread_index();
                        for (int64_t i = r.begin(); i != r.end(); ++i) fn(ctx, i, worker);
                    },
                    tbb::auto_partitioner());
            });
        } catch (const std::exception &e) {  // tasks do not throw: this is TBB's own lack of memory
            fail(Code::out_of_memory, "TBB could not run a phase of ", n, ": ", e.what());
        }
    }

private:
    int width_;
    tbb::task_arena arena_;
};

}  // namespace

Owned<Executor> make_tbb_executor(Memory &memory, int width) {
    if (width < 1 || width > Pool::max_threads) fail(Code::invalid_argument, "thread count ", width, " is not in 1..", Pool::max_threads);
    // Asked for more than it has cores, TBB prints a warning on stderr and gives no more.
    const int most = tbb::info::default_concurrency();
    return make_owned<TbbExecutor>(memory, width < most ? width : most);
}

}  // namespace inlay::thread

#else

namespace inlay::thread {
Owned<Executor> make_tbb_executor(Memory &, int) { fail(Code::unsupported, "this build has no TBB executor (meson option tbb)"); }
}  // namespace inlay::thread

#endif
