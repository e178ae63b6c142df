// SPDX-License-Identifier: Apache-2.0
// generic/attention_q8.h with lanes as one zmm register and VNNI dots.
#include "kernels/generic/attention_q8.h"
