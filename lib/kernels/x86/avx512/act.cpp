// SPDX-License-Identifier: Apache-2.0
// generic/act.h with lanes as one zmm register.
#include "kernels/generic/act.h"
