// SPDX-License-Identifier: Apache-2.0
// generic/attention_q8.h with lanes as four q registers.
#include "kernels/generic/attention_q8.h"
