// SPDX-License-Identifier: Apache-2.0
// generic/softmax.h with lanes as four q registers.
#include "kernels/generic/softmax.h"
