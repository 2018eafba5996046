"""A pod without processes: the server, the front's administration and the clock answer what a test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from handlerkit.manifest import Golden, Manifest, Requirements, Source
from marline.agent.places import Places
from marline.agent.settings import PodSettings
from marline.agent.watch import Watch

LONGEST_S = 20.0
MANIFEST = Manifest(
    schema_version=1, model="toy", version="1.0.0", variant="onnx-int8", task="tensor", format="onnx",
    source=Source("here", "1", "0" * 64), files=(), inputs=(), outputs=(), tokenizer=None, labels=(),
    requirements=Requirements("3.11", {}, ()), inference_parameters={}, warmup_shapes=(),
    golden=(Golden({"inputs": {"x": [1.0, 2.0]}}, None, {"y": [2.0, 4.0]}),), golden_atol=0.01,
    drift_baseline=None, build={}, handler_contract=1, licence="MIT",
)  # fmt: skip
CLASSIFIER = replace(MANIFEST, task="text-classification", golden=(Golden({"text": "good"}, "positive", {"logits": [-1.0, 1.0]}),))
WHO = "toy 1.0.0-onnx-int8"
RIGHT = {"model": "toy", "model_version": "1.0.0", "variant": "onnx-int8", "outputs": {"y": [2.0, 4.0]}}
WRONG = {**RIGHT, "outputs": {"y": [2.0, 5.0]}}


def settings(**sections: dict[str, Any]) -> PodSettings:
    document = {"endpoint": "blue", "archive": {"path": "/archives/toy.mar", "sha256": "0" * 64}, **sections}
    return PodSettings.model_validate(document)


def description(*workers: tuple[int, str], pending: int = 0, free: int = 100) -> list[dict[str, Any]]:
    """Describe's answer for workers of (process id, status)."""
    return [
        {
            "modelName": "toy",
            "workers": [{"id": str(9000 + n), "status": status, "pid": pid} for n, (pid, status) in enumerate(workers)],
            "jobQueueStatus": {"remainingCapacity": free, "pendingRequests": pending},
        }
    ]


class Clock:
    """Stands still, or goes on by ``step`` with each look at it."""

    def __init__(self, now: float = 1000.0, step: float = 0.0) -> None:
        self.now, self.step = now, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@dataclass
class Pod:
    """What the server and the front answer; None is no answer at all."""

    root: Path
    describe: tuple[int, Any] | None = (200, [])
    predict: tuple[int, Any] | None = (200, RIGHT)
    headers: dict[str, str] = field(default_factory=dict)
    stats: dict[str, int] = field(default_factory=dict)
    sent_away: int = 0
    described: int = 0
    predicted: list[Any] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.places = Places(self.root)
        self.places.server.logs.mkdir(parents=True)

    def watch(self, manifest: Manifest = MANIFEST, **sections: dict[str, Any]) -> Watch:
        return Watch(settings(**sections), manifest, self.places.server, self.places.admin, self.clock)

    @asynccontextmanager
    async def server(self, watch: Watch) -> AsyncIterator[None]:
        """The server runs: management on its socket, inference on a free port."""
        management, inference = web.Application(), web.Application()
        management.router.add_get("/models/toy/1.0.0-onnx-int8", self._describe)
        inference.router.add_post("/predictions/toy/1.0.0-onnx-int8", self._predict)
        async with serving(management, self.places.server.management), serving(inference) as port:
            watch.port = port
            yield

    @asynccontextmanager
    async def front(self) -> AsyncIterator[None]:
        """The front's administration answers."""
        app = web.Application()
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/stats/prometheus", self._text)
        app.router.add_post("/healthcheck/fail", self._send_away)
        async with serving(app, self.places.admin):
            yield

    @asynccontextmanager
    async def observed(self, watch: Watch) -> AsyncIterator[None]:
        """Somebody looks, until the block ends."""
        looking = asyncio.create_task(watch.forever())
        try:
            yield
            assert not looking.done(), looking
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def looked_again(self) -> None:
        """A whole look at Describe has begun and ended since now."""
        count = self.described
        await seen(lambda: self.described >= count + 3)

    async def passes(self, watch: Watch, seconds: float) -> None:
        """Time goes by for a watch that has its turns."""
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            await seen(lambda: watch.truth.looked == self.clock.now)

    async def _describe(self, request: web.Request) -> web.Response:
        self.described += 1
        return await _answer(self.describe)

    async def _predict(self, request: web.Request) -> web.Response:
        self.predicted.append(await request.json())
        return await _answer(self.predict, self.headers)

    async def _stats(self, request: web.Request) -> web.Response:
        self.patterns.append(request.query["filter"])
        stats = [{"name": name, "value": value} for name, value in self.stats.items()]
        return web.json_response({"stats": [*stats, {"histograms": {}}]})

    async def _text(self, request: web.Request) -> web.Response:
        return web.Response(text="envoy_server_live 1\n", content_type="text/plain")

    async def _send_away(self, request: web.Request) -> web.Response:
        self.sent_away += 1
        return web.Response(text="OK\n")


async def seen(condition: Callable[[], object]) -> None:
    """Let the others work until it is so.

    Raises:
        AssertionError: when it never was.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_S
    while not condition():
        assert loop.time() < end, "never"
        await asyncio.sleep(0.001)


async def _answer(answer: tuple[int, Any] | None, headers: dict[str, str] | None = None) -> web.Response:
    if answer is None:
        await asyncio.Event().wait()
    assert answer is not None
    body = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
    return web.Response(status=answer[0], body=body, headers=headers)


@asynccontextmanager
async def serving(app: web.Application, path: Path | None = None) -> AsyncIterator[int]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await (web.UnixSite(runner, str(path)) if path else web.TCPSite(runner, "127.0.0.1", 0)).start()
        yield 0 if path else runner.addresses[0][1]
    finally:
        await runner.cleanup()
        if path:
            path.unlink(missing_ok=True)
