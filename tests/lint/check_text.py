#!/usr/bin/env python3
"""What every source file keeps to: an SPDX line, at most 600 lines (or a reason in long_files.txt), no tabs, lines of at most
160 columns; and in lib/ and capi/ none of the words that the library promises not to use."""
import os
import re
import subprocess
import sys

root = sys.argv[1]
listed = {l.split()[0] for l in open(os.path.join(root, "tests/lint/long_files.txt")) if l.strip() and l[0] != "#"}
forbidden = re.compile(r"(?<![\w.>:])(?<!void )(?:std::)?(abort|exit|_exit|assert|printf|fprintf|puts|perror|getenv|setlocale|strtod|atof|raise|system)\s*\(|std::(cout|cerr|regex|function|format)\b"
                       r"|std::(vector|string|map|unordered_map|deque)\b(?!_)|\bthread_local\b")
bad = []
try:
    files = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")
except (OSError, subprocess.CalledProcessError):
    files = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs if "build" not in d]
for path in files:
    if not path.endswith((".h", ".hpp", ".c", ".cpp", ".def", ".inc")) or not os.path.isfile(os.path.join(root, path)): continue
    lines = open(os.path.join(root, path), encoding="utf-8").read().split("\n")
    if not any("SPDX-License-Identifier: Apache-2.0" in l for l in lines[:2]): bad.append(f"{path}:1: no SPDX line")
    if len(lines) > 601 and path not in listed: bad.append(f"{path}: {len(lines)} lines; split it, or give a reason in tests/lint/long_files.txt")
    inside = path.startswith(("lib/", "capi/"))
    for n, line in enumerate(lines, 1):
        if "\t" in line and path not in listed: bad.append(f"{path}:{n}: a tab")
        if len(line) > 160 and path not in listed: bad.append(f"{path}:{n}: {len(line)} columns")
        if inside:
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
            m = forbidden.search(code)
            if m and path != "lib/base/containers.h": bad.append(f"{path}:{n}: {m.group(0).strip()}")
        if re.search(r"(^|[^A-Za-z0-9])/(work|farm)/", line): bad.append(f"{path}:{n}: a path of one machine")
print("\n".join(bad) or "ok")
sys.exit(bool(bad))
