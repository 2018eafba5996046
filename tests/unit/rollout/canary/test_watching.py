"""One step, judged look by look."""

from __future__ import annotations

import pytest

from marline.errors import MarlineError
from marline.rollout.canary.driver import Driver, Tools
from marline.rollout.canary.ends import Abort
from marline.rollout.canary.lease import Lease
from marline.rollout.canary.phases import prepare, shift
from marline.rollout.canary.watching import replaying, watch
from unit.rollout.canary.world import LIMITS, NAME, World, plan


def driver(small: World, **changes: object) -> Driver:
    """One that has given the candidate its first weight."""
    small.begin(plan(**{"prometheus": small.prometheus, **changes}))
    lease = Lease(small.kube, NAME, "me")
    assert lease.acquire() is None
    found = Driver(Tools(small.kube, small.helm, small.session.store, lease, 0.0, small.said.append), small.session.held())
    prepare(found)
    shift(found)
    return found


def test_a_step_that_is_good_leads_to_the_next(small: World) -> None:
    found = driver(small)
    watch(found)
    assert (found.state.phase, found.state.step) == ("shift", 1)
    assert found.record["steps"][0]["ended"] is not None
    assert small.session.held().state.phase == "shift"


def test_users_answers_are_counted_by_arm(small: World) -> None:
    found = driver(small)
    watch(found)
    exposed = found.record["exposed"]
    assert 0 < exposed["candidate"] < exposed["all"]


def test_the_judge_goes_on_where_it_was(small: World) -> None:
    found = driver(small, limits={**LIMITS, "min_windows": 1000})
    seen: list[int] = []

    def wait(seconds: float) -> None:
        found.save()
        if len(seen) == 3:
            raise KeyboardInterrupt

    small.at = seen.append
    found.wait = wait  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        watch(found)
    # the first look only sets what the next ones count from
    assert found.state.judge is not None
    windows = found.state.judge["trials"][0]["windows"]
    assert windows == 2
    again = Driver(found.tools, small.session.held())
    again.wait = wait  # type: ignore[method-assign]
    del seen[1:]
    with pytest.raises(KeyboardInterrupt):
        watch(again)
    # what happened meanwhile was counted as well: the counters went on
    assert again.state.judge is not None
    assert again.state.judge["trials"][0]["windows"] == windows + 2


def test_a_state_without_its_judge_is_said(small: World) -> None:
    found = driver(small)
    found.state.judge = None
    with pytest.raises(MarlineError, match="^the rollout's state has no judge; start it again$"):
        watch(found)


def test_without_requests_there_is_nothing_to_replay(small: World) -> None:
    found = driver(small, rate=0.0)
    with replaying(found) as topup:
        assert topup is None


def test_the_threads_that_replay_end_with_the_step(small: World) -> None:
    found = driver(small, rate=100.0, metrics=("errors", "agreement"), limits={**LIMITS, "min_compared": 10_000})
    small.failing["green"] = 1.0
    with replaying(found) as topup:
        assert topup is not None
        assert [item.request for item in topup.items] == [{"inputs": {"x": [1.0, 2.0]}}]
    assert not any(thread.is_alive() for thread in topup._threads)
    with pytest.raises(Abort):
        watch(found)
