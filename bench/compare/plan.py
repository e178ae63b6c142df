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
    "ik-native": "native ik -rtr",
    "inlay-avx2": "inlay, AVX2",
    "llama-avx2": "llama.cpp, AVX2",
    "llama-norepack": "llama.cpp, no repack",
    "llama-notiles": "llama.cpp, no tiles",
    "inlay-q8": "inlay, KV q8_0",
    "llama-nofa": "llama.cpp, no flash attention",
    "llama-q8": "llama.cpp, KV q8_0",
    "ik-q8": "ik_llama.cpp, KV q8_0",
}
MAIN = ["inlay", "llama", "ik", "ik-rtr"]
WIDE = MAIN + ["ik-native"]
TIERS = WIDE + ["inlay-avx2", "llama-avx2"]
DEEP = MAIN + ["llama-q8", "llama-nofa", "inlay-q8", "ik-q8"]
FEW = ["inlay", "llama", "ik-rtr"]
SHOWN = TIERS + ["llama-norepack", "llama-notiles"]
SMALL, LARGE = ["gemma3-270m", "qwen2.5-0.5b"], ["qwen2.5-1.5b"]
PURE = {"qwen2.5-1.5b-q6_k": "qwen2.5-1.5b"}  # made of the other, all of one type; in stages that name it
NOTES = [
    "llama.cpp is `llama-cpp-python` from PyPI, compiled on this machine for this CPU; \"llama.cpp, AVX2\" is the same compiled without AVX-512.",
    "ik_llama.cpp is the wheel `ik-llama-cpp-python` from PyPI: **AVX2 only**; `-rtr` is its run-time repack with huge pages. \"native ik\" is"
    " the same version, compiled on this machine for this CPU. \"inlay, AVX2\" is inlay held to the wheel's instructions.",
    "\"no repack\": llama.cpp told not to repack weights (`use_extra_bufts`), as its repacked Q4_K passes by the tiles that it has for k-quants by now."
    " \"no tiles\": without these (`GGML_CPU_TILED_MM=0`), as it was when the aims were set.",
    "A model whose name ends in q6_k is llama.cpp's own conversion of the other to a single type.",
    "A load is made twice, the second at once after the first: a VM's host takes free memory back within seconds, and giving it anew takes longer than"
    " everything else; engines that map the file need less new memory and pay with each page they touch.",
    "Several sequences in one cache end in an assertion of ik's flash attention, so batches run without it there.",
    "All engines: the same file, the same ids, KV cache f16 unless said otherwise, prompts in pieces of at most 512 tokens, one process each,"
    " alive at the same time and taking turns; the others sleep meanwhile. inlay also picks the greedy token of each step, the others' steps end"
    " with the logits.",
]


def options(engine):
    """An engine's name as options of its worker."""
    base, _, variant = engine.partition("-")
    if base == "ik" and variant in ("rtr", "native"):
        return {"engine": "ik-rtr"}
    return {"engine": base, "kv": "q8_0" if variant == "q8" else "f16", "flash": variant != "nofa", "repack": variant != "norepack",
            "tiles": variant != "notiles", "tier": "avx2" if variant == "avx2" else "auto"}


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
    rate, n = (0.25, 10) if kind == "light" else (4.0, 24)
    for _ in range(n):
        at += rng.expovariate(rate)
        out.append((at, int(64 * 16 ** rng.random()), int(32 * 8 ** rng.random())))
    return out


def work(test):
    """What a turn does: (tokens of prompts, steps of one token, seconds of waiting), to foresee how long it takes."""
    c = command(test) or {"op": "load"}
    if c["op"] == "prefill":
        return c["n"], 0, 0
    if c["op"] == "decode":
        return 0, c["n"] * max(1, c["batch"] / 2), 0
    if c["op"] == "deep":
        return 1.3 * c["depth"], 2 * c["n"], 0
    if c["op"] == "mixed":
        return sum(p for _, p, _ in c["jobs"]), sum(n for *_, n in c["jobs"]) / 2, c["jobs"][-1][0]
    return 0, 0, 1


def stages(quick):
    """What is most wanted comes first, so that a run that is cut has measured it: (tests with their engines, rounds so far,
    thread counts: 1 = one thread, 2 = all; models or None: all but the PURE). A later stage's rounds count those of an earlier one."""
    core = [("pp512", TIERS), ("tg64", TIERS), ("tg16@b8", TIERS), ("tg16@b16", TIERS)]
    both = [(t, MAIN) for t, _ in core]
    if quick:
        return [([(t, MAIN) for t in ("pp512", "tg64", "tg16@b8")], 2, (1, 2), None), ([("load", MAIN)], 1, (2,), None)]
    pure = [("pp512", MAIN + ["llama-notiles"]), ("tg64", MAIN)]
    norepack = [(t, ["inlay", "llama-norepack"]) for t in ("pp512", "tg64")]
    more = [("pp128", MAIN), ("tg32@b4", MAIN), ("tg8@b32", MAIN)]
    return [
        (core, 1, (1,), None),
        (both, 1, (2,), None),
        (pure, 1, (1,), PURE),
        (norepack, 1, (1,), LARGE),
        ([("load", MAIN)], 2, (2,), None),
        ([("deep4096", FEW + ["llama-q8"])], 1, (2,), SMALL),
        ([("mixed-heavy", FEW)], 1, (2,), ["qwen2.5-0.5b"]),
        (core, 2, (1,), SMALL),
        ([("deep4096", FEW)], 1, (1,), SMALL),
        (more, 1, (1, 2), SMALL),
        ([("deep4096", FEW)], 1, (2,), LARGE),
        (both, 2, (2,), None),
        (core, 3, (1,), SMALL),
        (core, 2, (1,), LARGE),
        (pure, 2, (1,), PURE),
        (norepack, 2, (1,), LARGE),
        ([("mixed-light", FEW)], 1, (2,), ["qwen2.5-0.5b"]),
        (more[:2], 1, (1, 2), LARGE),
        ([("deep4096", DEEP)], 1, (2,), SMALL),
    ]
