from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marline.rollout.analysis import Limits, Step
from marline.rollout.canary.plan import Arm, Plan, weights_of
from unit.rollout.canary.world import BEFORE, GOAL, plan


def test_a_plan_is_the_same_after_it_was_written_down() -> None:
    found = plan(requests=({"text": "good"},), prometheus="http://p", rate=2.5)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["schema_version"] == 1
    assert Plan.from_json(document) == found


def test_limits_that_count_are_whole_numbers() -> None:
    found = plan(limits={"min_answers": 7.0, "error_share": 0.01}).judged
    assert found == Limits(min_answers=7, error_share=0.01)
    assert isinstance(found.min_answers, int)


@pytest.mark.parametrize(("way", "weights"), [(0, (100, 0)), (10, (90, 10)), (55, (45, 55)), (100, (0, 100))])
def test_a_part_of_the_way_is_gone(way: int, weights: tuple[int, int]) -> None:
    assert plan().weights(way) == {"blue": weights[0], "green": weights[1]}


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_weights_always_add_up_to_what_they_did(begin: int, end: int, way: int) -> None:
    before: dict[str, Any] = {"variants": {"blue": {"weight": 100 - begin}, "green": {"weight": begin}}}
    goal: dict[str, Any] = {"variants": {"blue": {"weight": 100 - end}, "green": {"weight": end}}}
    found = plan(before=before, goal=goal).weights(way)
    assert sum(found.values()) == 100
    assert min(begin, end) <= found["green"] <= max(begin, end)
    assert plan(before=before, goal=goal).weights(100) == weights_of(goal)


def test_endpoints_that_take_no_part_keep_theirs() -> None:
    before, goal = copy.deepcopy(BEFORE), copy.deepcopy(GOAL)
    before["variants"]["blue"]["weight"] = 70
    before["variants"]["red"] = goal["variants"]["red"] = {**BEFORE["variants"]["blue"], "weight": 30}
    goal["variants"]["green"]["weight"] = 70
    assert plan(before=before, goal=goal).weights(50) == {"blue": 35, "green": 35, "red": 30}


def test_on_the_way_stable_is_as_it_was_and_the_candidate_as_it_will_be() -> None:
    found = plan().values(10)
    assert found["variants"]["blue"] == {**BEFORE["variants"]["blue"], "weight": 90}
    assert found["variants"]["green"] == {**GOAL["variants"]["green"], "weight": 10}
    assert found["primary"] == "blue"
    assert (plan().before, plan().goal) == (BEFORE, GOAL)


def test_where_one_endpoint_was_alone_somebody_is_primary() -> None:
    before = {key: value for key, value in BEFORE.items() if key != "primary"}
    assert plan(before=before).values(0)["primary"] == "blue"


def test_a_new_image_reaches_the_candidate_alone() -> None:
    newer = {**BEFORE["image"], "tag": "2.0.0"}
    found = plan(goal={**GOAL, "image": newer}).values(10)
    assert found["image"] == BEFORE["image"]
    assert found["variants"]["green"]["image"] == newer
    assert "image" not in found["variants"]["blue"]
    assert "image" not in plan().values(10)["variants"]["green"]


@pytest.mark.parametrize(("pods", "fewest"), [(0, 2), (1, 2), (3, 3), (9, 5)])
def test_the_candidates_autoscaler_keeps_pods_for_its_share(pods: int, fewest: int) -> None:
    goal = copy.deepcopy(GOAL)
    goal["variants"]["green"]["autoscaling"] = {"enabled": True, "minReplicas": 2, "maxReplicas": 5}
    assert plan(goal=goal).values(10, pods)["variants"]["green"]["autoscaling"]["minReplicas"] == fewest
    goal["variants"]["green"]["autoscaling"]["enabled"] = False
    assert plan(goal=goal).values(10, pods)["variants"]["green"]["autoscaling"]["minReplicas"] == 2


def test_a_single_endpoint_has_all_of_the_traffic() -> None:
    assert weights_of({"variants": {"only": {}}}) == {"only": 100}


def test_an_arm_is_shown_with_what_it_serves() -> None:
    assert str(Arm.of("green", GOAL["variants"]["green"])) == "green (toy 1.1.0 onnx-int8)"
    assert plan().steps[0] == Step(10, 0.0, 5.0)


def test_values_of_this_rollout_are_known_whatever_the_number_of_pods() -> None:
    found = plan()
    assert all(found.makes(values) for values in (found.before, found.goal, found.values(0), found.values(10), found.values(100)))
    other = copy.deepcopy(found.values(10))
    other["variants"]["blue"]["replicas"] = 7
    assert not found.makes(other)
    assert not found.makes({"variants": {}})
    goal = copy.deepcopy(found.goal)
    goal["variants"]["green"]["autoscaling"] = {"enabled": True, "minReplicas": 1, "maxReplicas": 9}
    scaled = dataclasses.replace(found, goal=goal)
    assert scaled.makes(scaled.values(10, 5))
