// SPDX-License-Identifier: Apache-2.0
// The log of one runtime: lines go to the host's callback and nowhere else.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace inlay {

enum class LogLevel : int32_t { error = 1, warn = 2, info = 3, debug = 4 };

class Log {
public:
    using Fn = void (*)(void *user, int32_t level, const char *text, size_t n);
    Log() = default;
    Log(Fn fn, void *user, LogLevel level) : fn_(fn), user_(user), level_(level) {}
    bool wants(LogLevel l) const noexcept { return fn_ && l <= level_; }

    template <class... Parts>
    void line(LogLevel l, const Parts &...parts) const {
        if (!wants(l)) return;
        Message m;
        (void)(m << ... << parts);
        fn_(user_, static_cast<int32_t>(l), m.c_str(), m.view().size());
    }

private:
    Fn fn_ = nullptr;
    void *user_ = nullptr;
    LogLevel level_ = LogLevel::warn;
};

}  // namespace inlay
