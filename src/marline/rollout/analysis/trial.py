"""One metric's test in one step: adds scrapes up to windows, bets on them, keeps what the evidence shows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from marline.rollout.analysis import wealth
from marline.rollout.analysis.bets import NEEDS, OFFERS, PAYOFFS, Bet, Pair, allowed, leaning
from marline.rollout.analysis.counters import Tally, add
from marline.rollout.analysis.limits import Limits, Metric
from marline.rollout.analysis.verdict import Evidence

# e-values beyond this say nothing more, and a float holds it
MOST_LOG = 230.0


@dataclasses.dataclass
class Trial:
    """The state of one metric's test; ``to_json`` and ``from_json`` give it back exactly.

    Attributes:
        metric: what is tested.
        opened: when the window that is being added up began.
        capital: logarithms of the bettors' capital.
        pending: the candidate's and stable's increments in the open window.
        replayed: comparisons and disagreements in it.
        lean: the classes' excess so far (metric ``shift``).
        totals: numerators, denominators and answers over the step, candidate's and stable's.
        windows: how many were bet on.
        last: when the last of them closed.
    """

    metric: Metric
    opened: float
    capital: list[float]
    pending: tuple[Tally, Tally] = dataclasses.field(default_factory=lambda: ({}, {}))
    replayed: tuple[int, int] = (0, 0)
    lean: dict[str, float] = dataclasses.field(default_factory=dict)
    totals: list[float] = dataclasses.field(default_factory=lambda: [0.0] * 6)
    windows: int = 0
    last: float | None = None

    @classmethod
    def begin(cls, metric: Metric, at: float) -> Trial:
        """A test that has seen nothing."""
        return cls(metric, at, wealth.start(PAYOFFS[metric]))

    def observe(self, candidate: Tally, stable: Tally, replayed: tuple[int, int], at: float, limits: Limits) -> None:
        """Add one scrape's increments; bet when they make a window."""
        for pending, more in zip(self.pending, (candidate, stable), strict=True):
            for family in NEEDS[self.metric]:
                add(pending.setdefault(family, {}), more.get(family, {}))
        self.replayed = (self.replayed[0] + replayed[0], self.replayed[1] + replayed[1])
        seconds = at - self.opened
        if seconds < limits.window_s:
            return
        pair = Pair(*self.pending, seconds, *self.replayed)
        offer = OFFERS[self.metric](pair, limits, self.lean)
        if offer is None:
            return
        self._settle(offer, at)
        if self.metric == "shift":
            self.lean = leaning(self.lean, pair)

    def _settle(self, offer: Bet, at: float) -> None:
        self.capital = wealth.bet(self.capital, offer.payoffs)
        values = (*offer.candidate, *offer.stable, *offer.answers)
        self.totals = [before + value for before, value in zip(self.totals, values, strict=True)]
        self.windows += 1
        self.last = self.opened = at
        self.pending, self.replayed = ({}, {}), (0, 0)

    def evidence(self, at: float, limits: Limits, threshold: float) -> Evidence:
        """What the step's windows say so far."""
        value, of, there, of_there, answers, others = self.totals
        mine, stable = (value / of, there / of_there) if self.windows else (None, None)
        e_value = math.exp(min(wealth.log_evidence(self.capital), MOST_LOG))
        most = allowed(self.metric, limits, stable) if stable is not None else None
        age = at - self.last if self.last is not None else None
        counts = (round(answers), round(others))
        missing = _missing(self.metric, limits, counts, self.windows, age)
        # a clump of errors early on leaves the mean above the limit for long; the windows since then speak for it or not
        if missing is None and mine is not None and most is not None and mine > most and 1 < e_value < threshold:
            missing = f"{mine:.4g} is more than the allowed {most:.4g}, not proven yet"
        return Evidence(self.metric, e_value, threshold, mine, stable, most, counts, self.windows, age, missing)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        document = dataclasses.asdict(self)
        return {**document, "pending": list(document["pending"]), "replayed": list(self.replayed)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Trial:
        """The test as it was; it goes on using the document's values."""
        mine, theirs = document["pending"]
        compared, disagreed = document["replayed"]
        return cls(**{**document, "pending": (mine, theirs), "replayed": (compared, disagreed)})


def _missing(metric: Metric, limits: Limits, counts: tuple[int, int], windows: int, age: float | None) -> str | None:
    if age is None:
        return "nothing to compare was seen in this step"
    if age > limits.stale_after_s:
        return f"the last window is {age:.0f} s old, allowed are {limits.stale_after_s:g}"
    least, what = (limits.min_compared, "comparisons") if metric == "agreement" else (limits.min_answers, "answers")
    for arm, count in zip(("the candidate", "stable"), counts, strict=True):
        if count < least:
            return f"{arm} has {count} of {least} {what}"
    if windows < limits.min_windows:
        return f"{windows} of {limits.min_windows} windows"
    return None
