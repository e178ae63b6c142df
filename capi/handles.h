// SPDX-License-Identifier: Apache-2.0
// What stands behind the opaque handles: a tag, and a shared_ptr to the thing. Children hold their parents' shared_ptr, so
// handles may be freed in any order. A NULL handle, and in most cases one of another type, is INVALID_ARGUMENT.
#pragma once

#include <memory>

#include "base/error.h"
#include "base/memory.h"
#include "capi/guard.h"
#include "engine/runtime.h"
#include "inlay/inlay.h"

namespace inlay::capi {

// A handle lies in its runtime's memory; `owner` keeps that memory alive until the handle itself is gone.
template <class Handle, class... Args>
Handle *new_handle(const std::shared_ptr<engine::Runtime> &owner, Args &&...args) {
    void *raw = owner->memory().allocate(sizeof(Handle), alignof(Handle), MemTag::general);
    try {
        return new (raw) Handle{Handle::kTag, owner, std::forward<Args>(args)...};
    } catch (...) {
        owner->memory().release(raw, sizeof(Handle), alignof(Handle), MemTag::general);
        throw;
    }
}

template <class Handle>
void free_handle(Handle *h) noexcept {
    if (!h || h->tag != Handle::kTag) return;
    std::shared_ptr<engine::Runtime> owner = std::move(h->owner);
    h->tag = 0;
    h->~Handle();
    owner->memory().release(h, sizeof(Handle), alignof(Handle), MemTag::general);
}

template <class Handle>
Handle &need_handle(Handle *h, const char *name) {
    need_pointer(h, name);
    if (h->tag != std::remove_const_t<Handle>::kTag) fail(Code::invalid_argument, name, " is a handle of another kind, or was freed");
    return *h;
}

}  // namespace inlay::capi

struct inlay_runtime {
    static constexpr uint32_t kTag = 0x52544d31;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
};
