// SPDX-License-Identifier: Apache-2.0
// generic/rope.h with lanes as two ymm registers.
#include "kernels/generic/rope.h"
