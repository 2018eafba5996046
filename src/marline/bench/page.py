"""``report.html`` of a benchmark: one file that needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from marline.bench.drawings import Bar, Line, bars, curves
from marline.build.gate.stats import median_interval
from marline.build.report_html import STYLE

Report = dict[str, Any]
# the kernel counts CPU time in hundredths of a second
TICK = 0.01


def page(report: Report) -> str:
    """The page; the same report gives the same text."""
    m = report["model"]
    title = f"{m['model']} {m['version']} {m['variant']}: benchmark"
    sections = (_targets, _contenders, _batching, _load, _about)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{''.join(section(report) for section in sections)}</main>\n</body>\n</html>\n"
    )


def summary(report: Report, name: str, connections: str) -> dict[str, tuple[float, float, float]]:
    """Medians with intervals of one contender: rate, rate over raw, answers per CPU second over raw, latencies.

    Args:
        report: the document.
        name: of the contender.
        connections: as a key of ``loaded``.
    """
    turns = report["turns"][name]
    runs = [(t["raw"], t["loaded"][connections]) for t in turns]
    rates = [run["right"] / run["seconds"] for _, run in runs]
    raws = [raw["right"] / raw["cpu_seconds"] for raw, _ in runs]
    return {
        "rate": median_interval(rates),
        "rate_ratio": median_interval([rate / raw["rate"] for rate, (raw, _) in zip(rates, runs, strict=True)]),
        "cpu_ratio": median_interval(
            [run["right"] / max(TICK, run["cpu_seconds"]) / raw for raw, (_, run) in zip(raws, runs, strict=True)]
        ),
        "cpu_s_per_1000": median_interval([1000 * run["cpu_seconds"] / max(1, run["right"]) for _, run in runs]),
        **{f"{p}_ms": median_interval([run[f"{p}_ms"] for _, run in runs]) for p in ("p50", "p95", "p99", "p999")},
    }


def rows(report: Report) -> list[list[str]]:
    """The comparison as text, best first: contender, rate, ratios, CPU, latencies, lone p50, other answers than right ones."""
    most = str(max(report["plan"]["connections"]))
    found = {c["name"]: summary(report, c["name"], most) for c in report["contenders"] if c["name"] in report["turns"]}
    titles = {c["name"]: c["title"] for c in report["contenders"]}
    out = []
    for name in sorted(found, key=lambda n: -found[n]["rate_ratio"][0]):
        s, lone = found[name], summary(report, name, "1")
        runs = [run for turn in report["turns"][name] for run in turn["loaded"].values()]
        out.append(
            [
                titles[name],
                f"{s['rate'][0]:.0f}",
                _interval(s["rate_ratio"]),
                _interval(s["cpu_ratio"]),
                f"{s['cpu_s_per_1000'][0]:.2f}",
                *(f"{s[key][0]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms", "p999_ms")),
                f"{lone['p50_ms'][0]:.1f}",
                str(sum(r["wrong"] + r["refused"] + r["lost"] for r in runs)),
            ]
        )
    return out


HEAD = (
    "server", "answers/s", "of the bare loop", "per CPU second", "CPU-s per 1,000", "p50 ms", "p95 ms", "p99 ms",
    "p99.9 ms", "p50 ms alone", "not right",
)  # fmt: skip


def _interval(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def _targets(report: Report) -> str:
    body = [
        [t["title"], f"{t['value']:.3g}", f"{t['interval'][0]:.3g} to {t['interval'][1]:.3g}",
         f"{'at most' if t['most'] else 'at least'} {t['limit']:g}", "ok" if t["reached"] else "short"]
        for t in report["targets"]
    ]  # fmt: skip
    missing = "".join(f"<p>{escape(line)}</p>\n" for line in report["missing"])
    return f"<h2>Targets</h2>\n{_table(('target', 'value', '95 % interval', 'limit', ''), body)}{missing}"


def _contenders(report: Report) -> str:
    most = str(max(report["plan"]["connections"]))
    drawn = [
        Bar(c["title"], *summary(report, c["name"], most)["rate_ratio"])
        for c in report["contenders"]
        if c["name"] in report["turns"]
    ]
    notes = "".join(
        f"<li>{escape(c['title'])}: {escape('; '.join([*c['notes'], *(f'{k} {v}' for k, v in c['versions'].items())]))}</li>\n"
        for c in report["contenders"]
    )
    absent = "".join(f"<li>{escape(n)} was not measured: {escape(why)}</li>\n" for n, why in report["absent"].items())
    title = f"Answers per second over the bare loop, {most} connections"
    drawing = bars(title, sorted(drawn, key=lambda b: -b.value), 1.0)
    return f"<h2>{title}</h2>\n{drawing}\n{_table(HEAD, rows(report))}<ul>\n{notes}{absent}</ul>\n"


def _batching(report: Report) -> str:
    drawn = [Bar(f"batches of {c['batching']}", c["rate"], c["rate"], c["rate"]) for c in report["raw"]["choices"]]
    title = "The bare loop: answers per second by batching"
    return f"<h2>{title}</h2>\n{bars(title, drawn)}\n<p>The best one, {escape(report['raw']['best'])}, is the yardstick.</p>\n"


def _load(report: Report) -> str:
    if not report["load"] or not report["load"]["curve"]:
        return ""
    curve = report["load"]["curve"]
    lines = [Line(p, [(row["rate"], row[f"{p}_ms"]) for row in curve]) for p in ("p50", "p95", "p99")]
    title = "Latency against load (k6, constant arrival rate)"
    return f"<h2>{title}</h2>\n{curves(title, lines, 'requests per second', 'milliseconds')}\n"


def _about(report: Report) -> str:
    machine, plan, texts = report["machine"], report["plan"], report["texts"]
    return (
        f"<h2>How</h2>\n<p>{machine['cpus']} CPUs of class {escape(machine['cpu_class'])} ({escape(machine['cpu'])}); "
        f"{texts['count']} real texts of {texts['tokens_mean']} tokens in the mean; {plan['rounds']} interleaved rounds of "
        f"{plan['seconds']:g} s, each contender beside a bare loop of its own minute, others stopped; load generator on the "
        f"same CPUs, its time not counted; medians with 95 % bootstrap intervals over the rounds.</p>\n"
        f"<pre>{escape(report['command'])}</pre>\n"
    )


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in body)
    return f'<div class="scroll"><table>\n<tr>{cells}</tr>\n{lines}</table></div>\n'
