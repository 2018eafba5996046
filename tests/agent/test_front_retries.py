"""A worker's death is asked again once, alone; nothing else is."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from aiohttp import web

from agent.envoy import PREDICT, Front, Response
from agent.upstream import Arrived, Upstream, answers, dies, fine
from agent.waiting import until

DIED = "x-marline-worker-died"


def together(front: Front, server: Upstream, cases: list[str], times: dict[str, int]) -> dict[str, Future[Response]]:
    """Ask one request per case; none is answered before all have arrived, as when they share a batch.

    A case dies as often as ``times`` says; second attempts wait for the server's release.
    """

    async def answer(arrived: Arrived) -> web.StreamResponse:
        if arrived.number == 1:
            while len(server.arrived) < len(cases):
                await _turn()
        else:
            await server.hold(arrived)
        return await dies(times[arrived.headers["x-case"]])(arrived)

    server.answer = answer
    pool = ThreadPoolExecutor(len(cases))
    asked = {case: pool.submit(front.ask, PREDICT, b"{}", "POST", x_case=case) for case in cases}
    pool.shutdown(wait=False)
    return asked


async def _turn() -> None:
    await asyncio.sleep(0.001)


def again(server: Upstream) -> list[str]:
    """Cases that have arrived a second time."""
    return [a.headers["x-case"] for a in server.arrived if a.number == 2]


def waiting(front: Front) -> int:
    """Retries that wait for the connection."""
    (stat,) = json.loads(front.admin("/stats?format=json&filter=^cluster.alone.upstream_rq_pending_active$"))["stats"]
    return int(stat["value"])


@pytest.mark.parametrize("status", [500, 507])
def test_a_death_is_asked_again_once_with_the_same_request(front: Front, server: Upstream, status: int) -> None:
    server.answer = dies(1, status)
    answer = front.ask(f"{PREDICT}?a=b", b"text", x_own="1")
    assert (answer.status, answer.document) == (200, {"answer": "fine"})
    first, second = server.arrived
    assert (first.path, first.body, first.headers) == (second.path, second.body, second.headers)
    assert (second.path, second.body, second.headers["x-own"]) == (f"{PREDICT}?a=b", b"text", "1")


@pytest.mark.parametrize("status", [500, 507])
def test_a_second_death_is_the_answer(front: Front, server: Upstream, status: int) -> None:
    server.answer = dies(9, status)
    answer = front.ask()
    assert (answer.status, answer.document["message"]) == (status, "Worker died.")
    assert len(server.arrived) == 2


@pytest.mark.parametrize("status", [500, 507])
def test_an_error_of_our_own_is_never_asked_again(front: Front, server: Upstream, status: int) -> None:
    server.answer = answers(status, {"x-marline-error": "bad-input"})
    answer = front.ask()
    assert (answer.status, answer.headers["x-marline-error"]) == (status, "bad-input")
    assert len(server.arrived) == 1


@pytest.mark.parametrize("status", [200, 400, 404, 408, 413, 429, 501, 502, 503, 504])
def test_no_other_answer_is_asked_again(front: Front, server: Upstream, status: int) -> None:
    server.answer = answers(status)
    assert front.ask().status == status
    assert len(server.arrived) == 1


def test_a_connection_that_breaks_is_not_asked_again(front: Front, server: Upstream) -> None:
    async def broken(arrived: Arrived) -> web.StreamResponse:
        raise ConnectionResetError

    async def closed(arrived: Arrived) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        response.force_close()
        return response

    server.answer = closed
    front.raw(f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
    assert len(server.arrived) == 1


def test_a_large_body_is_asked_again_whole(front: Front, server: Upstream) -> None:
    server.answer = dies(1)
    body = bytes(range(256)) * 11_718
    assert front.ask(PREDICT, body).status == 200
    assert [a.body == body for a in server.arrived] == [True, True]


def test_a_request_with_many_large_headers_is_asked_again(front: Front, server: Upstream) -> None:
    server.answer = dies(1)
    headers = {f"x_h{n}": "v" * 50 for n in range(96)}
    assert front.ask(**headers).status == 200
    assert len(server.arrived) == 2


def test_second_attempts_reach_the_server_one_at_a_time(front: Front, server: Upstream) -> None:
    cases = ["a", "b", "c", "d"]
    asked = together(front, server, cases, dict.fromkeys(cases, 1))
    until(lambda: len(again(server)) == 1 and waiting(front) == 3, "one is computed and three wait")
    assert len(again(server)) == 1
    server.release()
    assert [asked[case].result(30).status for case in cases] == [200] * 4
    assert Counter(again(server)) == Counter(cases)


def test_a_request_that_kills_twice_takes_no_other_along(front: Front, server: Upstream) -> None:
    asked = together(front, server, ["a", "poison", "c"], {"a": 1, "poison": 9, "c": 1})
    server.release()
    assert {case: one.result(30).status for case, one in asked.items()} == {"a": 200, "poison": 500, "c": 200}
    assert Counter(a.headers["x-case"] for a in server.arrived) == {"a": 2, "poison": 2, "c": 2}


def test_no_more_are_asked_again_than_all_workers_can_lose_twice(front: Front, server: Upstream) -> None:
    cases = list("abcdefg")  # one worker with batches of 2: 4 second attempts
    asked = together(front, server, cases, dict.fromkeys(cases, 1))
    until(lambda: sum(one.done() for one in asked.values()) == 3, "three were given their 500")
    server.release()
    assert Counter(one.result(30).status for one in asked.values()) == {200: 4, 500: 3}
    assert len(again(server)) == 4


def test_connections_of_earlier_retries_take_no_place(front: Front, server: Upstream) -> None:
    asked = together(front, server, ["a", "b", "c", "d"], dict.fromkeys("abcd", 1))
    until(lambda: waiting(front) == 3, "each has a connection of its own to the listener of retries")
    server.release()
    assert [one.result(30).status for one in asked.values()] == [200] * 4
    server.reset()
    server.answer = server.hold
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(front.ask) for _ in range(8)]
        until(lambda: server.active == 8, "as many as the server holds have reached it")
        server.release()
    assert [one.result().status for one in held] == [200] * 8


def test_the_mark_of_a_death_stays_inside(front: Front, server: Upstream) -> None:
    server.answer = dies(9)
    assert DIED not in front.ask(x_marline_worker_died="1").headers
    assert [DIED in a.headers for a in server.arrived] == [False, False]


@pytest.mark.parametrize("status", [200, 500])
def test_a_mark_from_the_server_itself_means_nothing(front: Front, server: Upstream, status: int) -> None:
    server.answer = answers(status, {DIED: "1", "x-marline-error": "own"})
    answer = front.ask()
    assert answer.status == status
    assert DIED not in answer.headers
    assert len(server.arrived) == 1


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.1.1, 10.0.0.1", ""])
def test_a_client_cannot_ask_for_more_attempts(front: Front, server: Upstream, address: str) -> None:
    orders = {"x_envoy_retry_on": "5xx,retriable-status-codes", "x_envoy_max_retries": "9", "x_envoy_retriable_status_codes": "500"}
    more = {"x_forwarded_for": address, "x_envoy_internal": "true"} if address else {}
    server.answer = dies(9)
    assert front.ask(**orders, **more).status == 500
    assert len(server.arrived) == 2
    server.answer = answers(500, {"x-marline-error": "own"})
    assert front.ask(**orders, **more).status == 500
    assert len(server.arrived) == 3


def test_afterwards_requests_go_the_straight_way_again(front: Front, server: Upstream) -> None:
    server.answer = dies(1)
    assert front.ask(x_case="a").status == 200
    server.answer = fine
    before = json.loads(front.admin("/stats?format=json&filter=^cluster.alone.upstream_rq_total$"))["stats"][0]["value"]
    assert [front.ask(x_case="b").status for _ in range(5)] == [200] * 5
    after = json.loads(front.admin("/stats?format=json&filter=^cluster.alone.upstream_rq_total$"))["stats"][0]["value"]
    assert after == before


def test_a_second_attempt_gives_the_server_time_to_notice_the_other_deaths(front: Front, server: Upstream) -> None:
    server.answer = dies(1)
    started = time.monotonic()
    assert front.ask().status == 200
    # a lower bound: no machine is too slow for it
    assert time.monotonic() - started >= 1.0
