// SPDX-License-Identifier: Apache-2.0
// generic/act.h with lanes as two ymm registers.
#include "kernels/generic/act.h"
