// SPDX-License-Identifier: Apache-2.0
// generic/softmax.h with lanes as one zmm register.
#include "kernels/generic/softmax.h"
