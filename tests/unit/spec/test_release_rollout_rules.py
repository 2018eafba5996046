from __future__ import annotations

from typing import Any

import pytest

from marline.spec.release_rollout import Rollout
from marline.spec.release_rollout_rules import FROM_PROMETHEUS

PROMETHEUS = {"prometheus": "http://prometheus:9090"}


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        Rollout.model_validate(document)
    except ValueError as caught:
        found = caught.errors()[0]["ctx"]["error"].problems  # type: ignore[attr-defined]
        return [(".".join(path), sentence) for path, sentence in found]
    return []


@pytest.mark.parametrize("steps", [[100], [0, 100], [1, 2, 100], [10, 50, 100]])
def test_steps_that_rise_to_a_hundred(steps: list[int]) -> None:
    assert problems({"steps": steps}) == []


@pytest.mark.parametrize("steps", [[0], [50], [10, 10, 100], [50, 10, 100], [100, 100], [100, 50]])
def test_steps_rise_to_a_hundred(steps: list[int]) -> None:
    shown = ", ".join(map(str, steps))
    sentence = f"[{shown}] does not rise to 100; allowed: rising percentages, the last one 100"
    assert problems({"steps": steps}) == [("steps", sentence)]


def test_evidence_needs_time() -> None:
    assert problems({"pause_s": 10, "deadline_s": 11}) == []
    for deadline in (9, 10):
        sentence = f"{deadline} is not more than pause_s 10; allowed: deadline_s > pause_s, time for evidence to be there"
        assert problems({"pause_s": 10, "deadline_s": deadline}) == [("deadline_s", sentence)]


def test_something_is_judged() -> None:
    (first, *_) = problems({"replay": None, "steps": [100]})
    assert first == ("metrics", "nothing can be judged: there is neither `prometheus` nor `replay`; add one")


def test_a_metric_is_named_once() -> None:
    assert problems({"metrics": ["agreement", "agreement"]}) == [("metrics", "names a metric twice; name each once")]


@pytest.mark.parametrize("metric", FROM_PROMETHEUS)
def test_a_metric_of_prometheus_needs_its_address(metric: str) -> None:
    assert problems({**PROMETHEUS, "metrics": [metric]}) == []
    sentence = f"{metric} comes from Prometheus; add `prometheus`, or leave it out"
    assert problems({"metrics": [metric]}) == [("metrics", sentence)]


def test_agreement_needs_replay() -> None:
    found = problems({**PROMETHEUS, "metrics": ["errors", "agreement"], "replay": None, "steps": [10, 100]})
    assert ("metrics", "agreement comes from replay; leave `replay` at its default, or it out") in found


@pytest.mark.parametrize(("steps", "way"), [([0, 100], 0), ([100], 100)])
def test_without_replay_both_versions_need_traffic_of_users(steps: list[int], way: int) -> None:
    sentence = f"at {way} % one version has no requests to be compared by; leave `replay` at its default, or begin with another step"
    assert problems({**PROMETHEUS, "replay": None, "steps": steps}) == [("replay", sentence)]


def test_without_replay_the_last_step_is_not_judged() -> None:
    assert problems({**PROMETHEUS, "replay": None, "steps": [10, 100]}) == []
