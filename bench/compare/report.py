# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown tables and as one HTML page with charts. Every figure is a median with its least and greatest sample; a
ratio divides medians; the share of the roof is of the limit that the same run measured."""
import os
import re
from html import escape

import charts
import plan

PEERS = ["llama", "ik", "ik-rtr"]
LLAMAS, IKS = ["llama", "llama-norepack", "llama-nofa", "llama-q8"], ["ik", "ik-rtr", "ik-q8"]
NATIVE, AVX2, LLAMA_AVX2 = ["ik-native"], "inlay-avx2", ["llama-avx2"]  # shown only where they took part
MORE = ["llama-norepack", "llama-notiles", *NATIVE]  # columns only where they took part


def rows_of(results, model, threads):
    """(label, test, key) of what was measured, in order."""
    have = {s["test"] for s in results.data["samples"] if s["model"] == model and s["threads"] == threads and "error" not in s}
    out = []
    number = lambda t: [int(n) for n in re.findall(r"\d+", t)]
    for t in sorted((t for t in have if t.startswith("pp")), key=number):
        out.append((f"prefill {t[2:]}", t, "tps"))
    deep = sorted((t for t in have if t.startswith("deep")), key=number)
    out += [(f"prefill {t[4:]}", t, "prefill") for t in deep]
    for t in sorted((t for t in have if t.startswith("tg")), key=lambda t: number(t)[1:]):
        batch = t.partition("@b")[2]
        out.append((f"decode, batch {batch}" if batch else "decode", t, "tps"))
    return out + [(f"decode at {t[4:]}", t, "decode") for t in deep]


def took_part(results, model, threads, engine):
    return any(results.values(model, test, threads, engine, key) for _, test, key in rows_of(results, model, threads))


def best(results, model, test, threads, engines, key):
    found = [(results.median(model, test, threads, e, key), e) for e in engines]
    return max((f for f in found if f[0]), default=(None, None))


def number(v):
    return "-" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.1f}"


def cell(results, model, test, threads, engine, key):
    v = results.values(model, test, threads, engine, key)
    if not v:
        errors = [s for s in results.data["samples"] if (s["model"], s["test"], s["threads"], s["engine"]) == (model, test, threads, engine)]
        return "failed" if errors else "-"
    mid = results.median(model, test, threads, engine, key)
    return number(mid) if len(v) == 1 else f"{number(mid)} ({number(min(v))}–{number(max(v))})"


def ratio(a, b):
    return f"{a / b:.2f}x" if a and b else "-"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows]


def speed_table(results, model, threads):
    rows = []
    more = [e for e in MORE if took_part(results, model, threads, e)]
    for label, test, key in rows_of(results, model, threads):
        ours = results.median(model, test, threads, "inlay", key)
        limit = results.limit(model, test, threads, key)
        llama, ik, native = (best(results, model, test, threads, es, key)[0] for es in (LLAMAS, IKS, NATIVE))
        row = [label, "**" + cell(results, model, test, threads, "inlay", key) + "**", f"{ours / limit:.0%}" if ours and limit else "-"]
        row += [cell(results, model, test, threads, e, key) for e in PEERS + more] + [ratio(ours, llama), ratio(ours, ik)]
        rows.append(row + [ratio(ours, native)] * (NATIVE[0] in more))
    head = ["tokens/s", "inlay", "of the roof", *[plan.ENGINES[p] for p in PEERS + more], "÷ best llama.cpp", "÷ best ik wheel"]
    return table(head + ["÷ native ik"] * (NATIVE[0] in more), rows)


def held_table(results, model, threads):
    """Everybody without AVX-512, for want of a machine that has none."""
    rows, others = [], LLAMA_AVX2 + ["ik", "ik-rtr"]
    for label, test, key in rows_of(results, model, threads):
        ours, limit = results.median(model, test, threads, AVX2, key), results.limit(model, test, threads, key)
        if ours:
            by_read = test.startswith("tg") and limit and "@" not in test  # the int8 peak is a wider one's
            rows.append([label, "**" + cell(results, model, test, threads, AVX2, key) + "**", f"{ours / limit:.0%}" if by_read else "-",
                         *[cell(results, model, test, threads, e, key) for e in others],
                         *[ratio(ours, best(results, model, test, threads, es, key)[0]) for es in (LLAMA_AVX2, IKS)]])
    return table(["AVX2 alone", plan.ENGINES[AVX2], "of the roof", *[plan.ENGINES[e] for e in others], "÷ llama.cpp", "÷ best ik wheel"], rows) if rows else []


def deep_table(results, model, threads):
    """What the KV type and flash attention do at depth."""
    rows = []
    for test in sorted({s["test"] for s in results.data["samples"] if s["test"].startswith("deep") and s["model"] == model and s["threads"] == threads}):
        for e in plan.ENGINES:
            if results.samples(model, test, threads, e):
                rows.append([plan.ENGINES[e], cell(results, model, test, threads, e, "prefill"), cell(results, model, test, threads, e, "decode")])
    return table(["at depth", "prefill", "decode"], rows) if rows else []


def load_table(results):
    """Shares are of the second load: reading into fresh memory is the best of several passes too."""
    rows = []
    for model in results.models():
        file_bytes, read = results.data["models"][model]["file_bytes"], results.roof("file", 0)
        for e in plan.MAIN:
            for threads in results.threads():
                if results.samples(model, "load", threads, e):
                    again, peak = (results.median(model, "load", threads, e, key) for key in ("again_s", "peak_bytes"))
                    spans = []
                    for key in ("load_s", "again_s"):
                        v = results.values(model, "load", threads, e, key)
                        spans.append(f"{results.median(model, 'load', threads, e, key):.2f} ({min(v):.2f}–{max(v):.2f})")
                    rows.append([model, plan.ENGINES[e], *spans, f"{file_bytes / again * 1e-9:.2f}",
                                 f"{file_bytes / again * 1e-9 / read:.0%}" if read else "-", f"{peak * 1e-6:,.0f}", f"{peak / file_bytes:.2f}x"])
    return table(["model", "engine", "s to the first token", "again at once", "GB/s of the file", "of reading it", "peak MB", "÷ the file"], rows) if rows else []


def mixed_table(results):
    rows = []
    for model in results.models():
        for test in ("mixed-heavy", "mixed-light"):
            for threads in results.threads():
                for e in plan.MAIN:
                    if results.samples(model, test, threads, e):
                        g = lambda k: results.median(model, test, threads, e, k)
                        rows.append([model, test[6:], str(threads), plan.ENGINES[e], number(g("tps")), f"{g('ttft_p50'):.2f}", f"{g('ttft_p99'):.2f}",
                                     f"{g('gap_p50') * 1e3:.0f}", f"{g('gap_p99') * 1e3:.0f}"])
    return table(["model", "load", "threads", "engine", "answer tokens/s", "TTFT p50 s", "TTFT p99 s", "gap p50 ms", "gap p99 ms"], rows) if rows else []


def labels(results):
    return [(plan.ENGINES[e], results.data["engines"][e]) for e in plan.SHOWN if e in results.data["engines"]]


def roof_lines(results):
    hops = [h["ns"] for w in results.data["windows"] for h in w.get("roof", {}).get("hops", [])]
    out = []
    for t in results.threads():
        figure = lambda kind: number(results.roof(kind, t))
        out.append(f"{t} thread{'s' * (t > 1)}: read {figure('read')} GB/s, int8 {figure('int8')} GOP/s, f32 {figure('f32')} GFLOP/s")
    if hops:
        out.append(f"a cache line between CPUs: {min(hops):.0f}–{max(hops):.0f} ns (above 100 the VM's CPUs do not share an L3; with two threads"
                   " the bandwidth is then about twice that of neighbours, and samples scatter)")
    if results.busy_windows():
        out.append(f"{len(results.busy_windows())} of {len(results.data['windows'])} windows began on a busy machine: their samples count only where there are no others")
    if results.roof("file", 0):
        out.append(f"reading the cached file into fresh memory: {number(results.roof('file', 0))} GB/s")
    return out


def goals(results):
    """What the project asked of itself: (text, reached, wanted); the widest x86 tier has its own."""
    wide = "avx512" in results.data["engines"].get("inlay", "")
    out = []

    def want(model, threads, test, key, engines, least, name, mine="inlay"):
        ours, theirs = results.median(model, test, threads, mine, key), best(results, model, test, threads, engines, key)
        if ours and theirs[0]:
            out.append((f"{model}, {threads} thread{'s' * (threads > 1)}: {name}", ours / theirs[0], least))

    batches = sorted({s["test"] for s in results.data["samples"] if s["test"].endswith(("@b8", "@b16"))})
    for m in results.models():
        small = "1.5b" not in m
        narrow = (2.4, 1.3, 1.3) if small else (2.0, 1.15, 1.3)  # prefill of llama.cpp and of ik, decode of llama.cpp
        own = (2.3, 2.2, 1.5 if small else 1.3) if wide else narrow
        for mine, llamas, held, (prefill_llama, prefill_ik, decode_llama) in (("inlay", ["llama"], "", own), (AVX2, LLAMA_AVX2, " held to AVX2", narrow)):
            want(m, 1, "pp512", "tps", llamas, 4.0 if m in plan.PURE else prefill_llama, f"prefill 512{held} ÷ llama.cpp", mine)
            if m not in plan.PURE:
                want(m, 1, "pp512", "tps", IKS, prefill_ik, f"prefill 512{held} ÷ ik's wheel", mine)
            want(m, 1, "tg64", "tps", llamas, decode_llama, f"decode{held} ÷ llama.cpp", mine)
            want(m, 1, "tg64", "tps", IKS, 1.05, f"decode{held} ÷ ik's wheel", mine)
            for t in results.threads():
                limit, ours = results.limit(m, "tg64", t), results.median(m, "tg64", t, mine)
                if limit and ours:
                    out.append((f"{m}, {t} thread{'s' * (t > 1)}: decode{held} of the roof", ours / limit, 0.85))
                for test in batches:
                    b = test.partition("@b")[2]
                    want(m, t, test, "tps", llamas, 2.5, f"batch {b}{held} ÷ llama.cpp", mine)
                    want(m, t, test, "tps", IKS, 1.8, f"batch {b}{held} ÷ ik's wheel", mine)
        want(m, 1, "pp512", "tps", NATIVE, 1.4 if wide else narrow[1], "prefill 512 ÷ native ik")
        want(m, 1, "pp512", "tps", ["llama-norepack"], own[0], "prefill 512 ÷ llama.cpp, no repack")
        want(m, 1, "pp512", "tps", ["llama-notiles"], 4.0, "prefill 512 ÷ llama.cpp, no tiles")
        want(m, 1, "tg64", "tps", NATIVE, 1.05, "decode ÷ native ik")
        for t in results.threads():
            for test in batches:
                want(m, t, test, "tps", NATIVE, 1.8, f"batch {test.partition('@b')[2]} ÷ native ik")
            if t > 1:
                want(m, t, "tg64", "tps", LLAMAS, 1.0, "decode ÷ llama.cpp")
                want(m, t, "tg64", "tps", IKS, 1.0, "decode ÷ ik's wheel")
            want(m, t, "deep4096", "decode", LLAMAS, 1.5, "decode at 4,096 ÷ llama.cpp's best")
            want(m, t, "deep4096", "prefill", LLAMAS, 2.0, "prefill 4,096 ÷ llama.cpp")
    return out


def goal_lines(results):
    g = goals(results)
    short = [x for x in g if x[1] < x[2]]
    lines = [f"{len(g) - len(short)} of {len(g)} aims are reached in this run."]
    if short:
        lines += ["Short of them:", ""] + table(["what", "reached", "aim"], [[n, f"{r:.2f}", f"{w:.2f}"] for n, r, w in sorted(short, key=lambda x: x[1] / x[2])])
    return lines


def markdown(results, heading="##"):
    m, windows = results.data["machine"], results.data["windows"]
    out = [f"{heading} {m['cpu']}, {m['cpus']} CPUs", "",
           f"{windows[0]['at']} to {windows[-1]['at']}, inlay at {m['commit']}, llama-cpp-python {m['llama-cpp-python']}, "
           f"ik-llama-cpp-python {m['ik-llama-cpp-python']}.", ""]
    out += [f"- {name}: {label}" for name, label in labels(results)] + [f"- {n}" for n in plan.NOTES]
    out += ["- The roof, median of the run's windows: " + "; ".join(roof_lines(results)) + ".", ""]
    for model in results.models():
        facts = results.data["models"][model]
        kinds = ", ".join(f"{t.upper()} {b / facts['bytes_per_step']:.0%}" for t, b in sorted(facts["types"].items(), key=lambda x: -x[1]) if b > 0.01 * facts["bytes_per_step"])
        for t in results.threads():
            if rows_of(results, model, t):
                out += [f"{heading}# {model}, {t} thread{'s' * (t > 1)}", "", f"{facts['bytes_per_step'] * 1e-6:,.0f} MB a step ({kinds}).", ""]
                out += speed_table(results, model, t) + [""]
                for lines in (held_table(results, model, t), deep_table(results, model, t)):
                    out += lines + [""] * bool(lines)
    for title, lines in (("Mixed load", mixed_table(results)), ("Load time and peak memory", load_table(results)), ("Aims", goal_lines(results))):
        if lines:
            out += [f"{heading}# {title}", "", *lines, ""]
    return "\n".join(out).rstrip() + "\n"


STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#24292e;max-width:1320px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2.4rem;border-bottom:1px solid #eaecef;padding-bottom:.3rem}h3{margin:1.6rem 0 .4rem}
table{border-collapse:collapse;font-size:12px;margin:.6rem 0;font-variant-numeric:tabular-nums}td,th{padding:.25rem .55rem;border-bottom:1px solid #eaecef;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}th{font-weight:600;background:#f6f8fa}.note{color:#57606a;font-size:13px}.legend span{margin-right:1.2rem;font-size:13px}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.35rem;vertical-align:-1px}.wrap{overflow-x:auto}.short{color:#cf222e}svg{max-width:100%;height:auto}"""


def inline(text):
    return re.sub(r"`(.*?)`", r"<code>\1</code>", re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", escape(text.strip())))


def html_table(lines):
    """A Markdown table as HTML."""
    cells = [[c.strip() for c in l.strip("|").split(" | ")] for l in lines]
    rows = ["<tr>" + "".join(f"<th>{inline(c)}</th>" for c in cells[0]) + "</tr>"]
    rows += ["<tr>" + "".join(f"<td>{inline(c)}</td>" for c in r) + "</tr>" for r in cells[2:]]
    return '<div class="wrap"><table>' + "\n".join(rows) + "</table></div>"


def share_chart(results, model, threads):
    groups = []
    for label, test, key in rows_of(results, model, threads):
        limit = results.limit(model, test, threads, key)
        bars = []
        for e in plan.SHOWN:
            v = results.median(model, test, threads, e, key)
            if v and limit:
                bars.append((e, v / limit * 100, f"{number(v)} t/s · {v / limit:.0%}"))
        if bars:
            groups.append((label, bars))
    return charts.bars(groups, 110, 100, "roof", "{:g} %") if groups else ""


def ratio_chart(results, model, threads):
    groups = []
    for label, test, key in rows_of(results, model, threads):
        ours = results.median(model, test, threads, "inlay", key)
        bars = []
        for engines in (LLAMAS, IKS, NATIVE):
            theirs, which = best(results, model, test, threads, engines, key)
            if ours and theirs:
                bars.append((engines[0], ours / theirs, f"{ours / theirs:.2f}x {plan.ENGINES[which]}"))
        if bars:
            groups.append((label, bars))
    top = max([b[1] for _, bs in groups for b in bs] + [2]) * 1.08
    return charts.bars(groups, top, 1, "equal", "{:g}x") if groups else ""


def mixed_chart(results, model, test, threads, key, unit, scale):
    bars = [(e, results.median(model, test, threads, e, key) * scale) for e in plan.MAIN if results.samples(model, test, threads, e)]
    top = max(v for _, v in bars) * 1.1
    return charts.bars([("", [(e, v, f"{plan.ENGINES[e]}: {v:,.3g} {unit}") for e, v in bars])], top)


def html(results):
    m, windows = results.data["machine"], results.data["windows"]
    out = [f"<!doctype html><html lang=en><meta charset=utf-8><title>inlay beside its peers</title><style>{STYLE}</style>",
           f"<h1>inlay beside its peers</h1><p class=note>{escape(m['cpu'])}, {m['cpus']} CPUs · {escape(windows[0]['at'])} to {escape(windows[-1]['at'])} · "
           f"commit {escape(m['commit'])} · llama-cpp-python {m['llama-cpp-python']}, ik-llama-cpp-python {m['ik-llama-cpp-python']}</p><ul class=note>"]
    notes = [f"{name}: {label}" for name, label in labels(results)] + plan.NOTES + roof_lines(results)
    out += ["<li>" + inline(n) for n in notes] + ["</ul>"]
    for model in results.models():
        if any(rows_of(results, model, t) for t in results.threads()):
            out.append(f"<h2>{escape(model)}</h2>")
        for t in results.threads():
            if not rows_of(results, model, t):
                continue
            out.append(f"<h3>{t} thread{'s' * (t > 1)}: inlay ÷ the best of each peer</h3>" + ratio_chart(results, model, t))
            out.append("<h3>Share of what the machine allows</h3>" + charts.legend([(e, plan.ENGINES[e]) for e in plan.SHOWN if took_part(results, model, t, e)]) + share_chart(results, model, t))
            out.append(html_table(speed_table(results, model, t)))
            out += [html_table(lines) for lines in (held_table(results, model, t), deep_table(results, model, t)) if lines]
    mixed = mixed_table(results)
    if mixed:
        out.append("<h2>Mixed load</h2><p class=note>Prompts of 64 to 1,024 tokens, answers of 32 to 256, Poisson arrivals (heavy: 24 requests at 4 a second;"
                   " light: 10 at 0.25 a second), 16 slots. The peers run in a loop as their server's: a token of every answer, then prompts up to 512.</p>")
        for model in results.models():
            for test in ("mixed-heavy", "mixed-light"):
                for t in results.threads():
                    if results.samples(model, test, t, "inlay"):
                        out.append(f"<h3>{escape(model)}, {test[6:]}, {t} threads</h3>")
                        for key, name, unit, scale in (("tps", "answer tokens a second", "t/s", 1), ("ttft_p50", "time to first token, p50", "s", 1),
                                                       ("ttft_p99", "p99", "s", 1), ("gap_p99", "gap between tokens, p99", "ms", 1e3)):
                            out.append(f"<p class=note>{name}</p>" + mixed_chart(results, model, test, t, key, unit, scale))
        out.append(html_table(mixed))
    if load_table(results):
        out.append("<h2>Load time and peak memory</h2>" + html_table(load_table(results)))
    lines = goal_lines(results)
    out.append(f"<h2>Aims</h2><p>{escape(lines[0])}</p>" + (html_table(lines[3:]) if len(lines) > 3 else ""))
    return "\n".join(out) + "</html>\n"


MARKS = "<!-- bench/compare begins -->", "<!-- bench/compare ends -->"


def write(results, folder, docs=None):
    with open(os.path.join(folder, "results.md"), "w") as f:
        f.write(markdown(results))
    with open(os.path.join(folder, "report.html"), "w") as f:
        f.write(html(results))
    if docs:
        page = open(docs).read()
        a, b = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
        with open(docs, "w") as f:
            f.write(page[:a] + "\n" + markdown(results) + page[b:])
