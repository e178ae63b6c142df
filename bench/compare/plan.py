# SPDX-License-Identifier: Apache-2.0
"""What is measured: tests by name, the command that each gives a worker, and who takes part. A test is measured in rounds; in a
round every engine has one turn, and who begins moves on by one, so that drift of the machine meets all alike."""
import random
import re

# Name -> what a page says about it. Variants are engines of their own in tests where they matter.
ENGINES = {
    "inlay": "inlay",
    "llama": "llama.cpp",
    "ik": "ik_llama.cpp",
    "ik-rtr": "ik_llama.cpp -rtr",
    "inlay-q8": "inlay, KV q8_0",
    "llama-nofa": "llama.cpp, no flash attention",
    "llama-q8": "llama.cpp, KV q8_0",
    "ik-q8": "ik_llama.cpp, KV q8_0",
}
MAIN = ["inlay", "llama", "ik", "ik-rtr"]
DEEP = MAIN + ["llama-nofa", "inlay-q8", "ik-q8"]
NOTES = [
    "llama.cpp is `llama-cpp-python` from PyPI, compiled on this machine for this CPU.",
    "ik_llama.cpp is the wheel `ik-llama-cpp-python` from PyPI: **AVX2 only**. On an AVX-512 machine a native build of it is faster in"
    " prefill: 2.2x of the wheel is about 1.4x of that. `-rtr` is its run-time repack with huge pages.",
    "Several sequences in one cache end in an assertion of the wheel's flash attention, so batches run without it there.",
    "All engines: the same file, the same ids, KV cache f16 unless said otherwise, prompts in pieces of at most 512 tokens, one process each,"
    " alive at the same time and taking turns; the others sleep meanwhile. inlay also picks the greedy token of each step, the others' steps end"
    " with the logits.",
]


def options(engine):
    """An engine's name as options of its worker."""
    base, _, variant = engine.partition("-")
    if variant == "rtr":
        return {"engine": "ik-rtr"}
    return {"engine": base, "kv": "q8_0" if variant == "q8" else "f16", "flash": variant != "nofa"}


def command(test):
    if m := re.fullmatch(r"pp(\d+)", test):
        return {"op": "prefill", "n": int(m[1])}
    if m := re.fullmatch(r"tg(\d+)(?:@b(\d+))?", test):
        return {"op": "decode", "n": int(m[1]), "batch": int(m[2] or 1)}
    if m := re.fullmatch(r"deep(\d+)", test):
        return {"op": "deep", "depth": int(m[1]), "n": 32}
    if m := re.fullmatch(r"mixed-(light|heavy)", test):
        return {"op": "mixed", "slots": 16, "jobs": jobs(m[1])}
    if test == "load":
        return None
    raise SystemExit(f"no test is called {test}: pp512, tg64, tg32@b8, deep4096, mixed-light, mixed-heavy, load")


def jobs(kind):
    """Poisson arrivals; lengths spread evenly over their logarithm. The same for everybody, as the seed is fixed."""
    rng, at, out = random.Random(7), 0.0, []
    rate, n = (0.25, 16) if kind == "light" else (4.0, 24)
    for _ in range(n):
        at += rng.expovariate(rate)
        out.append((at, int(64 * 16 ** rng.random()), int(32 * 8 ** rng.random())))
    return out


def tests(quick):
    """(test, engines, rounds, thread counts: 1 = one thread, 2 = all)"""
    if quick:
        return [("pp512", MAIN, 2, (1, 2)), ("tg64", MAIN, 2, (1, 2)), ("tg32@b8", MAIN, 1, (1, 2)), ("load", MAIN, 1, (2,))]
    return ([(t, MAIN, 5, (1, 2)) for t in ("pp128", "pp512", "tg64")]
            + [("deep4096", DEEP, 2, (1, 2))]
            + [(f"tg32@b{b}", MAIN, 3, (1, 2)) for b in (4, 8, 16, 32)]
            + [("load", MAIN, 3, (2,)), ("mixed-heavy", ["inlay", "llama", "ik"], 1, (2,)), ("mixed-light", ["inlay", "llama", "ik"], 1, (2,))])
