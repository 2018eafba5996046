"""The comparison of a model's variants: a table on a terminal, aligned lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from marline.build import report_format as say

COLUMNS = (
    "variant", "status", "eligible", "accuracy", "agreement", "p50 (x eager)", "p95 (x eager)", "throughput (x eager)",
    "size MB", "RSS MB", "load s", "flips", "missed",
)  # fmt: skip
_LEFT = ("variant", "status", "eligible", "missed")
# what a terminal shows that is too narrow for all
_FEW = ("variant", "eligible", "accuracy", "agreement", "p50 (x eager)", "size MB", "RSS MB")
_WIDE = 158
_COLOURS = {"pass": "green", "fail": "red", "yes": "green", "no": "red"}


def comparison(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row per variant, the reference first, its cells as in :data:`COLUMNS`.

    Args:
        report: the document of ``report.json``.
    """
    return [_row(name, entry) for name, entry in say.variants(report).items()]


def print_report(report: dict[str, Any]) -> None:
    """Print the comparison to standard output."""
    print_table(report, Console(highlight=False))


def print_table(report: dict[str, Any], console: Console) -> None:
    """Print the comparison, its default variant and what was missed.

    Args:
        report: the document of ``report.json``.
        console: where to; a table if it is a terminal, else lines with columns at least two spaces apart.
    """
    rows = comparison(report)
    if console.is_terminal:
        console.print(_table(report, rows, COLUMNS if console.width >= _WIDE else _FEW))
        if console.width < _WIDE:
            console.print(f"all {len(COLUMNS)} columns need a terminal {_WIDE} wide, or a pipe", style="dim")
    else:
        for line in _lines(rows):
            print(line, file=console.file or sys.stdout)
    for line in _notes(report):
        # a long sentence is wrapped by the terminal, so that it can be copied whole
        console.print(escape(line), soft_wrap=True, highlight=False)


def _row(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        entry["status"],
        say.eligible(entry),
        say.percent(entry.get("accuracy")),
        say.percent(entry.get("agreement")),
        _with_ratio(entry, "p50"),
        _with_ratio(entry, "p95"),
        say.times(entry.get("throughput_ratio")),
        say.megabytes(entry.get("size_bytes")),
        say.megabytes(entry.get("rss_bytes")),
        say.seconds(entry.get("load_seconds")),
        str(entry.get("flips_solo_vs_batch", say.ABSENT)),
        ", ".join(m["limit"] for m in entry["missed"]) or ("error" if entry["error"] else say.ABSENT),
    )


def _with_ratio(entry: dict[str, Any], name: str) -> str:
    if entry.get(f"{name}_ms") is None:
        return say.ABSENT
    return f"{say.number(entry[f'{name}_ms'])} ms ({say.times(entry[f'{name}_ratio'])})"


def _table(report: dict[str, Any], rows: list[tuple[str, ...]], columns: tuple[str, ...]) -> Table:
    table = Table(title=_title(report), title_justify="left", title_style="bold", header_style="bold", box=None)
    for column in columns:
        table.add_column(column.replace(" (", "\n("), justify="left" if column in _LEFT else "right")
    for row in rows:
        shown = [row[COLUMNS.index(column)] for column in columns]
        cells = [f"[{_COLOURS[cell]}]{cell}[/]" if cell in _COLOURS else escape(cell) for cell in shown]
        table.add_row(*cells, style="bold" if row[0] == report["default_variant"] else None)
    return table


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    grid = [COLUMNS, *rows]
    widths = [max(len(row[i]) for row in grid) for i in range(len(COLUMNS))]
    return [
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for cell, width, column in zip(row, widths, COLUMNS, strict=True)
        ).rstrip()
        for row in grid
    ]


def _title(report: dict[str, Any]) -> str:
    return f"{report['model']} {report['version']} on CPU class {report['machine']['cpu_class']}"


def _notes(report: dict[str, Any]) -> list[str]:
    default, portable = report["default_variant"], report["default_portable"]
    out = [
        f"default on CPU class {report['machine']['cpu_class']}: {default or 'none is eligible'}; "
        f"on unknown CPUs: {portable or 'none'}"
    ]
    for name, entry in say.variants(report).items():
        out += [f"{name} missed {sentence}" for sentence in say.missed(entry)]
        if entry["error"]:
            out.append(f"{name} failed: {entry['error']}")
        if entry["loosened_because"]:
            out.append(
                f"{name} is allowed {'; '.join(say.loosened(name, entry))}, because: {entry['loosened_because']}"
            )
    return out
