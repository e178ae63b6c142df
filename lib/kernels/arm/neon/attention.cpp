// SPDX-License-Identifier: Apache-2.0
// generic/attention.h with lanes as four q registers.
#include "kernels/generic/attention.h"
