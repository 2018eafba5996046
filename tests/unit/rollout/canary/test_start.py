"""From a release file and what is deployed to a plan, or to every reason why there is none."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marline.errors import MarlineError, SourceError, SpecError
from marline.rollout.canary import start
from marline.rollout.canary.plan import Plan
from marline.rollout.helm.releases import Revision, decoded
from marline.rollout.plan import Plan as ReleasePlan
from unit.rollout.conftest import RELEASE
from unit.rollout.helm_program import secret
from unit.spec.conftest import DELETE

GATEWAY = ("routes", {"parent_refs": [{"name": "public"}]})
PLAIN = (GATEWAY, ("variants.main.autoscaling", DELETE), ("variants.main.replicas", 2))
HERE = (*PLAIN, ("variants.canary.weight", 100), ("variants.main.weight", 0))


def revision(values: dict[str, Any]) -> Revision:
    return decoded(secret("scaler", 7, "deployed", values, {}))


@pytest.fixture
def deployed(planned: Callable[..., ReleasePlan]) -> Revision:
    """``main`` has 90, ``canary`` 10."""
    return revision(planned(*PLAIN).values)


@pytest.fixture
def made(planned: Callable[..., ReleasePlan], deployed: Revision) -> Callable[..., Plan]:
    def of(*changes: tuple[str, Any]) -> Plan:
        return start.make(planned(*PLAIN, *changes), deployed, 1_790_000_000.0)

    return of


@pytest.fixture
def refused(made: Callable[..., Plan]) -> Callable[..., list[str]]:
    def of(*changes: tuple[str, Any]) -> list[str]:
        with pytest.raises(SpecError) as caught:
            made(*changes)
        assert all(problem.startswith("config/releases/staging.yaml: ") for problem in caught.value.problems)
        return [problem.partition(": ")[2] for problem in caught.value.problems]

    return of


ON = (("variants.main.weight", 0), ("variants.canary.weight", 100))


def test_traffic_moves_from_who_loses_to_who_gains(made: Callable[..., Plan], deployed: Revision) -> None:
    found = made(*ON)
    assert (found.stable.endpoint, found.candidate.endpoint) == ("main", "canary")
    assert found.weights(0) == {"main": 90, "canary": 10}
    assert found.weights(100) == {"main": 0, "canary": 100}
    assert (found.id, found.base, found.release, found.namespace) == ("20260921-141320", 7, "scaler", "models")
    assert found.before == deployed.values
    assert [step.weight for step in found.steps] == [10, 50, 100]
    assert found.metrics == ("agreement",)
    assert found.rate == 10
    assert "@" in found.by


def test_the_other_way_round_it_is_the_other(made: Callable[..., Plan]) -> None:
    found = made(("variants.main.weight", 100), ("variants.canary.weight", 0), ("variants.canary.replicas", 0))
    assert (found.stable.endpoint, found.candidate.endpoint) == ("canary", "main")


def test_a_new_endpoint_comes_in_place_of_an_old_one(planned: Callable[..., ReleasePlan]) -> None:
    alone = (("variants.canary", DELETE), ("variants.main.weight", 100))
    before = revision(planned(*PLAIN, *alone).values)
    goal = planned(*PLAIN, ("variants.canary.weight", 100), ("variants.main", DELETE), ("primary", "canary"))
    found = start.make(goal, before)
    assert (found.stable.endpoint, found.candidate.endpoint) == ("main", "canary")
    assert found.values(10)["variants"]["main"]["weight"] == 90


def test_what_the_file_says_of_the_rollout_is_the_plans(made: Callable[..., Plan]) -> None:
    own = {
        "steps": [0, 100], "pause_s": 5, "deadline_s": 9, "ready_s": 7, "interval_s": 1.0, "alpha": 0.01,
        "prometheus": "http://p:9090", "limits": {"min_answers": 10.0}, "replay": {"rate": 3.0},
    }  # fmt: skip
    found = made(*ON, ("rollout", own))
    assert [(s.weight, s.pause_s, s.deadline_s) for s in found.steps] == [(0, 5, 9), (100, 5, 9)]
    assert (found.ready_s, found.interval_s, found.alpha, found.prometheus, found.rate) == (7, 1.0, 0.01, "http://p:9090", 3.0)
    assert found.metrics == ("errors", "slow", "agreement")
    assert found.judged.min_answers == 10


def test_recorded_requests_come_along(made: Callable[..., Plan]) -> None:
    lines = [json.dumps({"request": {"inputs": {"x": [n]}}}) for n in range(3)]
    Path("config/releases/asked.jsonl").write_text("\n".join(lines))
    assert made(*ON, ("rollout", {"replay": {"requests": "asked.jsonl"}})).requests == tuple(
        {"inputs": {"x": [n]}} for n in range(3)
    )
    with pytest.raises(SourceError, match=r"config/releases/none.jsonl: cannot be read"):
        made(*ON, ("rollout", {"replay": {"requests": "none.jsonl"}}))
    Path("config/releases/asked.jsonl").write_text(json.dumps({"request": "x" * 500_000}))
    with pytest.raises(MarlineError, match="and a rollout carries at most 400000 with it; take fewer$"):
        made(*ON, ("rollout", {"replay": {"requests": "asked.jsonl"}}))


def test_where_nothing_differs_there_is_nothing_to_do(refused: Callable[..., list[str]]) -> None:
    assert refused() == [
        "the deployed weights are those of the file already (main 90, canary 10); there is nothing to roll out"
    ]


def test_a_version_that_gains_nothing_needs_an_endpoint_of_its_own(refused: Callable[..., list[str]]) -> None:
    (found,) = refused(("variants.canary.replicas", 3))
    assert found.startswith("no weight differs from the deployed main 90, canary 10, so there is no traffic to move; give")


def test_traffic_moves_from_one_to_one(planned: Callable[..., ReleasePlan]) -> None:
    third = ("variants.third", {**RELEASE["variants"]["canary"], "weight": 30})
    before = revision(planned(*PLAIN, ("variants.main.weight", 60), third).values)
    goal = planned(*PLAIN, ("variants.main.weight", 100), ("variants.canary.weight", 0), changed_weight(third, 0))
    with pytest.raises(SpecError, match="1 endpoints gain weight and 2 lose it against the deployed main 60, canary 10, third 30"):
        start.make(goal, before)


def changed_weight(third: tuple[str, dict[str, Any]], weight: int) -> tuple[str, Any]:
    return third[0], {**third[1], "weight": weight}


def test_what_reaches_all_pods_goes_by_itself(refused: Callable[..., list[str]]) -> None:
    (found,) = refused(*ON, ("drain", {"seconds": 33}))
    assert found.startswith("the deployed release differs in `drain`, which also its present pods have; bring that into force")


def test_who_has_traffic_already_does_not_change(refused: Callable[..., list[str]]) -> None:
    (found,) = refused(*ON, ("variants.canary.server", {"workers": 3}), ("variants.canary.resources", {"server": {"cpu": 3}}))
    assert found.startswith("canary has traffic already and would change; give the new version an endpoint of its own")


def test_after_the_rollout_stable_may_be_smaller(made: Callable[..., Plan]) -> None:
    assert made(*ON, ("variants.main.replicas", 0)).goal["variants"]["main"]["replicas"] == 0


def test_others_do_not_change_beside_it(refused: Callable[..., list[str]]) -> None:
    (found,) = refused(*ON, ("variants.main.server", {"workers": 1}))
    assert found.startswith("main differs from what is deployed, and is not the one that gains traffic; change it by itself")


def test_traffic_moves_between_versions_of_one_model(deployed: Revision, planned: Callable[..., ReleasePlan]) -> None:
    values = copy.deepcopy(deployed.values)
    values["variants"]["main"]["model"] = "other"
    with pytest.raises(SpecError) as caught:
        start.make(planned(*PLAIN, *ON), revision(values))
    assert "main serves other and canary scaler; a rollout moves traffic between versions of one model" in str(caught.value)


def test_limits_that_no_judge_takes_name_their_key(refused: Callable[..., list[str]]) -> None:
    assert refused(*ON, ("rollout", {"limits": {"slow_share": 0.01}})) == [
        "rollout.limits.slow_share: 0.01 is not at least 0.05 and at most 1; write a value in that range"
    ]


def test_an_account_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(start.getpass, "getuser", none)
    assert start.who().startswith("unknown@")
