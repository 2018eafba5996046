"""Between the phases: whatever is killed, whatever ends between two steps, they always get there."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from marline.errors import MarlineError
from marline.rollout.analysis import Step
from marline.rollout.canary import driver, phases
from marline.rollout.canary.plan import Plan
from marline.rollout.canary.session import Session
from marline.rollout.kube import Kube
from unit.rollout.api_server import NAMESPACE
from unit.rollout.canary.killed import Client, Killed, without_processes
from unit.rollout.canary.world import BEFORE, GOAL, NAME, RELEASE, World, as_before, once, plan

AT_MOST = 400


def good(small: World) -> Plan:
    return plan(prometheus="http://prometheus")


def bad(small: World) -> Plan:
    small.failing["green"] = 1.0
    return plan(prometheus="http://prometheus")


def aborted(small: World) -> Plan:
    person = Session(Kube(Client(small.api), NAMESPACE), RELEASE, NAME)  # type: ignore[arg-type]
    small.at = lambda look: person.order("abort") if look == 2 else None
    return plan(prometheus="http://prometheus", limits={"min_windows": 1000}, steps=(Step(10, 0.0, 5.0), Step(100, 0.0, 5.0)))


def run(small: World, client: Client, die_at: int) -> bool:
    """Drive, with one death; whether the driver died."""
    client.count, client.die_at = 0, die_at
    try:
        small.drive()
    except Killed:
        client.die_at = 0
        small.drive()
        return True
    client.die_at = 0
    return False


def sweep(monkeypatch: pytest.MonkeyPatch, case: Callable[[World], Plan], check: Callable[[World], None]) -> int:
    """One rollout for every call that a driver can die before, and so after the one before it; how many."""
    for die_at in range(1, AT_MOST):
        with without_processes(monkeypatch) as (small, client):
            small.begin(case(small))
            died = run(small, client, die_at)
            assert {sum(weights.values()) for weights in small.weights} == {100}, die_at
            assert small.as_released(), die_at
            check(small)
        if not died:
            return die_at
    raise AssertionError(f"a rollout of more than {AT_MOST} calls")


def test_a_good_version_is_promoted_whenever_the_driver_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(small: World) -> None:
        assert small.session.held().state.outcome == "promoted", small.session.held().state.reason
        assert small.deployed()["config"] == GOAL

    assert sweep(monkeypatch, good, check) > 50


def rolled_back(small: World) -> None:
    assert small.session.held().state.outcome == "rolled-back", small.session.held().state.reason
    assert small.deployed()["config"] == BEFORE
    assert max(weights.get("green", 0) for weights in small.weights) <= 10


def test_a_bad_version_is_rolled_back_whenever_the_driver_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(monkeypatch, bad, rolled_back) > 30


def test_a_persons_order_is_carried_out_whenever_the_driver_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(small: World) -> None:
        rolled_back(small)
        # weights that went back just before a driver died look like anybody's to the next one
        reason = small.session.held().state.reason or ""
        assert reason.endswith(" ordered it.") or "(blue 100, green 0): a driver was killed on its way back" in reason
        assert "order" not in small.api.all("configmaps")["toy-marline-rollout"]["data"]

    monkeypatch.setattr(driver, "SAVE_S", 0.0)
    assert sweep(monkeypatch, aborted, check) > 30


def test_without_replay_all_traffic_moves_before_stable_ends(small: World) -> None:
    steps = (Step(10, 0.0, 5.0), Step(50, 0.0, 5.0))
    small.begin(plan(prometheus=small.prometheus, steps=steps))
    held = small.drive()
    assert held.state.outcome == "promoted"
    assert [(w["stable"], w["candidate"]) for w in held.record["weights"]] == [(90, 10), (50, 50), (0, 100)]
    # by a revision of its own: the one of the file has no pods for stable
    assert [r["config"]["variants"]["blue"]["replicas"] for r in small.revisions()][-2:] == [2, 0]
    assert small.as_released()


def test_pods_that_end_between_two_steps_lead_back_at_once(small: World) -> None:
    steps = (Step(10, 0.0, 5.0), Step(50, 0.0, 5.0), Step(100, 0.0, 5.0))
    small.begin(plan(prometheus=small.prometheus, steps=steps, ready_s=20.0))
    inner = small.api.written

    def written(resource: str) -> None:
        inner(resource)
        state = json.loads(small.api.all("configmaps")["toy-marline-rollout"]["data"]["state"])
        if (state["phase"], state["step"]) == ("shift", 1):
            small.ready["green"] = False
            small.pods()

    small.api.written = written
    held = small.drive()
    assert held.state.reason is not None and held.state.reason.startswith("None of the candidate's 2 pods is ready")
    as_before(small)


def test_promotion_gives_no_weight_on_the_way_to_the_pods_that_it_needs(small: World) -> None:
    before, goal = copy.deepcopy(BEFORE), copy.deepcopy(GOAL)
    before["variants"]["blue"]["replicas"] = 4
    del goal["variants"]["green"]["replicas"]
    goal["variants"]["green"]["autoscaling"] = {"enabled": True, "minReplicas": 1, "maxReplicas": 4}
    steps = (Step(10, 0.0, 5.0), Step(50, 0.0, 5.0), Step(100, 0.0, 5.0))
    found = plan(prometheus=small.prometheus, before=before, goal=goal, steps=steps, limits={"min_windows": 1000})
    small.begin(found)
    once(small, 2, lambda: small.session.order("promote"))
    held = small.drive()
    assert held.state.outcome == "promoted", held.state.reason
    assert {weights.get("green", 0) for weights in small.weights} == {0, 10, 100}


def test_a_pod_that_could_not_be_asked_is_asked_again(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan(prometheus=small.prometheus))
    real, asked = phases.wrong, iter([MarlineError("toy-green-0 is about to end")])

    def wrong(pods: Any) -> str | None:
        for error in asked:
            raise error
        return real(pods)

    monkeypatch.setattr(phases, "wrong", wrong)
    assert small.drive().state.outcome == "promoted"


def test_an_autoscaled_candidate_has_its_pods_before_the_traffic(small: World) -> None:
    before, goal = copy.deepcopy(BEFORE), copy.deepcopy(GOAL)
    before["variants"]["blue"]["replicas"] = 4
    del goal["variants"]["green"]["replicas"]
    goal["variants"]["green"]["autoscaling"] = {"enabled": True, "minReplicas": 1, "maxReplicas": 3}
    small.begin(plan(prometheus=small.prometheus, before=before, goal=goal))
    seen: list[tuple[int, int]] = []
    inner = small.api.written

    def written(resource: str) -> None:
        inner(resource)
        if resource == "httproutes":
            seen.append((small.route().get("green", 0), sum("green" in name for name in small.api.all("pods"))))

    small.api.written = written
    held = small.drive()
    assert held.state.outcome == "promoted", held.state.reason
    # four pods have all of the traffic, so each has a quarter of it; the candidate may have three
    assert all(pods >= min(3, -(-4 * share // 100)) for share, pods in seen if share and (share, pods) != seen[-1])
