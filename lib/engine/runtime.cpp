// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime.h"

#include "cpu/topology.h"
#include "tensor/matmul_blas.h"
#include "thread/pool.h"
#include "thread/tbb_executor.h"

namespace inlay::engine {

namespace {

int thread_count(int asked) {
    if (asked < 0 || asked > thread::Pool::max_threads)
        fail(Code::invalid_argument, "n_threads ", asked, " is outside of 0..", thread::Pool::max_threads);
    return asked ? asked : cpu::read_topology().default_threads();
}

Owned<thread::Executor> make_executor(Memory &m, ExecutorKind kind, const RuntimeOptions &o) {
    switch (kind) {
    case ExecutorKind::caller: return make_owned<thread::SerialExecutor>(m);
    case ExecutorKind::tbb: return thread::make_tbb_executor(m, thread_count(o.n_threads));
    case ExecutorKind::host: return thread::make_host_executor(m, o.host);
    case ExecutorKind::automatic:
    case ExecutorKind::pool: break;
    default: fail(Code::invalid_argument, "executor_kind ", static_cast<int32_t>(kind), " is outside of 0..4");
    }
    int n = thread_count(o.n_threads);
    if (n == 1) return make_owned<thread::SerialExecutor>(m);
    thread::PoolOptions p;
    p.threads = n;
    return make_owned<thread::Pool>(m, m, p);
}

// Allocates straight from the host's functions: a runtime cannot lie in the Memory that it owns.
template <class T>
struct HookAlloc {
    using value_type = T;
    MemoryHooks hooks;

    explicit HookAlloc(const MemoryHooks &h) : hooks(h) {}
    template <class U>
    HookAlloc(const HookAlloc<U> &o) : hooks(o.hooks) {}
    T *allocate(size_t n) {
        void *p = hooks.alloc ? hooks.alloc(hooks.user, n * sizeof(T), alignof(T)) : ::operator new(n * sizeof(T), std::align_val_t(alignof(T)));
        if (!p) throw std::bad_alloc();
        return static_cast<T *>(p);
    }
    void deallocate(T *p, size_t n) noexcept {
        if (hooks.alloc) hooks.free(hooks.user, p, n * sizeof(T), alignof(T));
        else ::operator delete(p, std::align_val_t(alignof(T)));
    }
    bool operator==(const HookAlloc &) const noexcept { return true; }
};

}  // namespace

std::shared_ptr<Runtime> make_runtime(const RuntimeOptions &o) { return std::allocate_shared<Runtime>(HookAlloc<Runtime>(o.memory), o); }

Runtime::Runtime(const RuntimeOptions &o)
    : memory_(o.memory, o.memory_bytes),
      limits_(o.limits),
      log_(o.log),
      files_(o.io),
      kernels_(kernels::build_table(cpu::select_tiers(o.tier, cpu::detect_tiers()))),
      tier_(cpu::select_tiers(o.tier, cpu::detect_tiers()).best()),
      kind_(o.executor == ExecutorKind::automatic ? ExecutorKind::pool : o.executor),
      blas_(o.blas),
      executor_(make_executor(memory_, o.executor, o)) {
    if (blas_) tensor::need_blas();
}

}  // namespace inlay::engine
