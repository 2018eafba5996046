"""Operators and phases with their shares, which sum to 100 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True)
class Operator:
    """What one kind of operator cost.

    Attributes:
        name: as the engine calls it.
        calls: how often it ran.
        ms: all of them together, in milliseconds, without the operators that it called.
    """

    name: str
    calls: int
    ms: float


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: operator or phase; ``other`` is what is left of the whole.
        calls: how often; None where nothing was counted.
        ms: together, in milliseconds.
        share: of the whole, in percent with one decimal; the column sums to 100.
    """

    name: str
    calls: int | None
    ms: float
    share: float


def operators(found: Sequence[Operator], whole_ms: float, most: int) -> list[Row]:
    """The costliest operators, then ``other``: the remaining ones and the engine's work between operators.

    Args:
        found: every kind of operator once.
        whole_ms: what the shares are shares of, in milliseconds; the operators' sum where that is more.
        most: operators that get a line of their own.
    """
    ranked = sorted(found, key=lambda o: (-o.ms, o.name))
    named = {o.name: (o.calls, o.ms) for o in ranked[:most]}
    return _rows(named, max(whole_ms, sum(o.ms for o in found)))


def phases(found: Mapping[str, tuple[int, float]], whole_ms: float) -> list[Row]:
    """Phases in their own order, then ``other``: what belongs to no phase.

    Args:
        found: calls and milliseconds of each phase.
        whole_ms: the time in which the phases lie, in milliseconds.
    """
    return _rows(dict(found), max(whole_ms, sum(ms for _, ms in found.values())))


def _rows(named: Mapping[str, tuple[int, float]], whole_ms: float) -> list[Row]:
    # cut, not rounded, so that what is left is never below 0
    shares = {name: int(1000 * ms / whole_ms) / 10 if whole_ms else 0.0 for name, (_, ms) in named.items()}
    rows = [Row(name, calls, round(ms, 3), shares[name]) for name, (calls, ms) in named.items()]
    left = max(0.0, whole_ms - sum(ms for _, ms in named.values()))
    return [*rows, Row(OTHER, None, round(left, 3), round(100 - sum(shares.values()), 1))]


def lines(rows: Sequence[Row], head: str) -> list[str]:
    """A table as aligned lines.

    Args:
        rows: what to show.
        head: heading of the first column.
    """
    cells = [(head, "calls", "ms", "share")]
    cells += [(r.name, "" if r.calls is None else str(r.calls), f"{r.ms:.1f}", f"{r.share:.1f} %") for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 4))]).rstrip() for row in cells
    ]
