"""The judge of one rollout: a verdict per window, at most ``alpha`` wrong roll-backs per rollout of a good candidate."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

from marline.rollout.analysis.counters import Seen, advance
from marline.rollout.analysis.limits import Limits, Metric
from marline.rollout.analysis.trial import Trial
from marline.rollout.analysis.verdict import Decision, Evidence, Verdict
from marline.rollout.analysis.window import Window

STATE_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Step:
    """A step that is judged.

    Attributes:
        weight: the candidate's share of traffic, in percent; for the record, since the counters tell what it got.
        pause_s: least seconds before ``go``.
        deadline_s: seconds after which a step that still holds is rolled back.
    """

    weight: int
    pause_s: float
    deadline_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"step: weight {self.weight} is not between 0 and 100; write a percentage")
        if not 0 <= self.pause_s < self.deadline_s:
            sentence = f"step of {self.weight} percent: deadline_s {self.deadline_s:g} is not more than pause_s {self.pause_s:g}"
            raise ValueError(f"{sentence}; give the evidence more time")


class Judge:
    """Judges the steps of one rollout, in order, window by window.

    ``alpha`` is spent in equal parts on every metric of every step (Bonferroni over the tests, each anytime-valid), so
    that a candidate within its limits is rolled back on evidence with probability at most ``alpha`` over the whole
    rollout, however often it is looked at. What that rests on is in :mod:`marline.rollout.analysis.wealth`: in each
    window, given the past, the candidate's *mean* keeps its limit.

    Args:
        limits: the tolerated differences.
        alpha: for the whole rollout (0 to 1).
        metrics: those to judge by; each must have evidence before ``go``.
        steps: those to judge.
    """

    def __init__(self, limits: Limits, alpha: float, metrics: Sequence[Metric], steps: Sequence[Step]) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha: {alpha!r} is not between 0 and 1; write 0.05 for 5 % over the whole rollout")
        if not metrics or len(set(metrics)) != len(metrics) or not set(metrics) <= set(get_args(Metric)):
            raise ValueError(f"metrics: {list(metrics)} must name some of {', '.join(get_args(Metric))}, each once")
        if not steps:
            raise ValueError("steps: none to judge; name at least one")
        self.limits, self.alpha, self.metrics, self.steps = limits, alpha, tuple(metrics), tuple(steps)
        self._step: int | None = None
        self._began = 0.0
        self._aborted: str | None = None
        self._stable: Seen = {}
        self._candidate: Seen = {}
        self._trials: list[Trial] = []

    @property
    def threshold(self) -> float:
        """The e-value that ends the rollout."""
        return len(self.metrics) * len(self.steps) / self.alpha

    @property
    def step(self) -> int | None:
        """Index of the step that is being judged, None before the first."""
        return self._step

    def begin(self, at: float) -> int:
        """Begin the next step: its tests start anew, and counters count from their next scrape.

        Args:
            at: seconds on the caller's clock, once the step's weight is in force.

        Returns:
            Its index.

        Raises:
            ValueError: after an abort, or when there is no further step.
        """
        following = 0 if self._step is None else self._step + 1
        if self._aborted is not None or following >= len(self.steps):
            raise ValueError("the rollout is decided: no step can begin; start a new one")
        self._step, self._began = following, at
        self._stable, self._candidate = {}, {}
        self._trials = [Trial.begin(metric, at) for metric in self.metrics]
        return following

    def observe(self, window: Window) -> Verdict:
        """Judge after one more window; ``abort`` is final.

        Raises:
            ValueError: before a step began.
        """
        if self._step is None:
            raise ValueError("no step has begun; call begin() when its weight is in force")
        candidate = advance(self._candidate, window.candidate, window.at)
        stable = advance(self._stable, window.stable, window.at)
        replayed = (window.replay.compared, window.replay.disagreed) if window.replay else (0, 0)
        for trial in self._trials:
            trial.observe(candidate, stable, replayed, window.at, self.limits)
        evidence = tuple(trial.evidence(window.at, self.limits, self.threshold) for trial in self._trials)
        elapsed = window.at - self._began
        decision, reason = self._decide(self.steps[self._step], elapsed, evidence)
        if decision == "abort":
            self._aborted = reason
        return Verdict(decision, reason, window.at, self._step, elapsed, evidence)

    def _decide(self, step: Step, elapsed: float, evidence: Sequence[Evidence]) -> tuple[Decision, str]:
        if self._aborted is not None:
            return "abort", self._aborted
        harmful = [each for each in evidence if each.harmful]
        if harmful:
            return "abort", "; ".join(map(_harm, harmful)) + "."
        missing = "; ".join(f"{each.metric}: {each.missing}" for each in evidence if each.missing)
        if missing and elapsed >= step.deadline_s:
            return (
                "abort",
                f"After {elapsed:.0f} s, at the deadline of {step.deadline_s:g} s, evidence is missing: {missing}.",
            )
        if elapsed < step.pause_s:
            return "hold", f"The step has run {elapsed:.0f} of {step.pause_s:g} s."
        if missing:
            return "hold", f"Evidence is missing: {missing}."
        return "go", f"Every metric has enough evidence after {elapsed:.0f} s, and none is beyond its limit."

    def to_json(self) -> dict[str, Any]:
        """The whole state, as plain values for ``json.dumps``; floats round-trip exactly."""
        return {
            "version": STATE_VERSION,
            "limits": dataclasses.asdict(self.limits),
            "alpha": self.alpha,
            "metrics": list(self.metrics),
            "steps": [dataclasses.asdict(step) for step in self.steps],
            "step": self._step,
            "began": self._began,
            "aborted": self._aborted,
            "seen": copy.deepcopy({"stable": self._stable, "candidate": self._candidate}),
            "trials": [trial.to_json() for trial in self._trials],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Judge:
        """The judge as :meth:`to_json` left it.

        Raises:
            ValueError: for a state of another version, or one that is damaged.
        """
        if state.get("version") != STATE_VERSION:
            sentence = f"state: version {state.get('version')!r} is not {STATE_VERSION}, which this marline reads"
            raise ValueError(f"{sentence}; abort the rollout and start it again")
        state = copy.deepcopy(state)
        try:
            steps = [Step(**step) for step in state["steps"]]
            judge = cls(Limits(**state["limits"]), state["alpha"], state["metrics"], steps)
            judge._step, judge._began, judge._aborted = state["step"], state["began"], state["aborted"]
            judge._stable, judge._candidate = state["seen"]["stable"], state["seen"]["candidate"]
            judge._trials = [Trial.from_json(trial) for trial in state["trials"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state: {error!r} while reading it; abort the rollout and start it again") from error
        return judge


def _harm(each: Evidence) -> str:
    values = f"{each.candidate:.4g}, allowed {each.allowed:.4g}, stable {each.stable:.4g}"
    return f"{each.metric} is beyond its limit ({values}): e-value {each.e_value:.3g} of {each.threshold:g}"
