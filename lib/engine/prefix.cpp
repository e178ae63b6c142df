// SPDX-License-Identifier: Apache-2.0
// Pinned prefixes. A pin is a table that holds blocks like a sequence's: as far as its tokens are known to the cache, and
// further as soon as some request has computed them. Who steps tends the tables; a handle only says that it is gone.
#include <algorithm>

#include "base/error.h"
#include "engine/engine_impl.h"

namespace inlay::engine {

struct EngineImpl::Pinned {
    Pinned(Memory &m, std::span<const int32_t> t, uint64_t s) : ids(t.begin(), t.end(), Alloc<int32_t>(m)), salt(s), table(m) {}
    int32_t n_blocks() const noexcept { return static_cast<int32_t>(ids.size() / kv::kBlockTokens); }

    Vector<int32_t> ids;
    uint64_t salt;
    int32_t most = 0;              // pages that it may come to hold
    kv::Table table;               // the stepping thread's
    std::atomic<int32_t> held{0};  // tokens
    bool gone = false;             // under the mutex
};

class PrefixImpl final : public Prefix {
public:
    PrefixImpl(std::shared_ptr<Core> core, std::shared_ptr<EngineImpl::Pinned> p) : core_(std::move(core)), pinned_(std::move(p)) {}
    ~PrefixImpl() override {
        std::lock_guard lock(core_->mutex);
        pinned_->gone = true;
        core_->notice();
    }
    int32_t n_tokens() const noexcept override { return pinned_->n_blocks() * kv::kBlockTokens; }
    int32_t n_held() const noexcept override { return pinned_->held.load(std::memory_order_relaxed); }

private:
    std::shared_ptr<Core> core_;
    std::shared_ptr<EngineImpl::Pinned> pinned_;
};

std::shared_ptr<Prefix> EngineImpl::pin(std::span<const int32_t> ids, uint64_t salt) {
    if (!cache_.shares()) fail(Code::state, "the engine has no prefix cache");
    check_ids(ids);
    if (ids.size() < static_cast<size_t>(kv::kBlockTokens))
        fail(Code::invalid_argument, "a prefix of ", ids.size(), " tokens fills no block of ", kv::kBlockTokens);
    if (ids.size() > static_cast<size_t>(INT32_MAX)) fail(Code::limit, "a prefix of ", ids.size(), " tokens, the context has ", n_ctx_);
    auto pinned = make_shared_in<Pinned>(memory_, memory_, ids, salt);
    pinned->table.pages.reserve(static_cast<size_t>(pinned->n_blocks()) * static_cast<size_t>(cache_.groups().n));  // tend_pins() must not fail
    std::shared_ptr<Prefix> handle = make_shared_in<PrefixImpl>(memory_, core_, pinned);
    std::lock_guard lock(core_->mutex);
    // One request of any legal length always finds room: a pin may slow others down, never stop them.
    const int64_t request = cache_.groups().pages(n_ctx_, sched_.limits().chunk), want = cache_.groups().kept(pinned->n_blocks());
    if (want > cache_.pool().n_blocks() - request - pinned_pages_)
        fail(Code::limit, "pinning ", want, " KV blocks beside ", pinned_pages_, " leaves too few of ", cache_.pool().n_blocks(), " for a request of ", n_ctx_,
             " tokens, which needs ", request);
    pinned->most = static_cast<int32_t>(want);
    pins_.push_back(std::move(pinned));
    pinned_pages_ += static_cast<int32_t>(want);
    n_pins_.fetch_add(1, std::memory_order_relaxed);
    core_->notice();
    return handle;
}

void EngineImpl::tend_pins() noexcept {
    std::lock_guard lock(core_->mutex);
    int32_t held = 0;
    std::erase_if(pins_, [&](const std::shared_ptr<Pinned> &p) {
        if (p->gone) {
            cache_.release(p->table);
            pinned_pages_ -= p->most;
            n_pins_.fetch_sub(1, std::memory_order_relaxed);
            return true;
        }
        if (cache_.blocks(p->table) < p->n_blocks()) cache_.attach(p->table, p->salt, p->ids, p->n_blocks());
        p->held.store(p->table.n_tokens, std::memory_order_relaxed);
        held += cache_.held(p->table);
        return false;
    });
    mine_.n_blocks_pinned = static_cast<uint32_t>(held);
}

}  // namespace inlay::engine
