// SPDX-License-Identifier: Apache-2.0
// generic/attention_q8.h with lanes as one zmm register.
#include "kernels/generic/attention_q8.h"
