// SPDX-License-Identifier: Apache-2.0
// generic/attention.h with lanes as one zmm register.
#include "kernels/generic/attention.h"
