#!/usr/bin/env python3
"""The shared object exports exactly the functions of the public headers and imports nothing that ends or talks for the host; the
archive defines no global name but inlay_*; tier objects have no weak symbol (one compiled with wider instructions could be
picked for every caller)."""
import glob
import os
import re
import subprocess
import sys

root, so, archive = sys.argv[1:4]
tiers = sys.argv[4:]
bad = []


def nm(*args):
    out = subprocess.run(["nm"] + list(args), capture_output=True, text=True, check=True).stdout
    return [l.split() for l in out.split("\n") if len(l.split()) >= 2 and not l.endswith(":")]


declared = set()
for path in glob.glob(os.path.join(root, "include/inlay/**/*.h"), recursive=True):
    text = re.sub(r"/\*.*?\*/|^[ \t]*#[^\n]*$", "", open(path, encoding="utf-8").read(), flags=re.S | re.M)
    declared |= {re.search(r"(inlay_\w+)\s*\(", d).group(1) for d in re.findall(r"INLAY_API\s+([^;]+);", text)}
exported = {l[-1].split("@")[0] for l in nm("-D", "--defined-only", so)} - {"INLAY_0"}
for s in sorted(declared - exported): bad.append(f"declared, not exported: {s}")
for s in sorted(exported - declared): bad.append(f"exported, not declared: {s}")
forbidden = set("abort exit _exit __assert_fail raise kill signal sigaction setlocale system popen fork longjmp printf puts stdout stderr fprintf "
                "getenv".split())
for s in sorted({l[-1].split("@")[0] for l in nm("-D", "--undefined-only", so)} & forbidden): bad.append(f"imports {s}")
for l in nm("-g", "--defined-only", archive):
    if not l[-1].startswith("inlay_"): bad.append(f"archive defines {l[-1]}")
for t in tiers:
    for l in nm("--defined-only", t):
        if l[1] in "WwVvu": bad.append(f"{os.path.basename(t)}: weak symbol {l[-1]}")
print("\n".join(bad) or "ok")
sys.exit(bool(bad))
