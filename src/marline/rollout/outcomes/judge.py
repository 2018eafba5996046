"""The verdict on two arms' outcomes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from marline.errors import MarlineError
from marline.rollout.outcomes.blocks import LEAST, differences
from marline.rollout.outcomes.interval import interval
from marline.rollout.outcomes.join import Counts, Joined

Decision = Literal["better", "not-worse", "worse", "undecided"]
METHOD = (
    f"confidence sequence by hedged betting (Waudby-Smith and Ramdas 2024) on differences of blocks of {LEAST} or more"
)


@dataclass(frozen=True)
class Terms:
    """What is agreed on before the first look.

    Attributes:
        margin: how much less than stable's the candidate's mean outcome may be (0 to 1).
        alpha: the chance of a wrong statement about the difference, over all looks together (0 to 1).
        least_joined: share of an arm's requests that must have an outcome (0 to 1): with those of the successes alone
            both arms look equally good.
    """

    margin: float
    alpha: float = 0.05
    least_joined: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 1:
            raise MarlineError(f"margin: {self.margin!r} is not at least 0 and less than 1; write 0.01 for one point")
        if not 0 < self.alpha < 1:
            raise MarlineError(f"alpha: {self.alpha!r} is not between 0 and 1; write 0.05 for 5 % over all looks")
        if not 0 <= self.least_joined <= 1:
            raise MarlineError(f"least_joined: {self.least_joined!r} is not from 0 to 1; write 0.8 for 80 %")


@dataclass(frozen=True)
class Arm:
    """One side.

    Attributes:
        endpoint: its name.
        exposed: requests that it answered.
        joined: those of them that have an outcome.
        mean: of the outcomes, None where there is none.
    """

    endpoint: str
    exposed: int
    joined: int
    mean: float | None


@dataclass(frozen=True)
class Judgement:
    """What the outcomes say.

    Attributes:
        decision: ``better``: the candidate's mean is proven to be greater. ``not-worse``: proven to be less by no more
            than the margin. ``worse``: proven to be less by more than it. ``undecided``: none of these.
        reason: one sentence.
        low: lower bound of the candidate's mean minus stable's.
        high: upper bound.
        blocks: how many comparisons that rests on.
        stable: the arm.
        candidate: the arm.
        terms: what was agreed on.
        counts: outcomes and exposures that were left out.
    """

    decision: Decision
    reason: str
    low: float
    high: float
    blocks: int
    stable: Arm
    candidate: Arm
    terms: Terms
    counts: Counts

    @property
    def promotes(self) -> bool:
        """Whether it speaks for the candidate."""
        return self.decision in ("better", "not-worse")

    def document(self) -> dict[str, Any]:
        """JSON-ready, with the method."""
        return {**asdict(self), "method": METHOD}


def judge(joined: Joined, terms: Terms) -> Judgement:
    """Judge what is there so far; it may be asked again whenever there is more.

    All statements it ever makes about one pair of arms are right together with a probability of at least
    ``1 - alpha``, as long as outcomes are only added at the end.

    Args:
        joined: the arms' outcomes, in the order in which they came in.
        terms: the same at each look.
    """
    found = list(differences(joined.values))
    low, high = interval(found, terms.alpha)
    arms = [_arm(joined, name, who) for who, name in enumerate((joined.stable, joined.candidate))]
    decision, reason = _decide(arms, joined, low, high, terms)
    return Judgement(decision, reason, low, high, len(found), arms[0], arms[1], terms, joined.counts)


def _arm(joined: Joined, endpoint: str, who: int) -> Arm:
    values = [value for candidate, value in joined.values if candidate == bool(who)]
    mean = math.fsum(values) / len(values) if values else None
    return Arm(endpoint, joined.exposed[who], len(values), mean)


def _decide(arms: list[Arm], joined: Joined, low: float, high: float, terms: Terms) -> tuple[Decision, str]:
    missing = [_missing(name, arm, joined, terms) for name, arm in zip(("stable", "the candidate"), arms, strict=True)]
    if said := [each for each in missing if each]:
        return "undecided", f"{'; '.join(said)}."
    if low > 0:
        return "better", f"The candidate's mean outcome is greater, by {low:.4f} at least."
    if low > -terms.margin:
        return "not-worse", f"The candidate's mean outcome is less by {-low:.4f} at most, allowed is {terms.margin:g}."
    if high < -terms.margin:
        return "worse", f"The candidate's mean outcome is less by {-high:.4f} at least, allowed is {terms.margin:g}."
    return "undecided", f"The difference lies between {low:+.4f} and {high:+.4f}: more outcomes are needed."


def _missing(name: str, arm: Arm, joined: Joined, terms: Terms) -> str | None:
    if not arm.exposed:
        others = ", ".join(joined.endpoints) or "none"
        return f"no request was answered by {name}, endpoint {arm.endpoint!r} (endpoints that answered: {others})"
    if not arm.joined:
        return f"none of the {arm.exposed} requests of {name} has an outcome"
    if arm.joined < terms.least_joined * arm.exposed:
        share, least = 100 * arm.joined / arm.exposed, 100 * terms.least_joined
        return f"{share:.1f} % of the requests of {name} have an outcome, needed are {least:g} %: write one for each, 0 too"
    return None
