"""Records of rollouts as a driver writes them, evidence from the shipped judge."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from marline.rollout.analysis import METRICS, Judge, Limits, Replay, Series, Step, Window

BEGAN = 1_790_000_000.0
STABLE = {"endpoint": "blue", "model": "sentiment", "version": "1.0.0", "variant": "onnx-int8-static"}
CANDIDATE = {"endpoint": "green", "model": "sentiment", "version": "1.1.0", "variant": "onnx-int8-static"}


def judged(slow_in_second_step: bool) -> list[dict[str, Any]]:
    """Two steps' verdicts: the candidate is three times as slow in the second, or in none."""
    judge = Judge(Limits(), 0.05, METRICS, [Step(10, 60, 300), Step(50, 60, 300)])
    counters = {"s": [0.0] * 4, "c": [0.0] * 4}
    at, steps = BEGAN + 20, []
    for number, weight in enumerate((10, 50)):
        judge.begin(at)
        step: dict[str, Any] = {"weight": weight, "pause_s": 60, "deadline_s": 300, "began": at, "verdicts": []}
        for _ in range(150):
            at += 2
            for arm, answers in (("s", 200 - 2 * weight), ("c", 2 * weight)):
                slow = 0.9 if arm == "c" and number and slow_in_second_step else 0.03
                grown = (answers, answers * (1 - slow), answers * 0.5, answers * 0.004)
                counters[arm] = [before + more for before, more in zip(counters[arm], grown, strict=True)]
            verdict = judge.observe(Window(at, _series("s", counters), _series("c", counters), Replay(20, 0)))
            step["verdicts"].append({k: v for k, v in verdict.to_json().items() if k != "method"})
            if verdict.decision != "hold":
                break
        steps.append({**step, "ended": at})
        if verdict.decision == "abort":
            break
    return steps


def _series(arm: str, counters: dict[str, list[float]]) -> dict[str, Series]:
    answers, fast, yes, cpu = counters[arm]
    buckets = {"10": fast, "100": answers, "+Inf": answers}
    classes = {"yes": yes, "no": answers - yes}
    return {f"pod-{arm}": Series(answers=answers, errors=0, buckets=buckets, classes=classes, cpu_s=cpu)}


def record_of(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The rest of a record, as the steps' verdicts say."""
    last = steps[-1]["verdicts"][-1]
    rolled_back = last["decision"] == "abort"
    weights = [(BEGAN + 5, 100, 0), *((s["began"] - 1, 100 - s["weight"], s["weight"]) for s in steps)]
    weights.append((last["at"] + 1, 100, 0) if rolled_back else (last["at"] + 1, 0, 100))
    return {
        "schema_version": 1,
        "id": "20260921-141320",
        "release": "sentiment",
        "namespace": "models",
        "stable": STABLE,
        "candidate": CANDIDATE,
        "by": "ada@laptop",
        "started": BEGAN,
        "ended": last["at"] + 3,
        "outcome": "rolled-back" if rolled_back else "promoted",
        "reason": last["reason"],
        "steps": steps,
        "weights": [{"at": at, "stable": stable, "candidate": candidate} for at, stable, candidate in weights],
        "events": [
            {"at": BEGAN + 19, "kind": "weights", "text": "10 % of the traffic goes to green."},
            {"at": BEGAN + 2, "kind": "prepared", "text": "2 pods of green are ready & answer their golden requests."},
        ],
        "exposed": {"candidate": 1200, "all": 9600},
        "limits": {"error_share": 0.005, "min_answers": 100},
        "alpha": 0.05,
    }


_PROMOTED, _ROLLED_BACK = (record_of(judged(slow)) for slow in (False, True))


@pytest.fixture
def promoted() -> dict[str, Any]:
    """A candidate as good as stable."""
    return copy.deepcopy(_PROMOTED)


@pytest.fixture
def rolled_back() -> dict[str, Any]:
    """A candidate that turned slow in its second step."""
    return copy.deepcopy(_ROLLED_BACK)


@pytest.fixture
def begun(promoted: dict[str, Any]) -> dict[str, Any]:
    """One that has only just begun: no weights, no verdicts, no end."""
    steps = [{"weight": 10, "pause_s": 60, "deadline_s": 300, "began": None, "ended": None, "verdicts": []}]
    gone = {"steps": steps, "weights": [], "events": [], "exposed": None, "ended": None, "outcome": "running", "reason": None}
    return {**promoted, **gone}
