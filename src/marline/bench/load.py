"""Latency against load, the queue at 70 % of the peak, and what happens at three times the peak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marline.bench import ideal, openloop
from marline.bench.contenders import Contender
from marline.bench.questions import Question
from marline.bench.raw import Raw
from marline.errors import BenchError

SHARES = (0.3, 0.5, 0.7, 0.9)
JUDGED = 0.7
OVER = 3.0
SETTLE_S = 2.0
MOST_BAD = 0.01


@dataclass
class Loaded:
    """Values per round, and the curve.

    Attributes:
        curve: rows of share of the peak and k6's counts.
        queue: p99 at 70 % of the peak over that of the ideal queue.
        goodput: right answers per second at three times the peak, over the peak.
        refusal: p99 of refusals at three times the peak, in milliseconds.
    """

    curve: list[dict[str, Any]] = field(default_factory=list)
    queue: list[float] = field(default_factory=list)
    goodput: list[float] = field(default_factory=list)
    refusal: list[float] = field(default_factory=list)


def load(
    contender: Contender, raw: Raw, asked: Sequence[Question], peak: float, rounds: int, seconds: float, work: Path,
    say: Callable[[str], None], warm_seconds: float,
) -> Loaded:  # fmt: skip
    """Open-loop load on one contender.

    Args:
        contender: a server, not started.
        raw: bare loops, running: they give the service times of the ideal queue.
        asked: questions in k6's order.
        peak: right answers per second under closed-loop load.
        rounds: of the load at 70 % and at three times the peak.
        seconds: of each run.
        work: for the file of questions.
        say: progress.
        warm_seconds: of load at 70 % before the first round.
    """
    found = Loaded()
    path = work / f"{contender.name}.json"
    openloop.write_requests(path, asked, contender)
    with contender.start() as up:
        openloop.open_loop(up.url, path, JUDGED * peak, warm_seconds)
        for number in range(rounds):
            services = raw.times(seconds)
            run = openloop.open_loop(up.url, path, JUDGED * peak, seconds)
            bad = run.wrong + run.refused + run.failed + run.dropped
            if not run.right or bad > MOST_BAD * run.rate * run.seconds:
                raise BenchError(f"{contender.name}: at 70 % of its peak {bad} requests were not answered rightly, so its p99 says nothing")
            best = ideal_p99(asked, services, run, len(raw))
            found.queue.append(run.p99_ms / best)
            over = openloop.open_loop(up.url, path, OVER * peak, seconds)
            found.goodput.append(over.goodput / peak)
            if over.refused_p99_ms is not None:
                found.refusal.append(over.refused_p99_ms)
            say(
                f"round {number + 1} {contender.name}: p99 at 70 % {run.p99_ms:.1f} ms, ideal {best:.1f} ms; at three times "
                f"the peak {over.goodput:.0f}/s of {peak:.0f}/s, {over.refused} refused with p99 {over.refused_p99_ms} ms, "
                f"{over.failed} failed, {over.dropped} not begun"
            )
            openloop.open_loop(up.url, path, 0.2 * peak, SETTLE_S)
        for share in SHARES:
            run = openloop.open_loop(up.url, path, share * peak, seconds)
            found.curve.append({"share": share, **vars(run)})
            say(f"{contender.name} at {share:.0%} of its peak: p50 {run.p50_ms:.1f} ms, p99 {run.p99_ms:.1f} ms")
    return found


def ideal_p99(asked: Sequence[Question], services: dict[str, float], run: openloop.Open, servers: int) -> float:
    """Milliseconds; a text that the loops did not reach counts as the median of all."""
    typical = float(np.median(list(services.values())))
    arrivals = ideal.regular(run.rate, run.seconds)
    each = [services.get(asked[i % len(asked)].text, typical) for i in range(len(arrivals))]
    return 1000 * float(np.percentile(ideal.latencies(arrivals, each, servers), 99))
