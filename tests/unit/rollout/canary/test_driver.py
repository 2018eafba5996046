"""Whole rollouts, with Helm as a program and everything else over HTTP."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from marline.errors import MarlineError
from marline.rollout.analysis import Step
from marline.rollout.canary import lease
from marline.rollout.canary.lease import Lost
from marline.rollout.helm.upgrade import LABEL
from marline.rollout.kube import Unavailable
from unit.rollout import helm_program
from unit.rollout.api_server import refusal
from unit.rollout.canary.world import BEFORE, GOAL, RELEASE, World, always_whole, as_before, once, plan

STABLE_ALONE = {"blue": 100, "green": 0}


def kinds(held: Any) -> list[str]:
    return [event["kind"] for event in held.record["events"]]


def test_a_good_version_is_promoted(program: None, small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    held = small.drive()
    assert (held.state.outcome, held.state.reason) == ("promoted", "green (toy 1.1.0 onnx-int8) has passed 2 steps.")
    assert small.deployed()["config"] == GOAL
    assert small.as_released()
    always_whole(small)
    shares = [weights.get("green") for weights in small.weights]
    assert [share for share, before in zip(shares, [-1, *shares], strict=False) if share != before] == [None, 0, 10, 100]
    assert kinds(held) == ["prepare", "prepared", "weights", "go", "weights", "go", "promoted"]
    assert held.record["ended"] is not None
    assert [step["verdicts"][-1]["decision"] for step in held.record["steps"]] == ["go", "go"]
    assert [(w["stable"], w["candidate"]) for w in held.record["weights"]] == [(90, 10), (0, 100)]
    assert small.said[-1] == held.state.reason
    assert {r["labels"].get(LABEL) for r in small.revisions()} == {None, held.plan.id}
    found = small.api.all("leases")["toy-marline-rollout"]["spec"]
    assert found["holderIdentity"] == ""


def test_stable_is_not_made_smaller_before_the_last_step(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    pods: list[int] = []
    small.at = lambda look: pods.append(sum("blue" in name for name in small.api.all("pods")))
    small.drive()
    assert set(pods) == {2}
    assert small.api.all("deployments")[f"{RELEASE}-blue"]["spec"]["replicas"] == 0


def test_a_version_with_errors_is_rolled_back_by_the_judge(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 2, "window_s": 0.0, "min_answers": 1000}))
    small.failing["green"] = 0.5
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    assert (held.state.reason or "").startswith("errors is beyond its limit (0.5, allowed 0.005, stable 0): e-value ")
    as_before(small)
    assert max(weights.get("green", 0) for weights in small.weights) == 10
    assert kinds(held)[-3:] == ["abort", "back", "rolled-back"]
    assert held.record["exposed"]["candidate"] < held.record["exposed"]["all"]


def test_on_the_way_back_the_weights_come_before_everything(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    order: list[int] = []

    def crash() -> None:
        small.restarts["green"] = 2
        small.pods()
        order.append(len(small.api.calls))

    once(small, 2, crash)
    small.drive()
    after = [call for call in small.api.calls[order[0] :] if call.writes and call.resource != "leases"]
    # what belongs to the look before; then nothing else is written until the traffic has gone back
    first = next(n for n, call in enumerate(after) if call.resource not in ("configmaps",))
    assert after[first].resource == "httproutes"
    assert after[first].query["fieldManager"] == "helm"
    assert "secrets" in {call.resource for call in after[first:]}
    phases = [json.loads(call.body["data"]["state"])["phase"] for call in after[:first] if call.method == "PUT"]
    assert set(phases) <= {"watch"}


@pytest.mark.parametrize("restarts", [2, 5])
def test_a_version_whose_containers_end_is_rolled_back_by_the_guard(small: World, restarts: int) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))

    def crash() -> None:
        small.restarts["green"] = restarts
        small.pods()

    once(small, 2, crash)
    held = small.drive()
    assert held.state.reason == f"Containers of toy-green-0 have been started again {restarts} times in this step."
    as_before(small)


def test_a_version_whose_pods_are_gone_is_rolled_back_by_the_guard(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))

    def unready() -> None:
        small.ready["green"] = False
        small.pods()

    once(small, 2, unready)
    held = small.drive()
    assert held.state.reason == (
        "None of the candidate's 2 pods is ready: toy-green-0: container server is in CrashLoopBackOff."
    )
    as_before(small)


def test_a_version_that_is_never_ready_never_gets_traffic(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, ready_s=0.2))
    small.ready["green"] = False
    held = small.drive()
    assert held.state.reason == (
        "green (toy 1.1.0 onnx-int8) is not ready after 0.2 s: 0 of 2 pods are ready (toy-green-0: container server "
        "is in CrashLoopBackOff)."
    )
    assert {weights.get("green", 0) for weights in small.weights} == {0}
    as_before(small)


def test_a_version_that_answers_other_than_recorded_never_gets_traffic(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    small.wrong.add("green")
    held = small.drive()
    assert (held.state.reason or "").startswith(
        "green (toy 1.1.0 onnx-int8) does not answer as recorded: toy-green-0 answers 1 of 1 golden requests wrongly, the first: "
    )
    assert {weights.get("green", 0) for weights in small.weights} == {0}
    as_before(small)


def test_answers_that_differ_while_requests_are_replayed_lead_back(small: World) -> None:
    requests = tuple({"inputs": {"x": [float(n)]}} for n in range(5))
    rollout = plan(prometheus=small.prometheus, metrics=("errors", "agreement"), rate=500.0, requests=requests)
    small.begin(replace(rollout, limits={**rollout.limits, "min_compared": 10_000}))
    once(small, 2, lambda: small.wrong.add("green"))
    held = small.drive()
    assert (held.state.reason or "").startswith("agreement is beyond its limit (")
    assert " For instance " in (held.state.reason or "")
    as_before(small)


def test_without_recorded_requests_the_golden_ones_of_both_archives_are_replayed(small: World) -> None:
    small.begin(plan(metrics=("agreement",), rate=500.0))
    held = small.drive()
    assert held.state.outcome == "promoted", held.state.reason
    assert held.record["steps"][1]["verdicts"][-1]["evidence"][0]["answers"][0] >= 3


def test_without_evidence_a_step_holds_and_then_leads_back(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, steps=(Step(10, 0.0, 0.3), Step(100, 0.0, 0.3))))
    small.down = True
    held = small.drive()
    assert (held.state.reason or "").endswith("evidence is missing: errors: nothing to compare was seen in this step.")
    hold = [event for event in held.record["events"] if event["kind"] == "hold"]
    assert len(hold) == 1
    assert "answers 503" in hold[0]["text"]
    assert {weights.get("green", 0) for weights in small.weights} == {0, 10}
    as_before(small)


def test_a_person_ends_it(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    once(small, 2, lambda: small.session.order("abort"))
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    assert (held.state.reason or "").endswith(" ordered it.")
    assert held.order is None
    as_before(small)


def test_a_person_goes_on_by_one_step(small: World) -> None:
    steps = (Step(10, 0.0, 5.0), Step(50, 0.0, 5.0), Step(100, 0.0, 5.0))
    small.begin(plan(prometheus=small.prometheus, steps=steps, limits={"min_windows": 1000}))
    orders = {2: "step", 4: "step", 7: "abort"}
    seen: list[int] = []

    def look(number: int) -> None:
        seen.append(small.route()["green"])
        if number in orders:
            small.session.order(orders[number])

    small.at = look
    held = small.drive()
    assert (sorted(set(seen)), held.state.step) == ([10, 50, 100], 2)
    assert held.state.outcome == "rolled-back"
    as_before(small)


def test_a_person_goes_to_the_end(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    once(small, 2, lambda: small.session.order("promote"))
    held = small.drive()
    assert (held.state.outcome, held.state.reason) == ("promoted", "green (toy 1.1.0 onnx-int8) was promoted by a person.")
    assert small.as_released()


def test_even_then_it_has_to_be_ready(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, ready_s=0.2))
    small.ready["green"] = False
    small.session.order("promote")
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    assert {weights.get("green", 0) for weights in small.weights} == {0}


def test_somebody_elses_revision_ends_it_and_stays(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    theirs = copy.deepcopy(BEFORE)
    theirs["variants"]["blue"]["replicas"] = 5

    def upgraded() -> None:
        ask = helm_program.over_http(small.kube.client.configuration.host)
        chart = small.helm.parent / "chart"
        chart.mkdir()
        (chart / "Chart.yaml").touch()
        given = ["upgrade", RELEASE, str(chart), "--namespace", "models", "--reset-values", "--values", "-", "--labels", "a=b"]
        helm_program.upgrade(ask, given, theirs)

    once(small, 2, upgraded)
    held = small.drive()
    assert held.state.outcome == "stopped"
    number = small.deployed()["version"]
    assert held.state.reason == (
        f"Revision {number} of release toy was made by somebody else while the rollout ran; the rollout ends, and the "
        "release stays as that revision has it."
    )
    assert small.deployed()["config"] == theirs
    assert small.as_released()


def test_weights_that_somebody_wrote_by_hand_lead_back(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))

    def by_hand() -> None:
        (route,) = small.api.all("httproutes").values()
        for backend, weight in zip(route["spec"]["rules"][-1]["backendRefs"], (20, 80), strict=True):
            backend["weight"] = weight
        small.api.put("httproutes", route)

    once(small, 2, by_hand)
    held = small.drive()
    assert held.state.reason == "Somebody has changed the weights of the HTTPRoute to blue 20, green 80."
    as_before(small)


def test_what_helm_refuses_at_the_goal_is_said_and_the_traffic_stays(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    small.api.helm = lambda values: "refuse" if values == GOAL else "ok"
    held = small.drive()
    assert held.state.outcome == "promoted"
    assert held.state.reason == (
        "green (toy 1.1.0 onnx-int8) has passed 2 steps. What else the release file says is not in force: helm upgrade: UPGRADE "
        "FAILED: values don't meet the specifications of the schema; `helm upgrade` with its values says so too."
    )
    assert small.route() == {"blue": 0, "green": 100}


def test_what_helm_refuses_at_first_ends_it(program: None, small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    small.api.helm = lambda values: "refuse" if "green" in values["variants"] else "ok"
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    assert (held.state.reason or "").startswith("helm upgrade: UPGRADE FAILED: values don't meet")
    as_before(small)


@pytest.mark.parametrize("deaths", [1, 2])
def test_what_a_helm_of_ours_left_pending_is_cleared(program: None, small: World, deaths: int) -> None:
    orders = ["die"] * deaths
    small.begin(plan(prometheus=small.prometheus))
    small.api.helm = lambda values: orders.pop() if orders else "ok"
    held = small.drive()
    assert held.state.outcome == "promoted", held.state.reason
    (helm,) = [event["text"] for event in held.record["events"] if event["kind"] == "helm"]
    assert helm == "Revision 2 was left pending-upgrade by a Helm that was ended, and is taken away."
    assert small.as_released()


@pytest.mark.parametrize("order", ["die", "fail"])
def test_what_a_helm_of_ours_wrote_before_it_failed_goes_too(small: World, order: str) -> None:
    """The revision in force knows nothing of the candidate's objects, which are there already."""
    small.begin(plan(prometheus=small.prometheus))
    orders = [order] * 3
    small.api.helm = lambda values: orders.pop() if orders else "ok"
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    as_before(small)


def test_what_somebody_elses_helm_is_at_is_left_alone(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    theirs = helm_program.secret(RELEASE, 2, "pending-upgrade", BEFORE, {})
    small.api.put("secrets", theirs)
    with pytest.raises(MarlineError, match="revision 2 is pending-upgrade, and not by this rollout; let that Helm end, or `helm rollback`"):
        small.drive()
    assert small.session.held().state.phase == "back"
    assert small.route() == {"blue": 100}
    small.api.drop("secrets", theirs["metadata"]["name"])
    held = small.drive()
    assert held.state.outcome == "rolled-back"
    assert "revision 2 is pending-upgrade, and not by this rollout" in (held.state.reason or "")
    as_before(small)


def test_an_api_server_that_is_away_for_a_while_ends_the_driver_and_not_the_rollout(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))

    def away() -> None:
        small.api.trouble = lambda call: refusal(503, "starting")

    once(small, 2, away)
    with pytest.raises(Unavailable):
        small.drive()
    small.api.trouble = lambda call: None
    held = small.drive()
    assert held.state.outcome == "promoted"
    assert "resumed" in kinds(held)


def test_a_driver_that_lost_its_lease_writes_nothing_more(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    monkeypatch.setattr(lease, "RENEW_S", 0.0)
    taken: list[int] = []

    def take() -> None:
        found = small.api.all("leases")["toy-marline-rollout"]
        found["spec"]["holderIdentity"] = "pod-2"
        small.api.put("leases", found)
        taken.append(len(small.api.calls))

    once(small, 2, take)
    with pytest.raises(Lost, match="^leases/toy-marline-rollout: pod-2, since .* has taken over this rollout; see `marline rollout status`$"):
        small.drive()
    # a renewal that was on its way meets a conflict
    writes = [call.resource for call in small.api.calls[taken[0] :] if call.writes and call.resource != "leases"]
    assert writes == []
    assert small.api.all("leases")["toy-marline-rollout"]["spec"]["holderIdentity"] == "pod-2"


def test_a_rollout_that_somebody_deleted_leaves_the_release_as_it_is(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    once(small, 2, lambda: small.api.drop("configmaps", "toy-marline-rollout"))
    with pytest.raises(MarlineError, match=r"holds rollout 20261121-193300 no longer; the release stays as it is"):
        small.drive()
    assert small.route() == {"blue": 90, "green": 10}


def test_a_revision_with_the_labels_of_ours_is_somebody_elses_all_the_same(small: World) -> None:
    """Helm gives each revision the labels of the last one, whoever makes it."""
    small.begin(plan(prometheus=small.prometheus, limits={"min_windows": 1000}))
    theirs = copy.deepcopy(plan().values(10))
    theirs["variants"]["blue"]["replicas"] = 5
    once(small, 2, lambda: helm_program.install_again(small.kube.client.configuration.host, small.helm.parent, theirs))
    held = small.drive()
    assert small.revisions()[-1]["labels"][LABEL] == held.plan.id
    assert held.state.outcome == "stopped"
    assert small.deployed()["config"] == theirs


@pytest.mark.parametrize("refused", [503, 403])
def test_an_end_that_cannot_be_written_is_written_by_the_next_driver(small: World, refused: int) -> None:
    small.begin(plan(prometheus=small.prometheus))

    def trouble(call: Any) -> Any:
        ending = call.method == "PUT" and call.resource == "configmaps" and small.route().get("green") == 100
        return refusal(refused, "not now") if ending and small.deployed()["config"] == GOAL else None

    small.api.trouble = trouble
    with pytest.raises(MarlineError, match="not now"):
        small.drive()
    assert small.route() == {"blue": 0, "green": 100}
    small.api.trouble = lambda call: None
    held = small.drive()
    assert (held.state.outcome, held.record["outcome"]) == ("promoted", "promoted")
    assert small.as_released()
