// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI on CPUs that lack it; before every file of lib/kernels/x86/avx512vnni.
#pragma once

#include "avx512.h"

#define __AVX512VNNI__ 1
