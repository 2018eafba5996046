"""One look at both arms: cumulative counters per pod as they were scraped, and what replay compared since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Series:
    """The counters of one pod, cumulative since its processes started; a family that was not scraped is None or empty.

    A counter that has never moved may be absent from a scrape: the reader writes 0 for it.

    Attributes:
        answers: answers given, errors included.
        errors: answers that the version is to blame for (5xx).
        buckets: the latency histogram, cumulative counts by upper bound in Prometheus' spelling (``"50"``, ``"+Inf"``),
            in any unit that is the same for both arms.
        classes: answers by predicted class.
        cpu_s: CPU seconds used.
    """

    answers: float | None = None
    errors: float | None = None
    buckets: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, float] = field(default_factory=dict)
    cpu_s: float | None = None


@dataclass(frozen=True)
class Replay:
    """Requests sent to both arms since the last look, and how many were not answered alike (no answer included)."""

    compared: int
    disagreed: int

    def __post_init__(self) -> None:
        if not 0 <= self.disagreed <= self.compared:
            raise ValueError(
                f"replay: {self.disagreed} disagreements among {self.compared} comparisons cannot be; count again"
            )


@dataclass(frozen=True)
class Window:
    """What was known at one moment.

    Attributes:
        at: seconds on the caller's clock.
        stable: series by pod; empty when nothing was scraped (Prometheus down, no pod).
        candidate: likewise.
        replay: None when nothing was replayed since the last window.
    """

    at: float
    stable: Mapping[str, Series] = field(default_factory=dict)
    candidate: Mapping[str, Series] = field(default_factory=dict)
    replay: Replay | None = None
