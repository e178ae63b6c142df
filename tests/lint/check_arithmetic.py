#!/usr/bin/env python3
"""No raw + - * on sizes that come from files. In the readers of file formats every such operator must touch a Checked
value: a name that the file (or its header) declares as Checked, a call of Checked(...) or rounded_up(...); or be all
constants; or carry `// raw: why` on its line or the line above, which says why it cannot wrap. .clang-format puts blanks
around binary operators, so `a * b` and `T *p` are told apart. `self-test` as second argument tests the rule itself."""
import os
import re
import sys

READERS = re.compile(r"lib/io/(gguf|gguf_value|safetensors|checkpoint|validate|weights_file|source|source_posix|source_reader|pack_file)\.(cpp|h)$")
OPERATOR = re.compile(r" ([+\-*]=?) (?=[\w(*&!~-])")
CONSTANT = re.compile(r"^(\d[\d'a-fA-FxX]*[uUlL]*|k[A-Z]\w*|[a-z_]*_bytes_constant|sizeof\b.*|'.'|max_\w+|window_bytes)$")


def strip(text):
    """The code without strings, comments; the comments a line, for annotations."""
    notes = [m.group(1) if (m := re.search(r"//(.*)$", l)) else "" for l in text.split("\n")]
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"//[^\n]*", "", text)
    return text.split("\n"), notes


def left_operand(code, at):
    i = at - 1
    depth = 0
    while i >= 0:
        c = code[i]
        if c in ")]":
            depth += 1
        elif c in "([":
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and not (c.isalnum() or c in "_.:'>"):
            break
        elif c == ">" and (i == 0 or code[i - 1] != "-") and depth == 0:
            break
        i -= 1
    return code[i + 1:at]


def right_operand(code, at):
    m = re.match(r"[*&!~-]?[\w.:>']*", code[at:])
    end = at + m.end()
    if end < len(code) and code[end] in "([":
        depth = 0
        for j in range(end, len(code)):
            depth += code[j] in "(["
            depth -= code[j] in ")]"
            if depth == 0:
                end = j + 1
                break
        else:
            end = len(code)
    return code[at:end]


def is_checked(operand, names):
    if re.match(r"^(\(?Checked\(|Checked$)", operand) or re.search(r"\.rounded_up\(.*\)$", operand):
        return True
    inner = operand[1:-1] if operand.startswith("(") and operand.endswith(")") else operand
    return any(re.fullmatch(r"[\w.]*\b" + re.escape(n), part) for n in names for part in re.split(r" [+\-*/%] ", inner))


def problems(path, text, extra=""):
    names = set(re.findall(r"\bChecked &?(\w+)(?= ?[;=,)]| =)", text + extra))
    for m in re.finditer(r"\bChecked ((?:\w+(?: = [^,;()]+)?, )+\w+)[;=]", text + extra):
        names.update(re.findall(r"(\w+)(?: = [^,]+)?(?:, |$)", m.group(1)))
    lines, notes = strip(text)
    out = []
    for n, code in enumerate(lines):
        for m in OPERATOR.finditer(code):
            a, b = left_operand(code, m.start()), right_operand(code, m.end())
            if not a:
                continue  # unary, or the line above ended the operand: see below
            if is_checked(a, names) or is_checked(b, names) or (CONSTANT.match(a) and CONSTANT.match(b)):
                continue
            note = notes[n] + (notes[n - 1] if n and not lines[n - 1].strip() else "")
            if "raw:" in note:
                continue
            out.append(f"{path}:{n + 1}: raw '{a} {m.group(1)} {b}': make an operand Checked, or say '// raw: why it cannot wrap'")
    return out


def self_test():
    bad = ["uint64_t x = n * size;", "at = offset + n;", "left -= n;", "f(t.dims[0] * t.dims[1]);", "p = base + read();"]
    good = ["Checked n = 1;\nx = n * size;", "x = Checked(a) + b;", "x = a + Checked(b);", "auto *p = q; T *r;", "x = 4 * 1024;", "x = a + b;  // raw: a and b are below 64",
            "// raw: small\nx = a + b;", "Checked a, b;\nx = (a + b) + c;", "x = Checked(n).rounded_up(8) + c;", 'f("a + b");', "++i; i++;", "x = -1;", "kBits * 8;"]
    wrong = [f"passes: {c!r}" for c in bad if not problems("t", c)] + [f"refused: {c!r}" for c in good if problems("t", c)]
    print("\n".join(wrong) or "the rule holds")
    return bool(wrong)


def main():
    root = sys.argv[1]
    if sys.argv[2:] == ["self-test"]:
        return self_test()
    bad, n = [], 0
    for folder, _, files in os.walk(os.path.join(root, "lib/io")):
        for f in sorted(files):
            path = os.path.relpath(os.path.join(folder, f), root)
            if not READERS.match(path):
                continue
            n += 1
            header = os.path.join(folder, os.path.splitext(f)[0] + ".h")
            extra = open(header, encoding="utf-8").read() if f.endswith(".cpp") and os.path.exists(header) else ""
            bad += problems(path, open(os.path.join(folder, f), encoding="utf-8").read(), extra)
    if n < 8:
        bad.append(f"only {n} readers found: the list in this test is out of date")
    print("\n".join(bad) or f"ok: {n} files")
    return bool(bad)


sys.exit(main())
