// SPDX-License-Identifier: Apache-2.0
// generic/kv_write.h with lanes as four q registers.
#include "kernels/generic/kv_write.h"
