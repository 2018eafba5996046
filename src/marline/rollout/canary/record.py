"""What happened in a rollout, for people: what ``marline rollout history`` shows."""

from __future__ import annotations

import dataclasses
from typing import Any

from marline.rollout.analysis import Verdict
from marline.rollout.canary.plan import Plan
from marline.rollout.canary.state import State

SCHEMA_VERSION = 1
# verdicts that are kept of a step: enough for a plot, few enough for a ConfigMap
MOST_VERDICTS = 60
MOST_EVENTS = 300

Record = dict[str, Any]


def begin(plan: Plan) -> Record:
    """The record of a rollout that has done nothing yet."""
    return {
        "schema_version": SCHEMA_VERSION,
        "id": plan.id,
        "release": plan.release,
        "namespace": plan.namespace,
        "stable": dataclasses.asdict(plan.stable),
        "candidate": dataclasses.asdict(plan.candidate),
        "by": plan.by,
        "started": plan.created,
        "ended": None,
        "outcome": "running",
        "reason": None,
        "steps": [{**dataclasses.asdict(step), "began": None, "ended": None, "verdicts": []} for step in plan.steps],
        "weights": [],
        "events": [],
        "exposed": None,
        "limits": dataclasses.asdict(plan.judged),
        "alpha": plan.alpha,
    }


def event(record: Record, at: float, kind: str, text: str) -> None:
    """Note what happened; the same again is noted once."""
    events = record["events"]
    if events and (events[-1]["kind"], events[-1]["text"]) == (kind, text):
        return
    # of too many, the last one still says how it ended
    del events[MOST_EVENTS - 1 :]
    events.append({"at": round(at, 3), "kind": kind, "text": text})


def weights(record: Record, at: float, stable: int, candidate: int) -> None:
    """Note weights that are in force."""
    record["weights"].append({"at": round(at, 3), "stable": stable, "candidate": candidate})


def verdict(record: Record, step: int, found: Verdict) -> None:
    """Note a verdict; of many in one step every second one goes, except the first and the last."""
    own = record["steps"][step]
    document = {**found.to_json(), "at": round(found.at, 3), "elapsed_s": round(found.elapsed_s, 3)}
    del document["method"]
    own["verdicts"].append(document)
    if len(own["verdicts"]) > MOST_VERDICTS:
        own["verdicts"] = [*own["verdicts"][:-1:2], own["verdicts"][-1]]


def end(record: Record, state: State, at: float) -> None:
    """Note how it ended."""
    for own in record["steps"]:
        if own["began"] is not None and own["ended"] is None:
            own["ended"] = round(at, 3)
    record["ended"], record["outcome"], record["reason"] = round(at, 3), state.outcome, state.reason
