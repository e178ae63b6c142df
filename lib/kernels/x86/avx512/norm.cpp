// SPDX-License-Identifier: Apache-2.0
// generic/norm.h with lanes as one zmm register.
#include "kernels/generic/norm.h"
