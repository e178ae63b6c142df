// SPDX-License-Identifier: Apache-2.0
// What a task on some thread threw, kept for the thread that started them: tasks must not throw.
#pragma once

#include <mutex>
#include <optional>

#include "base/error.h"

namespace inlay::model {

class FirstError {
public:
    // Runs a task's work; the first failure of all is kept.
    template <class F>
    void catching(F &&work) noexcept {
        try {
            work();
        } catch (const Error &e) {
            keep(e);
        } catch (...) {
            keep(Error(Code::out_of_memory, Message() << "out of memory while loading"));
        }
    }
    void rethrow() {
        if (error_) throw Error(*error_);
    }

private:
    void keep(const Error &e) noexcept {
        std::lock_guard lock(mutex_);
        if (!error_) error_.emplace(e);
    }
    std::mutex mutex_;
    std::optional<Error> error_;
};

}  // namespace inlay::model
