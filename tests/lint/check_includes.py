#!/usr/bin/env python3
"""The module table of docs/architecture.md, held: who may include whom in lib/ and capi/, and which one file may include
each third-party header."""
import os
import re
import sys

root = sys.argv[1]
base = {"base"}
cpu = base | {"cpu"}
kernels = cpu | {"kernels"}
thread = cpu | {"thread"}
io = base | {"io"}
tensor = kernels | {"thread", "tensor"}
kv = base | {"kv"}
engine = {"base", "cpu", "kernels", "thread", "io", "tensor", "text", "kv", "model", "sample", "batch", "session", "memory", "engine"}
may = {
    "base": base, "cpu": cpu, "kernels": kernels, "thread": thread, "io": io, "tensor": tensor,
    "text": io | {"text"}, "sample": kernels | {"sample"}, "kv": kv, "batch": kv | {"batch"},
    "model": io | tensor | {"kv", "model"}, "session": io | {"kv", "sample", "session"}, "memory": io | kernels | {"memory"},
    "engine": engine, "capi": engine | {"capi", "inlay"},
}
# (file, module) beyond the table: the store writes what attention reads, and the tensor core's C functions are the public ones.
extra = {("lib/kv/store.cpp", "tensor"), ("lib/kv/store.h", "tensor"), ("lib/kv/store.cpp", "kernels"), ("lib/kv/store.h", "kernels")}
third_party = {"simdjson": {"lib/io/json.cpp"}, "tbb/": {"lib/thread/tbb_executor.cpp"}, "oneapi/": {"lib/thread/tbb_executor.cpp"},
               "cblas": {"lib/tensor/matmul_blas.cpp"}, "Eigen": set(), "sentencepiece": set()}
bad = []
for top in ("lib", "capi"):
    for folder, _, names in os.walk(os.path.join(root, top)):
        for name in names:
            if not name.endswith((".h", ".cpp", ".def", ".inc")): continue
            path = os.path.relpath(os.path.join(folder, name), root)
            module = path.split("/")[1] if top == "lib" else "capi"
            for n, line in enumerate(open(os.path.join(root, path), encoding="utf-8"), 1):
                m = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
                if not m: continue
                inc = m.group(2)
                for lib, files in third_party.items():
                    if inc.startswith(lib) and path not in files: bad.append(f"{path}:{n}: {inc} belongs into {sorted(files) or 'no file of lib/'}")
                if m.group(1) == '"' and "/" in inc:
                    to = inc.split("/")[0]
                    if to in may and to not in may[module] and (path, to) not in extra: bad.append(f"{path}:{n}: {module} may not include {to}")
                    if to == "inlay" and module != "capi": bad.append(f"{path}:{n}: only capi/ sees the public headers")
print("\n".join(bad) or "ok")
sys.exit(bool(bad))
