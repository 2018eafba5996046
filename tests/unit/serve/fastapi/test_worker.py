"""One process: it says that it is not ready while it loads, and why when it cannot."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from handlerkit.serving import Handler
from marline.serve import read_archive
from marline.serve.fastapi import states, worker
from marline.serve.fastapi.archives import unpack
from marline.serve.fastapi.plan import Plan
from marline.serve.fastapi.states import State
from marline.serve.fastapi.worker import Listening, Process
from server import tiny_archives as tiny

from .test_service import ask


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of a server of two archives and one process, which nobody has started."""
    served = [read_archive(tiny.classifier(tmp_path / "c.mar")), read_archive(tiny.doubler(tmp_path / "d.mar"))]
    root = tmp_path / "root"
    root.mkdir()
    plan = Plan.of(root, served, tiny.SETTINGS, 1)
    for number, one in enumerate(served):
        unpack(one, plan.archive(number))
    plan.write()
    return root


def served(process: Process, scene: Callable[[object], Awaitable[None]]) -> None:
    async def whole() -> None:
        app = process.app()
        async with app.router.lifespan_context(app):
            await scene(app)

    asyncio.run(whole())


async def spoken(directory: Path) -> State:
    """What process 0 says, once it does."""
    async with asyncio.timeout(60):
        while (state := states.read(directory, 0)) is None:
            await asyncio.sleep(0.01)
    return state


def test_it_answers_that_it_loads_and_then_for_every_archive(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loading = worker.load_handler, threading.Event()

    def slow(path: Path) -> Handler:
        loading.wait(60)
        return load(path)

    monkeypatch.setattr(worker, "load_handler", slow)
    process = Process(directory, 0)

    async def scene(app: object) -> None:
        for method, path in (("GET", "/health"), ("POST", "/predict")):
            status, headers, body = await ask(app, method, path, b"good")
            assert (status, headers["retry-after"]) == (503, "1")
            assert b"Not ready: 0 of 1 processes are ready." in body
        loading.set()
        assert await spoken(directory) == State()
        assert (await ask(app, "GET", "/health"))[0] == 200
        assert b'"label":"positive"' in (await ask(app, "POST", "/predict", b"good"))[2]
        assert b'"y":[6.0]' in (await ask(app, "POST", "/predictions/doubler", b'{"inputs": {"x": [3]}}'))[2]

    served(process, scene)


def test_a_golden_request_answered_wrongly_is_the_reason_for_ever(directory: Path) -> None:
    manifest = directory / "archive1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("4.0", "5.0"))
    process = Process(directory, 0)

    async def scene(app: object) -> None:
        state = await spoken(directory)
        assert (state.archive, "golden request 0 answered wrongly: output 'y' differs by 1" in state.failed) == (1, True)
        for method, path in (("GET", "/health"), ("POST", "/predict")):
            status, _, body = await ask(app, method, path, b"good")
            assert (status, b"Not ready: doubler 1.0.0-onnx-fp32: golden request 0 answered wrongly" in body) == (503, True)

    served(process, scene)


def test_an_error_in_the_handlers_file_is_named(directory: Path) -> None:
    with (directory / "archive0" / "text_classification.py").open("a") as file:
        file.write("import not_there\n")

    async def scene(app: object) -> None:
        assert await spoken(directory) == State("ModuleNotFoundError: No module named 'not_there'", 0)

    served(Process(directory, 0), scene)


def test_one_that_takes_a_dead_ones_place_accepts_nothing_before_it_has_loaded(directory: Path) -> None:
    """Its neighbour answers meanwhile."""
    process = Process(directory, 0)

    async def scene(app: object) -> None:
        assert (await ask(app, "POST", "/predict", b"good"))[0] == 200

    with states.say(directory, 0, State()):
        served(process, scene)


def test_a_batch_that_never_ends_is_answered_and_ends_the_process(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, hanging = asyncio.Event(), threading.Event()
    monkeypatch.setattr(worker.os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(worker, "answer", lambda handler, batch: hanging.wait(60))
    monkeypatch.setattr(worker, "SAY_SO_S", 0.01)
    (directory / "plan.json").write_text((directory / "plan.json").read_text().replace('"patience_s": 30.0', '"patience_s": 0.05'))

    async def scene(app: object) -> None:
        await spoken(directory)
        status, headers, body = await ask(app, "POST", "/predict", b"good")
        assert (status, headers["x-marline-error"], b"TimeoutError" in body) == (500, "model", True)
        await asyncio.wait_for(ended.wait(), 60)
        hanging.set()

    served(Process(directory, 0), scene)


def test_a_shared_sockets_queue_keeps_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio takes as many connections at once as it asks the queue to be long; with 1 they are shared out."""
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen(16)
        with Listening(fileno=socket.dup(plain.fileno())) as shared:
            shared.listen(1)
            connections = [socket.create_connection(plain.getsockname(), timeout=5) for _ in range(8)]
            assert [plain.accept()[0].close() for _ in connections] == [None] * 8
            for connection in connections:
                connection.close()
