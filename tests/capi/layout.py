#!/usr/bin/env python3
"""layout.py ROOT CC [--update]: size and offset of every public struct field, as the C compiler sees them, against
tests/capi/layout.json. Bindings check the same table. A struct may only grow at its end: --update writes the file anew, and the
diff shows whether that holds."""
import json
import os
import re
import subprocess
import sys
import tempfile

root, cc = sys.argv[1:3]
pinned = os.path.join(root, "tests/capi/layout.json")
structs = {}
for name in sorted(os.listdir(os.path.join(root, "include/inlay"))):
    if not name.endswith(".h"): continue
    text = re.sub(r"/\*.*?\*/", "", open(os.path.join(root, "include/inlay", name), encoding="utf-8").read(), flags=re.S)
    for m in re.finditer(r"typedef struct (\w+) \{(.*?)\} \1;", text, flags=re.S):
        fields = []
        for decl in m.group(2).split(";"):
            decl = decl.strip()
            if not decl: continue
            fn = re.search(r"\(\*(\w+)\)", decl)
            if fn: fields.append(fn.group(1))
            else: fields += [re.search(r"(\w+)\s*(\[\w+\])?\s*$", d).group(1) for d in decl.split(",")]
        structs[m.group(1)] = fields
src = "#include <inlay/inlay.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
for s, fields in structs.items():
    src += f'printf("{s} %zu\\n", sizeof({s}));\n' + "".join(f'printf("{s}.{f} %zu\\n", offsetof({s}, {f}));\n' for f in fields)
src += "return 0; }\n"
with tempfile.TemporaryDirectory() as t:
    open(t + "/l.c", "w").write(src)
    subprocess.run(cc.split() + ["-std=c99", "-I", os.path.join(root, "include"), "-o", t + "/l", t + "/l.c"], check=True)
    got = {k: int(v) for k, v in (l.split() for l in subprocess.run([t + "/l"], capture_output=True, text=True, check=True).stdout.splitlines())}
if "--update" in sys.argv:
    json.dump(got, open(pinned, "w"), indent=0)
    sys.exit(0)
want = json.load(open(pinned))
bad = [f"{k}: {got.get(k)} is pinned at {want.get(k)}" for k in sorted(set(got) | set(want)) if got.get(k) != want.get(k)]
print("\n".join(bad) or f"{len(got)} sizes and offsets as pinned")
sys.exit(bool(bad))
