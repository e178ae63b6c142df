// SPDX-License-Identifier: Apache-2.0
// Small types shared by the template engine and its callers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inlay::text {

// Why a rendering failed by the template's own doing (E_INVALID_ARGUMENT "template: ..."). Limits are thrown as Error.
enum class TemplateFault : uint8_t { none, raised, undefined, type, security, unknown_filter };

// The caller's clock for strftime_now: local civil time, nothing read from the system. Month 0: there is no clock, and
// the function is undefined.
struct CivilTime {
    int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

// Output is a sequence of segments: text of the template, and text that came in through the input.
struct TextSegment {
    size_t end;  // byte after the last
    bool user;
};

}  // namespace inlay::text
