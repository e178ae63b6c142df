// SPDX-License-Identifier: Apache-2.0
// generic/act.h with lanes as four q registers.
#include "kernels/generic/act.h"
