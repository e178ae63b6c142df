# SPDX-License-Identifier: Apache-2.0
"""pure.py SOURCE OUT: llama.cpp's own quantiser makes a file whose matrices are all Q6_K, for the one aim that names a type. From
weights that are quantised already, so its answers are worth less than the source's; its speed is any Q6_K file's."""
import ctypes
import os
import sys

import llama_cpp as api


source, out = (os.fsencode(p) for p in sys.argv[1:])
log = api.llama_log_callback(lambda level, text, _: sys.stderr.write(text.decode(errors="replace")) and None)  # a line a tensor
api.llama_log_set(log, ctypes.c_void_p(0))
api.llama_backend_init()
params = api.llama_model_quantize_default_params()
params.ftype, params.pure, params.allow_requantize, params.nthread = api.LLAMA_FTYPE_MOSTLY_Q6_K, True, True, os.cpu_count()
part = out + b".part"
if api.llama_model_quantize(source, part, params):
    raise SystemExit("llama.cpp's quantiser failed")
os.replace(part, out)
