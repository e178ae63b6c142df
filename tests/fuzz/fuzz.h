// SPDX-License-Identifier: Apache-2.0
// What the targets share: a promise that traps, and inputs in parts. A part ends at a NUL byte; the last takes the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fuzz {

inline void must(bool holds) {
    if (!holds) __builtin_trap();
}

class Input {
public:
    Input(const uint8_t *data, size_t size) : rest_(reinterpret_cast<const char *>(data), size) {}
    std::string_view part() {
        const size_t n = rest_.find('\0');
        std::string_view p = rest_.substr(0, n);
        rest_ = n == rest_.npos ? std::string_view() : rest_.substr(n + 1);
        return p;
    }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

// Byte i of a choice, round and round; 0 of an empty one.
inline uint8_t pick(std::string_view choices, size_t i) { return choices.empty() ? 0 : static_cast<uint8_t>(choices[i % choices.size()]); }

}  // namespace fuzz
