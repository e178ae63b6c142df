/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file common.h
 * What every inlay header stands on: statuses, the error record, element types, and the words the comments use.
 *
 * **Ownership words.** *borrows*: read during the call only. *copies*: read during the call, kept as a copy. *takes*: the
 * library's from now on. *gives*: the caller owns the result and frees it with the named function. *lends*: the pointer
 * stays the library's and is valid until the named event.
 *
 * **Thread words.** *any*: at any time, from any thread. *shared*: concurrent with other *shared* calls on the same
 * handle (a `const` handle means shared). *exclusive*: one call at a time on the handle, from whichever thread.
 *
 * **Strings** are UTF-8 with a length, never NUL-terminated unless a comment says so. **Out-parameters** are untouched
 * when a call fails. **Two-call pattern**: `io_n` holds the room of the buffer on entry and the size on return; a room
 * that is too small gives INLAY_E_LIMIT and sets `*io_n` to the need (a NULL buffer with room 0 asks for it).
 *
 * **Struct rule.** Every params and info struct begins with `struct_size`, which the `_init` function of the struct or
 * the caller sets to `sizeof` of the struct it was compiled with. Structs only ever grow at the end; zero in a field
 * that the caller's struct lacks means the behaviour before the field existed; a caller's struct that is larger than
 * the library's is accepted when its unknown tail is zero, and INLAY_E_UNSUPPORTED otherwise. `reservedN` must be 0.
 */
#ifndef INLAY_COMMON_H
#define INLAY_COMMON_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#  if defined(INLAY_BUILDING_DLL)
#    define INLAY_API __declspec(dllexport)
#  elif defined(INLAY_USING_DLL)
#    define INLAY_API __declspec(dllimport)
#  else
#    define INLAY_API
#  endif
#elif defined(__GNUC__)
#  define INLAY_API __attribute__((visibility("default")))
#else
#  define INLAY_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call: 0 done, negative an error, positive an outcome that is no error. The numbers never change. */
typedef int32_t inlay_status;

#define INLAY_OK 0                   /**< done */
#define INLAY_AGAIN 1                /**< nothing to hand out now; call again after more steps */
#define INLAY_DONE 2                 /**< nothing more will come */
#define INLAY_E_INVALID_ARGUMENT (-1) /**< an argument or a request is wrong */
#define INLAY_E_FORMAT (-2)          /**< a file or text is not what it claims to be */
#define INLAY_E_UNSUPPORTED (-3)     /**< well-formed, but outside of what this library does */
#define INLAY_E_LIMIT (-4)           /**< over a cap; the message has the value and the cap */
#define INLAY_E_OUT_OF_MEMORY (-5)   /**< the allocator returned null */
#define INLAY_E_IO (-6)              /**< reading or writing failed */
#define INLAY_E_NOT_FOUND (-7)       /**< no such file, name or id */
#define INLAY_E_CANCELLED (-8)       /**< stopped by the caller */
#define INLAY_E_BUSY (-9)            /**< in use by another call, or the queue is full: try later */
#define INLAY_E_STATE (-10)          /**< the object is not in a state for this call */
#define INLAY_E_INTERNAL (-11)       /**< a fault of the library itself: please report it */

/**
 * Detail of a failed call, filled into memory of the caller. Every function that can fail takes one last, or NULL.
 * 768 bytes, fixed for good (so it needs no struct_size).
 */
typedef struct inlay_error {
    int32_t status;     /**< the status that the call returned */
    int32_t reserved0;  /**< 0 */
    int64_t offset;     /**< byte offset in the input that is to blame, or -1 */
    int32_t line;       /**< its line from 1, or 0 */
    int32_t column;     /**< its column in code points from 1, or 0 */
    char message[512];  /**< one line, UTF-8, NUL-terminated: names the value and the limit */
    char pointer[232];  /**< JSON pointer (RFC 6901) to what is to blame, NUL-terminated, or empty */
} inlay_error;

/** A string in a params struct: `size` bytes of UTF-8 at `data`, which may be NULL when `size` is 0. */
typedef struct inlay_string {
    const char *data; /**< the bytes */
    uint64_t size;    /**< how many */
} inlay_string;

/** Element types of weights and caches: ggml's type ids, as GGUF files hold them. */
#define INLAY_DTYPE_F32 0
#define INLAY_DTYPE_F16 1
#define INLAY_DTYPE_Q4_0 2
#define INLAY_DTYPE_Q4_1 3
#define INLAY_DTYPE_Q5_0 6
#define INLAY_DTYPE_Q5_1 7
#define INLAY_DTYPE_Q8_0 8
#define INLAY_DTYPE_Q2_K 10
#define INLAY_DTYPE_Q3_K 11
#define INLAY_DTYPE_Q4_K 12
#define INLAY_DTYPE_Q5_K 13
#define INLAY_DTYPE_Q6_K 14
#define INLAY_DTYPE_IQ2_XXS 16
#define INLAY_DTYPE_IQ2_XS 17
#define INLAY_DTYPE_IQ3_XXS 18
#define INLAY_DTYPE_IQ1_S 19
#define INLAY_DTYPE_IQ4_NL 20
#define INLAY_DTYPE_IQ3_S 21
#define INLAY_DTYPE_IQ2_S 22
#define INLAY_DTYPE_IQ4_XS 23
#define INLAY_DTYPE_IQ1_M 29
#define INLAY_DTYPE_BF16 30
#define INLAY_DTYPE_TQ1_0 34
#define INLAY_DTYPE_TQ2_0 35
#define INLAY_DTYPE_MXFP4 39

/** Element types of a KV cache. */
#define INLAY_KV_F16 0  /**< the default */
#define INLAY_KV_Q8_0 1 /**< int8 with a scale for each 32 of the head size: half the bytes */
#define INLAY_KV_F32 2  /**< for tests */
#define INLAY_KV_BF16 3

/**
 * The name of a status, for logs: "INLAY_OK", "INLAY_E_FORMAT", ...
 *
 * @param status A status; unknown values give "INLAY_E_?".
 * @return NUL-terminated text.
 * @owns    lends for ever.
 * @threads any.
 * @since   0.1
 */
INLAY_API const char *inlay_status_name(inlay_status status);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_COMMON_H */
