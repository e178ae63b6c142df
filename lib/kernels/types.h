// SPDX-License-Identifier: Apache-2.0
// What every kernel file may see: fixed-width integers and the one spelling of restrict. Tier folders include nothing
// but this, signatures.h and their intrinsics (a std:: template compiled with -mavx512f would be picked for every
// caller of the program).
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INLAY_RESTRICT __restrict
#if defined(__GNUC__)
#define INLAY_INLINE inline __attribute__((always_inline))
#else
#define INLAY_INLINE __forceinline
#endif
