# SPDX-License-Identifier: Apache-2.0
"""Horizontal bars as self-contained SVG: groups of bars on one scale, with a marked value across all of them."""
from html import escape

COLOURS = {"inlay": "#1f6feb", "llama": "#8b949e", "ik": "#e3a04f", "ik-rtr": "#b8651b", "ik-native": "#7d4510", "inlay-avx2": "#79b8ff",
           "llama-avx2": "#b5bcc4", "llama-norepack": "#6e7681", "llama-notiles": "#d0d7de", "inlay-q8": "#79b8ff", "llama-nofa": "#c5ccd3",
           "llama-q8": "#586069", "ik-q8": "#f0c890"}
LEFT, WIDTH, RIGHT, BAR, GAP = 110, 520, 150, 15, 12


def ticks(top):
    step = next(s * 10 ** e for e in range(-3, 6) for s in (1, 2, 5) if top / (s * 10 ** e) <= 8)
    n = int(top / step + 1e-9)
    return [i * step for i in range(n + 1)]


def bars(groups, top, mark=None, mark_name="", tick_form="{:g}"):
    """groups: [(label, [(series, value, text behind the bar)])]; `mark`: a value drawn as a line over all groups."""
    height = 34 + sum(len(b) * BAR + GAP for _, b in groups)
    x = lambda v: LEFT + WIDTH * min(v, top) / top
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" width="{LEFT + WIDTH + RIGHT}" '
           f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="11">']
    bottom = height - 20
    for t in ticks(top):
        out.append(f'<line x1="{x(t):.1f}" y1="14" x2="{x(t):.1f}" y2="{bottom}" stroke="#eaecef"/>')
        out.append(f'<text x="{x(t):.1f}" y="{height - 7}" text-anchor="middle" fill="#6a737d">{tick_form.format(t)}</text>')
    y = 18
    for label, rows in groups:
        out.append(f'<text x="{LEFT - 8}" y="{y + len(rows) * BAR / 2 + 4:.1f}" text-anchor="end" fill="#24292e">{escape(label)}</text>')
        for series, value, text in rows:
            width = max(1.0, x(value) - LEFT)
            out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" rx="2" fill="{COLOURS[series]}"/>')
            weight = ' font-weight="600"' if series == "inlay" else ""
            out.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 5}" fill="#24292e"{weight} paint-order="stroke" stroke="#fff" '
                       f'stroke-width="3">{escape(text)}</text>')
            y += BAR
        y += GAP
    if mark is not None:
        out.append(f'<line x1="{x(mark):.1f}" y1="12" x2="{x(mark):.1f}" y2="{bottom}" stroke="#cf222e" stroke-width="1.5" stroke-dasharray="4 3"/>')
        out.append(f'<text x="{x(mark):.1f}" y="9" text-anchor="middle" fill="#cf222e" font-size="10">{escape(mark_name)}</text>')
    return "\n".join(out + ["</svg>"])


def legend(names):
    return '<p class="legend">' + " ".join(f'<span><i style="background:{COLOURS[s]}"></i>{escape(n)}</span>' for s, n in names) + "</p>"
