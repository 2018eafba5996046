"""What waits while a batch is computed becomes the next batch."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
# share of the newest batch in the mean seconds per request
NEWEST = 0.2


class Busy(Exception):
    """A question that will not be computed.

    Args:
        reason: one sentence.
        retry_after: whole seconds after which asking again makes sense, at least 1.
    """

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass
class _Waiting(Generic[Q, A]):
    question: Q
    answer: asyncio.Future[A]
    since: float


class Batcher(Generic[Q, A]):
    """Questions in, batches computed one after the other, answers out.

    A question that finds nothing being computed is computed at once.  Others wait for the batch before
    them; after it, a batch that is not full is filled until its oldest question has waited ``delay_s``.

    Args:
        compute: answers a batch, in order.
        size: most questions in a batch.
        delay_s: longest wait for a batch to fill, in seconds.
        most: most questions that may wait; one more is refused.
        patience_s: a question that has waited longer is refused and not computed, in seconds.
    """

    def __init__(
        self, compute: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *,
        size: int, delay_s: float, most: int, patience_s: float,
    ) -> None:  # fmt: skip
        self._compute = compute
        self._size = size
        self._delay = delay_s
        self._most = most
        self._patience = patience_s
        self._waiting: deque[_Waiting[Q, A]] = deque()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pace = 0.0

    async def ask(self, question: Q) -> A:
        """The answer to a question.

        Raises:
            Busy: when too many wait, or this one waited too long.
            Exception: whatever computing its batch raised.
        """
        if len(self._waiting) >= self._most:
            raise self._busy(f"The queue of {self._most} requests is full")
        loop = asyncio.get_running_loop()
        entry = _Waiting[Q, A](question, loop.create_future(), loop.time())
        self._waiting.append(entry)
        if self._task is None:
            self._task = loop.create_task(self._work())
        elif len(self._waiting) >= self._size:
            self._full.set()
        return await entry.answer

    async def _work(self) -> None:
        while self._waiting:
            if batch := self._next():
                await self._run(batch)
                await self._company()
        self._task = None

    def _next(self) -> list[_Waiting[Q, A]]:
        """Up to ``size`` questions that somebody still waits for; the expired ones are refused."""
        batch: list[_Waiting[Q, A]] = []
        oldest = asyncio.get_running_loop().time() - self._patience
        while self._waiting and len(batch) < self._size:
            entry = self._waiting.popleft()
            if entry.answer.done():
                continue
            if entry.since < oldest:
                entry.answer.set_exception(self._busy(f"The request waited longer than {self._patience:g} s"))
            else:
                batch.append(entry)
        return batch

    async def _run(self, batch: list[_Waiting[Q, A]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            answers = await self._compute([entry.question for entry in batch])
            for entry, found in list(zip(batch, answers, strict=True)):
                if not entry.answer.done():
                    entry.answer.set_result(found)
        except Exception as error:  # the service outlives whatever a handler raises; who asked is told
            logging.exception("a batch of %d failed", len(batch))
            for entry in batch:
                if not entry.answer.done():
                    entry.answer.set_exception(error)
        spent = (loop.time() - started) / len(batch)
        self._pace = spent if self._pace == 0 else self._pace + NEWEST * (spent - self._pace)

    async def _company(self) -> None:
        """Wait for a batch to fill, unless nothing waits: then the next question must find this idle."""
        loop = asyncio.get_running_loop()
        while 0 < len(self._waiting) < self._size and (until := self._waiting[0].since + self._delay) > loop.time():
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._full.wait()

    def _busy(self, what: str) -> Busy:
        seconds = max(1, math.ceil(len(self._waiting) * self._pace))
        return Busy(f"{what}; ask again in {seconds} s, or add capacity.", seconds)
