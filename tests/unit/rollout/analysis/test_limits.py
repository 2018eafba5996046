"""Limits that mean nothing are refused."""

from __future__ import annotations

import math

import pytest

from marline.rollout.analysis import Limits, Replay, Step


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error_share", 0.0),
        ("error_share", 1.1),
        ("error_ratio", 0.9),
        ("slow_share", 0.04),
        ("disagree_share", -0.1),
        ("shift", math.nan),
        ("cpu_ratio", 0.5),
        ("min_answers", 0),
        ("min_windows", -1),
        ("stale_after_s", 0),
        ("window_s", -1),
        ("cpu_idle_cores", -0.1),
    ],
)
def test_a_limit_out_of_its_range_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^limits\.{name}: .+; write "):
        Limits(**{name: value})


def test_a_step_needs_time_between_pause_and_deadline():
    with pytest.raises(ValueError, match="deadline_s 60 is not more than pause_s 60"):
        Step(10, 60, 60)
    with pytest.raises(ValueError, match="weight 101"):
        Step(101, 60, 300)


def test_more_disagreements_than_comparisons_are_refused():
    with pytest.raises(ValueError, match="3 disagreements among 2"):
        Replay(2, 3)
