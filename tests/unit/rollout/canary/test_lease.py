from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from marline.rollout.canary import lease as leases
from marline.rollout.canary.lease import DURATION_S, RENEW_S, SKEW_S, Lease, Lost
from marline.rollout.kube import Kube, Unavailable
from unit.rollout.api_server import Api, kube, refusal, served


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    monkeypatch.setattr(leases, "PAUSE_S", 0.001)
    with served(api) as url:
        yield kube(url)


@pytest.fixture
def mine(cluster: Kube, clock: Clock) -> Lease:
    return Lease(cluster, "toy", "mine", clock)


@pytest.fixture
def yours(cluster: Kube, clock: Clock) -> Lease:
    return Lease(cluster, "toy", "yours", clock)


def test_one_has_it_and_the_other_is_told_who_and_since_when(mine: Lease, yours: Lease) -> None:
    assert mine.holder() is None
    assert mine.acquire() is None
    assert yours.acquire() == "mine, since 2026-09-21T14:13:20.000000Z"
    assert yours.holder() == "mine, since 2026-09-21T14:13:20.000000Z"
    assert mine.holder() is None


def test_whoever_comes_again_has_it_still(mine: Lease, yours: Lease, clock: Clock, api: Api) -> None:
    assert mine.acquire() is None
    clock.now += 3
    assert mine.acquire() is None
    found = api.all("leases")["toy"]["spec"]
    assert (found["acquireTime"], found["renewTime"]) == ("2026-09-21T14:13:20.000000Z", "2026-09-21T14:13:23.000000Z")
    assert found["leaseTransitions"] == 1


def test_it_is_taken_over_only_after_it_has_expired(mine: Lease, yours: Lease, clock: Clock, api: Api) -> None:
    mine.acquire()
    clock.now += DURATION_S + SKEW_S
    assert yours.acquire() is not None
    clock.now += 0.01
    assert yours.holder() is None
    assert yours.acquire() is None
    assert api.all("leases")["toy"]["spec"]["leaseTransitions"] == 2
    with pytest.raises(Lost, match="^leases/toy: yours, since .* has taken over this rollout; see `marline rollout status`$"):
        mine.renew()


def test_clocks_may_differ_but_a_holder_that_stands_still_is_gone(
    mine: Lease, cluster: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.acquire()
    # an hour behind: by this clock the lease is of the future
    behind = Lease(cluster, "toy", "yours", lambda: 1_790_000_000.0 - 3600)
    seconds = [100.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: seconds[0])
    assert behind.acquire() is not None
    seconds[0] += DURATION_S
    assert behind.acquire() is not None
    seconds[0] += 0.1
    assert behind.acquire() is None


def test_it_is_kept_while_its_driver_waits_for_something(
    mine: Lease, yours: Lease, clock: Clock, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    mine.acquire()
    with mine.kept():
        clock.now += DURATION_S + SKEW_S + 1
        end = time.monotonic() + 10
        while yours.holder() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert yours.holder() is not None
        # somebody takes it all the same: whoever breathes next hears of it
        found = api.all("leases")["toy"]
        found["spec"]["holderIdentity"] = "yours"
        api.put("leases", found)
        with pytest.raises(Lost):
            while time.monotonic() < end:
                clock.now += 1
                mine.renew()


def test_it_is_renewed_as_often_as_is_needed(mine: Lease, clock: Clock, api: Api) -> None:
    mine.acquire()
    before = len(api.calls)
    clock.now += RENEW_S - 0.1
    mine.renew()
    assert len(api.calls) == before
    clock.now += 0.1
    mine.renew()
    assert len(api.calls) == before + 2
    assert RENEW_S < DURATION_S / 3


def test_while_nobody_else_can_have_it_it_is_ours_without_the_api_server(mine: Lease, clock: Clock, api: Api) -> None:
    mine.acquire()
    api.trouble = lambda call: refusal(503, "starting")
    clock.now += DURATION_S - 0.1
    mine.renew()
    clock.now += 0.1
    with pytest.raises(Unavailable):
        mine.renew()


def test_of_two_that_take_it_at_once_one_has_it(mine: Lease, api: Api) -> None:
    seen: list[str] = []

    def between(call: object) -> None:
        if not seen and getattr(call, "method", "") == "POST":
            seen.append("once")
            other = {"holderIdentity": "yours", "renewTime": leases._time(mine.clock()), "acquireTime": "then"}
            api.put("leases", {"metadata": {"name": "toy"}, "spec": other})

    api.trouble = between
    assert mine.acquire() == "yours, since then"
    assert api.all("leases")["toy"]["spec"]["holderIdentity"] == "yours"


def test_one_that_was_given_back_is_free(mine: Lease, yours: Lease, api: Api) -> None:
    mine.acquire()
    yours.release()
    assert yours.holder() is not None
    mine.release()
    assert yours.acquire() is None
    mine.release()
    assert api.all("leases")["toy"]["spec"]["holderIdentity"] == "yours"


def test_giving_it_back_while_somebody_takes_it_is_no_error(mine: Lease, api: Api) -> None:
    mine.acquire()
    api.trouble = lambda call: refusal(409, "modified") if call.method == "PUT" else None
    mine.release()


def test_whoever_waits_gets_it_when_it_is_free(mine: Lease, yours: Lease, api: Api) -> None:
    mine.acquire()
    asked: list[int] = []

    def between(call: object) -> None:
        asked.append(1)
        if len(asked) == 5:
            del api.objects["leases", "toy"]

    api.trouble = between
    assert yours.wait(60.0) is None
    mine.acquire()
    assert (mine.wait(0.0) or "").startswith("yours, since ")


def test_a_lease_that_was_made_for_a_job_is_free(mine: Lease, api: Api) -> None:
    api.put("leases", {"metadata": {"name": "toy"}, "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    assert mine.holder() is None
    assert mine.acquire() is None
