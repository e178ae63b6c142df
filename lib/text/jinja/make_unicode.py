#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes unicode_tables.cpp: what Python's str methods know of each code point. Run with the Python whose Jinja2 is the oracle (3.11, Unicode 14).
import sys, unicodedata as u

N = 0x110000
def flags(c):
    s = chr(c)
    f = 0
    if s.isspace(): f |= 1
    if s.isprintable(): f |= 2
    if s.isalpha(): f |= 4
    if s.isdecimal(): f |= 8
    if s.isdigit(): f |= 16
    if s.isnumeric(): f |= 32
    if s.islower(): f |= 64
    if s.isupper(): f |= 128
    if s.istitle() and not s.isupper(): f |= 256
    # cased and case-ignorable, seen through the final-sigma rule of str.lower()
    if not 0xD800 <= c < 0xE000:
        cased_after = ("A" + "\u03a3" + s).lower()[1] == "\u03c3"
        if cased_after: f |= 512
        elif ("A" + "\u03a3" + s + "A").lower()[1] == "\u03c3": f |= 1024
    if s.isidentifier(): f |= 2048
    if ("a" + s).isidentifier(): f |= 4096
    return f

ranges = []
last = None
for c in range(N):
    f = flags(c)
    if f != last:
        ranges.append((c, f)); last = f
def maps(fn):
    one, more = [], []
    for c in range(N):
        if 0xD800 <= c < 0xE000 or c == 0x3A3 and fn == "lower": continue
        r = getattr(chr(c), fn)()
        if r == chr(c): continue
        if len(r) == 1: one.append((c, ord(r)))
        else: more.append((c, [ord(x) for x in r]))
    return one, more
up1, upm = maps("upper"); lo1, lom = maps("lower"); ti1, tim = maps("title")
lo1 = sorted(lo1 + [(0x3A3, 0x3C3)])
upd = dict(up1)
ti1 = [(c, m) for c, m in [(c, ord(chr(c).title())) for c in range(N) if not 0xD800 <= c < 0xE000 and len(chr(c).title()) == 1] if upd.get(c, c) != m or c in dict(upm)]
def runs(pairs):  # (first, count, step, delta)
    out = []
    for c, m in pairs:
        d = m - c
        if out:
            a, n, st, dd = out[-1]
            if dd == d and (n == 1 and c - a in (1, 2) or n > 1 and c == a + n * st):
                out[-1] = (a, n + 1, c - a if n == 1 else st, d); continue
        out.append((c, 1, 1, d))
    return out
w = sys.stdout.write
w("// SPDX-License-Identifier: Apache-2.0\n// Made by make_unicode.py from Python %d.%d (Unicode %s). Do not edit.\n" % (*sys.version_info[:2], u.unidata_version))
w('#include "text/jinja/unicode_tables.h"\n\nnamespace inlay::text::jinja {\n\n')
def table(decl, rows):
    w(decl + " = {\n")
    line = ""
    for r in rows:
        if len(line) + len(r) > 134: w("    " + line.rstrip() + "\n"); line = ""
        line += r + " "
    w("    " + line.rstrip() + "\n};\n\n")
table("const FlagRange kFlagRanges[%d]" % len(ranges), ["{0x%x,%d}," % r for r in ranges])
w("const size_t kFlagRangeCount = %d;\n\n" % len(ranges))
for name, one, more in (("Upper", up1, upm), ("Lower", lo1, lom), ("Title", ti1, tim)):
    r = runs(one)
    table("const CaseRun k%sRuns[%d]" % (name, len(r)), ["{0x%x,%d,%d,%d}," % x for x in r])
    w("const size_t k%sRunCount = %d;\n\n" % (name, len(r)))
    table("const CaseExpansion k%sMore[%d]" % (name, len(more)), ["{0x%x,{%s}}," % (c, ",".join("0x%x" % x for x in (m + [0, 0])[:3])) for c, m in more])
    w("const size_t k%sMoreCount = %d;\n\n" % (name, len(more)))
w("}  // namespace inlay::text::jinja\n")
