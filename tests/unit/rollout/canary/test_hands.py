from __future__ import annotations

import copy

import pytest

from marline.errors import MarlineError
from marline.rollout.canary.ends import Foreign
from marline.rollout.canary.hands import ATTEMPTS, Hands
from marline.rollout.helm.upgrade import LABEL, HelmRefused
from unit.rollout.canary.world import BEFORE, GOAL, RELEASE, World, plan
from unit.rollout.helm_program import secret


@pytest.fixture
def hands(small: World) -> Hands:
    return Hands(small.kube, small.helm, small.begin(plan()), 0.0, lambda: None)


def test_values_come_into_force_once(hands: Hands, small: World) -> None:
    assert hands.values(GOAL) is None
    assert hands.values(GOAL) is None
    assert [r["version"] for r in small.revisions()] == [1, 2]
    assert small.deployed()["config"] == GOAL


def test_weights_are_read_and_written(hands: Hands, small: World) -> None:
    hands.values(plan().values(0))
    hands.write({"blue": 60, "green": 40})
    assert hands.weights() == small.route() == {"blue": 60, "green": 40}


def test_helm_is_asked_again_before_it_is_believed(hands: Hands, small: World) -> None:
    orders = ["refuse"] * (ATTEMPTS - 1)
    small.api.helm = lambda values: orders.pop() if orders else "ok"
    hands.values(GOAL)
    assert small.deployed()["config"] == GOAL
    asked: list[int] = []
    small.api.helm = lambda values: (asked.append(1), "refuse")[1]  # type: ignore[func-returns-value]
    with pytest.raises(HelmRefused):
        hands.values(BEFORE)
    assert len(asked) == ATTEMPTS


def test_what_was_cleared_is_said(hands: Hands, small: World) -> None:
    small.api.put("secrets", secret(RELEASE, 2, "pending-upgrade", GOAL, {LABEL: hands.plan.id}))
    assert hands.values(GOAL) == "Revision 2 was left pending-upgrade by a Helm that was ended, and is taken away."


def test_what_an_ended_helm_has_made_is_taken_away(hands: Hands, small: World) -> None:
    orders = ["die"]
    small.api.helm = lambda values: orders.pop() if orders else "ok"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marline.rollout.canary.hands.ATTEMPTS", 1)
        with pytest.raises(HelmRefused):
            hands.values(plan().values(0))
    assert "toy-green" in small.api.all("deployments")
    hands.values(BEFORE)
    assert small.as_released()


@pytest.mark.parametrize("number", [1, 2])
def test_a_revision_of_somebody_else_is_foreign(hands: Hands, small: World, number: int) -> None:
    theirs = copy.deepcopy(BEFORE)
    theirs["variants"]["blue"]["replicas"] = 9
    if number == 1:
        assert hands.revision().number == 1
        return
    old = small.api.all("secrets")["sh.helm.release.v1.toy.v1"]
    old["metadata"]["labels"]["status"] = "superseded"
    small.api.put("secrets", old)
    small.api.put("secrets", secret(RELEASE, 2, "deployed", theirs, {LABEL: "20260101-000000"}))
    for ask in (hands.revision, hands.weights, lambda: hands.values(GOAL), lambda: hands.write({})):
        with pytest.raises(Foreign, match="^Revision 2 of release toy was made by somebody else while the rollout ran"):
            ask()


def test_an_endpoint_is_reached_by_the_address_of_its_service(hands: Hands, small: World) -> None:
    assert hands.address("blue") == f"http://127.0.0.1:{small.port}"
    small.api.objects["services", "toy-blue"]["spec"]["clusterIP"] = "fd00::1"
    assert hands.address("blue") == f"http://[fd00::1]:{small.port}"


@pytest.mark.parametrize("address", ["", "None", None])
def test_a_service_without_an_address_is_named(hands: Hands, small: World, address: str | None) -> None:
    if address is None:
        small.api.objects.pop(("services", "toy-blue"))
    else:
        small.api.objects["services", "toy-blue"]["spec"]["clusterIP"] = address
    with pytest.raises(MarlineError, match="^services/toy-blue in namespace models: is gone, or has no address$"):
        hands.address("blue")
