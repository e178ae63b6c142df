// SPDX-License-Identifier: Apache-2.0
// Integers that come from files: every sum, product and narrowing is checked and throws LIMIT instead of wrapping.
// No raw arithmetic on file-derived sizes anywhere (tests/lint/check_arithmetic.py): four of the five published
// GGUF overflows were one unchecked product each.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

#include "base/error.h"

namespace inlay {

class Checked {
public:
    constexpr Checked() = default;
    template <std::integral T>
    constexpr Checked(T v) {
        if constexpr (std::is_signed_v<T>)
            if (v < 0) fail(Code::limit, "size ", v, " is negative");
        value_ = static_cast<uint64_t>(v);
    }
    constexpr uint64_t value() const { return value_; }

    // The value as T, or LIMIT when it does not fit.
    template <std::integral T>
    T to(const char *what = "size") const {
        if (value_ > static_cast<uint64_t>(std::numeric_limits<T>::max()))
            fail(Code::limit, what, " ", value_, " exceeds ", std::numeric_limits<T>::max());
        return static_cast<T>(value_);
    }
    size_t size() const { return to<size_t>(); }

    friend Checked operator+(Checked a, Checked b) {
        uint64_t r;
        if (__builtin_add_overflow(a.value_, b.value_, &r)) fail(Code::limit, "size ", a.value_, " + ", b.value_, " exceeds 64 bits");
        return r;
    }
    friend Checked operator-(Checked a, Checked b) {
        if (b.value_ > a.value_) fail(Code::limit, "size ", a.value_, " - ", b.value_, " is negative");
        return a.value_ - b.value_;
    }
    friend Checked operator*(Checked a, Checked b) {
        uint64_t r;
        if (__builtin_mul_overflow(a.value_, b.value_, &r)) fail(Code::limit, "size ", a.value_, " * ", b.value_, " exceeds 64 bits");
        return r;
    }
    friend Checked operator/(Checked a, Checked b) {
        if (b.value_ == 0) fail(Code::limit, "size ", a.value_, " divided by 0");
        return a.value_ / b.value_;
    }
    friend Checked operator%(Checked a, Checked b) {
        if (b.value_ == 0) fail(Code::limit, "size ", a.value_, " modulo 0");
        return a.value_ % b.value_;
    }
    Checked &operator+=(Checked b) { return *this = *this + b; }
    Checked &operator*=(Checked b) { return *this = *this * b; }
    friend auto operator<=>(const Checked &, const Checked &) = default;

    // Up to the next multiple of `step` (a step of 0 is LIMIT).
    Checked rounded_up(Checked step) const {
        Checked rest = *this % step;
        return rest.value_ == 0 ? *this : *this + (step - rest);
    }

private:
    uint64_t value_ = 0;
};

inline Message &operator<<(Message &m, const Checked &c) noexcept { return m << c.value(); }

}  // namespace inlay
