/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file version.h
 * Versions: of the library, and of the ABI. A binding compares INLAY_ABI_VERSION with inlay_abi_version() at load and
 * refuses clearly when they differ. Before 1.0 every release may raise the ABI version; after it, only a major one.
 */
#ifndef INLAY_VERSION_H
#define INLAY_VERSION_H

#include "common.h"

#define INLAY_VERSION_MAJOR 0
#define INLAY_VERSION_MINOR 1
#define INLAY_VERSION_PATCH 0
#define INLAY_ABI_VERSION 0

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The version of the library that is loaded.
 *
 * @return NUL-terminated text, "0.1.0".
 * @owns    lends for ever.
 * @threads any.
 * @since   0.1
 */
INLAY_API const char *inlay_version(void);

/**
 * The ABI version of the library that is loaded; compare it with INLAY_ABI_VERSION.
 *
 * @return The number.
 * @owns    nothing.
 * @threads any.
 * @since   0.1
 */
INLAY_API int32_t inlay_abi_version(void);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_VERSION_H */
