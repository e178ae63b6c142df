// SPDX-License-Identifier: Apache-2.0
// AVX-VNNI's one instruction (the VEX form, which Zen 4 too lacks) by SIMDe; before every file of lib/kernels/x86/avxvnni.
#pragma once

#include <immintrin.h>

#include <simde/x86/avx512/dpbusd.h>

#define __AVXVNNI__ 1
#define _mm256_dpbusd_avx_epi32(sum, u, s) simde_mm256_dpbusd_epi32(sum, u, s)
