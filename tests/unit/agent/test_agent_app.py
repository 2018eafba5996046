"""What the kubelet and Prometheus are told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from handlerkit import manifest as manifests
from marline.agent.app import App
from marline.agent.truth import ABANDONED_S, WEDGED_S
from marline.agent.watch import Watch
from unit.agent.pod import WHO, Pod


@asynccontextmanager
async def client(pod: Pod, watch: Watch, port: int) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(App(watch, pod.places, port).public())) as made:
        yield made


def ask(pod: Pod, watch: Watch, *paths: str, listens: bool = True) -> list[tuple[int, Any]]:
    async def scenario(port: int) -> list[tuple[int, Any]]:
        out = []
        async with client(pod, watch, port) as made:
            for path in paths:
                answer = await made.get(path)
                assert answer.headers["cache-control"] == "no-store"
                out.append((answer.status, await answer.json()))
        return out

    with socket.socket() as front:
        front.bind(("127.0.0.1", 0))
        if listens:
            front.listen()
        return asyncio.run(scenario(front.getsockname()[1]))


@pytest.fixture
def watch(pod: Pod) -> Watch:
    """Of a server that is ready."""
    made = pod.watch()
    made.truth.described(pod.clock(), frozenset({11}), 0, 100)
    made.truth.golden(pod.clock(), frozenset({11}), "")
    return made


def test_a_ready_pod_is_200_and_has_no_reason(pod: Pod, watch: Watch) -> None:
    assert ask(pod, watch, "/ready", "/ready/server") == [(200, {"ready": True, "reason": ""})] * 2


def test_a_front_that_does_not_listen_yet_keeps_the_pod_out_and_its_server_is_ready(pod: Pod, watch: Watch) -> None:
    assert ask(pod, watch, "/ready", "/ready/server", listens=False) == [
        (503, {"ready": False, "reason": "the front does not listen yet"}),
        (200, {"ready": True, "reason": ""}),
    ]


def test_without_a_front_nobody_knocks(pod: Pod, watch: Watch) -> None:
    alone = pod.watch(front={"enabled": False})
    alone.truth = watch.truth
    assert ask(pod, alone, "/ready", listens=False) == [(200, {"ready": True, "reason": ""})]


def test_an_unready_one_is_503_and_says_why_and_may_still_live(pod: Pod) -> None:
    reason = f"{WHO} has no worker ready: the server has not started yet"
    assert ask(pod, pod.watch(), "/ready", "/ready/server", "/live", "/live/server") == [
        (503, {"ready": False, "reason": reason}),
        (503, {"ready": False, "reason": reason}),
        (200, {"live": True, "reason": ""}),
        (200, {"live": True, "reason": ""}),
    ]


def test_a_draining_pod_gets_no_requests_and_its_server_is_ready(pod: Pod, watch: Watch) -> None:
    watch.truth.draining = True
    assert ask(pod, watch, "/ready", "/ready/server") == [
        (503, {"ready": False, "reason": "the pod is draining"}),
        (200, {"ready": True, "reason": ""}),
    ]


@pytest.mark.parametrize("seconds", [WEDGED_S + 1, ABANDONED_S + 1])
def test_a_server_without_hope_is_dead_and_the_agent_lives(pod: Pod, watch: Watch, seconds: float) -> None:
    pod.clock.now += seconds
    (server, document), agent = ask(pod, watch, "/live/server", "/live")
    assert (server, document["live"], bool(document["reason"])) == (503, False, True)
    assert agent == (200, {"live": True, "reason": ""})


def test_metrics_are_prometheus_text_and_the_fronts_are_passed_through(pod: Pod, watch: Watch) -> None:
    async def scenario() -> None:
        async with client(pod, watch, 1) as made:
            own = await made.get("/metrics")
            assert own.headers["content-type"].startswith("text/plain")
            assert 'marline_ready{marline_endpoint="blue",model="toy",variant="onnx-int8",version="1.0.0"} 1.0' in await own.text()
            gone = await made.get("/metrics/front")
            assert (gone.status, await gone.text()) == (503, "the front does not answer: UnixClientConnectorError\n")
            async with pod.front():
                passed = await made.get("/metrics/front")
                assert (passed.status, await passed.text()) == (200, "envoy_server_live 1\n")

    asyncio.run(scenario())


def test_the_manifest_is_that_of_the_archive(pod: Pod, watch: Watch) -> None:
    async def scenario() -> None:
        async with client(pod, watch, 1) as made:
            answer = await made.get("/manifest")
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert manifests.loads(await answer.read()) == watch.manifest
            assert await answer.text() == manifests.dumps(watch.manifest)

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/drain", "/", "/models", "/metrics/other"])
def test_orders_are_not_taken_from_the_network(pod: Pod, watch: Watch, path: str) -> None:
    async def scenario() -> int:
        async with client(pod, watch, 1) as made:
            return (await made.post(path)).status

    assert asyncio.run(scenario()) == 404
    assert not watch.truth.draining
