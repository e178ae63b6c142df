// SPDX-License-Identifier: Apache-2.0
#include "capi/guard.h"

namespace inlay::capi {

static_assert(static_cast<int32_t>(Code::again) == INLAY_AGAIN && static_cast<int32_t>(Code::done) == INLAY_DONE);
static_assert(static_cast<int32_t>(Code::invalid_argument) == INLAY_E_INVALID_ARGUMENT);
static_assert(static_cast<int32_t>(Code::format) == INLAY_E_FORMAT && static_cast<int32_t>(Code::unsupported) == INLAY_E_UNSUPPORTED);
static_assert(static_cast<int32_t>(Code::limit) == INLAY_E_LIMIT && static_cast<int32_t>(Code::out_of_memory) == INLAY_E_OUT_OF_MEMORY);
static_assert(static_cast<int32_t>(Code::io) == INLAY_E_IO && static_cast<int32_t>(Code::not_found) == INLAY_E_NOT_FOUND);
static_assert(static_cast<int32_t>(Code::cancelled) == INLAY_E_CANCELLED && static_cast<int32_t>(Code::busy) == INLAY_E_BUSY);
static_assert(static_cast<int32_t>(Code::state) == INLAY_E_STATE && static_cast<int32_t>(Code::internal) == INLAY_E_INTERNAL);
static_assert(sizeof(inlay_error) == 768);

inlay_status report(inlay_error *err, Code code, std::string_view text, const Place &place) noexcept {
    const inlay_status status = static_cast<inlay_status>(code);
    if (!err) return status;
    std::memset(err, 0, sizeof *err);
    err->status = status;
    err->offset = place.offset;
    err->line = place.line;
    err->column = place.column;
    size_t n = text.size() < sizeof err->message - 1 ? text.size() : sizeof err->message - 1;
    if (n) std::memcpy(err->message, text.data(), n);
    static_assert(sizeof err->pointer == sizeof place.pointer);
    std::memcpy(err->pointer, place.pointer, sizeof err->pointer);
    return status;
}

}  // namespace inlay::capi

extern "C" const char *inlay_status_name(inlay_status status) {
    switch (status) {
    case INLAY_OK: return "INLAY_OK";
    case INLAY_AGAIN: return "INLAY_AGAIN";
    case INLAY_DONE: return "INLAY_DONE";
    case INLAY_E_INVALID_ARGUMENT: return "INLAY_E_INVALID_ARGUMENT";
    case INLAY_E_FORMAT: return "INLAY_E_FORMAT";
    case INLAY_E_UNSUPPORTED: return "INLAY_E_UNSUPPORTED";
    case INLAY_E_LIMIT: return "INLAY_E_LIMIT";
    case INLAY_E_OUT_OF_MEMORY: return "INLAY_E_OUT_OF_MEMORY";
    case INLAY_E_IO: return "INLAY_E_IO";
    case INLAY_E_NOT_FOUND: return "INLAY_E_NOT_FOUND";
    case INLAY_E_CANCELLED: return "INLAY_E_CANCELLED";
    case INLAY_E_BUSY: return "INLAY_E_BUSY";
    case INLAY_E_STATE: return "INLAY_E_STATE";
    case INLAY_E_INTERNAL: return "INLAY_E_INTERNAL";
    default: return "INLAY_E_?";
    }
}
