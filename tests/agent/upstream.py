"""A stand-in for TorchServe and for the agent, on two ports: it tells what reached it and fails on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Arrived:
    """One request as the server got it; ``number`` counts those with the same ``x-case`` header, from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int


Answer = Callable[[Arrived], Awaitable[web.StreamResponse]]


async def fine(arrived: Arrived) -> web.StreamResponse:
    return web.json_response({"answer": "fine"})


def dies(times: int, status: int = 500) -> Answer:
    """What TorchServe answers for a request whose worker died, so often for each case."""

    async def answer(arrived: Arrived) -> web.StreamResponse:
        if arrived.number <= times:
            return web.json_response({"code": status, "type": "InternalServerException", "message": "Worker died."}, status=status)
        return await fine(arrived)

    return answer


def answers(status: int, headers: dict[str, str] | None = None, body: bytes = b"{}") -> Answer:
    async def answer(arrived: Arrived) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, body=body)

    return answer


@dataclass
class Upstream:
    """What tests set and see."""

    answer: Answer = fine
    agent: Answer = fine
    arrived: list[Arrived] = field(default_factory=list)
    asked_agent: list[Arrived] = field(default_factory=list)
    active: int = 0
    port: int = 0
    agent_port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _held: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        """As if nothing had happened."""
        self.release()
        self._held = asyncio.Event()
        self.answer = self.agent = fine
        self.arrived, self.asked_agent = [], []

    @property
    def paths(self) -> list[str]:
        return [a.path for a in self.arrived]

    async def hold(self, arrived: Arrived) -> web.StreamResponse:
        """Answer when :meth:`release` is called."""
        await self._held.wait()
        return await fine(arrived)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._held.set)

    def applications(self) -> tuple[web.Application, web.Application]:
        made = []
        for handler in (self._serve, self._ask):
            app = web.Application(client_max_size=1 << 30)
            app.router.add_route("*", "/{path:.*}", handler)
            made.append(app)
        return made[0], made[1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.active += 1
        try:
            arrived = await _read(request, self.arrived)
            return await self.answer(arrived)
        finally:
            self.active -= 1

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        return await self.agent(await _read(request, self.asked_agent))


async def _read(request: web.Request, log: list[Arrived]) -> Arrived:
    case = request.headers.get("x-case")
    body = await request.read()
    number = 1 + sum(a.headers.get("x-case") == case for a in log)
    arrived = Arrived(request.method, request.raw_path, {k.lower(): v for k, v in request.headers.items()}, body, number)
    log.append(arrived)
    return arrived


@contextmanager
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    loop, started = made._loop, threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        ports = []
        for app in made.applications():
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(runner.addresses[0][1])
        made.port, made.agent_port = ports
        started.set()

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        yield made
    finally:
        made.release()
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
