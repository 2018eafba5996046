"""Draining: how long it lasts, what it waits for, and who may order it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from marline.agent import drain
from marline.agent.app import App
from marline.agent.drain import QUIET, order
from marline.agent.places import Places
from marline.errors import ServeError
from unit.agent.pod import Clock, Pod, seen, serving

DOWN, UP = "http.ingress.downstream_rq_active", "cluster.server.upstream_rq_active"


def drained(pod: Pod, front: bool = True, **settings: int) -> dict[str, float | int]:
    """Drain from beginning to end, with a front that answers."""
    watch = pod.watch(drain={"seconds": 5, "timeout_s": 40, **settings}, front={"enabled": front})

    async def scenario() -> dict[str, float | int]:
        async with pod.front():
            return await drain.drain(watch, pod.places)

    result = asyncio.run(scenario())
    assert watch.truth.draining
    return result


def test_an_idle_pod_waits_as_long_as_services_may_send(pod: Pod) -> None:
    pod.clock = Clock(step=0.1)
    result = drained(pod)
    assert result["left"] == 0
    assert 5 <= result["seconds"] < 6
    assert pod.sent_away == 1


def test_what_is_accepted_is_waited_for(pod: Pod) -> None:
    pod.stats = {DOWN: 2, UP: 2}
    watch = pod.watch(drain={"seconds": 0, "timeout_s": 40})

    async def scenario() -> dict[str, float | int]:
        async with pod.front():
            draining = asyncio.create_task(drain.drain(watch, pod.places))
            await seen(lambda: len(pod.patterns) > 2 * QUIET)
            assert watch.truth.draining and not draining.done()
            pod.stats = {DOWN: 1, UP: 0}  # answered by the server, not yet sent on to the client
            looks = len(pod.patterns)
            await seen(lambda: len(pod.patterns) > looks + 2 * QUIET)
            assert not draining.done()
            pod.stats = {DOWN: 0, UP: 0}
            return await draining

    assert asyncio.run(scenario())["left"] == 0
    assert set(pod.patterns) == {drain.ACTIVE}


def test_what_waits_in_the_servers_queue_is_waited_for(pod: Pod) -> None:
    watch = pod.watch(drain={"seconds": 0, "timeout_s": 40})
    watch.truth.described(pod.clock(), frozenset({11}), 3, 97)

    async def scenario() -> dict[str, float | int]:
        async with pod.front():
            draining = asyncio.create_task(drain.drain(watch, pod.places))
            await seen(lambda: len(pod.patterns) > 2 * QUIET)
            assert not draining.done()
            watch.truth.described(pod.clock(), frozenset({11}), 0, 100)
            return await draining

    assert asyncio.run(scenario())["left"] == 0


def test_one_idle_moment_between_two_requests_is_not_believed(pod: Pod) -> None:
    watch = pod.watch(drain={"seconds": 0, "timeout_s": 40})
    active = iter([1, 0, 0, 0, 0, 1, *[0] * QUIET])
    looks: list[int] = []

    async def next_one(*_: Any) -> int:
        looks.append(next(active))
        return looks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drain, "_active", next_one)
        asyncio.run(drain.drain(watch, pod.places))
    assert looks == [1, 0, 0, 0, 0, 1, *[0] * QUIET]


def test_it_ends_with_what_is_left_when_its_time_is_over(pod: Pod) -> None:
    pod.clock, pod.stats = Clock(step=0.1), {DOWN: 3, UP: 2}
    result = drained(pod, timeout_s=7)
    assert result["left"] == 3
    assert 7 <= result["seconds"] < 8


def test_without_a_front_the_servers_queue_counts(pod: Pod) -> None:
    pod.clock, pod.stats = Clock(step=0.1), {DOWN: 3}
    assert drained(pod, front=False)["left"] == 0
    assert (pod.sent_away, pod.patterns) == (0, [])


def test_a_front_that_is_gone_is_said_and_does_not_end_it(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.clock = Clock(step=0.1)
    watch = pod.watch(drain={"seconds": 5, "timeout_s": 40})
    with caplog.at_level(logging.WARNING, "marline.agent"):
        result = asyncio.run(drain.drain(watch, pod.places))
    assert result["left"] == 0 and result["seconds"] >= 5
    assert "the front did not take the order to drain" in caplog.text


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError()], ids=repr)
def test_a_front_that_does_not_tell_in_time_is_not_idle(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pod.clock = Clock(step=0.1)
    told: list[Any] = [{DOWN: 2}, *[error] * (4 * QUIET), *[{DOWN: 0}] * QUIET]

    async def stats(*_: Any) -> dict[str, int]:
        if isinstance(answer := told.pop(0), Exception):
            raise answer
        return answer

    monkeypatch.setattr(drain, "front_stats", stats)
    assert drained(pod, seconds=0)["left"] == 0
    assert told == []


def test_what_a_front_told_last_is_left_when_it_never_tells_again(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.clock = Clock(step=0.1)
    told = [{DOWN: 2}]

    async def stats(*_: Any) -> dict[str, int]:
        if told:
            return told.pop()
        raise TimeoutError

    monkeypatch.setattr(drain, "front_stats", stats)
    result = drained(pod, timeout_s=7)
    assert result["left"] == 2 and result["seconds"] >= 7


def test_an_order_is_carried_out_and_a_second_one_waits_for_the_first(pod: Pod) -> None:
    pod.clock = Clock(step=0.1)
    app = App(pod.watch(drain={"seconds": 5, "timeout_s": 40}), pod.places)

    async def scenario() -> list[dict[str, float | int]]:
        async with pod.front(), serving(app.orders(), pod.places.agent):
            orders = (asyncio.to_thread(order, pod.places, 20.0) for _ in range(2))
            return await asyncio.gather(*orders)

    first, second = asyncio.run(scenario())
    assert first == second
    assert first["left"] == 0
    assert pod.sent_away == 1


def test_no_agent_is_one_sentence(pod: Pod) -> None:
    with pytest.raises(ServeError) as caught:
        order(Places(pod.root), 1.0)
    assert str(caught.value) == (
        f"{pod.root}/agent.sock: no agent answers ([Errno 2] No such file or directory); "
        "`marline agent drain` works in the pod whose agent runs"
    )
