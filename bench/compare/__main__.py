# SPDX-License-Identifier: Apache-2.0
"""python3 bench/compare: inlay beside llama.cpp and ik_llama.cpp on the same files in the same run.

Writes results.json, results.md and report.html into build/compare. A run may be cut: each turn is saved as it is made,
and the next run goes on where this one stopped (--limit ends one in time, --only and --model take a part). The machine should do
nothing else meanwhile."""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

import peers
import plan
import report
from results import Results, mixed_figures, model_facts

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Worker:
    def __init__(self, py, options, more={}):
        self.process = subprocess.Popen([py, os.path.join(HERE, "worker.py"), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=os.environ | more)
        self.hello = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"the process ended with {self.process.wait()}"}

    def ask(self, command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass  # it died; its errors are in the results
        self.process.wait()


class Run:
    def __init__(self, args):
        self.args, self.begin = args, time.time()
        self.cli = os.path.join(args.build, "examples", "cli", "inlay")
        self.results = Results(os.path.join(args.out, "results.json"))
        self.py = peers.python()
        self.workers, self.group, self.builds, self.left = {}, None, {}, {}

    def find(self, name):
        if os.path.exists(name):
            return os.path.abspath(name)
        if name in plan.PURE:
            source = self.find(plan.PURE[name])
            return source and peers.pure(self.py, source, name)
        known = json.loads(subprocess.run([self.cli, "models", "--json"], capture_output=True, text=True, check=True).stdout)["models"]
        path = next((m["path"] for m in known if m["name"] == name), "")
        if not path:  # where the tests look as well
            path = os.path.join(os.path.dirname(peers.cache_folder()), "inlay-check", name + ".gguf")
        return path if os.path.exists(path) else None

    def facts(self, path):
        info = json.loads(subprocess.run([self.cli, "info", path, "--json", "--ctx", "1024"], capture_output=True, text=True, check=True).stdout)
        return {"path": path, **model_facts(info)}

    def window(self, path):
        """The machine's limits belong to the run, so they are measured at the start of each."""
        roof = json.loads(subprocess.run([os.path.join(self.args.build, "bench", "bench_roof"), "--json", "--quick", "--seconds", "0.06", "--file", path],
                                         capture_output=True, text=True, check=True).stdout)
        self.results.data["windows"].append({"at": time.strftime("%Y-%m-%d %H:%M:%S"), "load": os.getloadavg()[0], "roof": roof})
        versions = peers.versions(self.py)
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        self.results.data["machine"] = {"cpu": roof["cpu"], "cpus": roof["cpus"], "system": platform.platform(), "commit": commit,
                                        **{p: versions[p] for p in peers.PACKAGES}}

    def worker(self, engine, model, threads):
        if self.group != (model, threads):
            self.end_workers()
            self.group = (model, threads)
        w = self.workers.get(engine)
        if w is None or w.process.poll() is not None:
            w = self.workers[engine] = self.start(engine, model, threads)
        return w

    def start(self, engine, model, threads):
        path = self.results.data["models"][model]["path"]
        w = Worker(self.py, {"root": ROOT, "build": self.args.build, "model": path, "threads": threads, **plan.options(engine)}, self.builds.get(engine, {}))
        if "label" in w.hello:
            self.results.data["engines"][engine] = w.hello["label"]
        return w

    def end_workers(self):
        for w in self.workers.values():
            w.end()
        self.workers = {}

    def turn(self, model, test, threads, engine):
        begin = time.time()
        if test == "load":
            turns = []
            for _ in range(2):  # the second finds memory that the first has just given back, which a VM's host has not yet taken
                turns.append(self.start(engine, model, threads))
                turns[-1].end()
            first, second = (w.hello for w in turns)
            got = {k: v for k, v in first.items() if k != "label"}
            got |= {"again_s": second["load_s"]} if "load_s" in second else {"error": second["error"]}
        else:
            w = self.worker(engine, model, threads)
            time.sleep(0.05)  # spinning threads of the one before go to sleep
            command = plan.command(test)
            got = w.hello if "error" in w.hello else w.ask(command)
            if "times" in got:
                answers = [n for _, _, n in command["jobs"]]
                if [len(t) for t in got["times"]] != answers:
                    got = {"error": "answers of the wrong length"}
                else:
                    span = max(t[-1] + j[0] for t, j in zip(got["times"], command["jobs"]))
                    got = mixed_figures(got["times"])
                    got["tps"] = got.pop("tokens") / span
        self.results.add(model=model, test=test, threads=threads, engine=engine, seconds=round(time.time() - begin, 2), **got)
        figures = "  ".join(f"{k} {v:.3g}" for k, v in got.items() if isinstance(v, float))
        print(f"{model:14} {test:12} {threads} threads  {engine:10} {got.get('error') or figures}", file=sys.stderr, flush=True)

    def seconds(self, model, test, threads, engine):
        """How long a turn will take: as before, or from the rates that are known, or as the others of this cell."""
        here = [s for s in self.results.data["samples"] if (s["model"], s["threads"]) == (model, threads)]
        took = [s["seconds"] for s in here if (s["test"], s["engine"]) == (test, engine)]
        if took:
            return max(took)
        prompt, steps, waiting = plan.work(test)
        rates = [self.results.median(model, t, n, engine) for n in (threads, 1) for t in ("pp512", "tg64")]
        prefill, decode = rates[0] or rates[2], rates[1] or rates[3]
        if (prefill or not prompt) and (decode or not steps):
            return 3 + waiting + 1.2 * (prompt and prompt / prefill) + 1.2 * (steps and steps / decode)
        return 3 * max([s["seconds"] for s in here if s["test"] == test], default=5)

    def fits(self, model, test, threads, engine):
        if not self.args.limit:
            return True
        return time.time() - self.begin + self.seconds(model, test, threads, engine) < self.args.limit

    def measure(self):
        a, known = self.args, self.results.data["models"]
        names = []
        for name in a.model or [*plan.SMALL, *plan.LARGE, *(plan.PURE if not (a.quick or a.only) else [])]:
            path = self.find(name)
            if not path:
                print(f"{name} is not here: `inlay pull {plan.PURE.get(name, name)}` fetches it", file=sys.stderr)
                continue
            name = os.path.splitext(os.path.basename(path))[0]
            known[name] = self.facts(path)
            names.append(name)
        if not names:
            raise SystemExit("no model")
        stages = plan.stages(a.quick)
        if a.only:
            known_tests = {t: (engines, kinds) for tests, _, kinds, _ in reversed(plan.stages(False)) for t, engines in tests}
            stages = [([(t, known_tests.get(t, (plan.MAIN, 0))[0])], 2, known_tests.get(t, (0, (1, 2)))[1], a.model and names) for t in a.only]
        asked = {e for tests, *_ in stages for _, engines in tests for e in a.engines or engines}
        for engine in peers.BUILDS if peers.wider_than_avx2() else []:
            if engine in asked:
                try:
                    self.builds[engine] = peers.compiled(self.py, engine)
                except (OSError, subprocess.CalledProcessError) as e:
                    print(f"without {plan.ENGINES[engine]}: {e}", file=sys.stderr)
        absent = {e for e in peers.BUILDS if e not in self.builds} | ({"inlay-avx2"} if not peers.wider_than_avx2() else set())
        here = lambda engines: [e for e in engines if e not in absent]
        self.window(known[names[0]]["path"])
        for name in names:  # into the system's cache
            with open(known[name]["path"], "rb") as f:
                while f.read(1 << 22):
                    pass
        all_cpus = self.results.data["machine"]["cpus"]
        for tests, rounds, kinds, models in stages:
            for model in (n for n in names if (n not in plan.PURE if models is None else n in models)):
                for threads in a.threads or sorted({1, all_cpus}):
                    if a.threads or (1 if threads == 1 else 2) in kinds:
                        self.rounds(model, threads, [(t, here(a.engines or e)) for t, e in tests], a.rounds or rounds)
        self.end_workers()
        if self.left:
            print(f"{len(self.left)} turns are left, about {sum(self.left.values()):.0f} s: run again", file=sys.stderr)

    def rounds(self, model, threads, tests, rounds):
        for round_ in range(rounds):
            for test, engines in tests:
                shift = round_ % len(engines)
                for engine in engines[shift:] + engines[:shift]:
                    if self.results.tries(model, test, threads, engine) > round_:
                        continue
                    if self.fits(model, test, threads, engine):
                        self.turn(model, test, threads, engine)
                    else:
                        self.left[model, test, threads, engine, round_] = self.seconds(model, test, threads, engine)


def main():
    p = argparse.ArgumentParser(prog="python3 bench/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda s: s.split(",")
    p.add_argument("--model", action="append", help="a .gguf file or a name that `inlay models` lists; may be repeated")
    p.add_argument("--quick", action="store_true", help="few tests, few rounds: some minutes")
    p.add_argument("--only", type=words, help="tests by name: pp128, tg64, tg16@b8, deep4096, load, mixed-light, mixed-heavy")
    p.add_argument("--engines", type=words, help="of " + ", ".join(plan.ENGINES))
    p.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], help="thread counts; default 1 and all")
    p.add_argument("--rounds", type=int, help="turns of each engine in each test")
    p.add_argument("--limit", type=float, help="seconds after which no turn is begun")
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--out", help="folder of the results; default BUILD/compare")
    p.add_argument("--report", action="store_true", help="measure nothing, write the report of what there is")
    p.add_argument("--docs", action="store_true", help="put the tables into docs/performance.md too")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    args.out = os.path.abspath(args.out or os.path.join(args.build, "compare"))
    os.makedirs(args.out, exist_ok=True)
    if not args.report:
        Run(args).measure()
    results = Results(os.path.join(args.out, "results.json"))
    if not results.data["samples"]:
        raise SystemExit("no results yet")
    report.write(results, args.out, os.path.join(ROOT, "docs", "performance.md") if args.docs else None)
    print(os.path.join(args.out, "report.html"))


main()
