#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes blocks.bin beside itself: random blocks of each quantised type and their values by PyPI's `gguf` package.

Record: int32 type id, int32 bytes, int32 values, the bytes, the values as float32. Needs: pip install gguf numpy.
"""
import pathlib
import struct

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Q
from gguf.quants import dequantize

# Byte offsets of the float16 fields of a block: random bits there would be Inf and NaN.
HALF = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0], Q.Q2_K: [80, 82], Q.Q3_K: [108], Q.Q4_K: [0, 2],
        Q.Q5_K: [0, 2], Q.Q6_K: [208], Q.IQ4_NL: [0], Q.IQ4_XS: [0], Q.MXFP4: [], Q.TQ1_0: [52], Q.TQ2_0: [64], Q.IQ1_S: [0], Q.IQ1_M: [],
        Q.IQ2_XXS: [0], Q.IQ2_XS: [0], Q.IQ2_S: [0], Q.IQ3_XXS: [0], Q.IQ3_S: [0]}
rng = np.random.default_rng(20261121)
out = bytearray()
for t, halves in HALF.items():
    block, size = GGML_QUANT_SIZES[t]
    n = 512 // block
    data = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for at in halves:
        d = (rng.standard_normal(n) * 10.0 ** rng.uniform(-6, 0, n)).astype(np.float16)  # subnormals too
        data[:, at:at + 2] = d.view(np.uint8).reshape(n, 2)
    if t == Q.MXFP4:
        data[:, 0] = rng.integers(100, 150, n)
        data[0, 0], data[1, 0], data[2, 0] = 0, 1, 2
    if t == Q.IQ1_M:  # its scale: the top four bits of four words
        d = (rng.standard_normal(n) * 1e-3).astype(np.float16).view(np.uint16)
        for i in range(4):
            data[:, 49 + 2 * i] = (data[:, 49 + 2 * i] & 15) | ((d >> (4 * i)) & 15) << 4
    values = np.asarray(dequantize(data.reshape(1, -1), t), dtype=np.float32).reshape(-1)
    assert values.size == 512 and np.isfinite(values).all()
    out += struct.pack("<iii", int(t), data.size, values.size) + data.tobytes() + values.tobytes()
pathlib.Path(__file__).with_name("blocks.bin").write_bytes(out)
