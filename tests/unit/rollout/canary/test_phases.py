"""A driver that is killed at any call of the API server, and another one that goes on: they always get there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marline.rollout.analysis import Step
from marline.rollout.canary import driver
from marline.rollout.canary.plan import Plan
from marline.rollout.canary.session import Session
from marline.rollout.kube import Kube
from unit.rollout.api_server import NAMESPACE
from unit.rollout.canary.killed import Client, Killed, without_processes
from unit.rollout.canary.world import BEFORE, GOAL, NAME, RELEASE, World, plan

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
