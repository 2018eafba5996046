from __future__ import annotations

from typing import Any

import pytest

from marline.rollout.canary.guard import harm
from marline.rollout.canary.pods import Pods


def pods(**changes: Any) -> Pods:
    known: dict[str, Any] = {
        "names": ("a", "b"), "ready": {"a": "10.0.0.1", "b": "10.0.0.2"}, "wanted": 2, "current": True,
        "hindrance": "", "restarts": {"a": 0, "b": 0},
    }  # fmt: skip
    return Pods(**{**known, **changes})


NONE = pods(ready={}, hindrance="a: server not ready")


@pytest.mark.parametrize(
    ("now", "restarts", "before"),
    [
        (pods(), {}, pods()),
        (pods(restarts={"a": 1, "b": 1}), {}, pods()),
        (pods(restarts={"a": 7, "b": 0}), {"a": 6}, pods()),
        (pods(ready={"a": "10.0.0.1"}), {}, NONE),
        (NONE, {}, pods()),
        (NONE, {}, None),
        (pods(ready={}, wanted=0), {}, pods(ready={}, wanted=0)),
    ],
)
def test_what_pods_get_over_is_no_reason(now: Pods, restarts: dict[str, int], before: Pods | None) -> None:
    assert harm(now, restarts, before) is None


def test_containers_that_end_again_and_again_are_one() -> None:
    assert harm(pods(restarts={"a": 0, "b": 3}), {"b": 1}, pods()) == (
        "Containers of b have been started again 2 times in this step."
    )
    assert harm(pods(restarts={"a": 2}, hindrance="a: container server ended with exit code 137"), {}, pods()) == (
        "Containers of a have been started again 2 times in this step: a: container server ended with exit code 137."
    )


def test_nobody_ready_twice_is_one() -> None:
    assert harm(NONE, {}, NONE) == "None of the candidate's 2 pods is ready: a: server not ready."
    assert harm(pods(ready={}), {}, NONE) == "None of the candidate's 2 pods is ready."
