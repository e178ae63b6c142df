// SPDX-License-Identifier: Apache-2.0
// generic/softmax.h with lanes as two ymm registers.
#include "kernels/generic/softmax.h"
