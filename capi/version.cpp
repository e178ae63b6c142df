// SPDX-License-Identifier: Apache-2.0
#include "inlay/version.h"

#define INLAY_TEXT_(x) #x
#define INLAY_TEXT(x) INLAY_TEXT_(x)

extern "C" const char *inlay_version(void) {
    return INLAY_TEXT(INLAY_VERSION_MAJOR) "." INLAY_TEXT(INLAY_VERSION_MINOR) "." INLAY_TEXT(INLAY_VERSION_PATCH);
}

extern "C" int32_t inlay_abi_version(void) { return INLAY_ABI_VERSION; }
