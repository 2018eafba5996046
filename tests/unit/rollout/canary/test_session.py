"""Start, drive, order: what a command does with a release's rollouts."""

from __future__ import annotations

import threading

import pytest

from marline.errors import MarlineError
from marline.rollout.canary import job
from marline.rollout.canary import record as records
from marline.rollout.canary import session as sessions
from marline.rollout.canary.lease import Lease
from marline.rollout.canary.session import Session
from marline.rollout.canary.state import State
from marline.rollout.canary.store import Gone
from marline.rollout.kube import Kube, Unavailable
from marline.spec.release_image import Image
from unit.rollout.api_server import refusal
from unit.rollout.canary.world import BEFORE, NAME, RELEASE, World, plan
from unit.rollout.helm_program import install, over_http


@pytest.fixture
def connected(small: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(Kube, "connect", lambda namespace: small.kube)
    return small


def test_a_release_is_found_by_its_route(connected: World) -> None:
    connected.begin(plan())
    found = Session.open("models", RELEASE)
    assert found.name == NAME
    assert found.held().plan.id == plan().id


def test_a_release_that_is_not_installed_is_said(connected: World) -> None:
    with pytest.raises(MarlineError, match="no release toy is deployed there; install it first"):
        Session.open("models", RELEASE)


@pytest.mark.parametrize("release", ["a" * 32, "a" * 33, "a" * 53])
def test_names_leave_place_for_the_jobs(connected: World, release: str) -> None:
    """A Job's name is a label of its pods, of at most 63 characters."""
    connected.api.written = lambda resource: None
    install(over_http(connected.kube.client.configuration.host), release, BEFORE)
    name = Session.open("models", release).name
    assert len(f"{name}-{plan().id}") <= 63
    other = release[:-1] + "b"
    install(over_http(connected.kube.client.configuration.host), other, BEFORE)
    assert Session.open("models", other).name != name


def test_before_the_first_rollout_there_is_none_to_be_held(small: World) -> None:
    with pytest.raises(
        MarlineError,
        match="^release toy in namespace models: had no rollout yet; begin one with `marline rollout start`$",
    ):
        small.session.held()


def test_a_second_start_is_refused_with_who_holds_the_first_and_since_when(small: World) -> None:
    rollout = small.begin(plan(created=1_790_000_000.0))
    Lease(small.kube, NAME, "pod-7").acquire()
    before = small.api.all("configmaps")
    with pytest.raises(MarlineError) as caught:
        small.session.begin(plan(id="20261121-200000"))
    since = small.api.all("leases")[NAME]["spec"]["acquireTime"]
    assert str(caught.value) == (
        f"release toy: rollout {rollout.id} is not over (the candidate's pods start, without traffic), started by ada@laptop "
        f"at 2026-09-21 14:13:20 UTC and held by pod-7, since {since}; wait for its end, or end it with `marline rollout abort`"
    )
    assert small.api.all("configmaps") == before


def test_a_second_start_while_no_driver_is_alive_is_refused_too(small: World) -> None:
    small.begin(plan())
    with pytest.raises(MarlineError, match="held by no driver at the moment"):
        small.session.begin(plan(id="20261121-200000"))


def test_a_second_driver_is_refused_while_the_first_is_alive(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan())
    monkeypatch.delenv("MARLINE_HOLDER")
    Lease(small.kube, NAME, "pod-7").acquire()
    monkeypatch.setattr(Lease, "wait", lambda self, seconds: self.acquire())
    with pytest.raises(
        MarlineError,
        match=rf"^leases/{NAME}: pod-7, since .* drives this rollout; see `marline rollout status`, or wait 15 s",
    ):
        small.drive()
    assert small.session.held().state.phase == "prepare"
    assert small.session.watcher().holder() is not None


def test_two_drivers_at_once_are_one_rollout(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan(prometheus=small.prometheus))
    monkeypatch.delenv("MARLINE_HOLDER")
    monkeypatch.setattr(Lease, "wait", lambda self, seconds: self.acquire())
    refused: list[str] = []

    def second() -> None:
        names = iter(["second@laptop"])
        monkeypatch.setattr(sessions, "who", lambda: next(names, "second@laptop"))
        try:
            small.drive()
        except MarlineError as error:
            refused.append(str(error))

    def look(number: int) -> None:
        if number == 2:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    small.at = look
    held = small.drive()
    assert held.state.outcome == "promoted"
    assert len(refused) == 1
    assert "drives this rollout" in refused[0]


def test_a_pod_waits_for_the_lease_of_the_one_before_it(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan(prometheus=small.prometheus))
    waited: list[float] = []
    monkeypatch.setattr(Lease, "wait", lambda self, seconds: waited.append(seconds))
    small.drive()
    monkeypatch.delenv("MARLINE_HOLDER")
    small.drive()
    assert waited == [30, 16]


def test_whoever_drives_one_that_is_over_only_looks(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    small.drive()
    before = len(small.revisions())
    assert small.drive().state.outcome == "promoted"
    assert len(small.revisions()) == before


def test_orders_are_for_a_rollout_that_runs(small: World) -> None:
    small.begin(plan(prometheus=small.prometheus))
    assert small.session.order("step").plan.id == plan().id
    found = small.session.held().order
    assert found is not None
    assert (found["verb"], found["rollout"]) == ("step", plan().id)
    small.drive()
    with pytest.raises(
        MarlineError,
        match=r"^release toy: rollout 20261121-193300 is over \(promoted at .*\), so there is nothing to abort; see",
    ):
        small.session.order("abort")


def test_in_the_cluster_the_lease_is_there_before_the_account_needs_it(small: World) -> None:
    rollout = small.begin(plan())
    image = Image.model_validate({"repository": "registry.example.com/rollout", "tag": "1"})
    assert small.session.in_cluster(rollout, [], image) == f"{NAME}-{rollout.id}"
    lease = small.api.all("leases")[NAME]
    assert lease["spec"]["holderIdentity"] == ""
    assert lease["metadata"]["labels"] == job.labels(RELEASE)
    assert set(small.api.all("jobs")) == {f"{NAME}-{rollout.id}"}
    assert small.session.watcher().holder() is None


def test_a_job_that_cannot_be_created_stands_in_nobody_s_way(small: World) -> None:
    rollout = small.begin(plan())
    small.api.trouble = lambda call: refusal(403, "no roles for you") if call.resource == "roles" else None
    image = Image.model_validate({"repository": "registry.example.com/rollout", "tag": "1"})
    with pytest.raises(MarlineError, match="no roles for you"):
        small.session.in_cluster(rollout, [], image)
    small.api.trouble = lambda call: None
    state = small.session.held().state
    assert (state.phase, state.outcome) == ("done", "stopped")
    assert state.reason is not None and state.reason.startswith("Its Job could not be created: ")
    assert small.session.store.begin(plan(), State(entered=1.0), records.begin(plan())) is None


def test_an_order_for_another_rollout_than_the_last_is_refused(small: World) -> None:
    small.begin(plan())
    with pytest.raises(
        MarlineError,
        match=r"^release toy: rollout 20261121-193300 has taken the place of rollout 20261120-000000, which was meant; "
        "look at that one before you promote it$",
    ):
        small.session.order("promote", "20261120-000000")
    assert small.session.held().order is None
    small.session.order("promote", plan().id)
    assert small.session.held().order is not None


def test_an_order_that_needs_a_driver_is_not_written_where_none_is_alive(small: World) -> None:
    small.begin(plan())
    with pytest.raises(MarlineError) as caught:
        small.session.order("promote", driven=True)
    assert str(caught.value) == (
        "release toy: no driver of rollout 20261121-193300 is alive to promote it; `kubectl --namespace models describe "
        f"job/{NAME}-20261121-193300` says why its Job starts none, and `marline rollout abort` ends it without one"
    )
    assert small.session.held().order is None
    Lease(small.kube, NAME, "pod-7").acquire()
    assert small.session.order("promote", driven=True).plan.id == plan().id


def test_a_job_drives_its_own_rollout_alone(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small.begin(plan())
    waited: list[float] = []
    monkeypatch.setattr(Lease, "wait", lambda self, seconds: waited.append(seconds))
    with pytest.raises(
        Gone,
        match=f"^configmaps/{NAME}: holds rollout 20261121-193300, so there is nothing left to drive of rollout 20261120-000000$",
    ):
        small.session.drive(small.helm, small.said.append, "20261120-000000")
    small.api.drop("configmaps", NAME)
    with pytest.raises(
        Gone, match=f"^configmaps/{NAME}: is gone, so there is nothing left to drive of rollout 20261121-193300$"
    ):
        small.session.drive(small.helm, small.said.append, plan().id)
    assert waited == [], "whoever drives another one has the Lease"


def test_a_rollout_that_gives_way_while_the_lease_is_waited_for_is_not_driven(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.begin(plan())
    monkeypatch.setattr(Lease, "wait", lambda self, seconds: small.api.drop("configmaps", NAME))
    with pytest.raises(Gone, match="is gone"):
        small.session.drive(small.helm, small.said.append, plan().id)


def test_a_job_of_a_release_that_is_not_there_has_nothing_to_do(connected: World) -> None:
    connected.begin(plan(ready_s=0.0))
    assert Session.of_job("models", RELEASE).name == NAME
    connected.api.trouble = lambda call: refusal(503, "no answer")
    with pytest.raises(Unavailable):
        Session.of_job("models", RELEASE)
    connected.api.trouble = lambda call: refusal(403, "no secrets for you")
    with pytest.raises(MarlineError, match="no secrets for you") as caught:
        Session.of_job("models", RELEASE)
    assert not isinstance(caught.value, Gone)
    connected.api.trouble = lambda call: None
    connected.ready["green"] = False
    connected.drive()
    # Helm may keep the history of what it has taken away
    *older, last = sorted(connected.api.all("secrets"))
    assert {connected.api.all("secrets")[name]["metadata"]["labels"]["status"] for name in older} == {"superseded"}
    revision = connected.api.all("secrets")[last]
    revision["metadata"]["labels"]["status"] = "uninstalled"
    connected.api.put("secrets", revision)
    with pytest.raises(Gone):
        Session.of_job("models", RELEASE)
    for name in (*older, last):
        connected.api.drop("secrets", name)
    with pytest.raises(
        Gone,
        match="^release toy in namespace models: is deployed no longer, or without `routes`, so there is nothing left to drive$",
    ):
        Session.of_job("models", RELEASE)
