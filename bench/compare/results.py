# SPDX-License-Identifier: Apache-2.0
"""The file of results: every sample with its window, so that a run may be cut into slices and go on later; and what is made of
samples: medians, spreads, ratios, shares of the roof."""
import json
import os
import statistics


class Results:
    """{"machine", "engines": {name: label}, "models": {name: facts}, "windows": [roof and time of each], "samples": [...]}"""

    def __init__(self, path):
        self.path = path
        self.data = {"machine": {}, "engines": {}, "models": {}, "windows": [], "samples": []}
        if path and os.path.exists(path):
            self.data = json.load(open(path))

    def save(self):
        with open(self.path + ".tmp", "w") as f:
            json.dump(self.data, f, indent=1)
        os.replace(self.path + ".tmp", self.path)

    def add(self, **sample):
        self.data["samples"].append({**sample, "window": len(self.data["windows"]) - 1})
        self.save()

    def samples(self, model, test, threads, engine):
        found = [s for s in self.data["samples"]
                 if (s["model"], s["test"], s["threads"], s["engine"]) == (model, test, threads, engine) and "error" not in s]
        busy = self.busy_windows()
        return [s for s in found if s["window"] not in busy] or found

    def busy_windows(self):
        """Windows that began with arithmetic well below what this machine has shown: somebody else was running."""
        peaks = [max([p["gops"] for p in w.get("roof", {}).get("peaks", []) if p["kind"] == "int8" and p["threads"] == 1], default=0)
                 for w in self.data["windows"]]
        return {i for i, p in enumerate(peaks) if p < 0.85 * max(peaks)}

    def tries(self, model, test, threads, engine):
        return sum((s["model"], s["test"], s["threads"], s["engine"]) == (model, test, threads, engine) for s in self.data["samples"])

    def values(self, model, test, threads, engine, key):
        return [s[key] for s in self.samples(model, test, threads, engine) if key in s]

    def median(self, model, test, threads, engine, key="tps"):
        v = self.values(model, test, threads, engine, key)
        return statistics.median(v) if v else None

    def models(self):
        return list(self.data["models"])

    def threads(self):
        return sorted({s["threads"] for s in self.data["samples"]})

    def roof(self, kind, threads, pages="2M"):
        """The median over the windows: a VM's neighbours come and go."""
        v = []
        busy = self.busy_windows()
        for i, w in enumerate(self.data["windows"]):
            if i in busy:
                continue
            roof = w.get("roof", {})
            if kind == "read":
                v += [r["gbps"] for r in roof.get("read", []) if r["threads"] == threads and r["pages"] == pages]
            elif kind == "file":
                v += [max([r.get("fresh_gbps", 0) for r in roof.get("file", [])], default=0)] * bool(roof.get("file"))
            else:
                v += [max([p["gops"] for p in roof.get("peaks", []) if p["kind"] == kind and p["threads"] == threads], default=0)]
        v = [x for x in v if x]
        return statistics.median(v) if v else None

    def limit(self, model, test, threads, key="tps"):
        """Tokens/s at the roof: decode reads every weight and the cache once a step, prefill multiplies at the int8 peak."""
        m = self.data["models"][model]
        read, int8 = self.roof("read", threads), self.roof("int8", threads)
        if test.startswith("pp") or key == "prefill":
            return int8 and int8 * 1e9 / m["ops_per_token"]
        if test.startswith("tg"):
            batch = int(test.partition("@b")[2] or 1)
            by_read = read and read * 1e9 * batch / m["bytes_per_step"]
            by_ops = int8 and int8 * 1e9 / (m["ops_per_token"] + m["head_ops"])
            return by_read and by_ops and min(by_read, by_ops)
        if key == "decode":
            return read and read * 1e9 / (m["bytes_per_step"] + kv_read(m, int(test[4:])))
        return None


def model_facts(info):
    """What a step must read and compute, from the tensor directory: the embedding is read by row unless it is the head too."""
    tensors, meta = info["tensors"], info["metadata"]
    head = next((t for t in tensors if t["name"] in ("output.weight", "lm_head.weight")), None)
    table = next((t for t in tensors if t["name"] in ("token_embd.weight", "model.embed_tokens.weight")), None)
    size = lambda t: t["shape"][0] * (t["shape"][1] if len(t["shape"]) > 1 else 1)
    body = [t for t in tensors if t is not head and t is not table]
    types = {}
    for t in body + [head or table]:
        types[t["type"]] = types.get(t["type"], 0) + t["bytes"]
    # Gemma 3: each sixth layer sees all, the others a window.
    window = next((v for k, v in meta.items() if k.endswith(".attention.sliding_window")), 0) if meta.get("general.architecture") == "gemma3" else 0
    return {"bytes_per_step": sum(types.values()), "kv_bytes": info["estimate"]["kv_bytes"] / 1024, "window": window,
            "ops_per_token": 2 * sum(size(t) for t in body if len(t["shape"]) > 1), "head_ops": 2 * size(head or table),
            "file_bytes": sum(t["bytes"] for t in tensors), "types": types}


def kv_read(facts, depth):
    """Bytes of the KV cache that a step at this depth reads."""
    if facts["window"]:
        return facts["kv_bytes"] * (depth / 6 + min(depth, facts["window"]) * 5 / 6)
    return facts["kv_bytes"] * depth


def percentile(values, q):
    v = sorted(values)
    return v[min(len(v) - 1, int(q * len(v)))] if v else 0.0


def mixed_figures(times):
    """From each job's token times: tokens/s of the whole, time to first token, gaps between tokens."""
    gaps = [b - a for t in times for a, b in zip(t, t[1:])]
    first = [t[0] for t in times]
    return {"ttft_p50": percentile(first, .5), "ttft_p99": percentile(first, .99), "gap_p50": percentile(gaps, .5),
            "gap_p99": percentile(gaps, .99), "tokens": sum(map(len, times))}
