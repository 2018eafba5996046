"""What the judge says, and the evidence that it says it on."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from marline.rollout.analysis.limits import Metric

Decision = Literal["go", "hold", "abort"]
METHOD = "betting on windows, mixture of fixed stakes (Waudby-Smith and Ramdas 2024), threshold by Ville's inequality"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One metric in one step.

    Attributes:
        metric: its name.
        e_value: evidence that the candidate is beyond its limit: the factor by which a bettor's money grew.
        threshold: the e-value that ends the rollout.
        candidate: the candidate's value over the step, None before the first window.
        stable: stable's.
        allowed: what the candidate's value may be, given stable's.
        answers: answers (or comparisons) of candidate and stable that it rests on.
        windows: windows that were bet on.
        age_s: seconds since the last of them, None before the first.
        missing: why it cannot say ``go`` yet; None when it can.
    """

    metric: Metric
    e_value: float
    threshold: float
    candidate: float | None
    stable: float | None
    allowed: float | None
    answers: tuple[int, int]
    windows: int
    age_s: float | None
    missing: str | None

    @property
    def harmful(self) -> bool:
        """Whether the limit is proven to be exceeded."""
        return self.e_value >= self.threshold


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The judgement after one window.

    Attributes:
        decision: ``go`` to the next step, ``hold`` this one, or ``abort`` (roll back).
        reason: one sentence.
        at: seconds on the caller's clock.
        step: index of the step.
        elapsed_s: seconds since the step began.
        evidence: one entry per metric.
    """

    decision: Decision
    reason: str
    at: float
    step: int
    elapsed_s: float
    evidence: tuple[Evidence, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes with ``allow_nan=False``."""
        return {
            **dataclasses.asdict(self),
            "evidence": [dataclasses.asdict(each) for each in self.evidence],
            "method": METHOD,
        }
