"""An outcome for people: the items that are not as they should be, then one line that says what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from marline.rollout.replay.outcome import RECORDED, Difference, Limits, Outcome

REQUEST_CHARS = 100


def lines(outcome: Outcome, limits: Limits, show: int, requests: bool = True) -> Iterator[str]:
    """What the command prints.

    Args:
        outcome: what was found.
        limits: what it must keep.
        show: most differing and most failed items to print.
        requests: whether to print what was sent, too.
    """
    yield from _items("differs", outcome.differing, show, requests)
    yield from _items("failed", outcome.failed, show, requests)
    reference = f"the {RECORDED}" if outcome.reference == RECORDED else outcome.reference
    yield f"{outcome.source}: {outcome.candidate} ({outcome.candidate_identity}) against {reference} ({outcome.reference_identity})"
    yield summary(outcome)
    missed = limits.missed(outcome)
    yield f"disagree: {'; '.join(missed)}" if missed else "agree"


def summary(outcome: Outcome) -> str:
    """The counts in one line."""
    agreeing = outcome.compared - len(outcome.differing)
    parts = [f"{outcome.asked} requests, {outcome.compared} answers compared, {agreeing} agree"]
    if outcome.agreement is not None:
        parts.append(f"agreement {outcome.agreement:.6f}")
    if outcome.max_abs is not None:
        parts.append(f"largest difference of a shown number {outcome.max_abs:.4g}")
    if outcome.refused:
        parts.append(f"{outcome.refused} refused by both")
    parts.append(f"{len(outcome.failed)} failed")
    return ", ".join(parts)


def _items(what: str, items: Sequence[Difference], show: int, requests: bool) -> Iterator[str]:
    for item in items[:show]:
        sent = json.dumps(item.request, ensure_ascii=False) if requests else ""
        cut = f"{sent[:REQUEST_CHARS]}..." if len(sent) > REQUEST_CHARS else sent
        yield f"{what} {item.id}: {item.reason}{': ' if cut else ''}{cut}"
    if len(items) > show:
        yield f"... and {len(items) - show} more"
