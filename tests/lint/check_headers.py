#!/usr/bin/env python3
"""Public headers: every function has a comment with a @param for each parameter, @return, @owns, @threads, @since; no type that the
dialect forbids; verbs from the closed set; each header compiles alone as C99 and as C++17."""
import glob
import os
import re
import subprocess
import sys

root, cc, cxx = sys.argv[1:4]
inc = os.path.join(root, "include")
verbs = set("create open free get set info estimate submit step poll read cancel pause resume encode decode render match parse score embed "
            "rerank fork truncate save load init version validate is name".split())
bad = []
for path in sorted(glob.glob(inc + "/inlay/**/*.h", recursive=True)):
    name = os.path.relpath(path, inc + "/inlay")
    text = open(path, encoding="utf-8").read()
    for lang, comp, std in (("c", cc, "-std=c99"), ("c++", cxx, "-std=c++17")):
        r = subprocess.run(comp.split() + [std, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", lang, "-I", inc, "-"],
                           input=f"#include <inlay/{name}>\n", capture_output=True, text=True)
        if r.returncode: bad.append(f"{name}: {std}: {r.stderr.strip()[:300]}")
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for m in re.finditer(r"\b(bool|long|enum|union|FILE|errno)\b", code): bad.append(f"{name}: '{m.group(1)}' is outside of the dialect")
    for m in re.finditer(r"/\*\*((?:(?!\*/).)*)\*/\s*INLAY_API\s+([^;]+);|INLAY_API\s+([^;]+);", text, flags=re.S):
        doc, decl = m.group(1), m.group(2) or m.group(3)
        fn = re.search(r"(inlay_\w+)\s*\(", decl)
        if not fn: continue
        fn = fn.group(1)
        if not doc:
            bad.append(f"{name}: {fn} has no comment")
            continue
        if not set(fn.split("_")[1:]) & verbs: bad.append(f"{name}: {fn} has no verb of the closed set")
        params = re.sub(r"\([^()]*\)\s*\([^()]*\)", "callback", decl[decl.index("(") + 1:decl.rindex(")")])
        for p in (x.strip() for x in params.split(",")):
            if p in ("", "void"): continue
            pname = re.search(r"(\w+)\s*$", p).group(1)
            if not re.search(r"@param\s+" + pname + r"\b", doc): bad.append(f"{name}: {fn}: no @param {pname}")
        for tag in ("@owns", "@threads", "@since") + (() if decl.startswith("void") else ("@return",)):
            if tag not in doc: bad.append(f"{name}: {fn}: no {tag}")
print("\n".join(bad) or "ok")
sys.exit(bool(bad))
