"""How far a rollout has come: enough to go on after the driver was killed anywhere."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Phase = Literal["prepare", "shift", "watch", "finish", "back", "done"]
Outcome = Literal["running", "promoted", "rolled-back", "stopped"]
PHASES: dict[Phase, str] = {
    "prepare": "the candidate's pods start, without traffic",
    "shift": "weights are changed",
    "watch": "the step is judged",
    "finish": "the release becomes what the file says",
    "back": "rolling back",
    "done": "over",
}


@dataclasses.dataclass
class State:
    """Where a rollout is.

    Attributes:
        phase: what is being done; each can be done again from its beginning.
        entered: when it began, Unix seconds.
        step: index of the step.
        way: percent of the way that is in force.
        began: when the step's weights were in force; None before.
        outcome: what became of it.
        reason: why, as one sentence.
        judge: the judge's own state.
        restarts: of the candidate's containers when the step began, by pod.
        answers: last counters by arm and pod, and ``stable`` and ``candidate`` answers since the first step.
        pods: of stable when the rollout began: what the candidate will have to carry.
        skip: what a person has ordered, ``step`` or ``promote``; None for nothing.
        heard: when the last order was given that is carried out or in ``skip``, Unix seconds.
        held: why the last look said nothing, None where it did.
    """

    entered: float
    phase: Phase = "prepare"
    step: int = 0
    way: int = 0
    began: float | None = None
    outcome: Outcome = "running"
    reason: str | None = None
    judge: dict[str, Any] | None = None
    restarts: dict[str, int] = dataclasses.field(default_factory=dict)
    answers: dict[str, Any] = dataclasses.field(default_factory=dict)
    pods: int = 0
    skip: str | None = None
    heard: float | None = None
    held: str | None = None

    def enter(self, phase: Phase, at: float) -> None:
        """Go on to a phase."""
        self.phase, self.entered = phase, at

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase == "done"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> State:
        """The state as it was."""
        return cls(**document)
