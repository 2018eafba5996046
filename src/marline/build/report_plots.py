"""The report's two plots as inline SVG: the same report gives the same bytes.

Colours are written as CSS variables, so that the page decides them, light or dark.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Colours that stand for a CSS variable each: matplotlib writes them, `_themed` puts the variable in their place.
INK, FAINT, ACCENT, GOOD, BAD, FILL = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {INK: "ink", FAINT: "faint", ACCENT: "accent", GOOD: "good", BAD: "bad", FILL: "panel"}
_STYLE = {
    "svg.hashsalt": "marline",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
}
_CHARACTER, _LINE = 7.2, 16.0  # pixels of a label at 72 dots per inch
_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}
Point = tuple[float, float]
Box = tuple[float, float, float, float]


def accuracy_against_latency(report: dict[str, Any]) -> str:
    """One labelled point per measured variant; agreement stands in where a model has no labels.

    Returns:
        An ``<svg>`` element, or an empty string where nothing was measured.
    """
    measured = {n: v for n, v in report["variants"].items() if v.get("p50_ms") is not None}
    if not measured:
        return ""
    labelled = all(v.get("accuracy") is not None for v in measured.values())
    heights = {n: 100 * v["accuracy" if labelled else "agreement"] for n, v in measured.items()}
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 4.4), dpi=72)
        axes = figure.add_subplot()
        for name, entry in measured.items():
            colour = ACCENT if name == report["default_variant"] else GOOD if entry["eligible"] else BAD
            filled = colour if entry["eligible"] else FILL
            look: dict[str, Any] = {"c": filled, "edgecolors": colour, "s": 64, "linewidths": 1.6, "zorder": 3}
            axes.scatter([entry["p50_ms"]], [heights[name]], **look)
        low, high = min(heights.values()), max(heights.values())
        margin = max(0.5, 0.25 * (high - low))
        axes.set_ylim(low - margin, min(high + margin, 100.5))
        axes.set_xlim(0, 1.18 * max(v["p50_ms"] for v in measured.values()))
        axes.set_xlabel("median latency, batch 1, one thread (ms)")
        axes.set_ylabel("accuracy on the gate split (%)" if labelled else "agreement with the reference (%)")
        figure.tight_layout()
        points = {n: tuple(axes.transData.transform((v["p50_ms"], heights[n]))) for n, v in measured.items()}
        box = axes.get_window_extent()
        for name, (dx, dy) in _label_offsets(points, (box.x0, box.y0, box.x1, box.y1)).items():
            axes.annotate(
                name,
                (measured[name]["p50_ms"], heights[name]),
                (dx, dy),
                textcoords="offset pixels",
                va="center",
                fontweight="bold" if name == report["default_variant"] else "normal",
            )
        return _svg(figure, "accuracy", "Accuracy against median latency, one point per variant")


def latency_distributions(report: dict[str, Any]) -> str:
    """A violin per measured variant with its median and 95th percentile, fastest at the top.

    Returns:
        An ``<svg>`` element, or an empty string where the report holds no times.
    """
    variants = report["variants"]
    names = sorted((n for n, v in variants.items() if v.get("times_ms")), key=lambda n: -variants[n]["p50_ms"])
    if not names:
        return ""
    rows = [np.asarray(variants[n]["times_ms"], np.float64) for n in names]
    # a stall of the machine would squeeze all the rest; what lies beyond is counted on the axis
    limit = 1.25 * max(float(np.percentile(row, 98)) for row in rows)
    beyond = sum(int(np.sum(row > limit)) for row in rows)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 1.2 + 0.52 * len(names)), dpi=72)
        axes = figure.add_subplot()
        axes.grid(axis="y", visible=False)
        for y, (name, row) in enumerate(zip(names, rows, strict=True)):
            colour = ACCENT if name == report["default_variant"] else GOOD if variants[name]["eligible"] else BAD
            shown = row[row <= limit]
            if np.ptp(shown) > 0:
                drawn: Any = axes.violinplot([shown], [y], orientation="horizontal", widths=0.8, showextrema=False)
                drawn["bodies"][0].set(facecolor=colour, edgecolor=colour, alpha=0.3)
            p50, p95 = float(np.median(row)), float(np.percentile(row, 95))
            axes.vlines(p50, y - 0.3, y + 0.3, colors=colour, linewidth=2.4)
            axes.vlines(min(p95, limit), y - 0.18, y + 0.18, colors=colour, linewidth=1.2)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, limit)
        outside = f"; {beyond} longer ones are beyond the axis" if beyond else ""
        axes.set_xlabel(f"latency, batch 1, one thread (ms){outside}")
        figure.tight_layout()
        return _svg(figure, "latency", "Latency distribution of each variant")


def _label_offsets(points: dict[str, Point], box: Box) -> dict[str, Point]:
    """Where each label goes relative to its point, in pixels: the first place that is free and inside the axes."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points.values()]
    out: dict[str, Point] = {}
    for name, (x, y) in sorted(points.items(), key=lambda item: (item[1], item[0])):
        width = _CHARACTER * len(name)
        places = [(side, float(dy)) for dy in (0, 16, -16, 32, -32, 48, -48, 64, -64) for side in (10.0, -10.0 - width)]
        at: dict[Point, Box] = {
            (dx, dy): (x + dx, y + dy - _LINE / 2, x + dx + width, y + dy + _LINE / 2) for dx, dy in places
        }
        inside = [p for p in places if at[p][0] > box[0] and at[p][1] > box[1] and at[p][3] < box[3]]
        free = [p for p in inside if not any(_overlap(at[p], other) for other in taken)]
        out[name] = (free or inside or places)[0]
        taken.append(at[out[name]])
    return out


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _svg(figure: Any, prefix: str, title: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata=_NOTHING)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    # two drawings share the page: their ids must not meet
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    # fonts and line joins are the page's
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    text = re.sub(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1).strip()
