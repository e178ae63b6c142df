// SPDX-License-Identifier: Apache-2.0
// Intel intrinsics, behind one name: a test build puts SIMDe's in their place to run AVX-512 code on older CPUs.
#pragma once

#if defined(INLAY_SIMDE)
#include "simde_x86.h"
#else
#include <immintrin.h>
#endif
