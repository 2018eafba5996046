"""The record of one rollout, as it is kept as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marline.errors import SourceError

SCHEMA_VERSION = 1
# later marlines may add keys; what this one reads is checked
_FORM = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

Moment = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Unix seconds, up to the last year that a date can show."""


class Arm(BaseModel):
    """One side of a rollout: its endpoint, and the artifact that answers there."""

    model_config = _FORM
    endpoint: str
    model: str
    version: str
    variant: str


class Evidence(BaseModel):
    """One metric at one moment; see :class:`marline.rollout.analysis.Evidence`."""

    model_config = _FORM
    metric: str
    e_value: float = Field(ge=0)
    threshold: float = Field(gt=0)
    candidate: float | None
    stable: float | None
    allowed: float | None
    answers: tuple[int, int]
    windows: int
    age_s: float | None
    missing: str | None


class Verdict(BaseModel):
    """One judgement; see :class:`marline.rollout.analysis.Verdict`."""

    model_config = _FORM
    decision: Literal["go", "hold", "abort"]
    reason: str
    at: Moment
    step: int
    elapsed_s: float
    evidence: tuple[Evidence, ...]


class Step(BaseModel):
    """One step of the plan, and what was judged in it; ``began`` is None where it was not reached."""

    model_config = _FORM
    weight: int = Field(ge=0, le=100)
    pause_s: float
    deadline_s: float
    began: Moment | None = None
    ended: Moment | None = None
    verdicts: tuple[Verdict, ...] = ()


class Weights(BaseModel):
    """Weights that came into force at a moment."""

    model_config = _FORM
    at: Moment
    stable: int = Field(ge=0)
    candidate: int = Field(ge=0)


class Event(BaseModel):
    """Something that happened, in one sentence."""

    model_config = _FORM
    at: Moment
    kind: str
    text: str


class Exposed(BaseModel):
    """Requests that the candidate answered, and all of them."""

    model_config = _FORM
    candidate: int = Field(ge=0)
    all: int = Field(ge=0)


class Record(BaseModel):
    """One rollout. Times are Unix seconds; ``ended`` and ``reason`` are None while it runs."""

    model_config = _FORM
    schema_version: Literal[1]
    id: str
    release: str
    namespace: str
    stable: Arm
    candidate: Arm
    by: str
    started: Moment
    ended: Moment | None = None
    outcome: Literal["running", "promoted", "rolled-back", "stopped"]
    reason: str | None = None
    steps: tuple[Step, ...] = ()
    weights: tuple[Weights, ...] = ()
    events: tuple[Event, ...] = ()
    exposed: Exposed | None = None
    limits: dict[str, float] = Field(default_factory=dict)
    alpha: float | None = None

    @property
    def latest(self) -> float:
        """The last moment that the record knows of."""
        verdicts = (verdict.at for step in self.steps for verdict in step.verdicts)
        known = [self.started, self.ended, *verdicts, *(w.at for w in self.weights), *(e.at for e in self.events)]
        return max(at for at in known if at is not None)


def load(text: str | bytes, where: str) -> Record:
    """Read a record.

    Args:
        text: the JSON document.
        where: what it was read from, for the sentence: a file, or a ConfigMap and its key.

    Raises:
        SourceError: when it is no record.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{where}: is not JSON ({error}); name what `marline rollout history` lists or wrote"
        ) from error
    return validate(document, where)


def validate(document: Any, where: str = "record") -> Record:
    """Check a document that is already read.

    Args:
        document: plain values.
        where: what it was read from, for the sentence.

    Raises:
        SourceError: when it is no record, or one of another schema version; names the first key that is wrong.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version is not None and version != SCHEMA_VERSION:
        raise SourceError(
            f"{where}: schema_version {version!r} is not {SCHEMA_VERSION}, which this marline reads; "
            "use the marline that wrote it"
        )
    try:
        return Record.model_validate(document, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"])) or "document"
        said = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise SourceError(
            f"{where}: is no record of a rollout: {key}: {said}; name what `marline rollout history` lists or wrote"
        ) from error
