// SPDX-License-Identifier: Apache-2.0
// generic/map.h with lanes as one zmm register.
#include "kernels/generic/map.h"
