// SPDX-License-Identifier: Apache-2.0
// What lib/kernels/table.cpp takes for this machine's tiers in the emulated program.
#pragma once

#define INLAY_TIERS(X) X(avxvnni) X(avx512) X(avx512vnni)
