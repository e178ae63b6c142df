// SPDX-License-Identifier: Apache-2.0
// generic/norm.h with lanes as four q registers.
#include "kernels/generic/norm.h"
