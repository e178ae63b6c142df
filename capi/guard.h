// SPDX-License-Identifier: Apache-2.0
// The boundary: the one catch (...) of the tree, the one place that fills an inlay_error, and the one function that
// knows the struct_size rule. Every function of the C API is `return guard(err, [&] { ... });`.
#pragma once

#include <cstring>
#include <new>
#include <string_view>

#include "base/error.h"
#include "inlay/common.h"

namespace inlay::capi {

inlay_status report(inlay_error *err, Code code, std::string_view text, const Place &place = {}) noexcept;

// `body` returns inlay_status (OK, AGAIN, DONE) or throws Error; nothing gets past.
template <class Body>
inlay_status guard(inlay_error *err, Body &&body) noexcept {
    try {
        return body();
    } catch (const Error &e) {
        return report(err, e.code(), e.text(), e.place());
    } catch (const std::bad_alloc &) {
        return report(err, Code::out_of_memory, "out of memory");
    } catch (...) {
        return report(err, Code::internal, "an exception that the library does not know");
    }
}

inline void need_pointer(const void *p, const char *name) {
    if (!p) fail(Code::invalid_argument, name, " is NULL");
}

// A (pointer, length) argument; NULL is fine for length 0.
inline std::string_view text_arg(const char *s, size_t n, const char *name) {
    if (!s && n) fail(Code::invalid_argument, name, " is NULL with length ", n);
    if (n > (SIZE_MAX >> 1)) fail(Code::invalid_argument, name, " has length ", n);
    return {s ? s : "", n};
}

// The caller's params struct into one of ours (common.h, struct rule): a shorter one leaves our defaults in its missing
// tail; a longer one must be zero beyond what we know.
template <class P>
void copy_in(const P *src, P *dst, const char *name) {
    if (!src) return;
    const uint32_t have = src->struct_size;
    if (have < sizeof(uint32_t)) fail(Code::invalid_argument, name, ": struct_size ", have, " is not set");
    if (have > (1u << 16)) fail(Code::invalid_argument, name, ": struct_size ", have, " exceeds 65536");
    if (have > sizeof(P)) {
        const char *p = reinterpret_cast<const char *>(src);
        for (size_t i = sizeof(P); i < have; ++i)
            if (p[i]) fail(Code::unsupported, name, ": byte ", i, " is set, this library knows ", sizeof(P), " bytes");
    }
    std::memcpy(static_cast<void *>(dst), src, have < sizeof(P) ? have : sizeof(P));
    dst->struct_size = sizeof(P);
}

// Our info struct into the caller's: as many bytes as both know; the rest of a longer one is set to zero.
template <class P>
void copy_out(const P &src, P *dst, const char *name) {
    need_pointer(dst, name);
    const uint32_t have = dst->struct_size;
    if (have < sizeof(uint32_t)) fail(Code::invalid_argument, name, ": struct_size ", have, " is not set");
    if (have > (1u << 16)) fail(Code::invalid_argument, name, ": struct_size ", have, " exceeds 65536");
    std::memcpy(static_cast<void *>(dst), &src, have < sizeof(P) ? have : sizeof(P));
    if (have > sizeof(P)) std::memset(reinterpret_cast<char *>(dst) + sizeof(P), 0, have - sizeof(P));
    dst->struct_size = have;
}

// params_init: zero what the caller's struct has, then our defaults for the fields that both know.
template <class P>
void init_params(P *params, size_t struct_size, const P &defaults) noexcept {
    if (!params || struct_size < sizeof(uint32_t)) return;
    std::memset(static_cast<void *>(params), 0, struct_size);
    std::memcpy(static_cast<void *>(params), &defaults, struct_size < sizeof(P) ? struct_size : sizeof(P));
    params->struct_size = static_cast<uint32_t>(struct_size);
}

// The two-call pattern: `size` elements of T at `data` into out[*io_n].
template <class T>
inlay_status give(const T *data, size_t size, T *out, size_t *io_n, const char *what) {
    need_pointer(io_n, "io_n");
    const size_t room = *io_n;
    if (!out && room) fail(Code::invalid_argument, "the buffer is NULL with room ", room);
    if (size > room) {
        *io_n = size;
        fail(Code::limit, what, " needs room for ", size, ", got ", room);
    }
    if (size) std::memcpy(out, data, size * sizeof(T));
    *io_n = size;
    return INLAY_OK;
}

}  // namespace inlay::capi
