from __future__ import annotations

from typing import Any, get_args

import pytest

from marline.rollout.analysis import METRICS, Judge, Limits, Step
from marline.spec.release_rollout import LimitName, Metric, Rollout

PROMETHEUS = "http://prometheus.monitoring:9090"


def test_a_rollout_that_says_nothing_is_judged_by_the_answers_to_golden_requests() -> None:
    spec = Rollout()
    assert spec.steps == [10, 50, 100]
    assert spec.judged == ["agreement"]
    assert spec.replay is not None
    assert spec.replay.requests is None
    assert spec.image is None


def test_each_source_adds_its_metrics() -> None:
    assert Rollout(prometheus=PROMETHEUS).judged == ["errors", "slow", "agreement"]
    assert Rollout(prometheus=PROMETHEUS, metrics=["cpu", "shift"]).judged == ["cpu", "shift"]


def test_names_are_those_of_the_judge() -> None:
    """The judge stands in a room to the right, which this one cannot import."""
    assert get_args(Metric) == METRICS
    assert set(get_args(LimitName)) == set(Limits.__dataclass_fields__)


def test_the_defaults_are_what_the_judge_takes() -> None:
    spec = Rollout(prometheus=PROMETHEUS)
    steps = [Step(weight, spec.pause_s, spec.deadline_s) for weight in spec.steps]
    assert Judge(Limits(), spec.alpha, spec.judged, steps).threshold == 9 / 0.05


@pytest.mark.parametrize("address", [PROMETHEUS, "https://a.example/prometheus/", "http://[::1]:9090"])
def test_prometheus_has_an_address(address: str) -> None:
    assert Rollout(prometheus=address).prometheus == address


@pytest.mark.parametrize(
    "wrong",
    [
        {"prometheus": "prometheus:9090"},
        {"prometheus": "http://me:secret@prometheus:9090"},
        {"prometheus": "http://a b"},
        {"steps": []},
        {"steps": [101]},
        {"steps": [-1, 100]},
        {"steps": list(range(80, 101))},
        {"metrics": []},
        {"metrics": ["latency"]},
        {"limits": {"errors": 0.1}},
        {"limits": {"error_share": float("nan")}},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"interval_s": 0.4},
        {"pause_s": 0},
        {"ready_s": 3601},
        {"replay": {"rate": 0.0}},
        {"replay": {"rate": 1001.0}},
        {"replay": {"requests": ""}},
        {"weights": [100]},
    ],
    ids=str,
)
def test_what_no_rollout_can_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Rollout.model_validate(wrong)
