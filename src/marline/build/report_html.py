"""``report.html``: the report for people, one file that needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from marline.build import report_format as say
from marline.build.report_plots import accuracy_against_latency, latency_distributions
from marline.spec.gates import LIMITS

STYLE = Path(__file__).with_name("report.css")
# what the numbers of the comparison are read from, and how they are said
NUMBERS = (
    ("accuracy<br>gate", "accuracy", say.percent),
    ("accuracy<br>test", "test_accuracy", say.percent),
    ("agree-<br>ment", "agreement", say.percent),
    ("p50<br>ms", "p50_ms", say.number),
    ("p50<br>ratio", "p50_ratio", say.times),
    ("p95<br>ratio", "p95_ratio", say.times),
    ("throughput<br>ratio", "throughput_ratio", say.times),
    ("size<br>MB", "size_bytes", say.megabytes),
    ("RSS<br>MB", "rss_bytes", say.megabytes),
    ("load<br>s", "load_seconds", say.seconds),
)
KINDS = {"pass": "good", "yes": "good", "fail": "bad", "no": "bad"}
Entry = dict[str, Any]


def render(report: dict[str, Any]) -> str:
    """The page.

    Args:
        report: the document of ``report.json``; a variant may lack what could not be measured.

    Returns:
        HTML with inline style and drawings; the same report gives the same text.
    """
    report = {**report, "variants": say.variants(report)}
    title = escape(f"{report['model']} {report['version']}: variants")
    sections = (_headline, _warnings, _comparison, _notes, _plots, _limits, _about)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(section(report) for section in sections)}</main>\n</body>\n</html>\n"
    )


def _headline(report: dict[str, Any]) -> str:
    name, reference, machine = report["default_variant"], report["reference"], report["machine"]
    cards = [("default variant here", name or "none eligible", f"unknown CPUs: {report['default_portable'] or 'none'}")]
    if name:
        best, other = report["variants"][name], report["variants"][reference]
        speed = f"{say.times(best.get('p50_ratio'))} as fast as {reference}"
        cards.append(("median latency", f"{say.number(best.get('p50_ms'))} ms", speed))
        if best.get("accuracy") is None:
            cards.append(("agreement", say.percent(best.get("agreement")), f"with {reference}"))
        else:
            against = f"{reference}: {say.percent(other.get('accuracy'))}"
            cards.append(("accuracy, gate split", say.percent(best["accuracy"]), against))
        size = f"{reference}: {say.megabytes(other.get('size_bytes'))} MB"
        cards.append(("size", f"{say.megabytes(best.get('size_bytes'))} MB", size))
    cards.append(("CPU class", machine["cpu_class"], machine["cpu"]))
    shown = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>\n"
        for what, value, note in cards
    )
    return (
        f"<h1>{escape(report['model'])}<small>{escape(report['version'])}</small></h1>\n"
        f'<p class="faint">{escape(report["task"])}; every variant against {escape(reference)} in the same run</p>\n'
        f'<dl class="cards">\n{shown}</dl>\n'
    )


def _warnings(report: dict[str, Any]) -> str:
    return "".join(f'<p class="note warn"><b>Warning:</b> {escape(w)}</p>\n' for w in report["warnings"])


def _comparison(report: dict[str, Any]) -> str:
    items = report["items"]
    head = ["<th>variant</th>", '<th class="left">quality</th>', '<th class="left">eligible</th>']
    head += [*(f"<th>{title}</th>" for title, _, _ in NUMBERS), "<th>flips solo<br>vs batch</th>"]
    rows = (_row(name, entry, name == report["default_variant"]) for name, entry in report["variants"].items())
    return (
        f"<h2>Variants</h2>\n{_table(head, rows)}"
        "<p class=\"faint\">Ratios are the reference's time divided by the variant's: above 1 is faster. Below the p50 "
        "ratio: its 95 % interval over the rounds. One thread; p50 and p95 at batch 1, throughput at batch 8. "
        f"{items['gate']} items in the gate split, which the limits apply to, {items['test']} in the test split, which "
        "no limit looks at. Quality belongs to the artifact; speed, memory and load time to this CPU class.</p>\n"
    )


def _row(name: str, entry: Entry, default: bool) -> str:
    note = "default" if default else "required" if entry["required"] else ""
    able = say.eligible(entry)
    cells = [
        f"<th>{escape(name)}{_small(note)}</th>",
        *(
            f'<td class="left"><span class="tag {KINDS.get(t, "none")}">{t}</span></td>'
            for t in (entry["status"], able)
        ),
    ]
    for _, key, words in NUMBERS:
        low_high = entry.get("p50_ratio_interval") if key == "p50_ratio" else None
        interval = " to ".join(f"{bound:.2f}" for bound in low_high or ())
        cells.append(f"<td>{escape(words(entry.get(key)))}{_small(interval)}</td>")
    alone = "" if entry.get("served_grouped", True) else "served alone"
    cells.append(f"<td>{entry.get('flips_solo_vs_batch', say.ABSENT)}{_small(alone)}</td>")
    return f"<tr{_class('default' if default else '')}>{''.join(cells)}</tr>\n"


def _notes(report: dict[str, Any]) -> str:
    """What failed and why, and which limits were loosened: as sentences, for they do not fit in a cell."""
    out = []
    for name, entry in report["variants"].items():
        if entry["error"]:
            out.append(("bad", name, f"failed: {entry['error']}"))
        if misses := say.missed(entry):
            out.append(("bad", name, f"missed {'; '.join(misses)}"))
        if entry["loosened_because"]:
            which = "; ".join(say.loosened(name, entry)) or "no limit beyond the defaults"
            out.append(("warn", name, f"is allowed {which}, because: {entry['loosened_because']}"))
    shown = "".join(f'<p class="note {kind}"><b>{escape(name)}</b> {escape(text)}</p>\n' for kind, name, text in out)
    return f"<h2>Missed limits, errors and loosened limits</h2>\n{shown}" if out else ""


def _plots(report: dict[str, Any]) -> str:
    kinds = (("accent", "accent", "default"), ("good", "good", "eligible"), ("bad", "panel", "not eligible"))
    key = "".join(
        f'<span class="key" style="border-color: var(--{edge}); background: var(--{fill})"></span>{text}'
        for edge, fill, text in kinds
    )
    labelled = all(v.get("accuracy") is not None for v in report["variants"].values() if v.get("p50_ms"))
    drawings = {
        f"{'Accuracy' if labelled else 'Agreement'} against latency": accuracy_against_latency(report),
        "Latency distributions (thick line: median, thin line: 95th percentile)": latency_distributions(report),
    }
    where = f"<small>CPU class {escape(report['machine']['cpu_class'])}{key}</small>"
    figures = "".join(
        f"<figure><figcaption>{caption}{where}</figcaption>\n{drawing}\n</figure>\n"
        for caption, drawing in drawings.items()
        if drawing
    )
    return f'<h2>Speed and quality</h2>\n<div class="plots">\n{figures}</div>\n' if figures else ""


def _limits(report: dict[str, Any]) -> str:
    entries = report["variants"].values()
    head = ["<th>limit</th>", *(f"<th>{escape(name)}</th>" for name in report["variants"])]
    rows = (
        f"<tr><th><code>{limit}</code></th>{''.join(_limit_cell(entry, limit) for entry in entries)}</tr>\n"
        for limit in LIMITS
    )
    return (
        f"<h2>Limits in force</h2>\n{_table(head, rows)}"
        '<p class="faint">What was found, and below it what is allowed. A limit on answers among strangers is not '
        "checked where the variant is served one item at a time.</p>\n"
    )


def _limit_cell(entry: Entry, limit: str) -> str:
    allowed = f"{'≥' if limit.startswith('min_') else '≤'} {say.limit(entry['limits'][limit])}"
    kind = "miss" if any(m["limit"] == limit for m in entry["missed"]) else ""
    if not kind and not say.applies(entry, limit):
        kind, allowed = "unchecked", "not checked"
    return f"<td{_class(kind)}>{escape(say.number(say.found(entry, limit)))}{_small(allowed)}</td>"


def _about(report: dict[str, Any]) -> str:
    machine = report["machine"]
    flags = ", ".join(machine["flags"]) or "none of those that change the ranking"
    versions = ", ".join(f"{package} {version}" for package, version in sorted(report["versions"].items()))
    digests = [
        f'<tr><th>{escape(name)}</th><td class="left"><code>{escape(entry["sha256"])}</code></td></tr>\n'
        for name, entry in report["variants"].items()
        if entry.get("sha256")
    ]
    return (
        f"<h2>Machine, versions, archives</h2>\n<p>{escape(machine['cpu'])}, CPU class "
        f"<b>{escape(machine['cpu_class'])}</b>; flags: {escape(flags)}.</p>\n<p>{escape(versions)}</p>\n"
        + (_table(["<th>archive</th>", '<th class="left">sha256</th>'], digests) if digests else "")
    )


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    return (
        f'<div class="scroll"><table>\n<thead><tr>{"".join(head)}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table></div>\n"
    )


def _small(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
