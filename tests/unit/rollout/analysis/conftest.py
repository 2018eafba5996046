"""Arms as counters that grow by the same amounts in every window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marline.rollout.analysis import METRICS, Judge, Limits, Replay, Series, Step, Window

BOUNDS = ("10", "25", "50", "+Inf")
# answers per window by bucket, not cumulative: 2 % of stable's are beyond 50 ms, its p95 lies in the bucket up to 50
CALM = {"10": 30, "25": 50, "50": 18, "+Inf": 2}


class Arm:
    """The counters of one pod."""

    def __init__(self, name: str, **per_window: Any) -> None:
        self.name, self.per_window = name, per_window
        self.counters: dict[str, float] = dict.fromkeys(("answers", "errors", "cpu_s", "yes", "no", *BOUNDS), 0.0)

    def work(self, **changes: Any) -> None:
        of = {"latencies": CALM, "errors": 0, "cpu_s": 2.0, "yes": 50, **self.per_window, **changes}
        answers = sum(of["latencies"].values())
        grown = {"answers": answers, "errors": of["errors"], "cpu_s": of["cpu_s"], "yes": of["yes"], "no": answers - of["yes"]}
        for key, value in {**grown, **of["latencies"]}.items():
            self.counters[key] += value

    def restart(self) -> None:
        self.counters = dict.fromkeys(self.counters, 0.0)

    def scrape(self) -> dict[str, Series]:
        c, total, buckets = self.counters, 0.0, {}
        for bound in BOUNDS:
            total += c[bound]
            buckets[bound] = total
        classes = {"yes": c["yes"], "no": c["no"]}
        return {self.name: Series(answers=c["answers"], errors=c["errors"], buckets=buckets, classes=classes, cpu_s=c["cpu_s"])}


class Pair:
    """Stable and a candidate with a quarter of the traffic that differs from it as told, under a judge of one step or several."""

    def __init__(self, judge: Judge | None = None, disagreed: int = 0, every_s: float = 5.0, **candidate: Any) -> None:
        self.judge = judge or Judge(Limits(), 0.05, METRICS, [Step(10, 60, 300)])
        self.stable, self.candidate = Arm("s"), Arm("c", **candidate)
        self.disagreed, self.every_s, self.at = disagreed, every_s, 0.0
        self.judge.begin(0.0)

    def windows(self) -> Iterator[Window]:
        """One window after another, as they would be scraped."""
        while True:
            self.at += self.every_s
            # a quarter of the traffic is the candidate's
            for _ in range(3):
                self.stable.work()
            self.candidate.work()
            yield Window(self.at, self.stable.scrape(), self.candidate.scrape(), Replay(20, self.disagreed))

    def until_decided(self):
        """The verdict that is not ``hold``."""
        for window, _ in zip(self.windows(), range(1000), strict=False):
            if (verdict := self.judge.observe(window)).decision != "hold":
                return verdict
        raise AssertionError("1,000 windows, and no decision")


@pytest.fixture
def pair():
    """Makes a :class:`Pair`."""
    return Pair
