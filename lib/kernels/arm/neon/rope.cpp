// SPDX-License-Identifier: Apache-2.0
// generic/rope.h with lanes as four q registers.
#include "kernels/generic/rope.h"
