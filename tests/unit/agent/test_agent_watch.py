"""Looking at a server that answers what the test says, over its unix socket."""

from __future__ import annotations

import asyncio
import errno
import logging
from dataclasses import replace

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey

from marline.agent import watch as module
from marline.agent.truth import SILENCE_S
from marline.agent.watch import ANSWERS, REQUESTS
from marline.serve.torchserve.config import file_names
from unit.agent.pod import MANIFEST, RIGHT, WHO, WRONG, Pod, description, seen

BOTH = description((11, "READY"), (12, "READY"))


def test_ready_workers_and_a_right_golden_answer_are_ready(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe = 200, description((11, "READY"), (12, "LOADING"), (13, "UNLOADING"), pending=3, free=97)

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))

    asyncio.run(scenario())
    assert watch.truth.ready == {11}
    assert (watch.truth.pending, watch.truth.capacity) == (3, 100)
    assert pod.predicted[0] == MANIFEST.golden[0].request


def test_the_golden_request_is_asked_once_for_the_workers_that_are_there_and_again_for_a_new_one(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe = 200, description((11, "READY"))

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))
            await pod.looked_again()
            assert len(pod.predicted) == 1
            pod.describe = 200, BOTH
            await seen(lambda: len(pod.predicted) == 2)
            await pod.looked_again()

    asyncio.run(scenario())
    assert len(pod.predicted) == 2


def test_a_wrong_answer_is_unready_and_asked_for_until_it_is_right(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe, pod.predict = (200, BOTH), (200, WRONG)

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: len(pod.predicted) >= 3)
            assert watch.truth.unready(pod.clock()) == f"{WHO} answers wrongly: output 'y' differs by 1, allowed 0.01"
            pod.predict = 200, RIGHT
            await seen(lambda: not watch.truth.unready(pod.clock()))

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [500, 503, 507])
def test_a_refusal_of_the_server_itself_says_nothing_about_the_model(pod: Pod, status: int) -> None:
    watch = pod.watch()
    pod.describe, pod.predict = (200, BOTH), (status, {"code": status})

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: len(pod.predicted) >= 3)
            assert watch.truth.unready(pod.clock()) == f"{WHO} has not answered its golden request yet"

    asyncio.run(scenario())


def test_an_error_of_the_handler_is_a_wrong_answer(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe, pod.predict, pod.headers = (200, BOTH), (500, {"code": 500}), {"x-marline-error": "failed"}

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: "answers wrongly: status 500" in watch.truth.unready(pod.clock()))

    asyncio.run(scenario())


def test_an_archive_without_golden_requests_is_ready_by_its_workers(pod: Pod) -> None:
    watch = pod.watch(replace(MANIFEST, golden=()))
    pod.describe = 200, BOTH

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))

    asyncio.run(scenario())
    assert pod.predicted == []


def ready_then(pod: Pod, answer: tuple[int, object] | None) -> str:
    """Why a ready pod is unready after its server has given Describe another answer for a while."""
    watch = pod.watch()
    pod.describe = 200, BOTH

    async def scenario() -> str:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))
            pod.describe = answer
            await pod.looked_again()
            return watch.truth.unready(pod.clock())

    return asyncio.run(scenario())


def test_no_ready_worker_is_unready_at_once(pod: Pod) -> None:
    said = ready_then(pod, (200, description((11, "LOADING"), (12, "UNLOADING"))))
    assert said == f"{WHO} has no worker ready: it is loading"


def test_a_version_that_is_not_there_is_unready_at_once(pod: Pod) -> None:
    said = ready_then(pod, (404, {"code": 404}))
    assert said == f"{WHO} has no worker ready: the server did not register it"


@pytest.mark.parametrize("answer", [(500, {"code": 500}), (503, b"busy"), None], ids=["error", "busy", "nothing"])
def test_a_describe_that_fails_is_silence_and_not_yet_unready(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, object] | None
) -> None:
    monkeypatch.setattr(module, "DESCRIBE_TIMEOUT_S", 0.05)
    assert ready_then(pod, answer) == ""


def test_a_full_queue_is_not_unready(pod: Pod) -> None:
    assert ready_then(pod, (200, description((11, "READY"), pending=100, free=0))) == ""


def test_answers_through_the_front_are_life_while_describe_is_silent(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DESCRIBE_TIMEOUT_S", 0.05)
    watch = pod.watch()
    pod.describe = 200, BOTH
    pod.stats = {ANSWERS: 7, REQUESTS: 4}

    async def scenario() -> None:
        async with pod.server(watch), pod.front(), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()) and watch.in_flight == 4)
            pod.describe = None
            await pod.looked_again()
            await pod.passes(watch, SILENCE_S + 1)
            looks = len(pod.patterns)
            await seen(lambda: len(pod.patterns) > looks + 2)
            # requests that wait are no answers
            assert "has said nothing for " in watch.truth.unready(pod.clock())
            pod.stats = {ANSWERS: 8, REQUESTS: 0}
            await seen(lambda: not watch.truth.unready(pod.clock()))

    asyncio.run(scenario())
    assert watch.in_flight == 0
    assert set(pod.patterns) == {f"^({ANSWERS}|{REQUESTS})$"}


def test_without_a_front_nobody_asks_it_and_the_server_is_asked_on_its_own_port(pod: Pod) -> None:
    without, behind = pod.watch(front={"enabled": False}), pod.watch()
    assert (without.port, behind.port) == (8080, 8085)
    pod.describe = 200, BOTH

    async def scenario() -> None:
        async with pod.server(without), pod.front(), pod.observed(without):
            await seen(lambda: not without.truth.unready(pod.clock()))
            await pod.looked_again()

    asyncio.run(scenario())
    assert pod.patterns == []


def test_a_server_that_ends_is_unready_and_one_that_comes_back_is_asked_anew(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe = 200, BOTH

    async def scenario() -> None:
        async with pod.observed(watch):
            async with pod.server(watch):
                await seen(lambda: not watch.truth.unready(pod.clock()))
            await seen(lambda: watch.truth.unready(pod.clock()) == f"{WHO} has no worker ready: the server does not run")
            asked = len(pod.predicted)
            async with pod.server(watch):
                await seen(lambda: not watch.truth.unready(pod.clock()))
            assert len(pod.predicted) == asked + 1

    asyncio.run(scenario())


class Cut:
    """A session whose connection fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, **_: object) -> Cut:
        return self

    async def __aenter__(self) -> Cut:
        raise self.error

    async def __aexit__(self, *_: object) -> None:
        pass


def wrapped(error: OSError) -> Exception:
    """As aiohttp tells why there is no connection."""
    return UnixClientConnectorError("server.sock", ConnectionKey("x", 0, False, True, None, None, None), error)


SILENT = [
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError(),
    aiohttp.ClientOSError(errno.ECONNRESET, "reset"),
    ConnectionResetError(),
    wrapped(OSError(errno.EMFILE, "too many open files")),
    wrapped(BlockingIOError(errno.EAGAIN, "the backlog is full")),
]
ABSENT = [wrapped(ConnectionRefusedError(errno.ECONNREFUSED, "refused")), wrapped(FileNotFoundError(errno.ENOENT, "no"))]


@pytest.mark.parametrize(("error", "gone"), [*((e, False) for e in SILENT), *((e, True) for e in ABSENT)], ids=repr)
def test_only_an_address_without_listener_is_a_server_that_is_gone(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, error: Exception, gone: bool
) -> None:
    watch = pod.watch()
    watch.truth.described(pod.clock(), frozenset({11}), 0, 100)
    watch.truth.golden(pod.clock(), frozenset({11}), "")
    monkeypatch.setattr(module.aiohttp, "ClientSession", Cut(error))
    asyncio.run(watch._describe())
    assert watch.truth.unready(pod.clock()) == (f"{WHO} has no worker ready: the server does not run" if gone else "")
    assert watch.truth.unchecked is False


def test_a_stall_of_the_agent_is_not_the_servers_silence(pod: Pod) -> None:
    # a Describe is under way, nothing runs for a while, and the kubelet's question is the first to be answered
    watch = pod.watch()
    pod.describe = 200, BOTH

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))
            pod.describe = None
            await seen(lambda count=pod.described: pod.described > count + 1)
            pod.clock.now += 2 * SILENCE_S
            assert watch.truth.unready(pod.clock()) == ""
            await pod.passes(watch, SILENCE_S + 1)
            assert "has said nothing for " in watch.truth.unready(pod.clock())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DESCRIBE_TIMEOUT_S", 0.05)
        asyncio.run(scenario())


@pytest.mark.parametrize("silent", ["describe", "predict"])
def test_it_ends_when_told_also_in_the_moment_of_a_timeout(pod: Pod, monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    monkeypatch.setattr(module, "DESCRIBE_TIMEOUT_S", 0.2)
    watch = pod.watch(server={"response_timeout_s": 1})
    pod.describe = 200, BOTH
    setattr(pod, silent, None)

    async def scenario() -> bool:
        loop = asyncio.get_running_loop()
        async with pod.server(watch):
            looking = asyncio.create_task(watch.forever())
            await seen(lambda: pod.described if silent == "describe" else pod.predicted)
            end = loop.time() + (0.2 if silent == "describe" else 1.0)
            while loop.time() < end:
                pass  # nothing else runs, so that both come in the same turn of the loop
            looking.cancel()
            ended, _ = await asyncio.wait({looking}, timeout=5)
            looking.cancel()
            return bool(ended)

    assert asyncio.run(scenario())


def test_why_a_worker_does_not_load_is_read_from_its_log(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe = 200, description((0, "UNLOADING"))
    line = "2026-11-21T10:56:41,253 W-9000-toy_1.0.0-onnx-int8-stdout - {}\n"
    said = "".join(line.format(text) for text in ("Torch worker started.", "marline load error: golden request 0: wrong"))
    (pod.places.server.logs / "model.log").write_text(said)

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: watch.truth.reason == "golden request 0: wrong")

    asyncio.run(scenario())


def test_why_an_archive_is_not_registered_is_read_from_the_servers_log(pod: Pod) -> None:
    watch = pod.watch()
    pod.describe = 404, {"code": 404}
    refusal = f"ModelServer - Failed to load model: /x/{file_names(1)[0]}\norg.pytorch.serve.X: broken\n"
    (pod.places.server.logs / "server.log").write_text(refusal)

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: watch.truth.reason == "org.pytorch.serve.X: broken")

    asyncio.run(scenario())


def test_each_change_of_mind_is_logged_once(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    watch = pod.watch()
    pod.describe = 200, BOTH

    async def scenario() -> None:
        async with pod.server(watch), pod.observed(watch):
            await seen(lambda: not watch.truth.unready(pod.clock()))
            await pod.looked_again()
            pod.describe = 200, description()
            await seen(lambda: watch.truth.unready(pod.clock()))
            await pod.looked_again()

    with caplog.at_level(logging.INFO, "marline.agent"):
        asyncio.run(scenario())
    said = [record.getMessage() for record in caplog.records]
    assert said.count("ready") == 1
    assert said[-1] == f"{WHO} has no worker ready: it is loading"
    assert len(said) == len(set(said))
