# SPDX-License-Identifier: Apache-2.0
"""One engine with one model in a process of its own: options as JSON in argv[1], then a command a line on stdin and an answer a
line on stdout. Between commands it sleeps, so that several can be alive and take turns."""
import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print goes the way of errors


def ids(n, salt=0):
    return [1000 + (salt * 101 + j * 37) % 5000 for j in range(n)]


def peak_bytes():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def answer(engine, c):
    op = c["op"]
    if op == "prefill":
        return {"tps": c["n"] / engine.prefill(ids(c["n"]))}
    if op == "decode":
        return {"tps": c["n"] * c["batch"] / engine.decode([ids(8, s) for s in range(c["batch"])], c["n"])}
    if op == "deep":
        fill, run = engine.deep(ids(c["depth"]), c["n"])
        return {"prefill": c["depth"] / fill, "decode": c["n"] / run}
    if op == "mixed":
        return {"times": engine.mixed([(a, ids(p, i), n) for i, (a, p, n) in enumerate(c["jobs"])], c["slots"])}
    raise ValueError(op)


def say(**what):
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def main():
    options = json.loads(sys.argv[1])
    if options["engine"] == "inlay":
        from inlay_engine import Inlay as Engine
    else:
        from llama_engine import Llama as Engine
    before = peak_bytes()
    t = time.perf_counter()
    engine = Engine(options)
    engine.first_token()  # a mapped file is read when it is first used
    load = time.perf_counter() - t
    say(label=engine.label(), load_s=load, peak_bytes=peak_bytes() - before)
    for line in sys.stdin:
        try:
            say(**answer(engine, json.loads(line)))
        except Exception as e:
            say(error=f"{type(e).__name__}: {e}")


main()
