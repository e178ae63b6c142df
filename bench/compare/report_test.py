# SPDX-License-Identifier: Apache-2.0
"""The report from made-up samples: medians, ratios, limits, and pictures that are well-formed. Measures nothing."""
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as tree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peers
import plan
import report
from results import Results, kv_read, mixed_figures, model_facts, percentile

info = {"metadata": {"general.architecture": "gemma3", "gemma3.attention.sliding_window": 512}, "estimate": {"kv_bytes": 1024 * 6},
        "tensors": [{"name": "token_embd.weight", "type": "q8_0", "shape": [100, 10], "bytes": 1100},
                    {"name": "blk.0.ffn_up.weight", "type": "q5_0", "shape": [30, 10], "bytes": 200},
                    {"name": "output_norm.weight", "type": "f32", "shape": [10], "bytes": 40}]}
facts = {"path": "", **model_facts(info)}
assert facts["bytes_per_step"] == 1340 and facts["ops_per_token"] == 600 and facts["head_ops"] == 2000, facts
assert kv_read(facts, 1200) == 6 * (1200 / 6 + 512 * 5 / 6)
untied = info["tensors"] + [{"name": "output.weight", "type": "q6_k", "shape": [100, 10], "bytes": 800}]
assert model_facts({**info, "tensors": untied})["bytes_per_step"] == 1040  # the embedding is not read whole
assert percentile([3, 1, 2], .5) == 2 and percentile([1, 2], .99) == 2
assert mixed_figures([[1.0, 1.5], [2.0, 2.25, 3.0]])["tokens"] == 5

with tempfile.TemporaryDirectory() as folder:
    r = Results(os.path.join(folder, "results.json"))
    r.data.update(machine={"cpu": "A & B <1>", "cpus": 2, "commit": "0", "llama-cpp-python": "1", "ik-llama-cpp-python": "2"},
                  engines={"inlay": "inlay, tier avx512vnni", "llama": "x"}, models={"m": facts})
    r.data["windows"] = [{"at": "now", "roof": {"read": [{"threads": 1, "pages": "2M", "gbps": 1.34e-5}], "hops": [{"ns": 25.0}],
                                                "peaks": [{"kind": "int8", "threads": 1, "gops": 6e-5}], "file": [{"gbps": 2.0, "fresh_gbps": 1.0}]}}]
    r.add(model="m", test="pp512", threads=1, engine="inlay", seconds=1.0, tps=999.0)
    r.data["samples"][0]["window"] = 1  # of a busy machine: does not count
    r.data["windows"].append({"at": "then", "roof": {"peaks": [{"kind": "int8", "threads": 1, "gops": 2e-5}]}})
    r.data["windows"].reverse()
    r.data["samples"][0]["window"] = 0
    for test, values in {"pp512": (20, 10, 30, 25, 15, 5), "tg64": (9, 5, 10), "tg16@b8": (90, 50, 40)}.items():
        for engine, v in zip(("inlay", "llama", "ik", "ik-native", "inlay-avx2", "llama-avx2"), values):
            for spread in (0.9, 1.0, 1.2):
                r.add(model="m", test=test, threads=1, engine=engine, seconds=1.0, tps=v * spread)
    r.add(model="m", test="deep4096", threads=1, engine="inlay", seconds=1.0, prefill=8.0, decode=4.0)
    r.add(model="m", test="deep4096", threads=1, engine="llama", seconds=1.0, error="refused")
    r.add(model="m", test="load", threads=1, engine="inlay", seconds=1.0, load_s=0.5, again_s=0.25, peak_bytes=2000)
    for engine in ("inlay", "llama"):
        r.add(model="m", test="mixed-heavy", threads=1, engine=engine, seconds=1.0, tps=5.0, ttft_p50=.1, ttft_p99=.2, gap_p50=.01, gap_p99=.02)
    r = Results(r.path)  # as a later window reads it
    assert r.busy_windows() == {0} and r.median("m", "pp512", 1, "inlay") == 20 and r.tries("m", "deep4096", 1, "llama") == 1 and not r.samples("m", "deep4096", 1, "llama")
    assert abs(r.limit("m", "tg64", 1) - 10) < 1e-6 and abs(r.limit("m", "pp512", 1) - 100) < 1e-6
    report.write(r, folder)
    text, page = (open(os.path.join(folder, f)).read() for f in ("results.md", "report.html"))
    assert "| prefill 512 | **20.0 (18.0–24.0)** | 20% | 10.0 (9.0–12.0) | 30.0 (27.0–36.0) | - | 25.0 (22.5–30.0) | 2.00x | 0.67x | 0.80x |" in text, text
    assert "| prefill 512 | **15.0 (13.5–18.0)** | - | 5.0 (4.5–6.0) | 30.0 (27.0–36.0) | - | 3.00x | 0.50x |" in text, text
    aims = {name: (reached, wanted) for name, reached, wanted in report.goals(r)}
    assert aims["m, 1 thread: prefill 512 held to AVX2 ÷ llama.cpp"] == (3.0, 2.4) and aims["m, 1 thread: prefill 512 ÷ native ik"] == (0.8, 1.4), aims
    assert "| 0.50 (0.50–0.50) | 0.25 (0.25–0.25) |" in text
    assert "failed" in text and "of the roof | 0.90" not in text.split("Aims")[1]
    svgs = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(svgs) == 6, len(svgs)
    for s in svgs:
        tree.fromstring(s)
    assert "A &amp; B" in page and "<script" not in page and "http://" not in page.replace("http://www.w3.org/2000/svg", "")

assert set(plan.PURE.values()) <= {*plan.SMALL, *plan.LARGE} and set(peers.BUILDS) <= set(plan.ENGINES)
for quick in (True, False):
    for tests, rounds, kinds, models in plan.stages(quick):
        assert rounds > 0 and set(kinds) <= {1, 2}
        for test, engines in tests:
            assert all(e in plan.ENGINES and plan.options(e)["engine"] for e in engines) and engines[0] == "inlay"
            assert (plan.command(test) or test == "load") and min(plan.work(test)) >= 0 and any(plan.work(test))
assert all(64 <= p <= 1024 and 32 <= n <= 256 for kind in ("light", "heavy") for _, p, n in plan.jobs(kind))
print("ok")
