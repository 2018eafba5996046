from __future__ import annotations

import json

import pytest

from marline.rollout import history
from marline.rollout.analysis import Judge, Series, Window
from marline.rollout.canary import record as records
from marline.rollout.canary.record import MOST_EVENTS, MOST_VERDICTS
from marline.rollout.canary.state import State
from unit.rollout.canary.world import plan


def judged(count: int) -> records.Record:
    rollout = plan(limits={"min_windows": 10_000})
    record = records.begin(rollout)
    judge = Judge(rollout.judged, 0.05, rollout.metrics, rollout.steps)
    judge.begin(0.0)
    for number in range(count):
        series = {"a": Series(answers=10.0 * number, errors=0.0)}
        records.verdict(record, 0, judge.observe(Window(float(number), series, series)))
    return record


def test_the_record_of_a_rollout_that_has_done_nothing_is_a_record() -> None:
    found = history.validate(json.loads(json.dumps(records.begin(plan()), allow_nan=False)))
    assert (found.outcome, found.ended, [step.weight for step in found.steps]) == ("running", None, [10, 100])


@pytest.mark.parametrize("outcome", ["promoted", "rolled-back", "stopped"])
def test_the_record_of_one_that_is_over_is_a_record(outcome: str) -> None:
    record = judged(3)
    record["steps"][0]["began"] = 1.0
    records.weights(record, 1.00049, 90, 10)
    records.end(record, State(5.0, "done", outcome=outcome, reason="So."), 5.0)  # type: ignore[arg-type]
    found = history.validate(record)
    assert (found.outcome, found.reason, found.ended) == (outcome, "So.", 5.0)
    assert [step.ended for step in found.steps] == [5.0, None]
    assert record["weights"] == [{"at": 1.0, "stable": 90, "candidate": 10}]


def test_the_same_again_is_noted_once() -> None:
    record = records.begin(plan())
    for text in ("one", "one", "two", "one"):
        records.event(record, 1.0, "hold", text)
    records.event(record, 1.0, "go", "one")
    assert [(e["kind"], e["text"]) for e in record["events"]] == [("hold", "one"), ("hold", "two"), ("hold", "one"), ("go", "one")]


def test_a_record_does_not_grow_for_ever() -> None:
    record = judged(500)
    verdicts = record["steps"][0]["verdicts"]
    assert len(verdicts) <= MOST_VERDICTS
    assert (verdicts[0]["at"], verdicts[-1]["at"]) == (0.0, 499.0)
    assert [v["at"] for v in verdicts] == sorted({v["at"] for v in verdicts})
    assert "method" not in verdicts[0]
    for number in range(2 * MOST_EVENTS):
        records.event(record, 1.0, "hold", str(number))
    assert len(record["events"]) == MOST_EVENTS
