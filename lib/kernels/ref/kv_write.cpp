// SPDX-License-Identifier: Apache-2.0
// The reference form of generic/kv_write.h: lanes as plain arrays, one fused multiply-add at a time.
#define INLAY_TIER ref
#define INLAY_PLAIN_LANES
#include "kernels/generic/kv_write.h"
