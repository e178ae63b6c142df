// SPDX-License-Identifier: Apache-2.0
// generic/map.h with lanes as four q registers.
#include "kernels/generic/map.h"
