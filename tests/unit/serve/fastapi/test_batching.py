"""Who waits for whom: an idle worker for nobody, a queue not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from marline.serve.fastapi.batching import Batcher, Busy

LONG = 3600.0


class Slow:
    """Computes a batch when it is told to; ``batches`` is what it was given, in order."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gates: list[asyncio.Future[None]] = []
        self.given = asyncio.Event()

    async def __call__(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        self.gates.append(asyncio.get_running_loop().create_future())
        self.given.set()
        await self.gates[-1]
        return [-q for q in batch]

    async def batch(self, number: int) -> list[int]:
        """Batch ``number``, as soon as it was given."""
        while len(self.batches) <= number:
            self.given.clear()
            await asyncio.wait_for(self.given.wait(), 20)
        return self.batches[number]


def batcher(compute: Any, **changes: Any) -> Batcher[int, int]:
    return Batcher(compute, **{"size": 4, "delay_s": 0.0, "most": 100, "patience_s": LONG, **changes})


def running(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        # longer than any scene turns the clock forward
        await asyncio.wait_for(scene(), 300)

    asyncio.run(bounded())


def asks(b: Batcher[int, int], *questions: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(b.ask(q)) for q in questions]


async def settled() -> None:
    """Everything that can go on without an answer has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_lone_request_never_waits_for_the_timeout() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow, delay_s=LONG)
        (asked,) = asks(b, 1)
        await settled()
        assert slow.batches == [[1]]
        slow.gates[0].set_result(None)
        assert await asked == -1
        (asked,) = asks(b, 2)
        await settled()
        assert slow.batches == [[1], [2]]
        slow.gates[1].set_result(None)
        assert await asked == -2

    running(scene)


def test_what_arrives_during_a_batch_is_the_next_one_and_every_answer_finds_its_question() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow)
        first = asks(b, 1)
        await slow.batch(0)
        others = asks(b, 2, 3, 4, 5, 6, 7)
        await settled()
        assert slow.batches == [[1]]
        slow.gates[0].set_result(None)
        assert await slow.batch(1) == [2, 3, 4, 5]
        assert [t.done() for t in others] == [False] * 6
        slow.gates[1].set_result(None)
        assert await slow.batch(2) == [6, 7]
        slow.gates[2].set_result(None)
        assert [await t for t in (*first, *others)] == [-1, -2, -3, -4, -5, -6, -7]

    running(scene)


def test_requests_that_arrive_together_are_computed_together() -> None:
    async def scene() -> None:
        slow = Slow()
        asked = asks(batcher(slow, delay_s=LONG), 1, 2, 3)
        await settled()
        assert slow.batches == [[1, 2, 3]]
        slow.gates[0].set_result(None)
        await asyncio.gather(*asked)

    running(scene)


def test_a_batch_that_is_not_full_waits_for_company_until_it_is() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow, delay_s=LONG)
        asked = asks(b, 1)
        await slow.batch(0)
        asked += asks(b, 2, 3)
        slow.gates[0].set_result(None)
        await settled()
        assert slow.batches == [[1]]
        asked += asks(b, 4)
        await settled()
        assert slow.batches == [[1]]
        asked += asks(b, 5)
        assert await slow.batch(1) == [2, 3, 4, 5]
        slow.gates[1].set_result(None)
        assert [await t for t in asked] == [-1, -2, -3, -4, -5]

    running(scene)


def test_or_until_its_oldest_request_has_waited_the_delay() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow, delay_s=0.05)
        asked = asks(b, 1)
        await slow.batch(0)
        asked += asks(b, 2)
        slow.gates[0].set_result(None)
        assert await slow.batch(1) == [2]
        slow.gates[1].set_result(None)
        await asyncio.gather(*asked)

    running(scene)


def test_one_too_many_is_refused_with_an_honest_time() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow, size=2, most=3)
        asked = asks(b, 1)
        await slow.batch(0)
        asked += asks(b, 2, 3, 4)
        await settled()
        with pytest.raises(Busy) as refused:
            await b.ask(5)
        assert refused.value.reason == "The queue of 3 requests is full; ask again in 1 s, or add capacity."
        assert refused.value.retry_after == 1
        loop = asyncio.get_running_loop()
        now, loop.time = loop.time, lambda: now() + 60  # type: ignore[method-assign]
        slow.gates[0].set_result(None)
        await slow.batch(1)
        slow.gates[1].set_result(None)
        await slow.batch(2)
        asked += asks(b, 6, 7, 8)
        await settled()
        with pytest.raises(Busy) as refused:
            await b.ask(9)
        # a batch took 60 s, then one took none: 3 waiting, each at 0.8 of that
        assert 3 * 60 * 0.8 <= refused.value.retry_after <= 3 * 60 * 0.8 + 2
        slow.gates[2].set_result(None)
        slow.given.clear()
        await slow.batch(3)
        slow.gates[3].set_result(None)
        await slow.batch(4)
        slow.gates[4].set_result(None)
        assert [await t for t in asked] == [-1, -2, -3, -4, -6, -7, -8]

    running(scene)


def test_what_waited_too_long_is_answered_and_not_computed() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow, patience_s=30.0)
        first = asks(b, 1)
        await slow.batch(0)
        late = asks(b, 2, 3)
        await settled()
        loop = asyncio.get_running_loop()
        now, loop.time = loop.time, lambda: now() + 31  # type: ignore[method-assign]
        fresh = asks(b, 4)
        await settled()
        slow.gates[0].set_result(None)
        assert await slow.batch(1) == [4]
        slow.gates[1].set_result(None)
        assert await first[0] == -1
        assert await fresh[0] == -4
        for task in late:
            with pytest.raises(Busy, match=r"^The request waited longer than 30 s; ask again in \d+ s, or add capacity.$"):
                await task

    running(scene)


def test_who_went_away_is_not_computed() -> None:
    async def scene() -> None:
        slow = Slow()
        b = batcher(slow)
        first = asks(b, 1)
        await slow.batch(0)
        gone, stays = asks(b, 2, 3)
        await settled()
        gone.cancel()
        await settled()
        slow.gates[0].set_result(None)
        assert await slow.batch(1) == [3]
        slow.gates[1].set_result(None)
        assert [await first[0], await stays] == [-1, -3]

    running(scene)


@pytest.mark.parametrize("wrong", [lambda batch: [], lambda batch: [0, 0, 0, 0, 0]])
def test_too_few_or_too_many_answers_are_an_error_for_all(wrong: Callable[[Sequence[int]], list[int]]) -> None:
    async def compute(batch: Sequence[int]) -> list[int]:
        return wrong(batch)

    async def scene() -> None:
        with pytest.raises(ValueError, match=r"zip\(\)"):
            await asks(batcher(compute), 1)[0]

    running(scene)


def test_a_batch_that_fails_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def compute(batch: Sequence[int]) -> list[int]:
        if 1 in batch:
            raise OSError("no")
        return [-q for q in batch]

    async def scene() -> None:
        b = batcher(compute, size=2)
        asked = asks(b, 1, 2, 3)
        for task in asked[:2]:
            with pytest.raises(OSError, match="^no$"):
                await task
        assert await asked[2] == -3

    running(scene)
    assert "a batch of 2 failed" in caplog.text
