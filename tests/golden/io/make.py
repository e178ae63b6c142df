#!/usr/bin/env python3
"""Makes the goldens of tests/unit/io/golden_test.cpp with the formats' own writers: pip install gguf safetensors numpy.
Deterministic; run it in this folder. The readers were also compared with gguf's on whole models (docs/io.md)."""
import gguf
import numpy as np
from gguf.constants import GGMLQuantizationType as Q
from safetensors.numpy import save_file

w = gguf.GGUFWriter("writer.gguf", "llama")
w.add_name("golden é")
w.add_uint8("t.u8", 200)
w.add_int8("t.i8", -100)
w.add_uint16("t.u16", 60000)
w.add_int16("t.i16", -30000)
w.add_uint32("t.u32", 4000000000)
w.add_int32("t.i32", -2000000000)
w.add_uint64("t.u64", 9000000000000000000)
w.add_int64("t.i64", -9000000000000000000)
w.add_float32("t.f32", 0.5)
w.add_float64("t.f64", 0.1)
w.add_bool("t.yes", True)
w.add_array("t.ints", [1, -2, 3])
w.add_array("t.floats", [0.25, -1.5])
w.add_array("t.bools", [True, False, True])
w.add_array("t.texts", ["", "a", "bcd"])
x = np.arange(512, dtype=np.float32).reshape(2, 256) / 64 - 4
w.add_tensor("f32", x)
w.add_tensor("f16", x.astype(np.float16))
for q in (Q.Q4_0, Q.Q5_1, Q.Q8_0, Q.BF16):
    w.add_tensor(q.name.lower(), gguf.quantize(x, q), raw_dtype=q)
w.add_tensor("odd", np.arange(7, dtype=np.int32))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

save_file({"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a.weight": np.arange(4, dtype=np.float16), "n": np.array(7, dtype=np.int64),
           "empty": np.zeros((0, 4), dtype=np.float32), "mask": np.array([True, False])}, "crate.safetensors", metadata={"format": "np"})
