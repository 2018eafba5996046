"""Records as rows of a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from marline.rollout.history import say
from marline.rollout.history.record import Record

COLUMNS = ("id", "outcome", "stable", "candidate", "started (UTC)", "took", "reached", "exposed", "by", "reason")


def table(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """One row per rollout, the newest first, its cells as in :data:`COLUMNS`."""
    return [_row(record) for record in sorted(records, key=lambda each: (each.started, each.id), reverse=True)]


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.id,
        record.outcome,
        f"{record.stable.endpoint}: {say.artifact(record.stable)}",
        f"{record.candidate.endpoint}: {say.artifact(record.candidate)}",
        say.moment(record.started),
        say.took(record),
        say.reached(record),
        say.exposed(record),
        record.by,
        # a reason is one sentence; whatever it quotes must not break the row
        " ".join((record.reason or say.ABSENT).split()),
    )
