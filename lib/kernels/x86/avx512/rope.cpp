// SPDX-License-Identifier: Apache-2.0
// generic/rope.h with lanes as one zmm register.
#include "kernels/generic/rope.h"
