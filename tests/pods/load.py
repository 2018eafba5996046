"""Open-loop load: requests leave when they are due, whatever became of those before, and each answer is checked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from pods import chart

Check = Callable[[int, bytes], str]
QUESTIONS = [
    ("A warm, funny and beautifully acted film that I would happily watch again.", "positive"),
    ("Dull, lifeless and far too long; I wanted my money back.", "negative"),
    ("An absolute triumph, the best picture of the year.", "positive"),
    ("The plot makes no sense and the acting is terrible.", "negative"),
]


@dataclass
class Outcome:
    """What became of every request: statuses, wrong answers and failures with their second since the start."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[float, str]] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.statuses.values())

    def __str__(self) -> str:
        counted = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        slowest = max((took for _, took in self.seconds), default=0.0)
        return f"{self.total} requests: {counted}; slowest {slowest:.2f} s; problems {self.problems[:5]}"


class Load:
    """Asks ``url`` at a constant rate until stopped.

    Args:
        url: where.
        rate: requests per second; another one may be set meanwhile.
        path: of the model.
        timeout: seconds for one answer.
    """

    def __init__(self, url: str, rate: float, *, path: str = "/predictions/sentiment", timeout: float = 60.0) -> None:
        self.url, self.rate, self.path, self.timeout = url, rate, path, timeout
        self.outcome = Outcome()
        self.stopped = threading.Event()
        self.started = 0.0
        self.running: Future[None] = Future()

    async def run(self) -> None:
        """Half of the requests use connections again, half bring their own."""
        self.started = time.monotonic()
        limits = aiohttp.ClientTimeout(self.timeout)
        reused = aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0))
        fresh = aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0, force_close=True))
        async with reused, fresh, asyncio.TaskGroup() as tasks:
            number, due = 0, self.started
            while not self.stopped.is_set():
                tasks.create_task(self._one(reused if number % 2 else fresh, number))
                number += 1
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        text, label = QUESTIONS[number % len(QUESTIONS)]
        started = time.monotonic()
        body = json.dumps({"text": text})
        headers = {"content-type": "application/json"}
        try:
            async with session.post(self.url + self.path, data=body, headers=headers) as response:
                status, answer = response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._note(started, type(error).__name__, f"no answer: {error!r}")
            return
        problem = wrong(status, answer, label)
        self._note(started, str(status), problem)
        if not problem:
            self.outcome.versions[json.loads(answer)["model_version"]] += 1

    def _note(self, started: float, status: str, problem: str) -> None:
        now = time.monotonic()
        self.outcome.statuses[status] += 1
        self.outcome.seconds.append((started - self.started, now - started))
        if problem:
            self.outcome.problems.append((round(now - self.started, 2), problem))


def wrong(status: int, answer: bytes, label: str) -> str:
    """Why an answer is not the right one; empty when it is."""
    if status != 200:
        return f"{status}: {answer[:200]!r}"
    try:
        found = json.loads(answer)["label"]
    except (ValueError, KeyError, TypeError) as error:
        return f"200 with no answer in it ({error!r}): {answer[:200]!r}"
    return "" if found == label else f"label {found}"


def capacity(url: str, seconds: float, concurrency: int, path: str = "/predictions/sentiment") -> float:
    """Right answers per second of so many clients that each ask again as soon as they are answered."""

    async def client(session: aiohttp.ClientSession, end: float) -> int:
        number = 0
        while time.monotonic() < end:
            text, label = QUESTIONS[number % len(QUESTIONS)]
            async with session.post(url + path, json={"text": text}) as response:
                assert not wrong(response.status, await response.read(), label)
            number += 1
        return number

    async def clients() -> float:
        started = time.monotonic()
        async with aiohttp.ClientSession() as session:
            counts = await asyncio.gather(*(client(session, started + seconds) for _ in range(concurrency)))
        return sum(counts) / (time.monotonic() - started)

    first_answer(url + path)
    return asyncio.run(clients())


def first_answer(url: str, seconds: float = 20.0) -> None:
    """Wait until somebody listens behind the address."""
    end = time.monotonic() + seconds
    while chart.ask(url, {"text": QUESTIONS[0][0]})[0] == 0:
        assert time.monotonic() < end, f"{url} answers nothing within {seconds:.0f} s"
        time.sleep(0.05)


@contextmanager
def under_load(url: str, rate: float, **options: Any) -> Iterator[Load]:
    """Load from the block's begin to its end; its outcome is complete after the block.

    It begins with the first answer: a Service leads to its pods a moment after they are ready.
    """
    load = Load(url, rate, **options)
    first_answer(load.url + load.path)
    with ThreadPoolExecutor(1, "load") as pool:
        load.running = pool.submit(asyncio.run, load.run())
        try:
            yield load
        finally:
            load.stopped.set()
        load.running.result()  # what broke the load itself is no failure of the server's
